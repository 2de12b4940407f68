"""Fleets of several versions: studies of another orch, databases of each release, tables that are newer than this orch."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from orchestrator.studies.best import best_document
from orchestrator.studies.verify import verify_study
from storage.database import schema, tables
from storage.database.address import parse_url
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.errors import SchemaError, StudyUnreadableError
from storage.results.evaluations import list_evaluations
from storage.studies import points, study_records
from storage.studies.deletion import stop_and_delete
from storage.studies.publishing import list_unpublished
from storage.studies.study import create_study, list_studies, load_study
from storage.versions import orch_version
from tests.releases import RELEASES, STUDY, restore_release
from tests.studies import PretendObjective, make_spec, make_study
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker
from workers.process.worker import run_worker

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An open database with orch's tables."""
    opened = open_database(database_url)
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without any table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'kept.db'}"
    url: str = request.getfixturevalue("empty_postgres_url")
    return url


def make_newer(database: Database, name: str = "newer", made_by: str = "9.9.0") -> None:
    """Create a study, and let its row say what a later release might write."""
    make_study(database, name, points=3)
    row = tables.studies.c
    with database.transaction() as connection:
        found = connection.execute(sa.select(tables.studies).where(row.name == name)).one()
        spec, facts = json.loads(found.spec), json.loads(found.facts)
        spec["training"]["new_option"] = 1
        facts["orch"] = made_by
        connection.execute(
            sa.update(tables.studies)
            .where(row.name == name)
            .values(spec=json.dumps(spec), facts=json.dumps(facts))
        )


def test_the_row_says_which_orch_made_the_study(database: Database) -> None:
    assert make_study(database).made_by == orch_version()


def test_a_study_of_a_newer_orch_is_left_to_others(database: Database, tmp_path: Path) -> None:
    make_study(database, "old", points=2)
    make_newer(database)
    assert [study.name for study in list_studies(database)] == ["old"]
    assert [study.name for study in list_unpublished(database)] == ["old"]
    with pytest.raises(StudyUnreadableError, match=r"made by orch 9\.9\.0 .*new_option is not a key"):
        load_study(database, "newer")
    told: list[str] = []
    here = Circumstances(database, _stopped_soon(), told.append)
    summary = run_worker(here, None, [], tmp_path, forever=True)
    assert summary.drained
    assert [line for line in told if line.startswith("newer: left to other workers")] == told[:1]
    with pytest.raises(StudyUnreadableError):
        create_study(database, make_spec("newer"), [], data_folder="", facts={})


def _stopped_soon() -> threading.Event:
    stop = threading.Event()
    threading.Timer(1.5, stop.set).start()
    return stop


@pytest.mark.parametrize(
    "damage",
    [
        {"spec": "null"},
        {"spec": "{"},
        {"spec": "[" * 100_000},
        {"spec": '{"study": {"name": "odd", "metric": "val_of_tomorrow"}}'},
        {"facts": "[1]"},
        {"facts": "{"},
    ],
)
def test_whatever_another_orch_wrote_into_a_row_ends_nobody(
    database: Database, damage: dict[str, str]
) -> None:
    make_study(database, "odd")
    with database.transaction() as connection:
        connection.execute(sa.update(tables.studies).values(**damage))
    assert list_studies(database) == []
    (odd,) = study_records.list_rows(database)
    assert isinstance(odd, study_records.UnreadableStudy)
    assert len(str(odd.error())) < 500
    stop_and_delete(database, odd, patience=0)
    assert study_records.list_rows(database) == []


def test_it_is_listed_with_what_made_it_and_can_be_deleted(sqlite_url: str, run_orch: Run) -> None:
    database = open_database(sqlite_url)
    make_study(database, "old", points=2)
    make_newer(database)
    database.close()
    for words in (("study", "list"), ("status",)):
        shown = run_orch(*words, "--storage", sqlite_url)
        assert shown.returncode == 0, shown.stderr
        assert (
            "'newer' was created by orch 9.9.0 and is left to workers of that version: training.new_option"
            in shown.stderr
        )
        assert "open, left to others" in shown.stdout
    listed = json.loads(run_orch("study", "list", "--json", "--storage", sqlite_url).stdout)
    assert [(study["study"], study["made_by"], study["points"]["open"]) for study in listed] == [
        ("old", orch_version(), 2),
        ("newer", "9.9.0", 3),
    ]
    shown = run_orch("study", "show", "newer", "--storage", sqlite_url)
    assert (shown.returncode, "Update orch on this machine" in shown.stderr) == (1, True)
    for words in (("stop", "newer"), ("resume", "newer"), ("delete", "newer", "--yes")):
        done = run_orch("study", *words, "--storage", sqlite_url)
        assert done.returncode == 0, done.stderr
    database = open_database(sqlite_url)
    assert [study.name for study in study_records.list_rows(database)] == ["old"]
    assert [study.study_name for study in database.optuna.get_all_studies()] == ["old"]
    database.close()


@pytest.mark.parametrize("version", RELEASES)
def test_a_database_of_each_release_is_opened_worked_on_and_exported(version: str, empty_url: str) -> None:
    restore_release(version, empty_url)
    if version != tables.SCHEMA_VERSION:
        held = Database(parse_url(empty_url))
        schema.upgrade(held)
        held.close()
    database = open_database(empty_url)
    study = load_study(database, STUDY)
    assert [one.kind for one in list_evaluations(database, study.uuid)] == ["hold-out"][: version > "0001"]
    before = {point.point: point for point in points.list_points(database, study.uuid)}
    assert sorted(point.state for point in before.values()) == ["claimed", "done", "done", "failed", "open"]
    Worker(Circumstances(database), lambda _: PretendObjective()).run(lambda: [load_study(database, STUDY)])
    counts = points.count_points(database, study.uuid)
    assert (counts.complete, counts.failed, counts.planned) == (4, 1, 5)
    after = {point.point: point for point in points.list_points(database, study.uuid)}
    assert all(
        after[number] == point for number, point in before.items() if point.state in ("done", "failed")
    )
    document = best_document(database, study)
    assert document["value"] == max(point.value for point in after.values() if point.value is not None)
    planned = [point.params for point in before.values()]
    assert verify_study(database, study, planned)["problems"] == []
    database.close()


def test_an_older_orch_goes_on_with_tables_that_a_newer_one_only_added_to(database_url: str) -> None:
    database = open_database(database_url)
    study = make_study(database, points=3)
    with database.transaction() as connection:
        for table in ("orch_studies", "orch_points", "orch_epochs", "orch_workers", "orch_predictions"):
            connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN of_tomorrow TEXT")
        connection.exec_driver_sql("CREATE TABLE orch_tomorrow (id INTEGER PRIMARY KEY)")
        connection.exec_driver_sql(f"UPDATE {tables.VERSION_TABLE} SET version_num = '9999'")
        _note_readable(connection, "0001")
    with pytest.raises(SchemaError, match="newer orch"):
        schema.upgrade(database)
    database.close()
    older = open_database(database_url)
    Worker(Circumstances(older), lambda _: PretendObjective()).run(lambda: [load_study(older, "small")])
    assert points.count_points(older, study.uuid).complete == 3
    with older.transaction() as connection:
        _note_readable(connection, "9998")
    older.close()
    with pytest.raises(SchemaError, match="Update orch on this machine"):
        open_database(database_url)


def _note_readable(connection: sa.Connection, least: str) -> None:
    value = json.dumps({"version": "9999", "from": least})
    facts = tables.facts
    connection.execute(sa.update(facts).where(facts.c.key == tables.READABLE_KEY).values(value=value))
