"""What others do to a study: delete it beside writers or with another tool, leave half of it behind, set a clock back."""

from __future__ import annotations

import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing

import optuna
import pytest
import sqlalchemy as sa

from orchestrator.studies.best import best_document
from orchestrator.studies.verify import verify_study
from storage.database import tables
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.errors import StudyExistsError, StudyNotFoundError
from storage.spec import StudySpec
from storage.spec.distributions import distributions
from storage.states import StudyState
from storage.studies import points, trials
from storage.studies import study as study_module
from storage.studies.study import StudyRecord, delete_study, load_study
from storage.studies.study_records import find_study
from tests.studies import PretendObjective, claim, make_study
from workers.attempts.attempt import Attempt
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An open database with orch's tables."""
    with closing(open_database(database_url)) as opened:
        yield opened


def start_trial(database: Database, study: StudyRecord) -> None:
    held = claim(database, study)
    trials.start_trial(database, study, held, distributions(study.spec), "worker")


def lose_the_row(database: Database) -> None:
    """What an interrupted delete leaves: Optuna's study, and nothing of ours."""
    with database.transaction() as connection:
        for table in (tables.points, tables.studies):
            connection.execute(sa.delete(table))


def test_deleting_beside_somebody_who_writes_leaves_nothing(postgres_url: str) -> None:
    with closing(open_database(postgres_url)) as database, closing(open_database(postgres_url)) as other:
        study = make_study(database)
        start_trial(database, study)
        writing = other.engine.connect()
        writing.execute(
            sa.text("INSERT INTO trials (study_id, number, state) VALUES (:study, 7, 'RUNNING')"),
            {"study": study.optuna_study_id},
        )
        commit = threading.Timer(1.0, writing.commit)
        commit.start()
        delete_study(database, study)
        commit.join()
        writing.close()
        assert database.optuna.get_all_studies() == []
        with database.reading() as connection:
            for table in ("trials", "trial_user_attributes", "trial_params"):
                assert connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one() == 0
        assert points.count_points(database, make_study(database).uuid).open == 6


def test_what_a_delete_left_behind_is_taken_over_by_create(database: Database) -> None:
    start_trial(database, make_study(database))
    lose_the_row(database)
    study = make_study(database)
    assert points.count_points(database, study.uuid).open == 6
    assert database.optuna.get_all_trials(study.optuna_study_id) == []


def test_what_orch_did_not_make_is_never_removed(database: Database) -> None:
    start_trial(database, make_study(database))
    lose_the_row(database)
    optuna.load_study(study_name="small", storage=database.optuna).add_trial(
        optuna.trial.create_trial(value=1.0)
    )
    with pytest.raises(StudyExistsError, match="did not make"):
        make_study(database)
    # A study that was renamed in a dashboard belongs to its row still.
    study = make_study(database, "first")
    start_trial(database, study)
    with database.transaction() as connection:
        connection.execute(sa.text("UPDATE studies SET study_name = 'second' WHERE study_name = 'first'"))
    database.forget_optuna()
    with pytest.raises(StudyExistsError):
        make_study(database, "second")


def test_a_study_that_somebody_makes_meanwhile_is_taken_as_it_is(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between a creation's look and its own study another one makes it, and a worker begins."""
    looks: list[str] = []

    def look(database: Database, name: str) -> StudyRecord | None:
        looks.append(name)
        if len(looks) > 1:
            return find_study(database, name)
        start_trial(database, make_study(database))
        return None

    monkeypatch.setattr(study_module, "find_study", look)
    found = make_study(database)
    assert points.count_points(database, found.uuid).running == 1
    assert [study.study_name for study in database.optuna.get_all_studies()] == ["small"]


def test_a_study_whose_record_somebody_deletes_meanwhile_is_made_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a creation found in Optuna was of a study that another one was deleting."""
    old, made = make_study(database), study_module._make_optuna_study
    monkeypatch.setattr(study_module, "find_study", lambda *_: None)

    def find_and_lose(database: Database, spec: StudySpec) -> int:
        found = made(database, spec)
        if found == old.optuna_study_id:
            delete_study(database, old)
        monkeypatch.undo()
        return found

    monkeypatch.setattr(study_module, "_make_optuna_study", find_and_lose)
    study = make_study(database)
    assert study.uuid != old.uuid
    start_trial(database, study)
    assert points.count_points(database, study.uuid).running == 1


def test_what_a_delete_left_behind_is_removed_by_delete(sqlite_url: str, run_orch: Run) -> None:
    with closing(open_database(sqlite_url)) as database:
        start_trial(database, make_study(database))
        lose_the_row(database)
    done = run_orch("study", "delete", "small", "--yes", "--storage", sqlite_url)
    assert (done.returncode, "interrupted delete left" in done.stderr) == (0, True)
    again = run_orch("study", "delete", "small", "--yes", "--storage", sqlite_url)
    assert (again.returncode, "There is no study 'small'" in again.stderr) == (1, True)


@pytest.mark.main_tier("sqlite")
def test_a_record_that_another_tool_deleted_costs_no_result_and_blames_no_trial(
    database: Database, database_url: str, run_orch: Run
) -> None:
    study = make_study(database, points=5)

    def delete(attempt: Attempt) -> None:
        while attempt.point == 2 and "small" in optuna.get_all_study_names(database_url):
            optuna.delete_study(study_name="small", storage=database_url)

    told: list[str] = []
    here = Circumstances(database, tell=told.append)
    Worker(here, lambda _: PretendObjective(before=delete)).run(lambda: [load_study(database, "small")])
    assert any("Optuna's record of the study 'small' is gone" in line for line in told), told
    counts = points.count_points(database, study.uuid)
    assert (counts.complete, counts.failed, counts.open) == (2, 0, 3)
    study = load_study(database, "small")
    assert study.state == StudyState.STOPPED
    document = best_document(database, study)
    assert document["value"] == max(point.value or 0 for point in points.list_points(database, study.uuid))
    assert "another tool deleted it" in document["trained_on"]["missing"]
    planned = [point.params for point in points.list_points(database, study.uuid)]
    (problem,) = verify_study(database, study, planned)["problems"]
    assert "another tool deleted it" in problem
    for words in (
        ("study", "export", "small", "-o", "best.json"),
        ("study", "show", "small"),
        ("report", "small", "-o", "report.html"),
    ):
        done = run_orch(*words, "--storage", database_url)
        assert done.returncode == 0, done.stderr
    for words in (("study", "verify", "small"), ("trial", "show", "small", "0")):
        done = run_orch(*words, "--storage", database_url)
        assert (done.returncode, "defect" in done.stderr, "gone" in done.stderr) == (1, False, True), (
            done.stderr
        )
    assert run_orch("study", "delete", "small", "--yes", "--storage", database_url).returncode == 0
    with pytest.raises(StudyNotFoundError):
        load_study(database, "small")


def test_a_lease_that_ends_later_than_any_that_was_given_is_over(database: Database) -> None:
    study = make_study(database, points=1)
    held = claim(database, study)
    lease = study.spec.study.lease_seconds
    assert not points.is_any_claimable(database, study.uuid, lease)
    points.beat(
        database, held, lease_seconds=5 * 3600
    )  # as the database's clock had it before it was set back
    assert points.is_any_claimable(database, study.uuid, lease)
    again = points.claim_point(database, study, worker="another", token=str(uuid.uuid4()))
    assert again is not None
    assert again.attempt == 2


def test_advice_for_a_study_that_is_over_does_not_send_for_a_worker(sqlite_url: str, run_orch: Run) -> None:
    with closing(open_database(sqlite_url)) as database:
        make_study(database, "a b", points=2)
        open_still = run_orch("study", "export", "a b", "--storage", sqlite_url)
        with database.transaction() as connection:
            connection.execute(sa.update(tables.points).values(state="done", outcome="PRUNED", attempt=1))
        pruned = run_orch("study", "export", "a b", "--storage", sqlite_url)
        with database.transaction() as connection:
            connection.execute(sa.update(tables.points).values(state="failed", outcome=None, error="x"))
        failed = run_orch("study", "export", "a b", "--storage", sqlite_url)
    assert "`orch worker 'a b'`" in open_still.stderr
    assert "--pruner none" in pruned.stderr
    assert "every trial failed" in failed.stderr
    assert "orch worker" not in pruned.stderr + failed.stderr
