"""From a URL to a database that orch and Optuna share.

Two engines: one that writes (on SQLite every transaction begins IMMEDIATE, so that two writers queue instead of
failing) and one for bulk reads (on SQLite deferred, so that a long read holds no writer up).
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine

from storage.database.address import show_url
from storage.database.deadlines import seconds_left
from storage.database.sqlite_file import SqliteFile
from storage.errors import StorageNotFoundError

LOCK_MILLISECONDS = 10_000
IDLE_IN_TRANSACTION_MILLISECONDS = 5_000
RESTED_SECONDS = 0.5
POSTGRESQL_CONNECTION: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "application_name": "orch",
}


class Database:
    """One study database. Engines may be shared between threads, and must not be carried into a forked process."""

    def __init__(self, url: URL) -> None:
        """Prepare engines; nothing is connected yet."""
        self.url = url
        self.is_sqlite = url.drivername == "sqlite"
        self.url_text = show_url(url)
        self._sessions = 1

    @property
    def file(self) -> Path:
        """The SQLite file."""
        return Path(self.url.database or "")

    @cached_property
    def sqlite_file(self) -> SqliteFile:
        """How this user may open the SQLite file."""
        return SqliteFile(self.file)

    @cached_property
    def is_read_only(self) -> bool:
        """Whether it is a SQLite file that this user may only read."""
        return self.is_sqlite and self.sqlite_file.is_read_only

    def insert(self, table: sa.TableClause) -> Any:
        """An INSERT that knows ON CONFLICT, of this database's dialect; only that dialect is imported."""
        if self.is_sqlite:
            from sqlalchemy.dialects import sqlite

            return sqlite.insert(table)
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)

    @cached_property
    def engine(self) -> Engine:
        """The engine that writes."""
        return self._make_engine(immediate=True)

    @cached_property
    def read_engine(self) -> Engine:
        """The engine for bulk reads."""
        return self._make_engine(immediate=False) if self.is_sqlite else self.engine

    @cached_property
    def optuna(self) -> Any:
        """Optuna's cached view of the same database.

        Raises:
            StorageNotFoundError: another version of Optuna made its tables.
        """
        try:
            return self._make_optuna()
        except RuntimeError as error:
            if "optuna" not in str(error).lower():
                raise
            raise StorageNotFoundError(
                f"The database {self.url_text} holds studies of another version of Optuna: {str(error).splitlines()[0]}",
                why="Somebody keeps studies of their own in it.",
                next_step="Use another database for orch (--storage or ORCH_STORAGE). `optuna storage upgrade` would change this one, "
                "and the Optuna that made it could not read it any more.",
            ) from error

    def _make_optuna(self) -> Any:
        import optuna

        url = self.url.render_as_string(hide_password=False)
        if self.is_sqlite:
            storage = optuna.storages.RDBStorage(url, engine_kwargs=self._sqlite_options())
            self._listen(storage.engine, immediate=True)
        else:
            storage = self._make_sharing_storage(url)
        return optuna.storages.get_storage(storage)

    def now(self, connection: Connection) -> float:
        """Seconds since 1970 by the clock of the database."""
        return float(connection.execute(sa.select(self.clock)).scalar_one())

    @property
    def clock(self) -> sa.ColumnElement[float]:
        """The same as an SQL expression, which spares a round trip."""
        text = (
            "((julianday('now') - 2440587.5) * 86400.0)"
            if self.is_sqlite
            else "(extract(epoch FROM clock_timestamp())::float8)"
        )
        return sa.literal_column(text, sa.Double)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One writing transaction: everything or nothing."""
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One reading transaction that holds no writer up."""
        with self.read_engine.connect() as connection:
            yield connection

    def forget_optuna(self) -> None:
        """Let go of Optuna's view with all that it remembers; the next use makes a fresh one."""
        cached = self.__dict__.pop("optuna", None)
        if cached is not None:
            cached.remove_session()
            engine = getattr(cached, "_backend", cached).engine
            if engine is not self.__dict__.get("engine"):
                engine.dispose()

    def close(self) -> None:
        """Give every connection back."""
        self.forget_optuna()
        for name in ("engine", "read_engine"):
            engine = self.__dict__.get(name)
            if engine is not None:
                engine.dispose()

    def keep_sessions(self, count: int) -> None:
        """Keep so many sessions from now on, for as many threads; called before they begin.

        A server's session takes some milliseconds to make, and with TLS more.
        """
        self.close()
        for name in ("engine", "read_engine"):
            self.__dict__.pop(name, None)
        self._sessions = count

    def _make_sharing_storage(self, url: str) -> Any:
        """Optuna's storage on this engine, so that a worker, which uses both in turn, holds one session and not two.

        Optuna insists on an engine of its own while it looks at its tables: it gets one around a session of ours.
        """
        import optuna
        from sqlalchemy import orm

        # Not `raw_connection`: it raises the driver's own errors, which nobody would know for a database that is away.
        with self.engine.connect() as ours:
            lent = ours.connection.driver_connection
            borrowing = {"creator": lambda: lent, "poolclass": sa.pool.StaticPool}
            storage = optuna.storages.RDBStorage(url, engine_kwargs=borrowing)
        storage.engine = self.engine
        storage.scoped_session = orm.scoped_session(orm.sessionmaker(bind=self.engine))
        return storage

    def _make_engine(self, *, immediate: bool) -> Engine:
        if self.is_sqlite:
            options = self._sqlite_options()
        else:
            # One session is kept, or one for each thread that trains; others, for a beat beside a query or a dashboard's readers, are closed after use.
            # "values_plus_batch": several rows are one round trip, with ON CONFLICT, too.
            options = {"pool_size": self._sessions, "max_overflow": 9, "pool_recycle": 1800}
            options["executemany_mode"] = "values_plus_batch"
            options["connect_args"] = self._connect_arguments()
        # The pool logs the traceback of a session that it finds gone, which a terminal shows; whoever asks is told by orch.
        logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
        engine = sa.create_engine(self.url, hide_parameters=True, **options)
        self._listen(engine, immediate=immediate)
        return engine

    def _sqlite_options(self) -> dict[str, Any]:
        options: dict[str, Any] = {"creator": self.sqlite_file.connect}
        if self.is_read_only:
            # Each look opens the file afresh, as the right way to open it depends on who is at work.
            options["poolclass"] = sa.pool.NullPool
        elif self._sessions > 1:
            options |= {"pool_size": self._sessions, "max_overflow": 9 + self._sessions}
        return options

    def _connect_arguments(self) -> dict[str, Any]:
        from storage.database.watching import WatchedConnection

        options = {key: value for key, value in POSTGRESQL_CONNECTION.items() if key not in self.url.query}
        return {**options, "connection_factory": WatchedConnection}

    def _listen(self, engine: Engine, *, immediate: bool) -> None:
        if not self.is_sqlite:
            sa.event.listen(engine, "do_connect", _connect_in_time)
            sa.event.listen(engine, "connect", _set_time_limits)
            sa.event.listen(engine, "checkin", _note_use)
            sa.event.listen(engine, "checkout", partial(_ping_after_a_rest, engine))
            return
        sa.event.listen(engine, "connect", self.sqlite_file.prepare)
        sa.event.listen(engine, "checkout", self.sqlite_file.check)
        statement = "BEGIN IMMEDIATE" if immediate and not self.is_read_only else "BEGIN"
        sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(statement))
        engine.dispose()


def _connect_in_time(_: Any, __: Any, ___: Any, parameters: dict[str, Any]) -> None:
    """Let a connection be made within what its thread has left; libpq takes whole seconds, and at least two."""
    left = seconds_left()
    if left is not None:
        parameters["connect_timeout"] = min(
            int(parameters.get("connect_timeout", 10)), max(2, math.ceil(left))
        )


def _set_time_limits(connection: Any, _: Any) -> None:
    """Let no frozen client hold the others up: PostgreSQL ends its transaction after a few seconds."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SET lock_timeout = {LOCK_MILLISECONDS};"
            f"SET idle_in_transaction_session_timeout = {IDLE_IN_TRANSACTION_MILLISECONDS}"
        )
    connection.commit()


def _note_use(connection: Any, record: Any) -> None:
    record.info["used_at"] = time.monotonic()


def _ping_after_a_rest(engine: Engine, connection: Any, record: Any, _: Any) -> None:
    """Try a connection that rested, as `pool_pre_ping` does for all: the server may have been restarted meanwhile.

    One that was used a moment ago is taken as it is; should it fail, the caller's next try gets a fresh one.
    """
    if time.monotonic() - record.info.get("used_at", time.monotonic()) < RESTED_SECONDS:
        return
    try:
        engine.dialect.do_ping(connection)
    except Exception as error:
        raise sa.exc.DisconnectionError from error
