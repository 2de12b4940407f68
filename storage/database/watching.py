"""A limit for every call to a PostgreSQL server: one that accepts and never answers would hold its caller for ever.

Keepalives and tcp_user_timeout do not see a server whose kernel still acknowledges while its processes are frozen. So a
thread of this process watches each call: a long one is no fault as long as the server answers somebody, which a connection
of the watch's own finds out; otherwise the socket is shut, the call ends with an error that `storage.database.waiting`
knows, and the next try gets a fresh connection.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
from psycopg2 import extensions

from storage.database.deadlines import seconds_left
from storage.wording import say_duration

SILENT_SECONDS = 15.0
"""A call that lasts so long makes the watch ask whether the server still answers, and again after as long."""
PROBE_SECONDS = 5.0
"""How long the server may take to let the watch in and to answer it."""
LONGEST_SECONDS = 900.0
"""No single call takes so long."""


class WatchedConnection(extensions.connection):
    """psycopg2's connection, each of whose calls is watched."""

    def cursor(self, *arguments: Any, **options: Any) -> Any:
        """A cursor whose calls are watched as well."""
        if len(arguments) < 2:
            options.setdefault("cursor_factory", WatchedCursor)
        return super().cursor(*arguments, **options)

    def commit(self) -> None:
        """Commit, watched."""
        with _watched(self):
            super().commit()

    def rollback(self) -> None:
        """Roll back, watched."""
        with _watched(self):
            super().rollback()


class WatchedCursor(extensions.cursor):
    """psycopg2's cursor, each of whose calls is watched."""

    def execute(self, query: Any, variables: Any = None) -> None:
        """Execute, watched."""
        with _watched(self.connection):
            super().execute(query, variables)

    def executemany(self, query: Any, variables: Any) -> None:
        """Execute for many rows, watched."""
        with _watched(self.connection):
            super().executemany(query, variables)


class _Call:
    """One call in flight."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.began = time.monotonic()
        left = seconds_left()
        self.is_strict = left is not None
        self.end = self.began + (SILENT_SECONDS if left is None else left)
        self.broken_after = 0.0

    def break_off(self) -> None:
        self.broken_after = time.monotonic() - self.began
        with (
            contextlib.suppress(OSError, psycopg2.Error),
            socket.socket(fileno=os.dup(self.connection.fileno())) as same,
        ):
            same.shutdown(socket.SHUT_RDWR)


class _Watch:
    """The thread that looks after all calls of this process."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._calls: set[_Call] = set()
        self._process = 0
        self._wakes_at = 0.0

    def add(self, call: _Call) -> None:
        with self._changed:
            if self._process != os.getpid():
                # The first call of this process: a fork does not carry threads along.
                self._process = os.getpid()
                self._calls = set()
                threading.Thread(target=self._run, name="orch-deadlines", daemon=True).start()
            self._calls.add(call)
            if call.end < self._wakes_at:
                self._changed.notify()

    def remove(self, call: _Call) -> None:
        with self._changed:
            self._calls.discard(call)

    def _run(self) -> None:
        while True:
            with self._changed:
                now = time.monotonic()
                late = [call for call in self._calls if call.end <= now]
                for call in late:
                    if call.is_strict or now - call.began >= LONGEST_SECONDS:
                        self._calls.discard(call)
                        call.break_off()
                    else:
                        call.end = now + SILENT_SECONDS
                        threading.Thread(
                            target=self._ask, args=(call,), name="orch-probe", daemon=True
                        ).start()
                soonest = min((call.end - now for call in self._calls), default=SILENT_SECONDS)
                pause = max(0.01, min(soonest, SILENT_SECONDS))
                self._wakes_at = now + pause
                self._changed.wait(pause)

    def _ask(self, call: _Call) -> None:
        if _answers(call.connection):
            return
        with self._changed:
            # The lock keeps a call that just ended from being taken for the next one on its connection.
            if call in self._calls:
                self._calls.discard(call)
                call.break_off()


_watch = _Watch()


@contextmanager
def _watched(connection: Any) -> Iterator[None]:
    call = _Call(connection)
    _watch.add(call)
    try:
        yield
    except psycopg2.Error as error:
        if call.broken_after:
            text = f"it accepted the request and has not answered for {say_duration(call.broken_after)}"
            raise psycopg2.OperationalError(text) from error
        raise
    finally:
        _watch.remove(call)


def _answers(connection: Any) -> bool:
    """Whether the server says anything at all to a fresh connection, be it that nobody is let in."""
    try:
        info = connection.info
        parameters = {**info.dsn_parameters, "host": info.host, "port": info.port, "password": info.password}
        parameters["application_name"] = "orch probe"
        fresh = psycopg2.connect(**parameters, async_=True)
    except psycopg2.Error as error:
        return "FATAL" in str(error)
    end = time.monotonic() + PROBE_SECONDS
    try:
        if not _wait(fresh, end):
            return False
        cursor = fresh.cursor()  # must live until the answer is there
        cursor.execute("SELECT 1")
        return _wait(fresh, end)
    except psycopg2.Error as error:
        return "FATAL" in str(error)
    finally:
        fresh.close()


def _wait(connection: Any, end: float) -> bool:
    while (state := connection.poll()) != extensions.POLL_OK:
        left = end - time.monotonic()
        if left <= 0:
            return False
        reading, writing = ([connection], []) if state == extensions.POLL_READ else ([], [connection])
        select.select(reading, writing, [], left)
    return True
