"""Predictions as a table, CSV or Excel: file, label where it is known, and raw, mean, max and min of each target."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.models.answers import ANSWERS, Answer
from storage.errors import DataError, OrchError, UsageError
from storage.files.csv_tables import to_csv
from storage.files.writing import check_place, write_bytes, write_text
from storage.tasks.kinds import LABELS

if TYPE_CHECKING:
    from orchestrator.models.prediction import Images
    from workers.final_model.predict import Predictions

SHEET_ROWS = 1_048_575


def make_table(
    images: Images,
    targets: Sequence[str],
    predictions: Predictions,
    answer: Answer | None = None,
    unlike: Sequence[float] | None = None,
) -> tuple[list[str], list[list[Any]]]:
    """Header and rows: file, what a prediction says (`orchestrator.models.answers`), and whether the picture is unlike the training.

    Args:
        images: the pictures.
        targets: names of the model's outputs.
        predictions: of the pictures.
        answer: of the model's kind of label; left out, that of labels side by side.
        unlike: distances in units of the flag's threshold, or None.
    """
    found = (answer or ANSWERS[LABELS]).columns(targets, images.labels, predictions)
    if unlike is not None:
        found += [("unlike training", [int(one > 1) for one in unlike]), ("distance", list(unlike))]
    header = ["filename", *(name for name, _ in found)]
    columns = [list(images.names), *(column for _, column in found)]
    return header, [list(row) for row in zip(*columns, strict=True)]


def write_table(out: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write the table as CSV or, by its suffix, as an Excel workbook; whole or not at all.

    Raises:
        OrchError: XlsxWriter is not installed.
        DataError: a sheet cannot hold so many rows.
    """
    if out.suffix.lower() == ".xlsx":
        _write_workbook(out, header, rows)
        return
    write_text(out, to_csv(header, rows), private=True)


def check_out(out: Path) -> None:
    """Make sure, before anything is predicted, that the table can be written.

    Raises:
        UsageError: another suffix, no such folder, or one that cannot be written in.
        OrchError: XlsxWriter is not installed.
    """
    if out.suffix.lower() not in (".csv", ".xlsx"):
        raise UsageError(f"-o {out} must end in .csv or .xlsx.")
    check_place(out)
    if out.suffix.lower() == ".xlsx":
        _import_xlsxwriter()


def _write_workbook(out: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    if len(rows) > SHEET_ROWS:
        raise DataError(
            f"An Excel sheet holds {SHEET_ROWS} rows, not {len(rows)}.", next_step="Write a .csv."
        )
    # File names come from users: one that begins with = must not become a formula. In memory, because XlsxWriter hides
    # what the disk says in an error of its own, and keeps parts in the folder for temporary files.
    options = {
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "nan_inf_to_errors": True,
        "in_memory": True,
    }
    content = io.BytesIO()
    with _import_xlsxwriter().Workbook(content, options) as book:
        sheet = book.add_worksheet("predictions")
        sheet.write_row(0, 0, header, book.add_format({"bold": True}))
        for place, row in enumerate(rows, start=1):
            sheet.write_row(place, 0, row)
        sheet.freeze_panes(1, 1)
        sheet.set_column(0, 0, max([len(str(row[0])) for row in rows] + [10]))
        sheet.autofilter(0, 0, len(rows), len(header) - 1)
    write_bytes(out, content.getvalue(), private=True)


def _import_xlsxwriter() -> Any:
    try:
        import xlsxwriter
    except ImportError as error:
        raise OrchError(
            "An Excel workbook needs XlsxWriter, which is not installed.",
            next_step="Install orch with its extra `excel`, or write a .csv.",
        ) from error
    return xlsxwriter
