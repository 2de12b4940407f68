"""What `test_jax_backend.py` runs under JAX, too: several trials in one process are those that each would be alone."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.planning.review import fill_in_features
from storage.data.datasets import Dataset
from storage.data.given_features import keep_features
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.results.ledger import FoldEpoch, read_curves
from storage.results.predictions import read_predictions
from storage.spec import StudySpec, parse
from storage.studies import points
from storage.studies.study import create_study
from tests.labelled_studies import make_dataset
from workers.backends.jax import device
from workers.objective.keras_objective import KerasObjective
from workers.objective.replay import NOT_COMPARED, replay_trial
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker

FOLDS = 3
GRID = [{"learning_rate": rate, "epsilon": epsilon} for rate in (0.1, 0.003) for epsilon in (1e-7, 0.1)]
"""The first one learns so fast that a sum that is rounded otherwise shows."""
COMPARED = [name for name in FoldEpoch.__dataclass_fields__ if name not in NOT_COMPARED]


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Features of images that are nowhere."""
    made = make_dataset(tmp_path / "data", patients=30)
    values = np.random.default_rng(0).normal(size=(len(made.files), 7)).astype(np.float32)
    keep_features(made.folder, "dino", values, made.fingerprint, "t.npz")
    return made


def make_spec(dataset: Dataset, name: str) -> StudySpec:
    spec = parse(
        {
            "study": {"name": name, "trials": len(GRID)},
            "data": {"fingerprint": dataset.fingerprint},
            "model": {"head": [8], "features": "dino", "dropout_rate": 0.3},
            "training": {"epochs": 3, "threads": 1, "batch_size": 16},
            "cv": {"folds": FOLDS, "schedule": "lockstep"},
            "pruner": {"name": "none"},
            "search": {
                "learning_rate": {"type": "float", "low": 1e-4, "high": 0.1},
                "epsilon": {"type": "float", "low": 1e-8, "high": 0.1},
            },
        },
        source="a test",
    )
    return fill_in_features(spec, dataset)


@pytest.mark.parametrize("stacks", [True, False], ids=["stacked", "single"])
def test_trials_side_by_side_have_the_bits_that_each_has_alone(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stacks: bool
) -> None:
    monkeypatch.setattr(device, "stacks_folds", lambda: stacks)
    found: dict[int, Any] = {}
    objective: KerasObjective | None = None
    with closing(open_database(f"sqlite:///{tmp_path / 'orch.db'}", create=True)) as database:
        for at_once in (1, 2, 4):
            study = create_study(
                database, make_spec(dataset, f"by {at_once}"), GRID, data_folder=str(dataset.folder), facts={}
            )
            objective = objective or KerasObjective(study, dataset, tmp_path)
            worker = Worker(Circumstances(database, at_once=at_once), lambda _, made=objective: made)
            assert worker.run(lambda one=study: [one]).complete == len(GRID)
            found[at_once] = [
                (
                    record.value,
                    rows_of(database, study.uuid, record.point),
                    predictions_of(database, study.uuid, record.point),
                )
                for record in points.list_points(database, study.uuid)
            ]
        assert objective is not None
        rows = read_curves(database, study.uuid, 0)
        data = objective.variants.of(GRID[0])
        replay = replay_trial(
            rows,
            {**study.spec.fixed_beside(GRID[0]), **GRID[0]},
            objective.variants.start_fold,
            train_together=data.train_together,
        )
    assert found[1] == found[2] == found[4]
    assert len({value for value, _, _ in found[1]}) == len(GRID)
    assert replay.is_identical


def rows_of(database: Database, study: str, point: int) -> list[dict[str, Any]]:
    rows = [dataclasses.asdict(row) for row in read_curves(database, study, point)]
    return [{name: row[name] for name in COMPARED} for row in rows]


def predictions_of(database: Database, study: str, point: int) -> list[bytes]:
    return [fold.values.tobytes() for fold in read_predictions(database, study, point)]
