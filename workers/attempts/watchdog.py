"""Notice a training that hangs: a kernel that never returns would hold its trial for ever, as the lease is renewed beside it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

SILENCE_SECONDS = 600.0
"""A training that has said nothing for so long hangs, or for `TIMES_AN_EPOCH` times its longest epoch, whichever is longer."""
TIMES_AN_EPOCH = 20.0
TIMES_BEFORE_AN_EPOCH = 6.0
"""Before the first epoch is over nobody knows how long one takes, and programs are compiled: so many times SILENCE_SECONDS."""
LOOK_SECONDS = 5.0

_watching: set[Watchdog] = set()


def training_lives() -> None:
    """A word from inside an epoch, on whatever thread: another batch was asked for."""
    for watchdog in list(_watching):
        watchdog.hear()


class Watchdog:
    """Counts the seconds since a training said something; use it as a context manager around the training."""

    def __init__(self, silence_seconds: float, hangs: Callable[[float], None]) -> None:
        """Prepare; nothing is watched before `with`.

        Args:
            silence_seconds: stands for `SILENCE_SECONDS`.
            hangs: called once, on another thread, with the seconds of silence.
        """
        self._silence_seconds = silence_seconds
        self._hangs = hangs
        self._look_seconds = min(LOOK_SECONDS, silence_seconds / 10)
        self._silent = 0.0
        self._resting = 0
        self._computed = self._epoch_began = 0.0
        self._longest_epoch: float | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="orch-watchdog", daemon=True)

    def __enter__(self) -> Watchdog:
        _watching.add(self)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        _watching.discard(self)

    def hear(self) -> None:
        """The training said something."""
        self._silent = 0.0

    def hear_of_epoch(self) -> None:
        """An epoch is over. What counts is how long it computed: a night's sleep in it must not make the watchdog patient for weeks."""
        self._longest_epoch = max(self._longest_epoch or 0.0, self._computed - self._epoch_began)
        self._epoch_began = self._computed
        self.hear()

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Not the training, but something else is waited for: the database may be away for hours."""
        self._resting += 1
        try:
            yield
        finally:
            self._resting -= 1
            self.hear()

    @property
    def limit(self) -> float:
        """Seconds of silence that mean that the training hangs."""
        if self._longest_epoch is None:
            return TIMES_BEFORE_AN_EPOCH * self._silence_seconds
        return max(self._silence_seconds, TIMES_AN_EPOCH * self._longest_epoch)

    def _watch(self) -> None:
        looked = time.monotonic()
        while not self._ended.wait(self._look_seconds):
            # A process that was stopped, or a machine that slept, was not silent meanwhile: no look counts for more than two.
            passed, looked = time.monotonic() - looked, time.monotonic()
            passed = min(passed, 2 * self._look_seconds)
            self._silent += passed
            if self._resting:
                self._silent = 0.0
            else:
                self._computed += passed
            if self._silent > self.limit:
                self._hangs(self._silent)
                return
