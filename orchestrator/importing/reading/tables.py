"""Tables as text, however they are stored: CSV of any separator, packed, from a spreadsheet or from parquet."""

from __future__ import annotations

import csv
import difflib
import gzip
import io
import re
import string
import unicodedata
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from orchestrator.importing.reading.workbooks import read_parquet, read_workbook
from storage.errors import DataError
from storage.parsing import read_regular
from storage.wording import name_few

SEPARATORS = ("\t", ";", ",", "|")
"""What may stand between cells; of two that fit equally the earlier counts, as decimal commas stand in tables with semicolons."""

QUOTED_LINE = re.compile(r"\s*'[^']*'(\s*[\t;,|]\s*'[^']*')+\s*")
LONGEST_HEADER = 2**16

TRIED = 300
UNNAMED = "column {}"
"""What the columns of a table without a header are called, counted from 1."""

LARGEST_TABLE = 64 * 2**20
"""Bytes of a labels file; one of a million rows has as many."""

MOST_COLUMNS = 16_384
"""As many as a sheet of Excel has."""

Records = list[tuple[int, list[str]]]
"""Lines of a table: number and cells."""

TEXT_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
PACKED = (b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!", b"\x28\xb5\x2f\xfd")
"""How files begin that bzip2, xz, 7-Zip, RAR and Zstandard made."""

IMAGE_NAME = re.compile(r"\.(jpe?g|png|dcm|dicom|tiff?|bmp|webp)$", re.IGNORECASE)

INVISIBLE = (
    "\u200b\u200c\u200d\u200e\u200f\u2060\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\u00ad"
    + string.whitespace
    + "\u00a0"
)

csv.field_size_limit(2**24)


@dataclass(frozen=True)
class Table:
    """A table as text: `rows` of equal length, and the line of the file at which each begins."""

    path: Path
    columns: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.columns)}

    def column(self, name: str, *, option: str) -> list[str]:
        """The cells of one column, without surrounding space; `option` says who asked for it.

        Raises:
            DataError: there is no such column; names the nearest.
        """
        place = self._places.get(name)
        if place is None:
            near = difflib.get_close_matches(name, self.columns, n=1, cutoff=0.4)
            raise DataError(
                f"{self.path} has no column {name!r} (asked for by {option}).",
                why=f"Its columns are {name_few(self.columns, 50)}.",
                next_step=f"Did you mean {near[0]!r}?" if near else f"Name one of them with {option}.",
            )
        return [row[place] for row in self.rows]

    def name_lines(self, rows: Sequence[int]) -> str:
        """The line numbers of some rows, in words."""
        return f"line{'s' if len(rows) > 1 else ''} {name_few(str(self.lines[row]) for row in rows)}"

    def with_column(self, name: str, cells: Sequence[str]) -> Table:
        """The same table with one column more."""
        rows = [[*row, cell] for row, cell in zip(self.rows, cells, strict=True)]
        return Table(self.path, (*self.columns, name), rows, self.lines)

    def choose(self, rows: Sequence[int]) -> Table:
        """The same table with some of its rows only."""
        return Table(
            self.path, self.columns, [self.rows[row] for row in rows], [self.lines[row] for row in rows]
        )


def read_table(path: Path, *, header: bool | None = None, sheet: str | None = None) -> Table:
    """Read a table: CSV (commas, semicolons, tabs or bars; UTF-8, or UTF-16 with its mark), also .gz, .xlsx or .parquet.

    Args:
        path: the file.
        header: whether its first row names the columns; None looks whether it is an image's name instead.
        sheet: of a workbook, the name of the sheet; None for the only one.

    Raises:
        DataError: the file is missing, empty, no table or in another encoding, or a row has another number of cells.
        OrchError: the library for this kind of file is not installed.
    """
    content = _unpack(path, _read(path))
    if content[:4] == b"PK\x03\x04":
        records = read_workbook(path, content, sheet)
    elif sheet is not None:
        raise DataError(
            f"--sheet {sheet} names a sheet of a workbook, and {path} is none.",
            next_step="Leave --sheet out.",
        )
    elif content[:4] == b"PAR1":
        records = read_parquet(path)
    else:
        records = _split_records(path, _decode(path, content))
    if not records:
        raise DataError(
            f"The {'list' if header is False else 'labels file'} {path} is empty.",
            next_step="It needs a line for each image."
            if header is False
            else "It needs a header line and a line for each image: filename,patient_id,label..",
        )
    if header is None:
        header = not _names_an_image(records)
    if header:
        names, body = records[0][1], records[1:]
    else:
        names, body = [UNNAMED.format(place + 1) for place in range(len(records[0][1]))], records
    if (
        names[0]
        and not any(names[1:])
        and len(names) > 1
        and body
        and all(sum(map(bool, cells)) > 1 for _, cells in body)
    ):
        raise _title_above(path, body[0][0], body[0][1], names)
    if len(names) > MOST_COLUMNS:
        raise DataError(
            f"The labels file {path} has {len(names):,} columns, and orch reads at most {MOST_COLUMNS:,}.",
            next_step="Keep the columns that name images, patients, labels and what else you need; features have `orch features import`.",
        )
    names = _name_unnamed(names, [cells for _, cells in body])
    kept = [place for place, name in enumerate(names) if name]
    columns = tuple(names[place] for place in kept)
    twice = sorted(name for name, count in Counter(columns).items() if count > 1)
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
        # Some programs end each row with a separator, and the header without one.
        while len(cells) > len(names) and not cells[-1]:
            cells.pop()
        if len(cells) != len(names):
            if len(names) == 1:
                raise _title_above(path, line, cells, names)
            raise DataError(
                f"{path} line {line} has {len(cells)} cells, but the header has {len(names)}.",
                why="A cell that holds the separator (comma, semicolon or tab) must stand in quotes.",
                next_step="Correct that line.",
            )
    rows = [[cells[place] for place in kept] for _, cells in body]
    return Table(path, columns, rows, [line for line, _ in body])


def _name_unnamed(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Names for columns that lost theirs; still blank for a column of blanks, and for the row numbers that pandas writes at the left."""

    def name(place: int) -> str:
        cells = [row[place] for row in rows if place < len(row)]
        numbered = place == 0 and all(cell.isdigit() for cell in cells)
        return "" if numbered or not any(cells) else UNNAMED.format(place + 1)

    return [given or name(place) for place, given in enumerate(names)]


def _title_above(path: Path, line: int, cells: Sequence[str], names: Sequence[str]) -> DataError:
    return DataError(
        f"{path} line {line} has {len(cells)} cells, but the first line has one: {name_few(filter(None, names))}.",
        why="The first line must name the columns.",
        next_step="Remove titles and comments above the header.",
    )


def _names_an_image(records: Sequence[tuple[int, list[str]]]) -> bool:
    """Whether a cell of the first line is the name of an image, or the first one a path like that below it: then there is no header."""
    first, second = (cells[0] if cells else "" for _, cells in (records[0], records[-1]))
    depth = len(re.findall(r"[\\/]", first))
    return any(map(IMAGE_NAME.search, records[0][1])) or (
        depth > 0 and depth == len(re.findall(r"[\\/]", second))
    )


def append_tables(tables: Sequence[Table]) -> Table:
    """One table of several with the same columns, in any order.

    Raises:
        DataError: a table has other columns; names them.
    """
    first = tables[0]
    rows, lines = list(first.rows), list(first.lines)
    for table in tables[1:]:
        differing = sorted(set(first.columns) ^ set(table.columns))
        if differing:
            raise DataError(
                f"{table.path} and {first.path} have different columns: {name_few(differing)}.",
                why="Tables that are given together are read as one.",
                next_step="Give tables of equal columns, or bring columns in with --join TABLE --on COLUMN.",
            )
        places = [table.columns.index(name) for name in first.columns]
        rows += [[row[place] for place in places] for row in table.rows]
        lines += table.lines
    return Table(first.path, first.columns, rows, lines)


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, LARGEST_TABLE)
    except ValueError as error:
        raise DataError(
            f"The labels file {path} cannot be read: {error}.", next_step="Name a CSV or Excel file."
        ) from error
    except OSError as error:
        near = difflib.get_close_matches(
            path.name, sorted(file.name for file in path.parent.glob("*.csv*")), n=1
        )
        raise DataError(
            f"The labels file {path} cannot be read: {error.strerror}.",
            next_step=f"Did you mean {path.with_name(near[0])}?"
            if near
            else "Name the CSV file that has a line for each image.",
        ) from error


def _unpack(path: Path, content: bytes) -> bytes:
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            unpacked = file.read(LARGEST_TABLE + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"The labels file {path} cannot be unpacked: {error}.",
            why="It is damaged or was only partly copied.",
            next_step="Copy it again.",
        ) from error
    if len(unpacked) > LARGEST_TABLE:
        raise DataError(
            f"The labels file {path} is longer than {LARGEST_TABLE // 2**20} MiB when it is unpacked."
        )
    return unpacked


def _decode(path: Path, content: bytes) -> str:
    if content.startswith(PACKED):
        raise DataError(
            f"The labels file {path} is a packed archive, not a table.",
            next_step="Unpack it, and give the table in it.",
        )
    if content[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        raise DataError(
            f"The labels file {path} is a workbook of an old Excel (.xls).",
            next_step="Save it as .xlsx or as 'CSV UTF-8'.",
        )
    encoding = next((name for mark, name in TEXT_MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(
            f"The labels file {path} is not text in UTF-8: {error.reason} at byte {error.start}.",
            why="Spreadsheet programs often save in another encoding, or in a format of their own.",
            next_step="Save it as 'CSV UTF-8'.",
        ) from error
    if "\0" in text:
        raise DataError(
            f"The labels file {path} is not text in UTF-8: it holds zero bytes.",
            why="It is UTF-16 without its mark, or no table at all.",
            next_step="Save it as 'CSV UTF-8'.",
        )
    if re.match(r"\s*(\{|\[\s*[\[{])", text):
        raise DataError(
            f"{path} is JSON, not a table.",
            why="Annotations in JSON (as those of COCO) name boxes and outlines; orch reads one row of labels for each image.",
            next_step="Write a CSV with a file name and the labels of each image, and give that.",
        )
    return unicodedata.normalize("NFC", text)


def _split_records(path: Path, text: str) -> Records:
    begin = 1
    separator = None
    if said := re.match(r"\"?sep=(.)\"?[ \t]*\r?\n", text, re.IGNORECASE):
        # Excel's own way to say it.
        separator, text, begin = said[1], text[said.end() :], 2
    return _read_records(path, text, separator or find_separator(text), begin)


def find_separator(text: str) -> str:
    """The separator that gives every row the same number of cells, more than one; else the header's most frequent one."""
    fitting: dict[str, int] = {}
    for separator in SEPARATORS:
        widths = set()
        reader = csv.reader(
            io.StringIO(text, newline=""),
            delimiter=separator,
            strict=True,
            skipinitialspace=True,
            quotechar=_find_quote(text),
        )
        try:
            for number, cells in enumerate(reader):
                if any(cell.strip() for cell in cells):
                    widths.add(len(cells))
                if number >= TRIED or len(widths) > 1:
                    break
        except csv.Error:
            continue
        if len(widths) == 1 and max(widths) > 1:
            fitting[separator] = max(widths)
    if fitting:
        return max(fitting, key=lambda separator: fitting[separator])
    if _stands_in_blanks(text):
        return " "
    plain = [re.sub(r'"[^"]*"', "", line) for line in text.lstrip().split("\n", TRIED)[:TRIED]]
    # A title above the header has no separator: then the lines below it say which it is.
    return max(
        (",", ";", "\t"), key=lambda separator: (plain[0].count(separator), "".join(plain).count(separator))
    )


def _stands_in_blanks(text: str) -> bool:
    """Whether blanks separate: in each line the name of an image, and something behind it, in one place of equally many."""
    places = set()
    for line in text.splitlines()[:TRIED]:
        parts = line.split()
        names = [place for place, part in enumerate(parts) if IMAGE_NAME.search(part)]
        if parts:
            places.add((len(parts), names[0] if len(names) == 1 else None))
    if len(places) != 1:
        return False
    count, place = places.pop()
    return place is not None and place < count - 1


def _find_quote(text: str) -> str:
    """The quotation mark of a table: some programs put single ones around every cell."""
    header = next(iter(text[:LONGEST_HEADER].splitlines()), "")
    return "'" if QUOTED_LINE.fullmatch(header) else '"'


def _read_records(path: Path, text: str, separator: str, begin: int) -> Records:
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=separator,
        strict=True,
        skipinitialspace=True,
        quotechar=_find_quote(text),
    )
    first = begin - 1
    records = []
    try:
        for cells in reader:
            stripped = [_strip(cell) for cell in cells]
            if any(stripped):
                records.append((begin, stripped))
            begin = first + reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{path} line {begin} is not CSV: {error}.",
            why="A quotation mark is not closed, or the file is not a table.",
            next_step="Correct that line.",
        ) from error
    return records


def _strip(cell: str) -> str:
    """A cell without surrounding space, and without the formula by which spreadsheets keep text: ="0017"."""
    bare = cell.strip()
    if not bare.isascii():
        # Marks that are not seen come along when text is copied: of direction, of byte order, of width zero.
        bare = bare.strip(INVISIBLE).strip()
    return bare[2:-1].strip() if bare[:2] == '="' and bare[-1] == '"' and len(bare) > 2 else bare
