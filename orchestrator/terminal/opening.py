"""Open the study database that the command line means, and close it again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storage.database.engine import Database


@contextmanager
def open_storage(flag: str | None, *, create: bool = False) -> Iterator[Database]:
    """Open the database of `--storage`, the environment, orch.toml or the default.

    Args:
        flag: what `--storage` says, if anything.
        create: make the SQLite file and the tables where they are missing.

    Raises:
        StorageNotFoundError: the URL is wrong or the SQLite file does not exist.
        SchemaError: the tables do not fit.
        DatabaseAwayError: the server cannot be reached.
    """
    from storage.database.opening import open_database
    from storage.settings import storage_url

    database = open_database(storage_url(flag), create=create)
    try:
        with _in_words():
            yield database
    finally:
        database.close()


@contextmanager
def database_if_any(flag: str | None = None) -> Iterator[Database | None]:
    """The study database where there is one: data can be imported before the first study is made.

    Raises:
        SchemaVersionError: it is there, with tables of another version, so what it knows of sealed images cannot be read or added to.
    """
    from orchestrator.terminal import console
    from storage.database.opening import open_database
    from storage.errors import DatabaseAwayError, SchemaError, SchemaVersionError, StorageNotFoundError
    from storage.settings import storage_url

    url = storage_url(flag)
    try:
        database = open_database(url)
    except SchemaVersionError:
        raise
    except (StorageNotFoundError, SchemaError, DatabaseAwayError) as error:
        if not url.startswith("sqlite"):
            console.warn(f"{error.what} Sealed images are looked up on this machine only.")
        yield None
        return
    try:
        with _in_words():
            yield database
    finally:
        database.close()


@contextmanager
def _in_words() -> Iterator[None]:
    """Say of a database that fails in use what happened."""
    from storage.database.trouble import away, described, is_passing

    try:
        with described():
            yield
    except Exception as error:
        if is_passing(error):
            raise away(error) from error
        raise
