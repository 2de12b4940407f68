"""Open the study database that the command line means, and close it again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storage.engine import Database


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
    from storage.engine import open_database
    from storage.settings import storage_url
    from storage.waiting import away, described, is_passing

    database = open_database(storage_url(flag), create=create)
    try:
        with described():
            yield database
    except Exception as error:
        if is_passing(error):
            raise away(error) from error
        raise
    finally:
        database.close()
