"""How the processes and users of one machine open one SQLite file: writers beside readers, and never a file made by accident.

A reader who may not write the file leaves nothing beside it: a write-ahead log or its index that belongs to another user would
lock the owner out (sqlite.org/wal.html, "Read-Only Databases").
"""

from __future__ import annotations

import os
import random
import shlex
import sqlite3
import stat
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

from storage.errors import StorageError, StorageNotFoundError

BUSY_SECONDS = 60


class SqliteFile:
    """One database file, as this user may use it."""

    def __init__(self, path: Path) -> None:
        """Remember where it is; nothing is opened yet."""
        self.path = path.absolute()

    @property
    def is_read_only(self) -> bool:
        """Whether this user may only read it: the file, its folder or the disk is not to be written."""
        return self.path.exists() and not (
            os.access(self.path, os.W_OK)
            and (os.access(self.path.parent, os.W_OK) or os.access(self._beside("-wal"), os.W_OK))
        )

    def connect(self) -> sqlite3.Connection:
        """Open the file; it is never made.

        Raises:
            StorageNotFoundError: it is not there any more.
            sqlite3.OperationalError: its folder cannot be looked into at the moment.
            StorageError: another user's leftovers beside it keep this one from writing.
        """
        self._find()
        mode = "mode=rw"
        if self.is_read_only:
            # With nobody at work the file is whole by itself; a look at it then needs neither log nor index.
            self._require_readable()
            is_in_use = self._beside("-wal").exists() and self._beside("-shm").exists()
            mode = "mode=ro" if is_in_use else "mode=ro&immutable=1"
        else:
            self._refuse_leftovers_of_others()
        address = f"file:{quote(str(self.path))}?{mode}"
        return sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, check_same_thread=False)

    def prepare(self, connection: Any, record: Any) -> None:
        """Set a fresh connection up; the switch to the write-ahead log waits for others, which SQLite itself does not do."""
        # The driver must not begin transactions by itself, or BEGIN IMMEDIATE comes too late.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        record.info["file"] = self._find()
        record.info["only reads"] = self.is_read_only
        if record.info["only reads"]:
            return
        end = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                break
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > end:
                    raise
                time.sleep(random.uniform(0.02, 0.1))
        connection.execute("PRAGMA synchronous = NORMAL")

    def check(self, connection: Any, record: Any, _: Any) -> None:
        """Take no connection to a file that was deleted, or replaced by another: what is written there is lost.

        Nor one that was made while the file could only be read, once it can be written again: it would refuse for ever.

        Raises:
            StorageNotFoundError: it is not there any more.
            DisconnectionError: another file has its place, or the file can be written now; the pool opens it afresh.
        """
        could_be_written = record.info.get("only reads") and not self.is_read_only
        if record.info.get("file") != self._find() or could_be_written:
            raise sa.exc.DisconnectionError

    def _find(self) -> tuple[int, int]:
        try:
            found = os.stat(self.path)
        except (FileNotFoundError, NotADirectoryError):
            raise self._gone("It was deleted or moved while it was in use.") from None
        except OSError as error:
            # A network share that is away, for instance: what SQLite says of it, which is waited for.
            raise sqlite3.OperationalError(f"unable to open database file ({error.strerror})") from error
        if not stat.S_ISREG(found.st_mode):
            # SQLite would call it a file that cannot be opened, which is waited for.
            raise self._gone("Something that is no file has its name now.")
        return found.st_dev, found.st_ino

    def _gone(self, why: str) -> StorageNotFoundError:
        return StorageNotFoundError(
            f"The study database {self.path} is gone.",
            why=why,
            next_step="Move it back, or put a backup in its place.",
        )

    def _require_readable(self) -> None:
        for ending in ("-wal", "-shm"):
            beside = self._beside(ending)
            if beside.exists() and not os.access(beside, os.R_OK):
                raise StorageError(
                    f"The study database {self.path} is in use, and you may not read {beside.name} beside it.",
                    why="The files beside a database get its access when they are made; it was given to others only later.",
                    next_step=f"Its owner can give it to them, too: chmod go+r {shlex.quote(str(beside))}",
                )

    def _refuse_leftovers_of_others(self) -> None:
        for ending in ("-wal", "-shm"):
            beside = self._beside(ending)
            if beside.exists() and not os.access(beside, os.W_OK):
                raise StorageError(
                    f"The study database {self.path} cannot be written: {beside} belongs to another user ({_owner(beside)}).",
                    why="That user opened the database with a program that leaves this file behind.",
                    next_step=f"When no program uses the database, let that user run `orch db check`, or remove {beside.name} if it is empty.",
                )

    def _beside(self, ending: str) -> Path:
        return self.path.with_name(self.path.name + ending)


def find_damage(connection: sqlite3.Connection) -> str:
    """The first thing that SQLite finds wrong with a whole file; "" where there is none.

    Raises:
        sqlite3.OperationalError: the file could not be looked through, because it is locked for instance.
    """
    try:
        found = str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        return str(error)
    # Some findings begin with a line of stars that names the table.
    return "" if found == "ok" else " ".join(found.strip("* \n").split())


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except (KeyError, OSError):
        return f"user {path.stat().st_uid}"
