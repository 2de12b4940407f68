"""Excel workbooks and parquet files as records of text: the line of each row, and its cells.

Both are packed, and a small file may be made to fill the memory: they are read in a process apart (`storage.files.apart`).
"""

from __future__ import annotations

import gzip
import io
import unicodedata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from storage.errors import DataError, OrchError
from storage.files.apart import run_apart
from storage.wording import name_few, say_count

SECONDS = 180
"""Of computing: a million cells take ten."""


def read_workbook(path: Path, content: bytes, sheet: str | None = None) -> list[tuple[int, list[str]]]:
    """One sheet of a workbook: the one that is named, else the only one that has something in it.

    Raises:
        DataError: it is no workbook, is damaged, has no sheet of that name, or several with something in them and none is named.
        OrchError: openpyxl is not installed.
    """
    if path.suffix.lower() not in (".xlsx", ".xlsm") and b"xl/workbook" not in content:
        raise DataError(
            f"The labels file {path} is a packed archive, not a table.",
            next_step="Unpack it, and give the table in it; or save a spreadsheet as .xlsx.",
        )
    if find_spec("openpyxl") is None:
        raise OrchError(
            f"{path} is an Excel workbook, and openpyxl, which reads it, is not installed.",
            next_step="Install orch with its extra `excel`, or save the sheet as 'CSV UTF-8'.",
        )
    try:
        filled = run_apart(read_sheets, str(path), seconds=SECONDS)
    except ValueError as error:
        raise DataError(
            f"The workbook {path} cannot be read: {str(error).rstrip('.')}.",
            next_step="Save it again, or as 'CSV UTF-8'.",
        ) from error
    if sheet is not None:
        named = [
            (name, records) for name, records in filled if name.strip().casefold() == sheet.strip().casefold()
        ]
        if not named:
            raise DataError(
                f"The workbook {path} has no sheet {sheet!r} with something in it.",
                why=f"Its sheets are {name_few((repr(name) for name, _ in filled), 20)}.",
                next_step="Name one of them with --sheet.",
            )
        filled = named
    if len(filled) > 1:
        listed = name_few((f"{name!r} ({say_count(len(records), 'row')})" for name, records in filled), 20)
        raise DataError(
            f"The workbook {path} has {len(filled)} sheets that are not empty: {listed}.",
            why="orch reads one table.",
            next_step="Name the sheet with the labels, `orch data import .. --sheet NAME`, or save it as a file of its own.",
        )
    return _trim([(line, cells) for line, cells in filled[0][1]]) if filled else []


def read_sheets(path: str) -> list[tuple[str, list[tuple[int, list[str]]]]]:
    """The names of visible sheets, and their rows with something in them; only ever called in the process apart."""
    import openpyxl

    book = openpyxl.load_workbook(_open(path), read_only=True, data_only=True)
    sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"] or book.worksheets
    filled = [
        (
            sheet.title,
            [
                (line, [_as_text(cell) for cell in row])
                for line, row in enumerate(sheet.iter_rows(values_only=True), start=1)
                if any(cell is not None for cell in row)
            ],
        )
        for sheet in sheets
    ]
    return [(name, records) for name, records in filled if records]


def _trim(records: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """Rows without the blank cells to the right of the table, which sheets keep after a deletion."""
    width = max(place + 1 for _, cells in records for place, cell in enumerate(cells) if cell)
    return [(line, (cells + [""] * width)[:width]) for line, cells in records]


def read_parquet(path: Path) -> list[tuple[int, list[str]]]:
    """A parquet file, the names of its columns first.

    Raises:
        DataError: it is damaged.
        OrchError: pyarrow is not installed.
    """
    if find_spec("pyarrow") is None:
        raise OrchError(
            f"{path} is a parquet file, and pyarrow, which reads it, is not installed.",
            next_step="Install orch with its extra `parquet`, or write the table as CSV.",
        )
    try:
        records = run_apart(read_columns, str(path), seconds=SECONDS)
    except ValueError as error:
        raise DataError(
            f"The parquet file {path} cannot be read: {str(error).rstrip('.')}.",
            next_step="Write it again, or as CSV.",
        ) from error
    return [(line, cells) for line, cells in records]


def read_columns(path: str) -> list[tuple[int, list[str]]]:
    """The rows of a parquet file, its names first; only ever called in the process apart."""
    from pyarrow import parquet

    table = parquet.read_table(_open(path), use_threads=False)
    cells = zip(*(column.to_pylist() for column in table.columns), strict=True)
    names = [str(name) for name in table.column_names]
    return [
        (1, names),
        *((line, [_as_text(cell) for cell in row]) for line, row in enumerate(cells, start=2)),
    ]


def _open(path: str) -> io.BytesIO:
    content = Path(path).read_bytes()
    return io.BytesIO(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content)


def _as_text(cell: Any) -> str:
    """A cell of a typed table as CSV would have it: whole numbers without a point, lists as lists, nothing as blank."""
    if cell is None or cell != cell:
        return ""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    return unicodedata.normalize("NFC", str(cell)).strip()
