"""How long this thread's calls to the database may take, all together; watched by `storage.database.watching`."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_own = threading.local()


@contextmanager
def answering_within(seconds: float) -> Iterator[None]:
    """Give this thread's calls so many seconds, all together; then they end, whether the server answers others or not."""
    before = getattr(_own, "end", None)
    end = time.monotonic() + seconds
    _own.end = end if before is None else min(before, end)
    try:
        yield
    finally:
        _own.end = before


def seconds_left() -> float | None:
    """What is left of `answering_within`, at least a moment; None where this thread has no limit of its own."""
    end = getattr(_own, "end", None)
    return None if end is None else max(end - time.monotonic(), 0.01)
