"""What /healthz answers: whether the database does, asked at most once a second however many ask here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import sqlalchemy as sa

from storage.database.deadlines import answering_within
from storage.database.engine import Database

HEALTH = "/healthz"
HEALTH_SECONDS = 2.0
"""How long /healthz waits for the database."""
FRESH_SECONDS = 1.0
"""So long what the database answered last is told again."""

Answer = tuple[str, list[tuple[str, str]], bytes]


class Health:
    """Remembers for a moment whether the database answered, so that whoever asks often costs it nothing."""

    def __init__(self, probe: Callable[[], bool], clock: Callable[[], float] = time.monotonic) -> None:
        self._probe = probe
        self._clock = clock
        self._lock = threading.Lock()
        self._told: tuple[float, bool] | None = None

    def __call__(self) -> bool:
        """Whether the database answers, or answered within the last `FRESH_SECONDS`."""
        # Those who ask meanwhile wait for the same answer: a database that is silent holds them as long as the first.
        with self._lock:
            if self._told is None or self._clock() - self._told[0] > FRESH_SECONDS:
                answers = self._probe()
                self._told = (self._clock(), answers)
            return self._told[1]


def is_healthy(database: Database) -> bool:
    """Whether the database answers."""
    try:
        with answering_within(HEALTH_SECONDS), database.reading() as connection:
            connection.execute(sa.text("SELECT 1"))
    except sa.exc.SQLAlchemyError:
        return False
    return True


def answer_health(is_fine: bool) -> Answer:
    """Status, headers and body of /healthz."""
    status, body = ("200 OK", b"ok\n") if is_fine else ("503 Service Unavailable", b"the database is away\n")
    return (status, [("Content-Type", "text/plain"), ("Cache-Control", "no-store")], body)
