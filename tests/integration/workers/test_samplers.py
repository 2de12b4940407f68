"""Samplers that learn from finished trials, each filling the points of a real study as they are claimed."""

from __future__ import annotations

import optuna
import pytest

from orchestrator.studies.verify import verify_study
from storage.database.opening import open_database
from storage.spec import parse
from storage.spec.distributions import to_optuna
from storage.studies.points import list_points
from storage.studies.study import create_study
from tests.studies import PretendObjective, make_spec
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker

POINTS = 14
CONDITIONAL = {
    "head": {"type": "choice", "values": [[8], [8, 4], [4]]},
    "optimizer": {"type": "choice", "values": ["adam", "sgd"]},
    "momentum": {"type": "float", "low": 0.5, "high": 0.9, "when": {"optimizer": ["sgd"]}},
    "batch_size": {"type": "int", "low": 16, "high": 64, "step": 16, "when": {"head": [[8], [4]]}},
}


@pytest.mark.main_tier("cmaes")
@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "nsga2"])
def test_every_point_is_filled_by_the_sampler_and_settled(sqlite_url: str, sampler: str) -> None:
    database = open_database(sqlite_url)
    search = {
        "dropout_rate": {"type": "float", "low": 0.0, "high": 0.5},
        "learning_rate": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
    }
    document = make_spec(points=POINTS).model_dump(mode="json")
    spec = parse({**document, "search": search, "sampler": {"name": sampler}}, source="a test")
    study = create_study(database, spec, [None] * POINTS, data_folder="", facts={})
    summary = Worker(Circumstances(database), lambda _: PretendObjective()).run(lambda: [study])
    assert summary.complete == POINTS
    params = [point.params for point in list_points(database, study.uuid)]
    # Two parents that are alike have a child like them.
    least = POINTS if sampler != "nsga2" else POINTS // 2
    assert len({tuple(sorted(one.items())) for one in params if one}) >= least
    assert all(
        0 <= one["dropout_rate"] <= 0.5 and 1e-4 <= one["learning_rate"] <= 0.1 for one in params if one
    )
    trials = optuna.load_study(study_name=study.name, storage=database.optuna).trials
    marks = {key: value for trial in trials for key, value in trial.system_attrs.items()}
    if sampler == "cmaes":
        assert any(key.startswith("cma:") for key in marks)
    if sampler == "nsga2":
        generations = [value for key, value in marks.items() if key.endswith("generation")]
        assert max(generations) >= 1, "nothing was crossed"
    database.close()


@pytest.mark.main_tier("tpe")
@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_a_sampler_that_learns_follows_conditions(sqlite_url: str, sampler: str) -> None:
    database = open_database(sqlite_url)
    document = make_spec(points=24).model_dump(mode="json")
    spec = parse({**document, "search": CONDITIONAL, "sampler": {"name": sampler}}, source="a test")
    study = create_study(database, spec, [None] * 24, data_folder="", facts={})
    summary = Worker(Circumstances(database), lambda _: PretendObjective()).run(lambda: [study])
    assert summary.complete == 24
    points = list_points(database, study.uuid)
    for point in points:
        params = point.params or {}
        wanted = {"head", "optimizer"} | ({"momentum"} if params["optimizer"] == "sgd" else set())
        wanted |= {"batch_size"} if params["head"] != [8, 4] else set()
        assert params.keys() == wanted
        assert params.get("batch_size", 16) in (16, 32, 48, 64)
    assert any("momentum" not in (point.params or {}) for point in points)
    trials = optuna.load_study(study_name=study.name, storage=database.optuna).trials
    assert {trial.params["head"] for trial in trials} <= {"[8]", "[8, 4]", "[4]"}
    assert [to_optuna(point.params or {}) for point in points] == [trial.params for trial in trials]
    found = verify_study(database, study, [None] * 24)
    assert found["ok"], found["problems"]
    database.close()
