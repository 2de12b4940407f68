"""A real training again, by other objects and in another order: every bit is the same; and what acts is seen to act."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.importing.choices import Choices
from orchestrator.importing.imports import import_dataset
from orchestrator.planning.plan import plan_points
from storage.database.opening import open_database
from storage.errors import SpecError, StorageError
from storage.results.fold_summary import summarize_folds
from storage.results.ledger import FoldEpoch
from storage.spec import StudySpec, parse
from storage.studies.study import create_study
from tests.backends import SIDE_BY_SIDE
from tests.pictures import make_data
from workers.objective.canary import try_parameters
from workers.objective.keras_objective import prepare_objective
from workers.objective.replay import NOT_COMPARED, replay_trial

EPOCHS, FOLDS = 2, 2
COMPARED = len(FoldEpoch.__dataclass_fields__) - len(NOT_COMPARED)


def make_spec(search: dict[str, Any]) -> StudySpec:
    return parse(
        {
            "study": {"name": "s", "trials": 3},
            "model": {"head": [8, 4]},
            "training": {"epochs": EPOCHS, "threads": SIDE_BY_SIDE},
            "cv": {"folds": FOLDS},
            "search": search,
        },
        source="a test",
    )


SPEC = make_spec(
    {
        "batch_size": {"type": "int", "low": 8, "high": 40},
        "dropout_rate": {"type": "float", "low": 0.0, "high": 0.5},
    }
)


@pytest.fixture(scope="module")
def starters() -> Callable[[StudySpec], Callable[[dict[str, Any], int, int], Any]]:
    """Makes functions that start folds, each with features and trainers of its own."""
    from workers.device.preparation import prepare
    from workers.inputs.feature_set import FeatureSet
    from workers.training.fold_trainer import FoldTrainer

    prepare(1, 2)
    generator = np.random.default_rng(0)
    values = generator.normal(size=(60, 4, 6)).astype(np.float32)
    labels = generator.integers(2, size=(60, 2)).astype(np.float32)

    def make(spec: StudySpec) -> Callable[[dict[str, Any], int, int], Any]:
        features = FeatureSet(values, labels)
        trainers = [FoldTrainer(spec, feature_count=6, target_count=2) for _ in range(FOLDS)]

        def start(hyperparameters: dict[str, Any], point: int, fold: int) -> Any:
            held = np.arange(30) + 30 * fold
            trainers[fold].reset(
                features,
                train_index=np.setdiff1d(np.arange(60), held),
                val_index=held,
                hyperparameters=hyperparameters,
                seed=(spec.study.seed, point, fold),
            )
            return trainers[fold]

        return start

    return make


def record(start: Callable[..., Any], point: int, values: dict[str, Any]) -> list[FoldEpoch]:
    """Train in lockstep, as a worker does."""
    folds = [start(values, point, fold) for fold in range(FOLDS)]
    rows = [
        FoldEpoch(point=point, fold=number, epoch=epoch, **dataclasses.asdict(fold.run_epoch(epoch)))
        for epoch in range(1, EPOCHS + 1)
        for number, fold in enumerate(folds)
    ]
    return sorted(rows, key=lambda row: (row.fold, row.epoch))


def test_trials_come_out_bit_for_bit_by_another_worker_in_another_order(starters: Any) -> None:
    points = [{"batch_size": 8, "dropout_rate": 0.1}, {"batch_size": 30, "dropout_rate": 0.5}]
    values = [{**SPEC.hyperparameters, **point} for point in points]
    one, other = starters(SPEC), starters(SPEC)
    recorded = [record(one, point, values[point]) for point in range(2)]
    for point in (1, 0):
        replay = replay_trial(recorded[point], values[point], other)
        assert replay.is_identical
        assert (replay.folds, replay.epochs, replay.numbers) == (FOLDS, EPOCHS, FOLDS * EPOCHS * COMPARED)
    (first, _) = summarize_folds(recorded[0])
    assert first["steps_per_epoch"] == [4, 4]
    assert first["images_per_epoch"] == [30, 30]
    assert first["learning_rate_start"] == first["learning_rate_end"] == 1e-3


def test_another_hyperparameter_or_one_changed_bit_is_seen(starters: Any) -> None:
    values = {**SPEC.hyperparameters, "batch_size": 8, "dropout_rate": 0.1}
    start = starters(SPEC)
    recorded = record(start, 0, values)
    assert not replay_trial(recorded, {**values, "dropout_rate": 0.2}, start).is_identical
    changed = [
        dataclasses.replace(recorded[0], val_loss=np.nextafter(recorded[0].val_loss, 9)),
        *recorded[1:],
    ]
    (difference,) = replay_trial(changed, values, start).differences
    assert (difference.fold, difference.epoch, difference.name) == (0, 1, "val_loss")
    with pytest.raises(StorageError, match="misses an epoch"):
        replay_trial([recorded[1], *recorded[2:]], values, start)


def test_the_canary_sees_what_acts_and_what_adam_ignores(starters: Any) -> None:
    search: dict[str, Any] = {
        "batch_size": {"type": "int", "low": 8, "high": 40},
        "dropout_rate": {"type": "float", "low": 0.0, "high": 0.5},
        "epsilon": {"type": "grid", "values": [1e-8, 1e-1]},
        "momentum": {"type": "float", "low": 0.1, "high": 0.9},
    }
    spec = make_spec(search)
    start = starters(spec)
    tried = try_parameters(spec, lambda values: start(values, 0, 0))
    assert {name: found["acts"] for name, found in tried.items()} == {
        "batch_size": True,
        "dropout_rate": True,
        "epsilon": True,
        "momentum": False,
    }


def test_a_study_refused_by_its_first_worker_is_refused_by_the_next(tmp_path: Path, sqlite_url: str) -> None:
    folders = make_data(tmp_path)
    dataset = import_dataset(*folders, tmp_path / "data", Choices(group_columns=("patient",), holdout=0.0))
    spec = parse(
        {
            "study": {"name": "s", "trials": 2},
            "data": {"fingerprint": dataset.fingerprint},
            "model": {"kind": "lenet", "image_size": [20, 24]},
            "training": {"threads": 1, "augmentation": "none"},
            "cv": {"folds": 2},
            # LeNet has no dropout.
            "search": {"dropout_rate": {"type": "float", "low": 0.0, "high": 0.5}},
        },
        source="a test",
    )
    with closing(open_database(sqlite_url)) as database:
        study = create_study(database, spec, plan_points(spec), data_folder="", facts={})
        for _ in range(2):
            with pytest.raises(SpecError, match="changes nothing: dropout_rate"):
                prepare_objective(database, study, dataset, tmp_path / "cache")
