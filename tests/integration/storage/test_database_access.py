"""Who may open a study database: other machines, other schemas, readers; and what deletes a study under workers."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
import sqlalchemy as sa

from orchestrator.cli import run
from orchestrator.studies.fleet import fleet_document
from storage.database import hosts, schema, tables
from storage.database.address import parse_url
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.database.trouble import described, is_passing
from storage.database.waiting import wait_for
from storage.errors import DatabaseAwayError, SchemaError, StorageError
from storage.studies import points
from storage.studies.deletion import stop_and_delete
from storage.studies.study import StudyRecord, find_study, load_study
from tests.conftest import REPOSITORY
from tests.postgres import USER, PostgresServer
from tests.studies import PretendObjective, claim, make_study
from workers.process import preparing
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker, WorkerSummary

Run = Callable[..., subprocess.CompletedProcess[str]]
ELSEWHERE = {"name": "elsewhere", "machine": "0123", "boot": "4567"}


def set_version(url: str, version: str) -> None:
    database = Database(parse_url(url))
    with database.transaction() as connection:
        connection.execute(sa.text(f"UPDATE {tables.VERSION_TABLE} SET version_num = '{version}'"))
    database.close()


@pytest.mark.parametrize(
    ("version", "next_step"), [("0000", "orch db upgrade"), ("9999", "Update orch on this machine")]
)
def test_another_schema_is_refused_with_what_mends_it(
    database_url: str, version: str, next_step: str
) -> None:
    set_version(database_url, version)
    with pytest.raises(SchemaError) as refused:
        open_database(database_url)
    assert next_step in str(refused.value)


def test_tables_that_no_migration_begins_at_are_left_alone(database_url: str, run_orch: Run) -> None:
    set_version(database_url, "0000")
    told = run_orch("db", "upgrade", "--storage", database_url)
    assert told.returncode == 1
    assert "tables of version 0000, and no way leads from there" in told.stderr
    database = Database(parse_url(database_url))
    assert schema.schema_version(database) == "0000"
    database.close()


def test_tables_are_not_changed_while_somebody_works(database_url: str) -> None:
    database = open_database(database_url)
    claim(database, make_study(database))
    with pytest.raises(SchemaError, match="is running, so the tables"):
        schema.upgrade(database)
    database.close()


def test_a_database_file_that_orch_makes_is_private(tmp_path: Path) -> None:
    path = tmp_path / "orch.db"
    with closing(open_database(f"sqlite:///{path}", create=True)):
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.glob("orch.db*[!k]")}
    assert set(modes.values()) == {0o600}
    path.chmod(0o660)
    with closing(open_database(f"sqlite:///{path}", create=True)):
        assert path.stat().st_mode & 0o777 == 0o660


def test_a_sqlite_file_of_another_machine_is_refused_and_can_be_taken_over(
    sqlite_url: str, run_orch: Run
) -> None:
    database = open_database(sqlite_url)
    study = make_study(database)
    held = claim(database, study)
    hosts._note(database, ELSEWHERE)
    with pytest.raises(StorageError, match=r"elsewhere.*orch db init"):
        open_database(sqlite_url)
    with pytest.raises(StorageError, match="running on the other machine"):
        hosts.take_over(database)
    points.release_point(database, held)
    database.close()
    refused = run_orch("study", "list", "--storage", sqlite_url)
    assert (refused.returncode, "belongs to the machine 'elsewhere'" in refused.stderr) == (1, True)
    assert run_orch("db", "init", "--storage", sqlite_url).returncode == 0
    assert run_orch("study", "list", "--storage", sqlite_url).returncode == 0


def test_a_machine_is_known_after_a_restart_and_in_its_containers() -> None:
    here = {"name": "a", "machine": "1", "boot": "x"}
    assert hosts.is_same({**here, "boot": "y"}, here), "restarted"
    assert hosts.is_same({**here, "name": "container", "machine": ""}, here), "the same kernel"
    assert not hosts.is_same({"name": "b", "machine": "1", "boot": "y"}, here), "a cloned image"
    assert not hosts.is_same({"name": "b", "machine": "", "boot": ""}, {**here, "machine": "", "boot": ""})


def test_a_reader_reads_everything_and_changes_nothing(
    postgres_server: PostgresServer, postgres_url: str, run_orch: Run
) -> None:
    database = open_database(postgres_url)
    study = make_study(database)
    database.close()
    postgres_server.execute("DROP ROLE IF EXISTS viewer")
    missing = run_orch("db", "grant-readonly", "viewer", "--storage", postgres_url)
    assert missing.returncode == 1
    assert "CREATE ROLE" in missing.stderr
    postgres_server.execute("CREATE ROLE viewer LOGIN PASSWORD 'look'")
    for _ in range(2):
        granted = run_orch("db", "grant-readonly", "viewer", "--storage", postgres_url)
        assert granted.returncode == 0, granted.stderr
    url = parse_url(postgres_url).set(username="viewer", password="look")
    viewer = open_database(url.render_as_string(hide_password=False))
    assert points.count_points(viewer, load_study(viewer, "small").uuid).open == 6
    with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
        points.claim_point(viewer, study, worker="viewer", token="t")
    viewer.close()
    itself = run_orch("db", "grant-readonly", "orch_test", "--storage", postgres_url)
    assert (itself.returncode, "may change everything" in itself.stderr) == (1, True)


def test_a_role_that_may_not_is_told_which_one_may(
    postgres_server: PostgresServer, postgres_url: str, empty_postgres_url: str, run_orch: Run
) -> None:
    postgres_server.execute("DROP ROLE IF EXISTS looker")
    postgres_server.execute("CREATE ROLE looker LOGIN PASSWORD 'looks'")
    assert run_orch("db", "grant-readonly", "looker", "--storage", postgres_url).returncode == 0
    looks, empty = (
        parse_url(url).set(username="looker", password="looks").render_as_string(hide_password=False)
        for url in (postgres_url, empty_postgres_url)
    )
    refused = run_orch("db", "init", "--storage", empty)
    assert (refused.returncode, "createdb --owner" in refused.stderr) == (1, True)
    database = open_database(looks)
    # Optuna wraps what the database says.
    with pytest.raises(StorageError, match=r"permission denied.*createdb --owner"), described():
        make_study(database)
    database.close()


def test_readers_are_a_matter_of_the_file_on_sqlite(sqlite_url: str, run_orch: Run) -> None:
    refused = run_orch("db", "grant-readonly", "viewer", "--storage", sqlite_url)
    assert (refused.returncode, "permissions of the file" in refused.stderr) == (1, True)


def test_options_of_libpq_in_the_address_reach_it(postgres_url: str) -> None:
    open_database(f"{postgres_url}?sslmode=prefer&connect_timeout=7").close()
    with pytest.raises(DatabaseAwayError, match="does not support SSL"):
        open_database(f"{postgres_url}?sslmode=require")


def test_deleting_takes_the_study_from_its_workers_first(database_url: str) -> None:
    database, other = open_database(database_url), open_database(database_url)
    study = make_study(database, points=2, **{"training.epochs": 10_000})
    summary: list[WorkerSummary] = []
    told: list[str] = []

    def studies() -> list:
        found = find_study(other, "small")
        return [found] if found else []

    worker = Worker(Circumstances(other, tell=told.append), lambda _: PretendObjective(seconds=0.02))
    thread = threading.Thread(target=lambda: summary.append(worker.run(studies)))
    thread.start()
    while points.list_points(database, study.uuid)[0].epoch < 2:
        time.sleep(0.05)
    began = time.monotonic()
    assert stop_and_delete(database, study, patience=20) == 1
    assert time.monotonic() - began < 10
    thread.join(30)
    assert (summary[0].lost, told) == (1, ["small trial 0: lease lost, result dropped"])
    with database.reading() as connection:
        for table in ("orch_studies", "orch_points", "orch_epochs", "studies", "trials"):
            assert connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one() == 0
    database.close()
    other.close()


def test_a_worker_is_shown_from_its_start_and_while_it_prepares_a_study(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def look() -> list[tuple[str, str | None]]:
        return [
            (worker["state"], worker["study"])
            for worker in fleet_document(database, everybody=False)["workers"]
        ]

    def list_studies() -> list[StudyRecord]:
        seen.append(look())
        return [load_study(database, "small")]

    def prepare(study: StudyRecord) -> PretendObjective:
        end = time.monotonic() + 20
        while look() != [("preparing", "small")] and time.monotonic() < end:
            time.sleep(0.05)
        seen.append(look())
        return PretendObjective(before=lambda attempt: seen.append(look()))

    monkeypatch.setattr(preparing, "PREPARING_SECONDS", 0.1)
    assert run(["status", "--storage", sqlite_url]) == 0
    assert "one that was just started appears here within a minute" in capsys.readouterr().out
    seen: list[list[tuple[str, str | None]]] = []
    with closing(open_database(sqlite_url)) as database:
        make_study(database, points=1)
        Worker(Circumstances(database), prepare).run(list_studies)
        assert seen[:3] == [[("starting", None)], [("preparing", "small")], [("working", "small")]]
        assert look() == []


def test_the_fleet_and_what_is_left_are_shown(sqlite_url: str, run_orch: Run, tmp_path: Path) -> None:
    import json

    database = open_database(sqlite_url)
    make_study(database, points=4)
    stop = threading.Event()

    def note_and_stop(attempt: object) -> None:
        if attempt.point == 2:  # type: ignore[attr-defined]
            shown.append(json.loads(run_orch("status", "--storage", sqlite_url, "--json").stdout))
            stop.set()

    shown: list[dict] = []
    worker = Worker(
        Circumstances(database, stop, name="w", device="GPU 3"),
        lambda _: PretendObjective(before=note_and_stop),
    )
    worker.run(lambda: [load_study(database, "small")])
    (at_work,) = shown[0]["workers"]
    assert (at_work["device"], at_work["study"], at_work["point"], at_work["trial"]) == (
        "GPU 3",
        "small",
        2,
        2,
    )
    (left,) = shown[0]["studies"]
    assert (left["done"], left["running"], left["open"], left["failed"]) == (2, 1, 1, 0)
    assert left["seconds_left"] > 0
    plain = run_orch("status", "--all", "--storage", sqlite_url)
    assert "gone" in plain.stdout
    assert "GPU 3" in plain.stdout
    verified = run_orch("study", "verify", "small", "--storage", sqlite_url, "--json")
    document = json.loads(verified.stdout)
    # The points of this test are not those that the spec plans.
    assert all("and the plan" in problem for problem in document["problems"])
    assert verified.returncode == 1
    database.close()


def test_a_server_that_goes_before_the_first_trial_is_waited_for(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    database = open_database(postgres_url)
    database.engine.dispose()
    postgres_server.stop("immediate")
    try:
        with pytest.raises(sa.exc.OperationalError) as raised:
            _ = database.optuna
        assert is_passing(raised.value)
    finally:
        postgres_server.start()
    assert database.optuna.get_all_studies() == []
    database.close()


def test_a_session_that_ends_while_optuna_reads_trials_is_waited_for(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    """Optuna takes the loss for a query with too many values and asks again in the same, broken, transaction."""
    database = open_database(postgres_url)
    study = make_study(database)
    claim(database, study)
    database.optuna.create_new_trial(study.optuna_study_id)
    ended: list[int] = []

    def end_session(connection: sa.Connection, _: object, statement: str, *__: object) -> None:
        if "FROM trial_user_attributes" in statement and not ended:
            ended.append(connection.connection.driver_connection.info.backend_pid)
            postgres_server.execute(f"SELECT pg_terminate_backend({ended[0]})")

    sa.event.listen(database.engine, "before_cursor_execute", end_session)
    trials = wait_for(lambda _: database.optuna.get_all_trials(study.optuna_study_id), give_up_after=20)
    assert (len(trials), len(ended)) == (1, 1)
    database.close()


def test_a_session_that_ends_between_two_requests_leaves_no_traceback_in_a_terminal(
    postgres_server: PostgresServer, postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLAlchemy's pool finds it gone when it takes the connection back; whoever asks next is told by orch."""
    with closing(open_database(postgres_url)) as database, caplog.at_level("WARNING"):
        lent = database.read_engine.raw_connection()
        lent.cursor().execute("SELECT 1")
        pid = lent.driver_connection.info.backend_pid  # type: ignore[union-attr]
        postgres_server.execute(f"SELECT pg_terminate_backend({pid}, 5000)")
        lent.close()
        with database.reading() as connection:
            assert connection.execute(sa.text("SELECT 1")).scalar_one() == 1
    assert not caplog.records


def test_a_server_that_is_away_is_said(run_orch: Run) -> None:
    refused = run_orch("db", "check", "--storage", "postgresql://orch@127.0.0.1:1/none")
    assert (refused.returncode, "does not answer" in refused.stderr) == (1, True)
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect("postgresql://orch@127.0.0.1:1/none")


def test_a_server_that_refuses_is_told_from_one_that_is_away(
    postgres_server: PostgresServer, run_orch: Run
) -> None:
    address = f"127.0.0.1:{postgres_server.port}"
    for url, password, words in (
        (f"postgresql://{USER}@{address}/postgres", "wrong-one", "Set PGPASSWORD"),
        (f"postgresql://{USER}@{address}/postgres", "", "Set PGPASSWORD"),
        (postgres_server.url("nowhere"), "", "createdb"),
        (postgres_server.url() + "?sslmode=require", "", "sslmode"),
        ("postgresql://orch@host.invalid/studies", "", "misspelled"),
    ):
        refused = run_orch("db", "check", "--storage", url, environment={"PGPASSWORD": password})
        assert refused.returncode == 1, refused.stderr
        assert (words in refused.stderr, "stopped" in refused.stderr) == (True, False), refused.stderr
    stopped = run_orch("db", "check", "--storage", "postgresql://orch@127.0.0.1:1/none")
    assert "Connection refused.\n" in stopped.stderr


def test_a_worker_that_would_wait_for_ever_does_not_for_a_wrong_password(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """In a process of its own: it is what a service runs at the start of a machine."""
    environment = {
        **os.environ,
        "ORCH_STORAGE": f"postgresql://{USER}@127.0.0.1:{postgres_server.port}/postgres",
        "PGPASSWORD": "wrong-one",
        "PYTHONPATH": str(REPOSITORY),
    }
    program = [sys.executable, "-m", "orchestrator.cli", "worker", "--forever", "--gpus", "none"]
    done = subprocess.run(program, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=40)
    assert done.returncode == 1, done.stderr
    assert "Set PGPASSWORD" in done.stderr
