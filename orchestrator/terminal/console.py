"""How commands speak: results on stdout, progress and remarks on stderr, plain text off a terminal."""

from __future__ import annotations

import contextlib
import json
import sys
import textwrap
from collections.abc import Sequence
from typing import Any, TextIO

from orchestrator.terminal.wrapping import (
    NARROWEST,
    fit_columns,
    least_widths,
    longest_word,
    natural_widths,
    width_of,
    wrap,
)
from storage.files.documents import without_nan
from storage.settings import wants_colours
from storage.wording import NOT_FOR_TERMINALS, printable

YELLOW, RED = "33", "31"
"""Of ANSI, as the terminal's own theme shows them."""


def print_line(text: str = "", *, hang: int = 0) -> None:
    """Print one line of a result; a terminal gets it broken between words, continued lines indented by `hang`."""
    sys.stdout.write(wrap(printable(text), width_of(sys.stdout), hang=hang) + "\n")


def say(text: str) -> None:
    """Print one line of progress or advice, which is no part of the result."""
    _write(wrap(printable(text), width_of(sys.stderr)))


def warn(text: str) -> None:
    """Print one warning."""
    _mark(f"warning: {text}", "warning:", YELLOW)


def warn_briefly(text: str) -> bool:
    """Print one warning on one line, and return whether a terminal was too narrow for all of it."""
    width = width_of(sys.stderr)
    whole = f"warning: {printable(text)}"
    if width is None or len(whole) <= width or width < NARROWEST:
        warn(text)
        return False
    _mark(textwrap.shorten(whole, width, placeholder=" ..."), "warning:", YELLOW)
    return True


def fail(text: str) -> None:
    """Print what failed."""
    _mark(f"orch: {text}", "orch:", RED)


def _mark(text: str, word: str, colour: str) -> None:
    """Print a line that begins with a word, in a colour where colours are wanted."""
    wrapped = wrap(printable(text), width_of(sys.stderr))
    is_coloured = sys.stderr.isatty() and wants_colours()
    _write(f"\x1b[{colour}m{word}\x1b[0m{wrapped.removeprefix(word)}" if is_coloured else wrapped)


def _write(text: str) -> None:
    # Who reads it may have left (`2>&1 | head`), and a log file's disk may be full; no work is lost for that.
    with contextlib.suppress(OSError):
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def print_json(document: Any) -> None:
    """Print one JSON document; what has no value (NaN) is null, as JSON knows no NaN."""
    text = json.dumps(without_nan(document), indent=2, ensure_ascii=False, allow_nan=False)
    sys.stdout.write(NOT_FOR_TERMINALS.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str = "") -> None:
    """Print a table: drawn on a terminal, aligned plain text elsewhere. Empty cells show as a dash."""
    cells = [[show(cell) for cell in row] for row in rows]
    width = width_of(sys.stdout)
    if width is not None:
        room = width - 3 * len(columns) - 1
        widths = fit_columns(least_widths(columns, cells), natural_widths(columns, cells), room)
        if widths is None:
            _print_records(columns, cells, title)
        else:
            _draw_table(columns, cells, widths, _numeric(columns, rows), title, width)
        return
    if title:
        print_line(title)
    widths = natural_widths(columns, cells)
    right = _numeric(columns, rows)
    for row in [list(columns), *cells]:
        parts = [
            cell.rjust(width) if numeric else cell.ljust(width)
            for cell, width, numeric in zip(row, widths, right, strict=True)
        ]
        print_line("  ".join(parts).rstrip())


def _draw_table(
    columns: Sequence[str],
    cells: Sequence[Sequence[str]],
    widths: Sequence[int],
    numeric: Sequence[bool],
    title: str,
    width: int,
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if title:
        print_line(title)  # rich would break it at the width of the table
    table = Table()
    for name, wide, is_number in zip(columns, widths, numeric, strict=True):
        table.add_column(name, justify="right" if is_number else "left", overflow="fold", width=wide)
    for row in cells:
        # Names come from users: as Text they cannot be taken for markup.
        table.add_row(*(Text(cell) for cell in row))
    Console(width=width).print(table)


def _print_records(columns: Sequence[str], cells: Sequence[Sequence[str]], title: str) -> None:
    """A table whose words do not fit side by side: one block of names and values for each row."""
    if title:
        print_line(title)
    for place, row in enumerate(cells):
        if place:
            print_line()
        print_facts(list(zip(columns, row, strict=True)))


def print_facts(facts: Sequence[tuple[str, Any]]) -> None:
    """Print names and values, one pair a line; a pair with a value of None is left out."""
    shown = [(name, show(value)) for name, value in facts if value is not None]
    names = max((len(name) for name, _ in shown), default=0)
    width = width_of(sys.stdout)
    for name, value in shown:
        text = printable(f"{name.ljust(names)}  {value}")
        # A fingerprint or a path that is as wide as the terminal starts further left, so that it stays in one piece.
        hang = names + 2 if width is None or longest_word(value) + names + 2 <= width else 2
        sys.stdout.write(wrap(text, width, hang=hang) + "\n")


def is_drawn(stream: TextIO) -> bool:
    """Whether tables are drawn on this stream; rich itself heeds NO_COLOR and a dumb terminal."""
    return stream.isatty()


def show(value: Any) -> str:
    """Return a value as a person reads it."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return (
            "-"
            if value != value
            else f"{value:.4g}"
            if abs(value) < 1e-3 or abs(value) >= 1e4
            else f"{value:.4f}"
        )
    if isinstance(value, list | tuple):
        return ", ".join(show(item) for item in value)
    return printable(" ".join(str(value).split("\n")))


def show_interval(metric: dict[str, Any]) -> str:
    """Return a value with its interval, such as 0.812 (0.764 to 0.855); a dash for what is undefined."""

    def number(value: float | None) -> str:
        return "-" if value is None or value != value else f"{value:.3f}"

    value, low, high = (number(metric.get(key)) for key in ("value", "low", "high"))
    return value if low == "-" or value == "-" else f"{value} ({low} to {high})"


def _numeric(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[bool]:
    return [
        bool(rows) and all(row[place] is None or isinstance(row[place], int | float) for row in rows)
        for place in range(len(columns))
    ]
