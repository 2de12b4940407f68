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

    def find_wait(self, address: str) -> float:
        """Seconds until this address may try again; 0 where it may now."""
        with self._lock:
            guesser = self._guessers.get(_summarise(address))
            return max(0.0, guesser.until - self._clock()) if guesser else 0.0

    def note_failure(self, address: str) -> None:
        """Let an address wait, twice as long as the last time."""
        now = self._clock()
        with self._lock:
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

    def forget(self, address: str) -> None:
        """The address knew the password."""
        with self._lock:
            self._guessers.pop(_summarise(address), None)


def _summarise(address: str) -> str:
    """Who has one IPv6 address has the whole network of it."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:100]
    if parsed.version == 6 and not parsed.is_loopback:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
