"""Trouble of the database that is not a crash: a full disk, a locked table under a time limit. Made for real, for a while, again and again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.engine import make_url

from tests.postgres import PostgresServer

TABLES = ("orch_points", "orch_epochs", "trials", "trial_intermediate_values")
FULL_DISK = """
CREATE TABLE disk (is_full boolean);
INSERT INTO disk VALUES (false);
CREATE FUNCTION fail_when_full() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT is_full FROM disk) THEN
    RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
  END IF;
  RETURN NEW;
END $$;
"""


@contextmanager
def full_disk(server: PostgresServer, url: str, *, lasts: float, every: float) -> Iterator[list[int]]:
    """Let the server find its disk full for `lasts` seconds, every so many; yields how often it was.

    Inserts and updates raise the server's own error, by a trigger: a disk that is really full ends the whole server sooner or
    later, and its log with it.
    """
    name = make_url(url).database
    with server.connect(name) as connection, connection.cursor() as cursor:
        cursor.execute(FULL_DISK)
        for table in TABLES:
            cursor.execute(
                f"CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION fail_when_full()"
            )
    connection.close()

    def be_full(wait: Callable[[float], object]) -> None:
        own = server.connect(name)
        own.autocommit = True
        own.cursor().execute("UPDATE disk SET is_full = true")
        wait(lasts)
        own.cursor().execute("UPDATE disk SET is_full = false")
        own.close()

    with _again_and_again(be_full, every) as times:
        yield times


@contextmanager
def statement_timeout(
    server: PostgresServer, url: str, *, limit: str, lasts: float, every: float
) -> Iterator[list[int]]:
    """Give the database a statement_timeout, as managed servers have, and lock a table for longer than that, again and again."""
    name = make_url(url).database
    server.execute(f"ALTER DATABASE {name} SET statement_timeout = '{limit}'")

    def lock(wait: Callable[[float], object]) -> None:
        own = server.connect(name)
        own.autocommit = False
        with own.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
            cursor.execute("LOCK TABLE orch_epochs, trial_intermediate_values IN ACCESS EXCLUSIVE MODE")
            wait(lasts)
        own.rollback()
        own.close()

    with _again_and_again(lock, every) as times:
        yield times


@contextmanager
def _again_and_again(
    trouble: Callable[[Callable[[float], object]], None], every: float
) -> Iterator[list[int]]:
    over = threading.Event()
    times = [0]

    def make() -> None:
        while not over.wait(every):
            trouble(over.wait)
            times[0] += 1

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        yield times
    finally:
        over.set()
        thread.join()
