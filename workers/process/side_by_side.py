"""The trials that one process works on at the same time, each on a thread of its own.

The device computes one trial while the host scores, records and reports another. Each trial runs the compiled program that it would run
alone, so that no value depends on how many there are.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

Ended = TypeVar("Ended")


class Places(Generic[Ended]):
    """Places for trials; used by one thread, and as a context manager around its work: at the end every trial has ended.

    What becomes of a trial is concluded on that thread, too, one trial after the other.
    """

    def __init__(self, count: int) -> None:
        """So many trials at most, of one study."""
        self.count = count
        self._is_emptying = False
        self._study: str | None = None
        self._running: dict[Future[Ended], Callable[[Ended], None]] = {}
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="trial") if count > 1 else None

    def __enter__(self) -> Places[Ended]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        first = error
        while self._running:
            try:
                self.wait_for_one()
            except Exception as another:
                if first is not None:
                    log.debug("Another trial of this process ended so, too.", exc_info=another)
                first = first or another
        if self._pool is not None:
            self._pool.shutdown()
        if first is not None and first is not error:
            raise first

    @property
    def is_any_taken(self) -> bool:
        """Whether a trial is worked on."""
        return bool(self._running)

    def works_on_other_than(self, study: str) -> bool:
        """Whether trials of another study are worked on."""
        return bool(self._running) and study != self._study

    def put(
        self, work: Callable[[], Ended], conclude: Callable[[Ended], None], study: str, *, alone: bool
    ) -> None:
        """Work on a trial: at once and to its end where there is one place, else on a thread.

        Args:
            work: evaluates and settles it; what it raises is raised by the call that waits for it.
            conclude: is told what became of it.
            study: of which study: that of the others.
            alone: without others, whatever the number of places.
        """
        if self._pool is None or self.count == 1 or alone:
            conclude(work())
            return
        self._study = study
        self._running[self._pool.submit(work)] = conclude

    def wait_for_one(self, timeout: float | None = None) -> None:
        """Conclude what has ended; wait for the first one where none has."""
        ended, _ = wait(self._running, timeout, FIRST_COMPLETED)
        for future in ended:
            self._running.pop(future)(future.result())

    def wait_for_room(self) -> bool:
        """Wait until another trial may begin; whether there are fewer places from now on, and all of them are empty."""
        while self._running and (self._is_emptying or len(self._running) >= self.count):
            self.wait_for_one()
        was_emptied, self._is_emptying = self._is_emptying, False
        return was_emptied

    def wait_for_others_than(self, study: str) -> None:
        """Wait until the trials of every other study have ended."""
        while self.works_on_other_than(study):
            self.wait_for_one()

    def halve(self) -> None:
        """Half as many places from now on, as the memory was not enough for all; the trials in work are waited for first."""
        if not self._is_emptying:
            self.count = max(self.count // 2, 1)
            self._is_emptying = True
