"""What a role may do with the database, and whether it holds every text."""

from __future__ import annotations

import uuid
from contextlib import closing
from typing import TYPE_CHECKING

import sqlalchemy as sa

from storage.database.sqlite_file import find_damage
from storage.database.tables import facts
from storage.database.trouble import away, damaged, is_passing, may_only_read, say_reason
from storage.errors import SchemaError, StorageError

if TYPE_CHECKING:
    from storage.database.engine import Database

ENCODING = "UTF8"


def require_utf8(database: Database) -> None:
    """Refuse to make tables in a database that cannot hold every name.

    Raises:
        SchemaError: names its encoding, and how to make one that can.
    """
    found = find_encoding(database)
    if found in (None, ENCODING):
        return
    name = database.url.database
    raise SchemaError(
        f"The database {database.url_text} keeps text in {found}, and orch needs {ENCODING}.",
        why="Names of studies, labels and files may have any letters.",
        next_step=f"Make another one: createdb --encoding=UTF8 --template=template0 --locale=C {name}-utf8",
    )


def find_encoding(database: Database) -> str | None:
    """The encoding that a PostgreSQL database keeps text in; None for a SQLite file, which always keeps UTF-8."""
    if database.is_sqlite:
        return None
    with database.reading() as connection:
        return str(connection.execute(sa.text("SHOW server_encoding")).scalar_one())


def find_obstacle(database: Database) -> str | None:
    """Why this address can only read, found by a write that is taken back; None where it can write.

    Raises:
        DatabaseAwayError: the database cannot be reached.
    """
    try:
        with database.engine.connect() as connection:
            connection.execute(sa.insert(facts).values(key=f"try:{uuid.uuid4()}", value=""))
            connection.rollback()
    except sa.exc.DBAPIError as error:
        if may_only_read(error):
            return say_reason(error.orig)
        if is_passing(error):
            raise away(error) from error
        return say_reason(error.orig)
    return None


def require_whole(database: Database) -> None:
    """Read a whole SQLite file and compare what its pages say of each other; a PostgreSQL server looks after its own.

    Raises:
        StorageError: it is damaged.
    """
    if not database.is_sqlite:
        return
    with closing(database.sqlite_file.connect()) as connection:
        damage = find_damage(connection)
    if damage:
        raise damaged(f"The database {database.url_text} is damaged: {damage}.")


def grant_readonly(database: Database, role: str) -> str:
    """Let a PostgreSQL role read every table and change none, those made later included.

    Returns:
        The schema that the tables are in.

    Raises:
        StorageError: the database is a SQLite file, or the server has no such role.
    """
    if database.is_sqlite:
        raise StorageError(
            "A SQLite file has no roles.",
            next_step="Who may read it is decided by the permissions of the file; PostgreSQL has roles.",
        )
    quote = database.engine.dialect.identifier_preparer.quote_identifier
    name = quote(role)
    with database.transaction() as connection:
        found: str = connection.execute(
            sa.text(
                "SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = to_regclass('orch_studies')"
            )
        ).scalar_one()
        # As `regnamespace` writes it: in quotes where it needs them.
        schema = found
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
    return schema
