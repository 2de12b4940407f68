"""The grace period: a worker that is told to stop ends in time, even in the middle of a long epoch."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

LOOK_SECONDS = 0.2
RESERVE_SECONDS = 4.0
"""Kept of the grace period for giving the point back when the database is slow."""


class Grace:
    """Watches `stop` from a thread of its own; use it as a context manager around a worker's life."""

    def __init__(
        self, stop: threading.Event, seconds: float, overdue: Callable[[], None] | None = None
    ) -> None:
        """Prepare; nothing is watched before `with`.

        Args:
            stop: set when the worker is told to stop.
            seconds: the grace period.
            overdue: called when it is nearly over and the worker still works; expected to end the process.
        """
        self._stop = stop
        self._seconds = max(seconds - RESERVE_SECONDS, seconds / 2)
        self._overdue = overdue
        self._ended = threading.Event()
        self._told_at: float | None = None
        self._thread = threading.Thread(target=self._watch, name="orch-grace", daemon=True)

    def __enter__(self) -> Grace:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()

    def seconds_left(self) -> float:
        """Seconds until the worker must have stopped; the whole period before it is told to."""
        if self._told_at is None:
            return self._seconds
        return self._told_at + self._seconds - time.monotonic()

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            if self._ended.is_set():
                return
        self._told_at = time.monotonic()
        if not self._ended.wait(self._seconds) and self._overdue is not None:
            self._overdue()
