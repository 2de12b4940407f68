"""The labels file: a CSV table, and the label columns in it.

A label column holds 0, 1 or blank (not assessed). One class column may stand in their place: every value becomes a
target of its own, `column=value`, 1 for the images of that class and 0 for the others.
"""

from __future__ import annotations

import csv
import difflib
import io
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from storage.errors import DataError
from storage.wording import name_few

VALUES = {"0": 0.0, "1": 1.0, "0.0": 0.0, "1.0": 1.0, "": np.nan}
"""What a label cell may hold; tables saved by pandas write 0.0 and 1.0 where a column has blanks."""

MOST_CLASSES = 100


@dataclass(frozen=True)
class Table:
    """A CSV file as text: `rows` of equal length, and the line of the file at which each begins."""

    path: Path
    columns: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]

    def column(self, name: str, *, option: str) -> list[str]:
        """The cells of one column, without surrounding space; `option` says who asked for it.

        Raises:
            DataError: there is no such column; names the nearest.
        """
        if name not in self.columns:
            near = difflib.get_close_matches(name, self.columns, n=1, cutoff=0.4)
            raise DataError(
                f"{self.path} has no column {name!r} (asked for by {option}).",
                why=f"Its columns are {', '.join(self.columns)}.",
                next_step=f"Did you mean {near[0]!r}?" if near else f"Name one of them with {option}.",
            )
        place = self.columns.index(name)
        return [row[place] for row in self.rows]

    def name_lines(self, rows: Sequence[int]) -> str:
        """The line numbers of some rows, in words."""
        return f"line{'s' if len(rows) > 1 else ''} {name_few(str(self.lines[row]) for row in rows)}"


@dataclass(frozen=True)
class Labels:
    """The targets, and float32 values of shape (rows, targets), NaN where not assessed."""

    targets: tuple[str, ...]
    columns: tuple[str, ...]
    values: np.ndarray
    kind: str


def read_table(path: Path) -> Table:
    """Read a CSV file; commas, semicolons or tabs between the cells, UTF-8.

    Raises:
        DataError: the file is missing, empty or not UTF-8, or a row has another number of cells than the header.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        near = difflib.get_close_matches(
            path.name, sorted(file.name for file in path.parent.glob("*.csv")), n=1
        )
        raise DataError(
            f"The labels file {path} cannot be read: {error.strerror}.",
            next_step=f"Is {path.with_name(near[0])} meant?"
            if near
            else "Name the CSV file that has a line for each image.",
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"The labels file {path} is not text in UTF-8: {error.reason} at byte {error.start}.",
            why="Spreadsheets save other encodings, or their own format, unless told.",
            next_step="Save it as 'CSV UTF-8'.",
        ) from error
    text = unicodedata.normalize("NFC", text)
    records = _split_records(path, text)
    if not records:
        raise DataError(
            f"The labels file {path} is empty.",
            next_step="It needs a header line and a line for each image: filename,patient_id,label..",
        )
    header, body = records[0][1], records[1:]
    # A blank header is the row index that pandas writes by default.
    kept = [place for place, name in enumerate(header) if name]
    columns = tuple(header[place] for place in kept)
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise DataError(
            f"The labels file {path} names column {twice[0]!r} twice.",
            next_step="Rename or remove one of the two.",
        )
    if not body:
        raise DataError(
            f"The labels file {path} is empty: it has a header and no rows.",
            next_step="It needs a line for each image.",
        )
    for line, cells in body:
        if len(cells) != len(header):
            raise DataError(
                f"{path} line {line} has {len(cells)} cells, but the header has {len(header)}.",
                why="A cell that holds a comma must stand in quotes.",
                next_step="Mend that line.",
            )
    rows = [[cells[place] for place in kept] for _, cells in body]
    return Table(path, columns, rows, [line for line, _ in body])


def read_labels(
    table: Table, *, targets: Sequence[str] | None, class_column: str | None, excluded: Sequence[str]
) -> Labels:
    """Read the label columns.

    Args:
        table: the labels file.
        targets: the columns to read; None takes every column of 0, 1 and blank, or else one column of words as
            classes.
        class_column: one column whose values are classes, in place of `targets`.
        excluded: columns that are no labels: file name, groups, split.

    Raises:
        DataError: no label column, an unknown one, or a cell that is not 0, 1 or blank (names the line).
    """
    if class_column is not None:
        if targets:
            raise DataError("--targets and --class-column were both given.", next_step="Give one of them.")
        return _read_classes(table, class_column, option="--class-column")
    chosen = _choose_columns(table, excluded) if targets is None else list(targets)
    if not chosen or len(set(chosen)) != len(chosen):
        raise DataError("--targets names no column, or one twice.", next_step="Give --targets a,b,..")
    if len(chosen) == 1 and _is_words(table.column(chosen[0], option="--targets")):
        return _read_classes(table, chosen[0], option="--targets")
    values = np.empty((len(table.rows), len(chosen)), dtype=np.float32)
    for place, name in enumerate(chosen):
        cells = table.column(name, option="--targets")
        wrong = [row for row, cell in enumerate(cells) if cell not in VALUES]
        if wrong:
            raise _wrong_label(table, name, cells, wrong)
        values[:, place] = [VALUES[cell] for cell in cells]
    return Labels(tuple(chosen), tuple(chosen), values, "flags")


def read_groups(table: Table, columns: Sequence[str]) -> list[tuple[str, ...]]:
    """The group of each row: the cells of one column or of several together.

    Raises:
        DataError: a missing column, or a blank cell (names the line).
    """
    cells = [table.column(name, option="--group") for name in columns]
    for name, column in zip(columns, cells, strict=True):
        blank = [row for row, cell in enumerate(column) if not cell]
        if blank:
            raise DataError(
                f"{table.path}: the group column {name!r} is blank in {len(blank)} rows ({table.name_lines(blank)}).",
                why="An image without a group could stand on both sides of a split.",
                next_step="Fill these cells in; give an image of unknown origin a group of its own.",
            )
    return list(zip(*cells, strict=True))


def read_split(table: Table, column: str) -> list[str]:
    """The side of each row: train, valid or test.

    Raises:
        DataError: a missing column, or another value (names the line).
    """
    sides = [cell.lower() for cell in table.column(column, option="--split")]
    wrong = [row for row, side in enumerate(sides) if side not in ("train", "valid", "test")]
    if wrong:
        raise DataError(
            f"{table.path} {table.name_lines(wrong)}: {sides[wrong[0]] or 'blank'!r} in the split column {column!r} "
            "is not train, valid or test.",
            why=f"{len(wrong)} rows have another value.",
            next_step="Write train or valid for development and test for the hold-out.",
        )
    return sides


def _split_records(path: Path, text: str) -> list[tuple[int, list[str]]]:
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    records = []
    begin = 1
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                records.append((begin, stripped))
            begin = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{path} line {begin} is not CSV: {error}.",
            why="A quotation mark is not closed, or the file is not a table.",
            next_step="Mend that line.",
        ) from error
    return records


def _choose_columns(table: Table, excluded: Sequence[str]) -> list[str]:
    chosen, words = [], []
    for name in table.columns:
        cells = [] if name in excluded else [cell for cell in table.column(name, option="--targets") if cell]
        fitting = sum(cell in VALUES for cell in cells)
        if not cells:
            continue
        if fitting == len(cells):
            chosen.append(name)
        elif fitting >= len(cells) / 2 and len({VALUES[cell] for cell in cells if cell in VALUES}) == 2:
            # Leaving the column out in silence would lose a target to one slip of the hand.
            everything = table.column(name, option="--targets")
            wrong = [row for row, cell in enumerate(everything) if cell not in VALUES]
            raise _wrong_label(table, name, everything, wrong)
        elif _is_words(cells) and 2 <= len(set(cells)) <= min(MOST_CLASSES, (len(cells) + 1) // 2):
            words.append(name)
    if chosen:
        return chosen
    if len(words) == 1:
        return words
    raise DataError(
        f"{table.path} has no label column: none holds only 0, 1 and blank.",
        why=f"Its columns are {', '.join(table.columns)}.",
        next_step="Name 0/1 columns with --targets a,b or a column of classes with --class-column NAME.",
    )


def _read_classes(table: Table, name: str, *, option: str) -> Labels:
    cells = table.column(name, option=option)
    classes = sorted(set(cells) - {""})
    if not 2 <= len(classes) <= MOST_CLASSES:
        raise DataError(
            f"{table.path}: the class column {name!r} has {len(classes)} different values.",
            why=f"A class column has 2 to {MOST_CLASSES} classes.",
            next_step="Name another column with --class-column, or 0/1 columns with --targets.",
        )
    values = np.array([[float(cell == one) for one in classes] for cell in cells], dtype=np.float32)
    values[[row for row, cell in enumerate(cells) if not cell]] = np.nan
    return Labels(tuple(f"{name}={one}" for one in classes), (name,), values, "classes")


def _is_words(cells: Sequence[str]) -> bool:
    """Whether no cell is a number: then the column can only be classes, never 0/1 with slips."""
    given = [cell for cell in cells if cell]
    return bool(given) and not any(_is_number(cell) for cell in given)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _wrong_label(table: Table, name: str, cells: Sequence[str], wrong: Sequence[int]) -> DataError:
    return DataError(
        f"{table.path} {table.name_lines(wrong)}: label {name!r} is {cells[wrong[0]]!r}, not 0, 1 or blank.",
        why=f"{len(wrong)} of {len(cells)} cells of that column are something else.",
        next_step="Mend them; or name the label columns with --targets a,b, or a column of classes with "
        "--class-column NAME.",
    )
