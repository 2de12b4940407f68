"""Our tables in the database: made once whoever comes first, checked by everybody, brought forward by Alembic."""

from __future__ import annotations

import json
import logging
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from storage.database.access import require_utf8
from storage.database.columns import add_missing
from storage.database.tables import READABLE_FROM, READABLE_KEY, SCHEMA_VERSION, VERSION_TABLE
from storage.errors import SchemaError, SchemaVersionError
from storage.files.writing import PRIVATE
from storage.wording import say_count, say_duration

if TYPE_CHECKING:
    from storage.database.engine import Database

log = logging.getLogger(__name__)
MIGRATIONS = Path(__file__).parent / "migrations"
LOCK_SECONDS, SAID_AFTER = 60.0, 2.0
"""How long another session that makes tables is waited for, and after how long that is said."""
ADVISORY_LOCK = 0x6F726368  # "orch" in ASCII: any fixed number that other programs do not use


def schema_version(database: Database) -> str | None:
    """The version of our tables in the database; None where there are none."""
    with database.reading() as connection:
        if not sa.inspect(connection).has_table(VERSION_TABLE):
            return None
        row = connection.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")).first()
        return str(row[0]) if row else None


def check(database: Database) -> None:
    """Refuse tables that are missing, older, or so new that this orch cannot work with them; name the remedy.

    Raises:
        SchemaError: the tables do not fit.
    """
    found = schema_version(database)
    if found == SCHEMA_VERSION or (found is not None and is_readable(found, _read_note(database))):
        return
    if found is None:
        raise SchemaError(
            f"The database {database.url_text} has no orch tables.",
            why="No study was created in it yet, or another database is meant.",
            next_step="`orch study create` or `orch db init` makes them.",
        )
    if found < SCHEMA_VERSION:
        raise SchemaVersionError(
            f"The database {database.url_text} has tables of an older orch (version {found}, "
            f"this orch needs {SCHEMA_VERSION}).",
            next_step="Stop the workers, back the database up, and run `orch db upgrade`.",
        )
    raise too_new(f"The database {database.url_text}", found)


def too_new(what: str, found: str) -> SchemaVersionError:
    """What is said of tables, or of a backup of them, that this orch cannot work with."""
    return SchemaVersionError(
        f"{what} has tables of a newer orch (version {found}, this orch knows {SCHEMA_VERSION}).",
        next_step="Update orch on this machine.",
    )


def prepare(database: Database) -> None:
    """Make Optuna's and our tables where they are missing; an older schema is left for `upgrade`.

    Safe when many processes call it at once on an empty database.
    """
    if schema_version(database) is not None:
        return
    require_utf8(database)
    with _one_at_a_time(database):
        if schema_version(database) is None:
            _ = database.optuna
            migrate(database)


def upgrade(database: Database) -> tuple[str | None, str]:
    """Bring our tables to this orch's version; return the version before and after.

    Raises:
        SchemaError: the tables are newer, or of no version that a migration begins at, or workers hold points at this moment.
    """
    found = schema_version(database)
    if found is not None and found > SCHEMA_VERSION:
        raise too_new(f"The database {database.url_text}", found)
    if found is not None and found not in list_versions():
        raise SchemaError(
            f"The database {database.url_text} has tables of version {found}, and no way leads from there to {SCHEMA_VERSION}.",
            why="An orch that was never released made them, or the version was changed by hand.",
            next_step="Export the studies with the orch that made them, and create them in a new database.",
        )
    with _one_at_a_time(database):
        if found is not None:
            _refuse_while_claimed(database)
        _ = database.optuna
        migrate(database)
    return found, SCHEMA_VERSION


def migrate(database: Database) -> None:
    """Run Alembic up to this orch's version in one transaction."""
    from alembic import command

    with database.transaction() as connection:
        command.upgrade(alembic_config(connection), "head")
        add_missing(connection)
        connection.execute(sa.text("DELETE FROM orch_facts WHERE key = :key"), {"key": READABLE_KEY})
        connection.execute(
            sa.text("INSERT INTO orch_facts (key, value) VALUES (:key, :value)"),
            {"key": READABLE_KEY, "value": json.dumps({"version": SCHEMA_VERSION, "from": READABLE_FROM})},
        )


def list_versions() -> set[str]:
    """Every version of our tables that this orch has a migration of."""
    from alembic.script import ScriptDirectory

    return {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}


def alembic_config(connection: Any = None) -> Any:
    """Alembic's configuration for our migrations, on an open connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def is_readable(found: str, note: str | None) -> bool:
    """Whether tables of a newer version say that an orch as old as this one may work with them.

    Args:
        found: their version.
        note: the fact `READABLE_KEY` beside them.
    """
    if found <= SCHEMA_VERSION:
        return False
    noted = json.loads(note) if note else {}
    return bool(noted.get("version") == found and noted["from"] <= SCHEMA_VERSION)


def _read_note(database: Database) -> str | None:
    with database.reading() as connection:
        return connection.execute(
            sa.text("SELECT value FROM orch_facts WHERE key = :key"), {"key": READABLE_KEY}
        ).scalar()


def _refuse_while_claimed(database: Database) -> None:
    with database.reading() as connection:
        claimed = connection.execute(
            sa.text("SELECT count(*) FROM orch_points WHERE state = 'claimed' AND expires_at > :now"),
            {"now": database.now(connection)},
        ).scalar_one()
    if claimed:
        raise SchemaError(
            f"{say_count(claimed, 'trial is', 'trials are')} running, so the tables are not changed now.",
            next_step="Stop the workers (SIGTERM) and run `orch db upgrade` again.",
        )


@contextmanager
def _one_at_a_time(database: Database) -> Iterator[None]:
    if database.is_sqlite:
        from filelock import FileLock

        # Whoever may use the database may use its lock.
        access = stat.S_IMODE(database.file.stat().st_mode) if database.file.exists() else PRIVATE
        with FileLock(f"{database.file}.lock", mode=access):
            yield
        return
    with database.engine.connect() as connection:
        # The lock belongs to this session and outlives transactions, so that Optuna's and Alembic's own
        # connections work under it; autocommit keeps the session from idling inside a transaction.
        connection.execution_options(isolation_level="AUTOCOMMIT")
        _take_advisory_lock(connection)
        try:
            yield
        finally:
            connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": ADVISORY_LOCK})


def _take_advisory_lock(connection: sa.Connection) -> None:
    """Be the only one who makes or changes tables; wait for another one, but not for ever and not in silence.

    Raises:
        SchemaError: somebody holds the lock for too long, and is named.
    """
    began = time.monotonic()
    has_said = False
    attempt = sa.text("SELECT pg_try_advisory_lock(:key)")
    while not connection.execute(attempt, {"key": ADVISORY_LOCK}).scalar_one():
        waited = time.monotonic() - began
        if waited >= LOCK_SECONDS:
            raise SchemaError(
                f"The tables cannot be made or changed: another session has held orch's lock for {say_duration(waited)} and more"
                f" ({_name_holder(connection)}).",
                why="Another `orch db` is at work, or a connection pool or a role that only looks keeps the lock of one that ended.",
                next_step="Wait for it, or end that session on the server: SELECT pg_terminate_backend(PID)",
            )
        if waited >= SAID_AFTER and not has_said:
            has_said = True
            log.warning(
                "Another session makes or changes the tables; waiting for it (%s).", _name_holder(connection)
            )
        time.sleep(0.2)


def _name_holder(connection: sa.Connection) -> str:
    holders = connection.execute(
        sa.text(
            "SELECT a.pid, a.usename, a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid "
            "WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 0 AND l.objid = :key"
        ),
        {"key": ADVISORY_LOCK},
    ).all()
    return (
        "; ".join(f"PID {pid}, role {role}, program {program or 'unknown'}" for pid, role, program in holders)
        or "PID unknown"
    )
