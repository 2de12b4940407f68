import math

import numpy as np
import pytest

from storage.metrics.objectives import AUC
from storage.spec import parse
from workers.training.early_stopping import PatientFold
from workers.training.results import EpochResult


class CountingTrainer:
    """Scores what it is told to, and counts the epochs that it trained."""

    has_stopped = False

    def __init__(self, aucs: list[float]) -> None:
        self.aucs, self.trained = aucs, 0
        self.train_index, self.val_index = np.arange(8), np.arange(8, 10)

    def run_epoch(self, epoch: int) -> EpochResult:
        self.trained += 1
        return EpochResult(*[0.5] * 6, self.aucs[epoch - 1], 0.5, 0.5, math.nan, 4, 8, 0, 0.01, 1.0)

    def predict_validation(self) -> np.ndarray:
        return np.full((2, 1), self.trained, np.float32)

    def state(self) -> dict[str, np.ndarray]:
        return {"trained": np.array(self.trained)}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        self.trained = int(state["trained"])


def test_a_fold_stops_when_patience_is_over_and_its_last_value_carries_on() -> None:
    trainer = CountingTrainer([0.6, 0.7, 0.69, 0.7, 0.9, 0.95])
    fold = PatientFold(trainer, 2, AUC)
    results = [fold.run_epoch(epoch) for epoch in range(1, 7)]
    assert [result.val_auc for result in results] == [0.6, 0.7, 0.69, 0.7, 0.7, 0.7]
    assert [result.steps for result in results] == [4, 4, 4, 4, 0, 0]
    assert [result.samples for result in results][3:] == [8, 0, 0]
    assert trainer.trained == 4
    assert fold.predict_validation().tolist() == [[4], [4]]


def test_a_fold_that_keeps_rising_never_stops() -> None:
    fold = PatientFold(CountingTrainer([0.1, 0.2, 0.3, 0.4]), 1, AUC)
    assert [fold.run_epoch(epoch).steps for epoch in range(1, 5)] == [4] * 4


@pytest.mark.parametrize("stopped_after", [1, 2, 3, 4])
def test_a_restored_fold_goes_on_as_if_never_stopped(stopped_after: int) -> None:
    aucs = [0.6, 0.7, 0.69, 0.7, 0.9]
    whole = PatientFold(CountingTrainer(aucs), 2, AUC)
    expected = [whole.run_epoch(epoch) for epoch in range(1, 6)]
    first = PatientFold(CountingTrainer(aucs), 2, AUC)
    for epoch in range(1, stopped_after + 1):
        first.run_epoch(epoch)
    second = PatientFold(CountingTrainer(aucs), 2, AUC)
    second.restore({name: np.array(value) for name, value in first.state().items()})
    rest = [second.run_epoch(epoch) for epoch in range(stopped_after + 1, 6)]
    assert [(one.val_auc, one.steps) for one in rest] == [
        (one.val_auc, one.steps) for one in expected[stopped_after:]
    ]
    assert all(isinstance(one.steps, int) for one in rest)


def test_patience_is_searchable_and_counts_epochs() -> None:
    document = {"study": {"name": "x"}, "search": {"patience": {"type": "int", "low": 2, "high": 5}}}
    assert parse(document, source="a test").search["patience"].high == 5
