"""Our tables in the database: made once whoever comes first, checked by everybody, brought forward by Alembic."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from storage.database.columns import add_missing
from storage.database.tables import READABLE_FROM, READABLE_KEY, SCHEMA_VERSION, VERSION_TABLE
from storage.errors import SchemaError, StorageError
from storage.files.writing import PRIVATE
from storage.wording import say_count

if TYPE_CHECKING:
    from storage.database.engine import Database

MIGRATIONS = Path(__file__).parent / "migrations"
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
    if found == SCHEMA_VERSION or (
        found is not None and found > SCHEMA_VERSION and _is_readable(database, found)
    ):
        return
    if found is None:
        raise SchemaError(
            f"The database {database.url_text} has no orch tables.",
            why="No study was created in it yet, or another database is meant.",
            next_step="`orch study create` or `orch db init` makes them.",
        )
    if found < SCHEMA_VERSION:
        raise SchemaError(
            f"The database {database.url_text} has tables of an older orch (version {found}, "
            f"this orch needs {SCHEMA_VERSION}).",
            next_step="Stop the workers, back the database up, and run `orch db upgrade`.",
        )
    raise _too_new(database, found)


def _too_new(database: Database, found: str) -> SchemaError:
    return SchemaError(
        f"The database {database.url_text} has tables of a newer orch (version {found}, "
        f"this orch knows {SCHEMA_VERSION}).",
        next_step="Update orch on this machine.",
    )


def prepare(database: Database) -> None:
    """Make Optuna's and our tables where they are missing; an older schema is left for `upgrade`.

    Safe when many processes call it at once on an empty database.
    """
    if schema_version(database) is not None:
        return
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
        raise _too_new(database, found)
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


def grant_readonly(database: Database, role: str) -> None:
    """Let a PostgreSQL role read every table and change none, those made later included.

    Raises:
        StorageError: the database is a SQLite file, or the server has no such role.
    """
    if database.is_sqlite:
        raise StorageError(
            "A SQLite file has no roles.",
            next_step="Who may read it is decided by the permissions of the file; PostgreSQL has roles.",
        )
    quote = database.engine.dialect.identifier_preparer.quote_identifier
    name, schema = quote(role), "public"
    with database.transaction() as connection:
        known = connection.execute(
            sa.text("SELECT rolsuper FROM pg_roles WHERE rolname = :role"), {"role": role}
        ).first()
        if known is None:
            raise StorageError(
                f"The server has no role {role!r}.",
                next_step=f"Make it first, in psql: CREATE ROLE {name} LOGIN PASSWORD '...'",
            )
        owner, here = connection.execute(sa.text("SELECT current_user, current_database()")).one()
        if known.rolsuper or role == owner:
            raise StorageError(
                f"The role {role!r} may change everything already: it is a superuser or owns the tables.",
                next_step="Choose another role for reading.",
            )
        for statement in (
            f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {name}",
            f"GRANT CONNECT ON DATABASE {quote(here)} TO {name}",
            f"GRANT USAGE ON SCHEMA {schema} TO {name}",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {name}",
            f"ALTER DEFAULT PRIVILEGES FOR ROLE {quote(owner)} IN SCHEMA {schema} GRANT SELECT ON TABLES TO {name}",
        ):
            connection.exec_driver_sql(statement.replace("%", "%%"))


def _is_readable(database: Database, found: str) -> bool:
    """Whether newer tables say that an orch as old as this one may work with them."""
    with database.reading() as connection:
        text = connection.execute(
            sa.text("SELECT value FROM orch_facts WHERE key = :key"), {"key": READABLE_KEY}
        ).scalar()
    noted = json.loads(text) if text else {}
    return bool(noted.get("version") == found and noted["from"] <= SCHEMA_VERSION)


def _refuse_while_claimed(database: Database) -> None:
    with database.reading() as connection:
        claimed = connection.execute(
            sa.text("SELECT count(*) FROM orch_points WHERE state = 'claimed' AND expires_at > :now"),
            {"now": database.now(connection)},
        ).scalar_one()
    if claimed:
        raise SchemaError(
            f"{say_count(claimed, 'point is', 'points are')} being worked on, so the tables are not changed now.",
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
        connection.execute(sa.text("SET lock_timeout = 0"))
        connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": ADVISORY_LOCK})
        try:
            yield
        finally:
            connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": ADVISORY_LOCK})
            connection.execute(sa.text(f"SET lock_timeout = {10_000}"))
