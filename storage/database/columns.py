"""Columns of metrics: a metric that is added to the list needs no migration.

A new database has a column for every metric of the list, and `orch db upgrade` adds those that an older one lacks. They are no
part of the version of the tables: until then each orch reads and writes the columns that are there, and a metric without
one is not recorded. An older orch leaves a column that it does not know empty.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from storage.database import tables
from storage.database.engine import Database
from storage.errors import SchemaError
from storage.metrics.recorded import LATER


def list_missing(database: Database) -> frozenset[str]:
    """The metrics that this database has no column for; asked for until there are none."""
    missing: frozenset[str] | None = database.__dict__.get("missing_columns")
    if missing is None:
        with database.reading() as connection:
            missing = _find_missing(connection)
        if not missing:
            database.__dict__["missing_columns"] = missing
    return missing


def add_missing(connection: Connection) -> None:
    """Add them; an empty column is added at once, however long the table is."""
    kind = sa.Double().compile(dialect=connection.dialect)
    for name in sorted(_find_missing(connection)):
        connection.execute(sa.text(f"ALTER TABLE {tables.epochs.name} ADD COLUMN {name} {kind}"))


def require(database: Database, column: str) -> None:
    """Refuse to judge a study by what is not recorded.

    Raises:
        SchemaError: the database has no such column.
    """
    if column in list_missing(database):
        raise SchemaError(
            f"The database {database.url_text} cannot record {column} yet.",
            why="An orch that did not know this metric made its tables.",
            next_step="`orch db upgrade` adds it; studies and results stay as they are.",
        )


def _find_missing(connection: Connection) -> frozenset[str]:
    there = {column["name"] for column in sa.inspect(connection).get_columns(tables.epochs.name)}
    return frozenset(LATER) - there
