"""From a URL to a checked database."""

from __future__ import annotations

import contextlib
import os
import shlex
from pathlib import Path

import sqlalchemy as sa

from storage.database import schema
from storage.database.address import parse_url
from storage.database.engine import Database
from storage.database.hosts import check_host
from storage.database.trouble import away, is_damaged, is_forbidden, is_passing, refusal, say_reason
from storage.errors import StorageError, StorageNotFoundError
from storage.files.writing import PRIVATE, SQLITE
from storage.parsing import check_regular

OF_THE_FILE = ("readonly", "unable to open")
"""What SQLite says of a file that this user may not use so; to somebody who has just named it, that is no trouble that passes."""


def open_database(url: str, *, create: bool = False) -> Database:
    """Open the study database and check that its tables fit this orch.

    Args:
        url: as the user wrote it.
        create: make the SQLite file and the tables where they are missing; safe when many processes do so at once.

    Raises:
        StorageNotFoundError: a wrong URL, or a SQLite file that does not exist.
        SchemaError: the tables are missing, older or newer.
        StorageError: a SQLite file that belongs to another machine.
        DatabaseAwayError: the server cannot be reached.
    """
    database = Database(parse_url(url))
    try:
        if database.is_sqlite:
            _check_file(database.file, create)
        if create:
            schema.prepare(database)
        schema.check(database)
        check_host(database)
    except sa.exc.DBAPIError as error:
        database.close()
        if is_passing(error) and not (
            database.is_sqlite and any(words in str(error.orig) for words in OF_THE_FILE)
        ):
            raise away(error) from error
        what = f"The database at {database.url_text} cannot be used: {say_reason(error.orig)}."
        raise (
            refusal(what, error) if is_forbidden(error) or is_damaged(error) else StorageNotFoundError(what)
        ) from error
    except BaseException:
        database.close()
        raise
    return database


def require_writable(database: Database) -> None:
    """Make sure that this user may write in a SQLite file, before long work whose results would have no place.

    A worker that is at work waits where the database can only be read; one that starts would wait for its owner.

    Raises:
        StorageError: the file, its folder or its disk is closed to this user.
    """
    if not database.is_sqlite or not database.sqlite_file.is_read_only:
        return
    path = database.file.absolute()
    raise StorageError(
        f"You may only read the study database {path}, and results are written into it.",
        why="It or its folder belongs to another user, or is read-only.",
        next_step=f"Its owner can share both with a group: chmod g+rw {shlex.quote(str(path))} {shlex.quote(str(path.parent))}",
    )


def _check_file(path: Path, create: bool) -> None:
    if path.is_dir():
        raise StorageNotFoundError(f"The study database {path.absolute()} is a folder, not a file.")
    if path.exists():
        try:
            check_regular(path)
            with path.open("rb") as file:
                begin = file.read(len(SQLITE))
        except ValueError as error:
            raise StorageNotFoundError(f"{path.absolute()} is not a SQLite database: {error}.") from error
        except PermissionError as error:
            raise StorageNotFoundError(
                f"You may not read the study database {path.absolute()}.",
                why="orch makes it readable for its owner alone, because it names images and patients.",
                next_step=f"Its owner can share it with a group: chmod g+rw {shlex.quote(str(path.absolute()))}",
            ) from error
        if begin and begin != SQLITE:
            raise StorageNotFoundError(f"{path.absolute()} exists, but is not a SQLite database.")
        return
    if not create:
        raise StorageNotFoundError(
            f"There is no study database at {path.absolute()}.",
            why="Nothing was created here yet, or another folder or server is meant.",
            next_step="`orch study create` makes it; --storage URL or ORCH_STORAGE names another.",
        )
    if not path.absolute().parent.is_dir():
        raise StorageNotFoundError(
            f"The folder {path.absolute().parent} for the study database does not exist.",
            next_step="Make it first.",
        )
    # Private from its first byte on; SQLite gives the files beside it the same access.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE))
