"""What `test_jax_backend.py` runs under JAX, too: folds that are trained in one computation."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from storage.metrics.objectives import AUC
from storage.results.ledger import FoldEpoch
from storage.spec.study import ModelSection, StudySection, StudySpec, TrainingSection
from workers.device import preparation as devices
from workers.inputs.feature_set import FeatureSet
from workers.objective.replay import replay_trial
from workers.training.early_stopping import PatientFold, train_together
from workers.training.fold_trainer import FoldTrainer

IMAGES, FEATURES, TARGETS = 60, 12, 3
TRAIN_COUNTS = (47, 40, 33)
"""At a batch size of 20: three, two and two steps, the last of 7, 20 and 13 images."""


@pytest.fixture(scope="module", autouse=True)
def _settle_the_device() -> None:
    devices.prepare(1)


def start_folds(batch_size: int = 20, **model: Any) -> list[FoldTrainer]:
    """Folds of one trial at its beginning, with dropout; a fifth of the labels are blank."""
    generator = np.random.default_rng(0)
    values = generator.normal(size=(IMAGES, 4, FEATURES)).astype(np.float32)
    labels = (values[:, 0, :TARGETS] + generator.normal(size=(IMAGES, TARGETS)) > 0).astype(np.float32)
    labels[generator.random(labels.shape) < 0.2] = np.nan
    spec = StudySpec(
        study=StudySection(name="x"),
        model=ModelSection(**{"head": (8,), "scale": "none", "dropout_rate": 0.4, **model}),
        training=TrainingSection(batch_size=batch_size),
    )
    features = FeatureSet(values, labels)
    folds = []
    for fold, count in enumerate(TRAIN_COUNTS):
        images = np.random.default_rng(fold).permutation(IMAGES)
        trainer = FoldTrainer(spec, FEATURES, TARGETS)
        trainer.reset(features, images[:count], images[count:], {}, (1, 2, fold))
        folds.append(trainer)
    return folds


@pytest.mark.parametrize(
    ("batch_size", "model"),
    [(20, {}), (64, {}), (20, {"scale": "standardize", "head_normalization": True})],
)
def test_folds_trained_together_learn_what_each_learns_alone(batch_size: int, model: dict[str, Any]) -> None:
    alone, together = start_folds(batch_size, **model), start_folds(batch_size, **model)
    for epoch in (1, 2):
        train_together(together, epoch)
        for one, other in zip(alone, together, strict=True):
            mine, theirs = one.run_epoch(epoch), other.run_epoch(epoch)
            assert (mine.steps, mine.samples) == (theirs.steps, theirs.samples)
            assert theirs.train_loss == pytest.approx(mine.train_loss, abs=1e-5)
            assert theirs.val_loss == pytest.approx(mine.val_loss, abs=1e-5)
    for one, other in zip(alone, together, strict=True):
        assert np.abs(one.predict_validation() - other.predict_validation()).max() < 1e-5
        after, expected = other.state(), one.state()
        assert after.keys() == expected.keys()
        assert after["steps"] == expected["steps"]
        for name in expected:
            assert np.abs(after[name] - expected[name]).max() < 1e-4, name


def test_a_fold_that_has_stopped_stays_as_it_was() -> None:
    folds = start_folds()
    patient = [PatientFold(fold, 1, AUC) for fold in folds]
    patient[0]._best, patient[0]._waited = 2.0, 0
    for epoch in (1, 2):
        before = folds[0].state(), folds[1].state()
        train_together(patient, epoch)
        steps = [fold.run_epoch(epoch).steps for fold in patient]
        after = folds[0].state(), folds[1].state()
        is_same = [
            np.array_equal(old["weight_0"], new["weight_0"]) for old, new in zip(before, after, strict=True)
        ]
        assert is_same == [epoch == 2, False]
        assert (steps[0] == 0) == (epoch == 2)


def test_a_trial_trained_together_is_replayed_to_the_last_bit() -> None:
    folds = start_folds()
    rows = []
    for epoch in (1, 2):
        train_together(folds, epoch)
        rows += [
            FoldEpoch(point=2, fold=number, epoch=epoch, **dataclasses.asdict(fold.run_epoch(epoch)))
            for number, fold in enumerate(folds)
        ]
    fresh = start_folds()
    trained: list[tuple[int, int]] = []

    def train_again(folds: list[Any], epoch: int) -> None:
        trained.append((len(folds), epoch))
        train_together(folds, epoch)

    replay = replay_trial(
        sorted(rows, key=lambda row: (row.fold, row.epoch)),
        {},
        lambda values, point, fold: fresh[fold],
        train_together=train_again,
    )
    assert trained == [(3, 1), (3, 2)], "not fold by fold, whose sums a GPU may round otherwise"
    assert replay.is_identical
    assert (replay.folds, replay.epochs) == (3, 2)
