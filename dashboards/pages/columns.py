"""The columns of a printed table: what no line ends within, and how wide each column is for what is in it."""

from __future__ import annotations

import re

from dashboards.tables.view import Table

NO_BREAK = "\N{NO-BREAK SPACE}"
TOGETHER = re.compile(r"\([^()\s]+ to [^()\s]+\)|\S+ ± \S+|\d[\d,]* (?:of|/) \d[\d,]*")
"""An interval, a mean with its spread, and a count of others."""
SIGN = re.compile(r"(?<![^\s(])-(?=[\d.]*\d)")
"""The hyphen before a number, which is printed as a minus."""


def print_signs(text: str) -> str:
    """A text with a minus sign before its negative numbers, as journals print them."""
    return SIGN.sub("\N{MINUS SIGN}", text)


def keep_together(text: str) -> str:
    """A text with spaces that no line ends at where it would be torn in the middle of a number and its interval."""
    return TOGETHER.sub(lambda found: found[0].replace(" ", NO_BREAK), print_signs(text))


def share_width(table: Table, *, breaks_names: bool = True) -> list[float]:
    """The share of the width of each column: each at least as wide as its longest word, the rest by how much text it has.

    Args:
        table: which.
        breaks_names: whether a line may end after an underscore, as in LaTeX and not in Word.
    """
    columns = list_texts(table, breaks_names=breaks_names)
    # The head is printed bold.
    needs = [
        max(1.2 * longest_word(head) + 2, *(longest_word(text) + len(text) ** 0.5 for text in (head, *cells)))
        for head, *cells in columns
    ]
    return [need / sum(needs) for need in needs]


def list_texts(table: Table, *, breaks_names: bool = True) -> list[list[str]]:
    """The texts of each column, its head first, with what stays together in them."""
    cells = [[name.replace("_", " ") for name in table.columns], *table.rows]
    texts = [[keep_together(str(cell)) for cell in row] for row in cells]
    return [
        [row[place].replace("_", "_ ") if breaks_names else row[place] for row in texts]
        for place in range(len(table.columns))
    ]


def longest_word(text: str) -> int:
    """Characters of the longest part of a text that no line ends within."""
    return max(map(len, re.split(r"[ \t\n-]+", text)), default=1)
