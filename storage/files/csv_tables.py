"""Tables as CSV for spreadsheets: a text from elsewhere stays a text, and can be read back exactly.

Excel and LibreOffice take a cell that begins with =, +, -, @ or some other characters for a formula, which may call programs and
send what is in the table away. Such a text gets an apostrophe in front (OWASP, "CSV Injection"); so does one that begins with
apostrophes and then such a character, so that taking one apostrophe off gives every text back.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from typing import Any

RISKY = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20|%]")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?%?")


def to_csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """The text of a CSV file; None and NaN are blank."""
    lines = _Lines()
    writer = csv.writer(lines, lineterminator="\r\n")
    writer.writerow([guard(name) for name in header])
    for row in rows:
        writer.writerow(["" if cell is None or cell != cell else guard(cell) for cell in row])
    return "".join(lines)


class _Lines(list[str]):
    """Takes whole rows from a writer that ends them with CR LF, so that it puts both in quotes where a cell has them."""

    def write(self, row: str) -> int:
        """Keep a row with the usual end."""
        self.append(row.removesuffix("\r\n") + "\n")
        return len(row)


def guard(cell: Any) -> Any:
    """A cell that no spreadsheet takes for a formula; numbers stay what they are."""
    if isinstance(cell, str) and RISKY.match(cell) and not NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def unguard(text: str) -> str:
    """The text that `guard` was given."""
    if text.startswith("'") and RISKY.match(text):
        return text[1:]
    return text
