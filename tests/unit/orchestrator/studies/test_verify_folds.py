"""What `orch study verify` asks of the folds of one trial: how many, which further values, and scores that rounding explains."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from orchestrator.studies.verify_folds import check_further, check_predictions, count_folds
from storage.results.ledger import FoldEpoch
from storage.results.predictions import FoldPredictions
from storage.spec import StudySection, StudySpec
from storage.states import PointOutcome

FOLDS, EPOCHS = 2, 3


def make_spec(**study: Any) -> StudySpec:
    plain = StudySpec(study=StudySection(name="folds", **study))
    return plain.with_values({"cv.folds": FOLDS, "training.epochs": EPOCHS, "data.targets": ["sick"]})


def row(fold: int, epoch: int, **values: float) -> FoldEpoch:
    return FoldEpoch.from_row(SimpleNamespace(fold=fold, epoch=epoch, **values))


def point(outcome: PointOutcome) -> Any:
    return SimpleNamespace(point=7, params={}, outcome=outcome, value=0.5)


@pytest.mark.parametrize(
    ("found", "missing"),
    [
        ([], 0),
        ([(0, 1)], 0),
        ([(0, 1), (1, 1)], 0),
        ([(0, 1), (0, 2), (0, 3), (1, 1)], 0),
        ([(0, 1), (1, 2)], 2),
        ([(0, 1), (0, 3), (1, 1)], 1),
    ],
)
def test_a_pruned_trial_lacks_what_neither_order_of_its_folds_explains(
    found: list[tuple[int, int]], missing: int
) -> None:
    rows = [row(*place) for place in found]
    assert count_folds(make_spec(), point(PointOutcome.PRUNED), rows) == (len(rows), missing)


def test_a_complete_trial_has_every_epoch_of_every_fold() -> None:
    rows = [row(fold, epoch) for fold in range(FOLDS) for epoch in range(1, EPOCHS)]
    assert count_folds(make_spec(), point(PointOutcome.COMPLETE), rows) == (4, 2)


@pytest.mark.parametrize(
    ("noted", "told", "findings"),
    [
        ({"training_seconds": 6.0}, [0.5, 6.0], []),
        ({"training_seconds": 5.0}, [0.5, 6.0], ["has training_seconds 5.0, and its fold results mean 6.0"]),
        ({"training_seconds": 6.0}, [0.5, 5.0], ["told to Optuna without its training_seconds of 6.0"]),
        ({"training_seconds": 6.0}, [0.5], ["told to Optuna without its training_seconds of 6.0"]),
        ({}, None, ["has training_seconds None", "told to Optuna without its training_seconds of 6.0"]),
    ],
)
def test_a_further_value_is_noted_and_told_as_its_folds_have_it(
    noted: dict[str, float], told: list[float] | None, findings: list[str]
) -> None:
    spec = make_spec(also=("training_seconds",))
    rows = [row(fold, epoch, seconds=1.0) for fold in range(FOLDS) for epoch in range(1, EPOCHS + 1)]
    trial = SimpleNamespace(number=3, values=told, user_attrs={"point": 7, "also": noted})
    said = list(check_further(spec, trial, rows))
    assert len(said) == len(findings)
    assert all(words in sentence for words, sentence in zip(findings, said, strict=True))


@pytest.mark.parametrize(
    ("kept", "recorded", "is_explained"),
    [
        ([0.25, 0.75], 1.0, True),
        ([0.25, 0.75], 0.5, False),
        ([0.75, 0.25], 0.0, True),
        ([0.5, 0.5], 1.0, True),
        ([0.5, 0.5], 0.0, True),
        ([0.5, 0.5002], 0.0, True),
        ([0.5002, 0.5], 1.0, True),
        ([0.5, 0.51], 0.0, False),
        ([0.51, 0.5], 1.0, False),
        ([0.0, 0.0], 1.0, False),
    ],
)
def test_a_recorded_auc_may_differ_by_what_rounding_can_have_done(
    kept: list[float], recorded: float, is_explained: bool
) -> None:
    dataset: Any = SimpleNamespace(targets=("sick",), labels=np.tile([[0.0], [1.0]], (FOLDS, 1)))
    rows = [row(fold, epoch, val_auc=recorded) for fold in range(FOLDS) for epoch in range(1, EPOCHS + 1)]
    folds = [
        FoldPredictions(fold, EPOCHS, np.arange(2) + 2 * fold, np.array(kept, np.float16)[:, None])
        for fold in range(FOLDS)
    ]
    spec = make_spec(objective="last")
    said = list(check_predictions(spec, point(PointOutcome.COMPLETE), rows, folds, dataset))
    assert (said == []) is is_explained, said
