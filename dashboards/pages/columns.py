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


def share_width(table: Table) -> list[float]:
    """The share of the width of each column: each at least as wide as its longest word, the rest by how much text it has."""
    needs = [max(longest_word(text) + len(text) ** 0.5 for text in column) for column in list_texts(table)]
    return [need / sum(needs) for need in needs]


def list_texts(table: Table) -> list[list[str]]:
    """The texts of each column, its head first, with what stays together in them."""
    cells = [table.columns, *table.rows]
    return [
        [
            keep_together(str(row[place]).replace("_", " ") if not number else str(row[place]))
            for number, row in enumerate(cells)
        ]
        for place in range(len(table.columns))
    ]


def longest_word(text: str) -> int:
    """Characters of the longest part of a text that no line ends within."""
    return max(map(len, re.split(r"[ \t\n-]+", text)), default=1)
