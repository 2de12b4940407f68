"""Hold a point while it is worked on, and notice when it was lost or the worker is told to stop."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from types import TracebackType

from storage.database.trouble import is_passing
from storage.database.waiting import Patience
from storage.errors import LeaseLostError, OrchError
from workers.attempts.watchdog import SILENCE_SECONDS, Watchdog

log = logging.getLogger(__name__)


class Drained(OrchError):
    """The worker was told to stop; the point goes back unharmed."""


class Lease:
    """A thread that beats every quarter of the lease; it outlives a database that is away.

    Use it as a context manager around the work on one point.
    """

    def __init__(
        self,
        hold: Callable[[float], None],
        lease_seconds: float,
        *,
        stop: threading.Event | None = None,
        seconds_left: Callable[[], float] = lambda: 0.0,
        silence_seconds: float = SILENCE_SECONDS,
        hangs: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        """Prepare; nothing beats before `with`.

        Args:
            hold: holds the point for another so many seconds; raises LeaseLostError when it is gone.
            lease_seconds: how long one beat holds.
            stop: set when the worker is told to stop.
            seconds_left: how much of the grace period is left once it is.
            silence_seconds: as `workers.attempts.watchdog.SILENCE_SECONDS`.
            hangs: called with the seconds of silence when the training hangs; the point is not held any more then.
        """
        self._hold = hold
        self.lease_seconds = lease_seconds
        self._stop = stop or threading.Event()
        self._seconds_left = seconds_left
        self._ended = threading.Event()
        self._lost = threading.Event()
        self.watchdog = Watchdog(silence_seconds, self._abandon)
        self._hangs = hangs
        self._thread = threading.Thread(target=self._beat, name="orch-lease", daemon=True)

    def __enter__(self) -> Lease:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        # A beat that waits for a database that is away must not hold the worker up: it is a daemon and fenced.
        self._thread.join(timeout=1.0)

    def check(self, *, needed: float = float("inf")) -> None:
        """Go on only while the point is held and nobody said stop.

        Args:
            needed: seconds until the next good place to stop; when told to stop, go on if the grace period has them.

        Raises:
            LeaseLostError: the point is not held any more.
            Drained: the worker is told to stop.
        """
        self.watchdog.hear()
        if self._lost.is_set():
            raise LeaseLostError
        if self._stop.is_set() and needed > self._seconds_left():
            raise Drained

    def sleep(self, seconds: float) -> None:
        """Wait, but not on when told to stop."""
        self._stop.wait(seconds)

    @property
    def is_draining(self) -> bool:
        """Whether the worker is told to stop."""
        return self._stop.is_set()

    @property
    def patience(self) -> Patience:
        """Waits for the database while the point is held and nobody said stop."""
        return Patience(lambda: self.is_stopping, self.sleep)

    @property
    def is_stopping(self) -> bool:
        """Whether waiting for the database should be given up."""
        return self._lost.is_set() or self._stop.is_set()

    def _abandon(self, seconds: float) -> None:
        """Let the lease run out: what holds it will not come back."""
        self._ended.set()
        self._lost.set()
        self._hangs(seconds)

    def _beat(self) -> None:
        interval = self.lease_seconds / 4
        delay = interval
        while not self._ended.wait(delay):
            delay = interval
            try:
                self._hold(self.lease_seconds)
            except LeaseLostError:
                self._lost.set()
                return
            except Exception as error:
                if not is_passing(error):
                    log.exception("Renewing the lease failed; trying again.")
                delay = min(1.0, interval)
