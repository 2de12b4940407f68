"""An opened database for the tests of the dashboard's pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from storage.database.engine import Database
from storage.database.opening import open_database


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = open_database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Database]:
    opened = open_database(sqlite_url)
    yield opened
    opened.close()
