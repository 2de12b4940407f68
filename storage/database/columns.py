"""Columns that may be missing: a metric that is added to the list needs no migration, and neither does a checksum.

A new database has a column for every metric of the list, and `orch db upgrade` adds those that an older one lacks. They are no
part of the version of the tables: until then each orch reads and writes the columns that are there, and a metric without
one is not recorded. An older orch leaves a column that it does not know empty.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from storage.database import tables
from storage.database.engine import Database
from storage.errors import SchemaError
from storage.metrics.recorded import LATER

LATER_COLUMNS: dict[str, dict[str, sa.types.TypeEngine[Any]]] = {
    tables.epochs.name: {name: sa.Double() for name in LATER},
    tables.predictions.name: {tables.predictions.c.digest.name: tables.predictions.c.digest.type},
}
"""Table -> columns that came after it, and their types; each may be empty."""

_whole: WeakKeyDictionary[sa.Engine, set[str]] = WeakKeyDictionary()
"""The tables of a database that lack nothing: asking again would cost every trial a look into the catalogue."""


def list_missing(database: Database, table: sa.Table = tables.epochs) -> frozenset[str]:
    """The columns that this database's table does not have yet; asked for until there are none."""
    known: dict[str, frozenset[str]] = database.__dict__.setdefault("missing_columns", {})
    missing = known.get(table.name)
    if missing is None:
        with database.reading() as connection:
            missing = find_missing(connection, table)
        if not missing:
            known[table.name] = missing
    return missing


def select_whole(database: Database, table: sa.Table) -> sa.Select[Any]:
    """Select every column of a table that `LATER_COLUMNS` names; one that this database does not have yet is empty."""
    missing = list_missing(database, table)
    return sa.select(
        *(
            sa.null().label(column.name) if column.name in missing else column.label(column.name)
            for column in table.c
        )
    )


def find_missing(connection: Connection, table: sa.Table) -> frozenset[str]:
    """The same, within a transaction."""
    whole = _whole.setdefault(connection.engine, set())
    if table.name in whole:
        return frozenset()
    there = {column["name"] for column in sa.inspect(connection).get_columns(table.name)}
    missing = frozenset(LATER_COLUMNS[table.name]) - there
    if not missing:
        whole.add(table.name)
    return missing


def add_missing(connection: Connection) -> None:
    """Add them; an empty column is added at once, however long the table is."""
    for table in (tables.epochs, tables.predictions):
        for name in sorted(find_missing(connection, table)):
            kind = LATER_COLUMNS[table.name][name].compile(dialect=connection.dialect)
            connection.execute(sa.text(f"ALTER TABLE {table.name} ADD COLUMN {name} {kind}"))


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
