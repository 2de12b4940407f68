"""Every pruning rule on a real database, in both schedules, with objectives that train nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from storage.database.engine import Database
from storage.database.opening import open_database
from storage.results import ledger
from storage.studies import points
from storage.studies import study as studies
from tests.studies import PretendObjective, claim, make_row, make_study, rising_auc
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker, WorkerSummary


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An open database with orch's tables."""
    opened = open_database(database_url)
    yield opened
    opened.close()


def outcomes(database: Database, study: studies.StudyRecord, objective: PretendObjective) -> list[str | None]:
    """Work a study off; what became of each point."""
    Worker(Circumstances(database), lambda _: objective).run(
        lambda: [studies.load_study(database, study.name)]
    )
    return [record.outcome for record in points.list_points(database, study.uuid)]


@pytest.mark.main_tier(
    "sqlite-race-sequential", "sqlite-forecast-sequential", "sqlite-median-lockstep", "sqlite-paired-lockstep"
)
@pytest.mark.parametrize("schedule", ["lockstep", "sequential"])
@pytest.mark.parametrize("rule", ["forecast", "paired", "race", "median"])
def test_a_rule_stops_weak_trials_and_the_best_survives(database: Database, rule: str, schedule: str) -> None:
    settings = {"cv.schedule": schedule, "pruner.startup_trials": 2, "pruner.warmup_steps": 0}
    study = make_study(database, points=11, pruner=rule, **settings)
    found = outcomes(database, study, PretendObjective())
    best = max(range(11), key=lambda point: rising_auc(point, 0, 3))
    assert found[best] == "COMPLETE"
    assert found.count("PRUNED") >= 3
    assert found[0] == "COMPLETE", "nothing was there to compare the first one with"


def test_the_last_candidate_runs_to_its_end_however_weak(database: Database) -> None:
    def diverge(point: int, fold: int, epoch: int) -> dict[str, float]:
        return {"val_loss": math.nan} if point == 0 and epoch == 3 else {}

    study = make_study(database, points=3, pruner="halving")
    objective = PretendObjective(auc=lambda point, fold, epoch: (0.9, 0.6, 0.5)[point], others=diverge)
    assert outcomes(database, study, objective) == ["PRUNED", "COMPLETE", "PRUNED"]


@pytest.mark.parametrize("leader_lives", [True, False])
def test_workers_that_begin_together_stop_a_weak_trial_before_one_is_complete(
    database: Database, leader_lives: bool
) -> None:
    study = make_study(database, points=2, pruner="forecast", **{"pruner.warmup_steps": 0})
    held = claim(database, study, worker="elsewhere")
    rows = [make_row(held.point, fold, 1, val_auc=0.9) for fold in range(study.spec.cv.folds)]
    ledger.record_epochs(database, held, "same", rows, epoch=1, lease_seconds=60 if leader_lives else -1)
    objective = PretendObjective(auc=lambda point, fold, epoch: 0.6)
    worker, summary = Worker(Circumstances(database), lambda _: objective), WorkerSummary()
    while not summary.pruned and not summary.complete:
        worker._serve_one([study], summary)
    assert (summary.pruned, summary.complete) == ((1, 0) if leader_lives else (0, 1))
