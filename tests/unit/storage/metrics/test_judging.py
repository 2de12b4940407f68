"""What a trial is worth: by hand, and the rule that everything which judges a trial shares."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from storage.metrics.judging import (
    epoch_that_counts,
    find_peak,
    judge,
    max_known,
    mean_known,
    mean_over_folds,
)

SCORES = st.floats(-1, 1) | st.just(math.nan)
CURVES = arrays.arrays(np.float64, st.tuples(st.integers(1, 20), st.integers(1, 12)), elements=SCORES)


def test_value_epoch_and_folds_of_each_objective() -> None:
    curves = np.array([[0.5, 0.9, 0.6], [0.8, 0.6, 0.7]])
    value, epoch, folds = judge(curves, "max_of_mean")
    assert (value, epoch, folds.tolist()) == (0.75, 2, [0.9, 0.6])
    value, epoch, folds = judge(curves, "mean_of_max")
    assert (value, epoch, folds.tolist()) == (pytest.approx(0.85), 2, [0.9, 0.8])
    value, epoch, folds = judge(curves, "last")
    assert (value, epoch, folds.tolist()) == (pytest.approx(0.65), 3, [0.6, 0.7])


def test_of_equal_epochs_the_first_is_the_one() -> None:
    curves = np.array([[0.5, 0.7, 0.7]])
    assert judge(curves, "max_of_mean").epoch == 2
    assert [epoch_that_counts(curves, 0, name) for name in ("max_of_mean", "mean_of_max", "last")] == [
        2,
        3,
        3,
    ]


def test_a_fold_without_a_score_is_left_out_of_the_mean() -> None:
    curves = np.array([[0.6, math.nan], [math.nan, math.nan], [0.8, 0.9]])
    assert judge(curves, "max_of_mean")[:2] == (0.9, 2)
    assert judge(curves, "mean_of_max").value == pytest.approx(0.75)
    nothing = judge(curves[1:2], "max_of_mean")
    assert math.isnan(nothing.value)
    assert nothing.epoch == 2
    assert find_peak(curves[1]) is None


@settings(max_examples=200, deadline=None)
@given(curves=CURVES)
def test_the_means_are_bit_for_bit_those_of_each_epoch_alone(curves: np.ndarray) -> None:
    alone = [mean_known(curves[:, epoch]) for epoch in range(curves.shape[1])]
    np.testing.assert_array_equal(mean_over_folds(curves), alone)
    np.testing.assert_array_equal(mean_over_folds(np.asfortranarray(curves)), alone)


@settings(max_examples=200, deadline=None)
@given(curves=CURVES, objective=st.sampled_from(["max_of_mean", "mean_of_max", "last"]))
def test_the_value_is_the_mean_of_the_folds_and_no_epoch_beats_it(curves: np.ndarray, objective: str) -> None:
    judged = judge(curves, objective)
    np.testing.assert_array_equal(judged.value, mean_known(judged.fold_values))
    assert 1 <= judged.epoch <= curves.shape[1]
    if objective == "max_of_mean":
        np.testing.assert_array_equal(judged.value, max_known(mean_over_folds(curves)))
    if objective == "last":
        assert judged.epoch == curves.shape[1]
