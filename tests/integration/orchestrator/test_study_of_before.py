"""A study that an orch of before made, with complete, pruned and open trials: orch of today reads the same and goes on with it.

The databases are `tests/data/before-the-rooms`: made by the code of commit 3d7ffca with the objective of `tests.studies`.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orchestrator import cli
from orchestrator.planning.plan import plan_points
from orchestrator.studies.best import best_document
from orchestrator.studies.verify import verify_study
from storage.database import schema
from storage.database.address import parse_url
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.studies.point_records import count_points, list_points
from storage.studies.study import load_study
from tests.postgres import PostgresServer
from tests.studies import PretendObjective, rising_auc
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker

KEPT = Path(__file__).parents[2] / "data" / "before-the-rooms"
EXPECTED: dict[str, Any] = json.loads((KEPT / "expected.json").read_text())


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database that holds the study."""
    text = (KEPT / f"{request.param}.sql").read_text()
    if request.param == "sqlite":
        with closing(sqlite3.connect(tmp_path / "before.db")) as connection:
            connection.executescript(text)
        return f"sqlite:///{tmp_path / 'before.db'}"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    made: str = request.getfixturevalue("empty_postgres_url")
    server.execute(text, database=made.rpartition("/")[2])
    return made


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """The same, with the tables of today, as `orch db upgrade` leaves it, and open."""
    with closing(Database(parse_url(url))) as older:
        schema.upgrade(older)
    opened = open_database(url)
    yield opened
    opened.close()


def test_it_is_listed_shown_exported_verified_and_continued(
    url: str, database: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCH_STORAGE", url)

    def ask(*arguments: str) -> Any:
        monkeypatch.setattr(sys, "argv", ["orch", *arguments, "--json"])
        try:
            code = cli.main()
        except SystemExit as end:
            code = end.code  # type: ignore[assignment]
        said = capsys.readouterr()
        assert not code, said.err
        return json.loads(said.out)

    listed = ask("study", "list")
    assert [(one["study"], one["best"]["value"]) for one in listed] == [("before", EXPECTED["value"])]
    assert ask("study", "show", "before")["points"]["open"] == 4
    assert ask("study", "verify", "before")["problems"] == []

    study = load_study(database, "before")
    found = best_document(database, study)
    wanted = {key: value for key, value in EXPECTED.items() if key != "points"}
    assert {key: found[key] for key in wanted} == wanted
    records = [
        [point.state, point.outcome, point.value, point.params] for point in list_points(database, study.uuid)
    ]
    assert records == EXPECTED["points"]

    Worker(Circumstances(database), lambda _: PretendObjective()).run(
        lambda: [load_study(database, "before")]
    )
    counts = count_points(database, study.uuid)
    assert (counts.open, counts.complete + counts.pruned) == (0, 12)
    assert verify_study(database, study, plan_points(study.spec))["problems"] == []
    best = best_document(database, study)
    assert best["fold_values"] == [rising_auc(best["point"], fold, best["best_epoch"]) for fold in range(3)]
