"""Lines that fit the terminal: broken between words, never within one, and never within a command to paste."""

from __future__ import annotations

import os
import re
import shutil
import textwrap
from collections.abc import Sequence
from typing import TextIO

USUAL_WIDTH = 80
"""Columns where neither COLUMNS nor the terminal tells."""
NARROWEST = 20
"""Columns; below that a line is left to the terminal."""
COMMAND = re.compile(r"`[^`]+`")
_GLUE = "\x00"


def width_of(stream: TextIO) -> int | None:
    """Columns of the terminal behind a stream; None where there is no terminal, and lines are kept whole."""
    if not stream.isatty():
        return None
    try:
        own = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        own = 0
    return shutil.get_terminal_size((own or USUAL_WIDTH, 24)).columns  # COLUMNS goes before the terminal


def wrap(text: str, width: int | None, *, hang: int = 0) -> str:
    """Break long lines between words.

    A word that is longer than the line stays whole, and so does a command between backticks: the terminal shows
    them on two lines, and they are copied as one.

    Args:
        text: one or several lines; the indent of each is kept.
        width: columns; None leaves the text as it is.
        hang: further columns by which continued lines are indented.
    """
    if width is None or width < NARROWEST:
        return text
    return "\n".join(_wrap_line(line, width, hang) for line in text.split("\n"))


def longest_word(text: str) -> int:
    """Characters of the longest word of a text."""
    return max(map(len, text.split()), default=0)


def fit_columns(least: Sequence[int], natural: Sequence[int], room: int) -> list[int] | None:
    """The width of each column of a table that is wider than its terminal; None where even the longest words do not fit side by side.

    Args:
        least: characters of the longest word of each column.
        natural: characters of the longest cell of each column.
        room: characters for all cells, without frame and padding.
    """
    widths = list(least)
    spare = room - sum(least)
    if spare < 0:
        return None
    # The columns that want the least are served first: their cells need no second line at all.
    for place in sorted(range(len(widths)), key=lambda place: natural[place] - least[place]):
        given = min(natural[place] - least[place], spare)
        widths[place] += given
        spare -= given
    return widths


def natural_widths(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """The width of each column of a table with every cell on one line."""
    return [max(len(row[place]) for row in [columns, *rows]) for place in range(len(columns))]


def least_widths(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """The narrowest that each column of a table can be without a word torn apart."""
    return [max(longest_word(row[place]) for row in [columns, *rows]) or 1 for place in range(len(columns))]


def _wrap_line(line: str, width: int, hang: int) -> str:
    if len(line) <= width:
        return line
    indent = line[: len(line) - len(line.lstrip(" "))]
    glued = COMMAND.sub(lambda found: found[0].replace(" ", _GLUE), line.lstrip(" "))
    wrapped = textwrap.wrap(
        glued,
        width,
        initial_indent=indent,
        subsequent_indent=indent + " " * hang,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    )
    return "\n".join(wrapped).replace(_GLUE, " ")
