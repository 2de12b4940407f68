"""A copy of the whole study database in one file, and a database made from such a file."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from storage.database import tables
from storage.database.address import parse_url, without_password
from storage.database.deadlines import answering_within
from storage.database.engine import Database
from storage.database.hosts import take_over
from storage.database.schema import check, is_readable, schema_version, too_new
from storage.database.sqlite_file import find_damage
from storage.database.trouble import damaged, described
from storage.errors import OrchError, StorageError, UsageError
from storage.files.writing import SQLITE, replacing
from storage.settings import environment_with
from storage.states import PointState

POSTGRESQL = b"PGDMP"
"""The first bytes of the two kinds of backup."""
LOOK_SECONDS = 15.0
SILENT_LOOKS = 3
"""While a program works, the server is asked so often whether it still answers, and given up after so many times without."""
LOCK_MILLISECONDS = 60_000
"""How long a backup waits for a table that somebody has locked."""


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
            options = (
                "--format=custom",
                "--no-owner",
                "--no-acl",
                f"--lock-wait-timeout={LOCK_MILLISECONDS}",
            )
            _run(database, "pg_dump", *_address(database), *options, f"--file={temporary}")


def restore(url: str, path: Path) -> Restored:
    """Make a database from a backup, in a place where there are no studies; nothing is ever replaced.

    Trials of the past that were being worked on are open afterwards, which counts as no loss, and workers of the past are gone.

    Raises:
        UsageError: the file is no backup for this kind of database, or a study database is there already.
        SchemaError: the backup is of a newer orch; the database is as it was.
        StorageError: PostgreSQL's own program is missing or fails, or the server stops answering; the database is as it was.
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
                _check_versions(path, *_read_versions(database, path))
                options = ("--no-owner", "--no-acl", "--single-transaction", "--exit-on-error")
                _run(database, "pg_restore", *_address(database), *options, str(path.absolute()))
            restored = _settle(database)
            check(database)
            return restored
    finally:
        database.close()


def _copy(source: sqlite3.Connection, path: Path) -> None:
    with closing(sqlite3.connect(path)) as target:
        source.backup(target)
        # One file that is whole by itself, without a log beside it.
        target.execute("PRAGMA journal_mode = DELETE")
        if damage := find_damage(target):
            raise damaged(f"No copy was made, because the database is damaged: {damage}.")


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
        found = find_damage(source)
        has_tables = source.execute(
            "SELECT count(*) FROM sqlite_master WHERE name IN (?, 'orch_facts')", (tables.VERSION_TABLE,)
        ).fetchone()[0]
    except sqlite3.DatabaseError as error:
        found, has_tables = str(error), 0
    if found:
        raise UsageError(f"The backup {path} is damaged: {found}.", next_step="Take another backup.")
    if has_tables < 2:
        raise UsageError(f"{path} has no orch tables.", next_step="Name a file that `orch db backup` wrote.")
    (version,) = source.execute(f"SELECT version_num FROM {tables.VERSION_TABLE}").fetchone() or ("",)
    note = source.execute("SELECT value FROM orch_facts WHERE key = ?", (tables.READABLE_KEY,)).fetchone()
    _check_versions(path, str(version), note and note[0])


def _read_versions(database: Database, path: Path) -> tuple[str, str | None]:
    """The version of the tables in a backup of PostgreSQL, and what they say of older orchs, read without restoring it."""
    named = (f"--table={tables.VERSION_TABLE}", "--table=orch_facts")
    text = _run(database, "pg_restore", "--data-only", *named, "--file=-", str(path.absolute()))
    rows: dict[str, list[list[str]]] = {}
    block: list[list[str]] | None = None
    for line in text.splitlines():
        if copied := re.match(r"COPY (?:[^ ]+\.)?\"?(\w+)\"? \(.*\) FROM stdin;", line):
            block = rows.setdefault(copied[1], [])
        elif line == "\\.":
            block = None
        elif block is not None:
            block.append(line.split("\t"))
    version = rows.get(tables.VERSION_TABLE) or [[""]]
    notes = {row[0]: row[1] for row in rows.get("orch_facts", []) if len(row) > 1}
    note = notes.get(tables.READABLE_KEY)
    # COPY doubles what it escapes.
    return version[0][0], None if note is None else note.replace("\\\\", "\\")


def _check_versions(path: Path, version: str, note: str | None) -> None:
    """Refuse a backup before anything of it is in the database.

    Raises:
        UsageError: it has no tables of orch.
        SchemaError: its tables are newer than this orch can work with.
    """
    if not version:
        raise UsageError(f"{path} has no orch tables.", next_step="Name a file that `orch db backup` wrote.")
    if version > tables.SCHEMA_VERSION and not is_readable(version, note):
        raise too_new(f"The backup {path}", version)


def _address(database: Database) -> tuple[str, ...]:
    """How PostgreSQL's programs are told where the database is, without its password."""
    return ("--no-password", f"--dbname={without_password(database.url)}")


def _run(database: Database, program: str, *options: str) -> str:
    """Run a program of PostgreSQL; the database's password is in the environment of that process alone. Returns what it prints."""
    found = shutil.which(program)
    if found is None:
        raise StorageError(
            f"{program} is not on this machine.",
            why="It comes with PostgreSQL's client programs, and orch uses it for backups.",
            next_step=f"Install them (postgresql-client), or add the folder of {program} to PATH.",
        )
    password = database.url.password or database.url.query.get("password")
    environment = environment_with({"PGPASSWORD": str(password)} if password else {})
    process = subprocess.Popen(
        [found, *options],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    try:
        printed, said = _wait(database, process, program)
    finally:
        process.kill()
        process.wait()
    if process.returncode:
        lines = [line for line in said.splitlines() if line.strip()]
        raise StorageError(
            f"{program} failed: {'; '.join(lines)[:500].rstrip('.') or f'exit code {process.returncode}'}.",
            why="The server refused, or the program is older than the server.",
            next_step=f"{program} must be at least as new as the server; it was {found}",
        )
    return printed


def _wait(database: Database, process: subprocess.Popen[str], program: str) -> tuple[str, str]:
    """Wait for a program as long as the server answers somebody: what it works on may be large.

    Raises:
        StorageError: the server does not answer any more.
    """
    silent = 0
    while True:
        try:
            return process.communicate(timeout=LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            silent = 0 if _answers(database) else silent + 1
        if silent >= SILENT_LOOKS:
            raise StorageError(
                f"The database server does not answer any more, so {program} was ended.",
                why="It is frozen, overloaded, or cut off from this machine.",
                next_step="`orch db check` says when it is back; then do this again.",
            )


def _answers(database: Database) -> bool:
    other = Database(database.url)
    try:
        with answering_within(LOOK_SECONDS), other.reading() as connection:
            connection.execute(sa.select(1))
    except (OrchError, sa.exc.SQLAlchemyError):
        return False
    finally:
        other.close()
    return True


def _settle(database: Database) -> Restored:
    points = tables.points.c
    with database.transaction() as connection:
        # Open and not run out: that their workers are not in this database is no fault of these trials.
        connection.execute(
            sa.update(tables.points)
            .where(points.state == PointState.CLAIMED)
            .values(state=PointState.OPEN, token=None, worker=None, expires_at=None)
        )
        connection.execute(sa.update(tables.workers).values(state="gone"))
    take_over(database)
    with database.reading() as connection:
        studies = connection.execute(sa.select(sa.func.count()).select_from(tables.studies)).scalar_one()
        counts = sa.select(points.state, sa.func.count()).group_by(points.state).order_by(points.state)
        by_state = {str(row[0]): int(row[1]) for row in connection.execute(counts)}
    return Restored(str(schema_version(database)), studies, by_state)
