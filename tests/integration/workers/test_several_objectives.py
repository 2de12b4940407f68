"""Studies with more than one objective, worked off by formula: what is kept, told, verified and shown."""

from __future__ import annotations

from contextlib import closing

import optuna
import pytest

from dashboards.figures.trials import draw_front
from dashboards.tables.view import read_view
from orchestrator.planning.plan import plan_points
from orchestrator.studies.best import best_document
from orchestrator.studies.records import study_document
from orchestrator.studies.verify import verify_study
from storage.database.opening import open_database
from storage.spec import parse
from storage.states import PointOutcome
from storage.studies.points import list_points
from storage.studies.study import create_study
from storage.studies.sweeping import sweep
from tests.studies import PretendObjective, make_spec
from workers.process import trial_run
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker

POINTS = 14


def specificity(point: int, fold: int, epoch: int) -> dict[str, float]:
    """Falls as the AUC of `tests.studies.rising_auc` rises, so that several trials are on the front."""
    return {"val_specificity": 0.9 - 0.02 * ((point * 7) % 11) - 0.001 * fold, "seconds": 1.0 + point}


@pytest.mark.parametrize(("sampler", "pruner"), [("random", "median"), ("tpe", "halving"), ("nsga2", "none")])
def test_every_objective_is_kept_told_and_verified(database_url: str, sampler: str, pruner: str) -> None:
    document = make_spec(points=POINTS, pruner=pruner).model_dump(mode="json")
    document["study"]["also"] = ["val_specificity", "training_seconds"]
    spec = parse({**document, "sampler": {"name": sampler}}, source="a test")
    planned = plan_points(spec)
    with closing(open_database(database_url)) as database:
        study = create_study(database, spec, planned, data_folder="", facts={})
        objective = PretendObjective(others=specificity)
        summary = Worker(Circumstances(database), lambda _: objective).run(lambda: [study])
        assert summary.complete + summary.pruned == POINTS
        assert summary.failed == 0
        found = verify_study(database, study, planned)
        assert found["ok"], found["problems"]
        loaded = optuna.load_study(study_name=study.name, storage=database.optuna)
        assert [one.name for one in loaded.directions] == ["MAXIMIZE", "MAXIMIZE", "MINIMIZE"]
        trials = {trial.user_attrs["point"]: trial for trial in loaded.trials}
        points = list_points(database, study.uuid)
        for point in points:
            values = trials[point.point].values
            if point.outcome == PointOutcome.PRUNED:
                assert values is None
                continue
            assert values[0] == point.value
            assert values[2] == pytest.approx(3 * 4 * (1.0 + point.point))
        front = {trial.user_attrs["point"] for trial in loaded.best_trials}
        shown = study_document(database, study, whole=True)["pareto"]
        assert {one["point"] for one in shown} == front
        assert shown == sorted(shown, key=lambda one: -one["value"])
        best = best_document(database, study)
        assert {one["point"] for one in best["pareto"]} == front
        assert best["pareto"][0]["value"] == best["value"]
        picture = draw_front(read_view(database, study))
        assert {row[0] for row in picture.table.rows if row[4]} == front


def test_a_point_that_was_settled_before_its_worker_died_is_told_with_all_objectives(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = make_spec(points=1).with_values({"study.also": ["val_specificity"]})
    with closing(open_database(sqlite_url)) as database:
        study = create_study(database, spec, [{"batch_size": 16}], data_folder="", facts={})
        monkeypatch.setattr(trial_run.trials, "settle_trial", lambda *arguments: True)
        Worker(Circumstances(database), lambda _: PretendObjective(others=specificity)).run(lambda: [study])
        monkeypatch.undo()
        sweep(database, study)
        (trial,) = optuna.load_study(study_name=study.name, storage=database.optuna).trials
        assert len(trial.values) == 2
        assert verify_study(database, study, [{"batch_size": 16}])["ok"]


def test_an_objective_that_no_fold_has_fails_the_trial_in_words(sqlite_url: str) -> None:
    spec = make_spec(points=1).with_values({"study.also": ["val_specificity"], "study.retries": 0})
    with closing(open_database(sqlite_url)) as database:
        study = create_study(database, spec, [{"batch_size": 16}], data_folder="", facts={})
        objective = PretendObjective(others=lambda *place: {"val_specificity": float("nan")})
        Worker(Circumstances(database), lambda _: objective).run(lambda: [study])
        (point,) = list_points(database, study.uuid)
        assert point.state == "failed"
        assert "No fold has a value of val_specificity in epoch" in str(point.error)
