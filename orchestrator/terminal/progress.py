"""A progress bar with the time left on stderr; nothing off a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from storage.wording import printable, say_duration

TEXT_COLUMNS = 56
"""Of a terminal: what title, counts and time left take beside the bar."""


@contextmanager
def show_progress(title: str) -> Iterator[Callable[[int, int], None] | None]:
    """Yield a function to call with (done, total), or None where nobody watches a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    with draw_progress(transient=True) as progress:
        task = progress.add_task(printable(title), total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def draw_progress(*, console: Any = None, transient: bool = False) -> Any:
    """Rich's progress display on stderr, with the time left in orch's words.

    Args:
        console: rich's; one on stderr when left out.
        transient: leave nothing behind.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn
    from rich.table import Column
    from rich.text import Text

    screen = console or Console(stderr=True)

    class TimeLeft(ProgressColumn):
        max_refresh = 0.5

        def render(self, task: Any) -> Text:
            left = task.time_remaining
            return Text("" if left is None or task.finished else f"about {say_duration(left)} left")

    # On a narrow terminal the bar gives way, and the title goes on in a second line: no word is torn apart.
    title = TextColumn("{task.description}", markup=False, table_column=Column(overflow="fold"))
    bar = BarColumn(max(8, min(40, screen.width - TEXT_COLUMNS)))
    counts = MofNCompleteColumn(table_column=Column(no_wrap=True))
    return Progress(title, bar, counts, TimeLeft(), console=screen, transient=transient)
