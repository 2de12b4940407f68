"""Databases that were kept from each release: what an orch of today must still open, work on and export."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from alembic import command

from storage.database.address import parse_url
from storage.database.columns import add_missing
from storage.database.engine import Database
from storage.database.schema import alembic_config

DATABASES = Path(__file__).parent / "databases"
RELEASES = sorted(path.stem for path in DATABASES.glob("*.sql"))
"""By the version of their tables. The first is a study of five points: two complete, one failed for good, one that a killed worker
still holds, one open. Each other one is what its release added to the one before."""
STUDY = "kept"


def restore_release(version: str, url: str) -> None:
    """Fill an empty database with what was kept of a release.

    A SQLite file becomes exactly what it was; on PostgreSQL the tables are made by the migrations up to that version.

    Args:
        version: one of `RELEASES`.
        url: an empty database.
    """
    added = RELEASES[: RELEASES.index(version) + 1]
    script = "".join((DATABASES / f"{one}.sql").read_text(encoding="utf-8") for one in added)
    database = Database(parse_url(url))
    try:
        if database.is_sqlite:
            with closing(sqlite3.connect(database.file)) as connection:
                connection.executescript(script)
            return
        with closing(sqlite3.connect(":memory:")) as kept:
            kept.executescript(script)
            _copy(kept, database, version)
    finally:
        database.close()


def _copy(kept: sqlite3.Connection, database: Database, version: str) -> None:
    _ = database.optuna
    with database.transaction() as connection:
        command.upgrade(alembic_config(connection), version)
        if version != RELEASES[0]:
            # The first release had only the columns of its migration.
            add_missing(connection)
        tables = sa.MetaData()
        tables.reflect(bind=connection)
        for table in tables.sorted_tables:
            if table.name in ("alembic_version", "version_info", "orch_alembic_version"):
                continue
            rows = kept.execute(f"SELECT * FROM {table.name}")
            names = [column[0] for column in rows.description]
            for row in rows.fetchall():
                connection.execute(sa.insert(table).values(_typed(table, dict(zip(names, row, strict=True)))))
            for column in table.columns:
                if column.autoincrement is True or "nextval" in str(
                    column.server_default and column.server_default.arg
                ):
                    connection.exec_driver_sql(
                        f"SELECT setval(pg_get_serial_sequence('{table.name}', '{column.name}'), "
                        f"COALESCE(MAX({column.name}), 1)) FROM {table.name}"
                    )


def _typed(table: sa.Table, row: dict) -> dict:
    from datetime import datetime

    return {
        name: datetime.fromisoformat(value)
        if isinstance(table.columns[name].type, sa.DateTime) and value is not None
        else value
        for name, value in row.items()
    }
