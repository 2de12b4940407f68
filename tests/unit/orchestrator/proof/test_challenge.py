"""A planted fault that does not show fails its challenge."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from orchestrator.proof.challenge import _double, _repeat, _shuffle


class Folds:
    """What a challenged training gave; the real one is trained in tests/integration/workers/test_final_model.py."""

    def __init__(
        self, values: list[float] | None = None, *, is_deaf: bool = False, is_random: bool = False
    ) -> None:
        self.values, self.is_deaf, self.is_random = np.array(values or []), is_deaf, is_random
        self.folds = [(np.arange(40), np.arange(10))]
        self.runs = 0

    measured = ("auc", 0.5)

    def train_on_shuffled_labels(self, epochs: int, seed: int) -> np.ndarray:
        return self.values

    def train_briefly(self, **changes: Any) -> tuple[Any, ...]:
        self.runs += self.is_random
        batch = 8 if self.is_deaf else changes.get("batch_size", 8)
        return (5, batch), (0.7, self.runs), "digest", 40


@pytest.mark.parametrize(
    ("values", "passed"),
    [
        ([0.49, 0.52, 0.5, 0.47, 0.53, 0.51], True),
        ([0.62, 0.65, 0.63, 0.64, 0.61, 0.66], False),
        ([0.31, 0.35, 0.33, 0.34, 0.3, 0.36], False),
        ([0.5, float("nan")], False),
    ],
)
def test_what_learns_shuffled_labels_fails(values: list[float], passed: bool) -> None:
    found = _shuffle(Folds(values), 3)  # type: ignore[arg-type]
    assert found["passed"] is passed


def test_a_batch_size_that_does_not_arrive_and_a_training_that_is_not_the_same_fail() -> None:
    assert _double(Folds(), 8)["passed"]  # type: ignore[arg-type]
    deaf = _double(Folds(is_deaf=True), 8)  # type: ignore[arg-type]
    assert (deaf["passed"], "does not arrive" in deaf["said"]) == (False, True)
    assert _repeat(Folds())["passed"]  # type: ignore[arg-type]
    assert not _repeat(Folds(is_random=True))["passed"]  # type: ignore[arg-type]
