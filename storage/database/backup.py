"""A copy of the whole study database in one file, and a database made from such a file."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from storage.database import tables
from storage.database.address import parse_url, without_password
from storage.database.engine import Database
from storage.database.hosts import take_over
from storage.database.schema import check, schema_version
from storage.database.trouble import described
from storage.errors import StorageError, UsageError
from storage.files.writing import replacing
from storage.settings import environment_with

SQLITE = b"SQLite format 3\x00"
POSTGRESQL = b"PGDMP"
"""The first bytes of the two kinds of backup."""


@dataclass(frozen=True)
class Restored:
    """What a restored database holds: the version of its tables, its studies, and its points by state."""

    schema: str
    studies: int
    points: dict[str, int]


def back_up(database: Database, path: Path) -> None:
    """Copy the database into a new file that its owner alone may read, whole or not at all; workers may go on meanwhile.

    Raises:
        UsageError: the file is there already, or cannot be written.
        StorageError: PostgreSQL's own program is missing or fails.
    """
    if path.exists():
        raise UsageError(
            f"{path} is there already, and a backup replaces no file.", next_step="Name a new file."
        )
    with replacing(path, private=True) as temporary:
        if database.is_sqlite:
            with closing(database.sqlite_file.connect()) as source:
                _copy(source, temporary)
        else:
            _run(database, "pg_dump", "--format=custom", "--no-owner", "--no-acl", f"--file={temporary}")


def restore(url: str, path: Path) -> Restored:
    """Make a database from a backup, in a place where there are no studies; nothing is ever replaced.

    Leases of the past are over afterwards, and workers of the past are gone.

    Raises:
        UsageError: the file is no backup for this kind of database, or a study database is there already.
        StorageError: PostgreSQL's own program is missing or fails; the database is as it was.
    """
    database = Database(parse_url(url))
    try:
        with described():
            _check_backup(database, path)
            if database.is_sqlite:
                with closing(sqlite3.connect(path.absolute().as_uri() + "?mode=ro", uri=True)) as source:
                    _check_sqlite(source, path)
                    with replacing(database.file, private=True) as temporary:
                        _copy(source, temporary)
            else:
                options = ("--no-owner", "--no-acl", "--single-transaction", "--exit-on-error")
                _run(database, "pg_restore", *options, str(path.absolute()))
            check(database)
            return _settle(database)
    finally:
        database.close()


def _copy(source: sqlite3.Connection, path: Path) -> None:
    with closing(sqlite3.connect(path)) as target:
        source.backup(target)
        # One file that is whole by itself, without a log beside it.
        target.execute("PRAGMA journal_mode = DELETE")


def _check_backup(database: Database, path: Path) -> None:
    if not path.is_file():
        raise UsageError(f"There is no backup {path}.", next_step="Name a file that `orch db backup` wrote.")
    with path.open("rb") as file:
        begin = file.read(len(SQLITE))
    expected = SQLITE if database.is_sqlite else POSTGRESQL
    if not begin.startswith(expected):
        kind = "a SQLite file" if database.is_sqlite else "PostgreSQL"
        raise UsageError(
            f"{path} is not a backup of {kind}.",
            why="It is damaged, or --storage names a database of the other kind.",
            next_step="A backup is restored into the kind of database that it was made of.",
        )
    if database.is_sqlite:
        if database.file.exists():
            raise UsageError(
                f"{database.file.absolute()} is there already, and a backup replaces no database.",
                next_step="Restore into a new file (--storage sqlite:///new.db), or stop the workers and move the old file away with "
                "its -wal and -shm.",
            )
        beside = [database.file.with_name(database.file.name + ending) for ending in ("-wal", "-shm")]
        left = [str(file) for file in beside if file.exists()]
        if left:
            raise UsageError(
                f"{' and '.join(left)} of another database would become part of the restored one.",
                next_step="Move them away, too.",
            )
    elif schema_version(database) is not None:
        raise UsageError(
            f"{database.url_text} has orch's tables already, and a backup replaces no database.",
            next_step="Make a new one (createdb --owner ROLE DATABASE), and restore into it with --storage.",
        )


def _check_sqlite(source: sqlite3.Connection, path: Path) -> None:
    try:
        found = source.execute("PRAGMA integrity_check(1)").fetchone()[0]
        has_tables = source.execute(
            "SELECT count(*) FROM sqlite_master WHERE name = ?", (tables.VERSION_TABLE,)
        ).fetchone()[0]
    except sqlite3.DatabaseError as error:
        found, has_tables = str(error), 0
    if found != "ok":
        raise UsageError(f"The backup {path} is damaged: {found}.", next_step="Take another backup.")
    if not has_tables:
        raise UsageError(f"{path} has no orch tables.", next_step="Name a file that `orch db backup` wrote.")


def _run(database: Database, program: str, *options: str) -> None:
    """Run a program of PostgreSQL on the database; its password is in the environment of that process alone."""
    found = shutil.which(program)
    address = without_password(database.url)
    if found is None:
        raise StorageError(
            f"{program} is not on this machine.",
            why="It comes with PostgreSQL's client programs, and orch uses it for backups.",
            next_step=f"Install them (postgresql-client), or add the folder of {program} to PATH.",
        )
    password = database.url.password or database.url.query.get("password")
    environment = environment_with({"PGPASSWORD": str(password)} if password else {})
    ran = subprocess.run(
        [found, "--no-password", f"--dbname={address}", *options],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if ran.returncode:
        lines = [line for line in ran.stderr.splitlines() if line.strip()]
        raise StorageError(
            f"{program} failed: {'; '.join(lines)[:500].rstrip('.') or f'exit code {ran.returncode}'}.",
            why="The server refused, or the program is older than the server.",
            next_step=f"{program} must be at least as new as the server; it was {found}",
        )


def _settle(database: Database) -> Restored:
    points = tables.points.c
    with database.transaction() as connection:
        connection.execute(
            sa.update(tables.points).where(points.state == "claimed").values(expires_at=sa.literal(0.0))
        )
        connection.execute(sa.update(tables.workers).values(state="gone"))
    take_over(database)
    with database.reading() as connection:
        studies = connection.execute(sa.select(sa.func.count()).select_from(tables.studies)).scalar_one()
        counts = sa.select(points.state, sa.func.count()).group_by(points.state).order_by(points.state)
        by_state = {str(row[0]): int(row[1]) for row in connection.execute(counts)}
    return Restored(str(schema_version(database)), studies, by_state)
