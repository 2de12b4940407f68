"""Who must wait after wrong passwords: the address that guessed, and no other."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

FIRST_WAIT = 0.5
LONGEST_WAIT = 60.0
FORGET_SECONDS = 900.0
"""After so long without a wrong password an address begins again."""
MOST_ADDRESSES = 10_000


@dataclass
class _Guesser:
    failures: int = 0
    last: float = 0.0
    until: float = 0.0


class Guesses:
    """Counts wrong passwords by address; the wait doubles with each, and nothing sleeps."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._guessers: dict[str, _Guesser] = {}
        self._lock = threading.Lock()

    def admit(self, address: str, is_right: Callable[[], bool]) -> float | None:
        """Look at a password, unless its address must wait: then it is not looked at, right or wrong.

        Looking and counting are one step, so that guesses of the same moment are not all looked at.

        Args:
            address: where it came from.
            is_right: looks at the password.

        Returns:
            None for the right password; otherwise the seconds that the address had to wait for, 0 for a wrong one that was looked at.
        """
        with self._lock:
            wait = self._find_wait(address)
            if wait > 0:
                return wait
            if not is_right():
                self._note_failure(address)
                return 0.0
            self._guessers.pop(_summarise(address), None)
            return None

    def _find_wait(self, address: str) -> float:
        guesser = self._guessers.get(_summarise(address))
        return max(0.0, guesser.until - self._clock()) if guesser else 0.0

    def _note_failure(self, address: str) -> None:
        now = self._clock()
        # In the order of their last failures, so the first is the one to forget.
        guesser = self._guessers.pop(_summarise(address), _Guesser())
        if now - guesser.last > FORGET_SECONDS:
            guesser = _Guesser()
        guesser.until = now + min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(guesser.failures, 20))
        guesser.failures += 1
        guesser.last = now
        self._guessers[_summarise(address)] = guesser
        while len(self._guessers) > MOST_ADDRESSES:
            del self._guessers[next(iter(self._guessers))]


def _summarise(address: str) -> str:
    """Who has one IPv6 address has the whole network of it."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:100]
    if parsed.version == 6 and not parsed.is_loopback:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
