"""The progress of long work in several stages: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from orchestrator.terminal.console import say
from orchestrator.terminal.progress import draw_progress
from storage.wording import printable, say_duration

LINE_SECONDS = 20.0
"""At most one line in so many seconds off a terminal: it goes to a log."""

Report = Callable[[str, int, int], None]


@contextmanager
def show_stages() -> Iterator[Report]:
    """Yield a function to call with (what is done, how much of it, out of how much)."""
    with ExitStack() as stack:
        yield _draw_bars(stack) if sys.stderr.isatty() else _print_lines()


def _print_lines() -> Report:
    began: dict[str, float] = {}
    last_line: dict[str, float] = {}

    def report(what: str, done: int, total: int) -> None:
        now = time.monotonic()
        first = began.setdefault(what, now)
        finished = done >= total
        if now - last_line.setdefault(what, now) < LINE_SECONDS and not (
            finished and now - first > LINE_SECONDS
        ):
            return
        last_line[what] = now
        left = (
            ""
            if finished or not done
            else f", about {say_duration((now - first) * (total - done) / done)} left"
        )
        say(f"{what}: {done} of {total}{left}")

    return report


def _draw_bars(stack: ExitStack) -> Report:
    bars: dict[str, tuple[Any, Any]] = {}

    def report(what: str, done: int, total: int) -> None:
        if what not in bars:
            if done >= total:
                return  # already there: nothing to watch
            bars[what] = _start_bar(stack, what, total)
        progress, task = bars[what]
        progress.update(task, completed=done, total=total)
        if done >= total:
            progress.stop()
            del bars[what]

    return report


def _start_bar(stack: ExitStack, what: str, total: int) -> tuple[Any, Any]:
    progress = draw_progress()
    stack.callback(progress.stop)
    progress.start()
    return progress, progress.add_task(printable(what), total=total)
