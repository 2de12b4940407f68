"""Excel workbooks and parquet files as records of text: the line of each row, and its cells."""

from __future__ import annotations

import io
import unicodedata
from pathlib import Path
from typing import Any

from storage.errors import DataError, OrchError


def read_workbook(path: Path, content: bytes) -> list[tuple[int, list[str]]]:
    """The one sheet of a workbook that has something in it.

    Raises:
        DataError: it is no workbook, is damaged, or has several such sheets.
        OrchError: openpyxl is not installed.
    """
    if path.suffix.lower() not in (".xlsx", ".xlsm") and b"xl/workbook" not in content:
        raise DataError(
            f"The labels file {path} is a packed archive, not a table.",
            next_step="Unpack it, and give the table in it; or save a spreadsheet as .xlsx.",
        )
    try:
        import openpyxl
    except ImportError as error:
        raise OrchError(
            f"{path} is an Excel workbook, and openpyxl, which reads it, is not installed.",
            next_step="Install orch with its extra `excel`, or save the sheet as 'CSV UTF-8'.",
        ) from error
    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"] or book.worksheets
        filled = [
            [
                (line, [_as_text(cell) for cell in row])
                for line, row in enumerate(sheet.iter_rows(values_only=True), start=1)
                if any(cell is not None for cell in row)
            ]
            for sheet in sheets
        ]
    # openpyxl raises KeyError, ValueError, BadZipFile, .. for damaged files.
    except Exception as error:
        raise DataError(
            f"The workbook {path} cannot be read: {str(error) or type(error).__name__}.",
            next_step="Save it again, or as 'CSV UTF-8'.",
        ) from error
    filled = [records for records in filled if records]
    if len(filled) > 1:
        raise DataError(
            f"The workbook {path} has {len(filled)} sheets with something in them.",
            why="orch reads one table.",
            next_step="Save the sheet with the labels as a file of its own.",
        )
    return _trim(filled[0]) if filled else []


def _trim(records: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """Rows without the blank cells to the right of the table, which sheets keep after a deletion."""
    width = max(place + 1 for _, cells in records for place, cell in enumerate(cells) if cell)
    return [(line, (cells + [""] * width)[:width]) for line, cells in records]


def read_parquet(path: Path, content: bytes) -> list[tuple[int, list[str]]]:
    """A parquet file, the names of its columns first.

    Raises:
        DataError: it is damaged.
        OrchError: pyarrow is not installed.
    """
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise OrchError(
            f"{path} is a parquet file, and pyarrow, which reads it, is not installed.",
            next_step="Install orch with its extra `parquet`, or write the table as CSV.",
        ) from error
    try:
        table = parquet.read_table(io.BytesIO(content))
        cells = zip(*(column.to_pylist() for column in table.columns), strict=True)
    # pyarrow raises many kinds of errors for damaged files.
    except Exception as error:
        raise DataError(
            f"The parquet file {path} cannot be read: {error}.", next_step="Write it again, or as CSV."
        ) from error
    names = [str(name) for name in table.column_names]
    return [
        (1, names),
        *((line, [_as_text(cell) for cell in row]) for line, row in enumerate(cells, start=2)),
    ]


def _as_text(cell: Any) -> str:
    """A cell of a typed table as CSV would have it: whole numbers without a point, lists as lists, nothing as blank."""
    if cell is None or cell != cell:
        return ""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    return unicodedata.normalize("NFC", str(cell)).strip()
