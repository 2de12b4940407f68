"""The queue keeps its contract whatever two clients ask of it, in any order: SQLite."""

from __future__ import annotations

import pytest

from storage.database.opening import open_database
from tests.queue_model import run_queue_model


def test_two_clients_and_the_model_agree(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = open_database(sqlite_url), open_database(sqlite_url)
    try:
        run_queue_model(one, other, monkeypatch, examples=15, steps=60)
    finally:
        one.close()
        other.close()
