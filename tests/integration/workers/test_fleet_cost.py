"""What a worker costs the database server, so that a thousand of them are no burden."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from storage.database.engine import Database
from storage.database.opening import open_database
from storage.spec.distributions import distributions
from storage.studies import points, sweeping, trials
from storage.studies import study as studies
from tests.studies import PretendObjective, claim, expire, make_study
from workers.attempts.attempt import Attempt
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker

SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    """An open database with orch's tables."""
    opened = open_database(postgres_url)
    yield opened
    opened.close()


def count_sessions(database: Database) -> int:
    """Sessions of the server on this database, the one that asks included."""
    with database.reading() as connection:
        return int(connection.execute(sa.text(SESSIONS)).scalar_one())


def test_a_worker_holds_one_session_of_the_server(database: Database) -> None:
    make_study(database, points=2)
    held = []

    def look(attempt: Attempt) -> None:
        held.append(count_sessions(database))

    worker = Worker(Circumstances(database), lambda _: PretendObjective(before=look))
    worker.run(lambda: [studies.load_study(database, "small")])
    assert held == [1, 1]
    assert count_sessions(database) == 1


def test_an_idle_worker_loads_no_trial_that_others_work_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make_study(database, points=3)
    for _ in range(3):
        held = claim(database, study)
        trial_id, number = trials.start_trial(database, study, held, distributions(study.spec), "worker")
        points.note_trial(database, held, trial_id=trial_id, trial_number=number)
    loads: list[int] = []
    backend = database.optuna._backend
    load = backend.get_trial
    monkeypatch.setattr(backend, "get_trial", lambda number: loads.append(number) or load(number))
    monkeypatch.delattr(type(backend), "get_all_trials")
    assert sweeping.sweep(database, study) == 0
    assert loads == []
    expire(database, held)
    assert sweeping.sweep(database, study) == 1
    assert set(loads) == {trial_id}, "only the one that was left"
    assert points.claim_point(database, study, worker="w", token=str(uuid.uuid4())) is not None
