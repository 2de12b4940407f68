"""Metrics of any few images, with ties, blanks and single classes, against their definitions in plain Python."""

from __future__ import annotations

import math
import statistics
import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.metrics.curves import average_precision, cuts, roc_curve
from storage.metrics.epoch import (
    auc_per_label,
    binary_cross_entropy,
    macro_auc,
    macro_f1,
    precision_recall,
    score,
    sigmoid,
)

QUICK = settings(max_examples=100, deadline=None, derandomize=True)
LABEL = st.sampled_from([0.0, 1.0, math.nan])
SCORE = st.sampled_from([-3.0, -0.5, 0.0, 0.25, 0.5, 2.0, 40.0, -math.inf, math.inf])


@st.composite
def tables(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Labels and scores, shape (n, targets), of no to nine images."""
    count, targets = draw(st.integers(0, 9)), draw(st.integers(1, 3))
    size = {"min_size": count * targets, "max_size": count * targets}
    labels = np.array(draw(st.lists(LABEL, **size)), np.float64).reshape(count, targets)
    scores = np.array(draw(st.lists(SCORE, **size)), np.float64).reshape(count, targets)
    return labels, scores


def pairs(labels: np.ndarray, scores: np.ndarray) -> tuple[list[float], list[float]]:
    """The scores of positives, and those of negatives."""
    both = list(zip(labels.tolist(), scores.tolist(), strict=True))
    return [s for y, s in both if y == 1], [s for y, s in both if y == 0]


def auc_of(labels: np.ndarray, scores: np.ndarray) -> float:
    """The share of pairs of a positive and a negative that are in order, ties counting one half."""
    positives, negatives = pairs(labels, scores)
    wins = sum(Fraction(p > n) + Fraction(p == n, 2) for p in positives for n in negatives)
    return float(wins / (len(positives) * len(negatives))) if positives and negatives else math.nan


@QUICK
@given(tables())
def test_an_auc_counts_pairs(table: tuple[np.ndarray, np.ndarray]) -> None:
    labels, scores = table
    expected = [auc_of(labels[:, n], scores[:, n]) for n in range(labels.shape[1])]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = auc_per_label(labels, scores)
        mean, left_out = macro_auc(labels, scores)
    np.testing.assert_array_equal(found, expected)
    known = [value for value in expected if value == value]
    assert left_out == len(expected) - len(known)
    assert mean == pytest.approx(statistics.fmean(known) if known else math.nan, nan_ok=True)


@QUICK
@given(tables(), st.data())
def test_a_score_that_is_no_number_makes_its_label_unknown_and_no_other(
    table: tuple[np.ndarray, np.ndarray], data: st.DataObject
) -> None:
    labels, scores = table
    if not len(labels):
        return
    row, target = data.draw(st.integers(0, len(labels) - 1)), data.draw(st.integers(0, labels.shape[1] - 1))
    broken = scores.copy()
    broken[row, target] = math.nan
    found, whole = auc_per_label(labels, broken), auc_per_label(labels, scores)
    if labels[row, target] == labels[row, target]:
        assert math.isnan(found[target])
        whole[target] = math.nan
    np.testing.assert_array_equal(found, whole)


@QUICK
@given(tables())
def test_losses_and_counts_are_those_of_single_entries(table: tuple[np.ndarray, np.ndarray]) -> None:
    labels, logits = table[0], np.clip(table[1], -40, 40)
    entries = [(y, x) for y, x in zip(labels.ravel(), logits.ravel(), strict=True) if y == y]
    losses = [math.log1p(math.exp(x)) - x * y for y, x in entries]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = score(labels.astype(np.float32), logits.astype(np.float32))
        loss = binary_cross_entropy(labels, logits)
        precision, recall = precision_recall(labels, sigmoid(logits))
        f1 = macro_f1(labels, sigmoid(logits))
    assert loss == pytest.approx(statistics.fmean(losses) if losses else math.nan, nan_ok=True)
    called = [(y, x > 0) for y, x in entries]
    right = sum(y == 1 and c for y, c in called)
    # 0 logits are probabilities of exactly one half, which are not called.
    for value, whole in ((precision, sum(c for _, c in called)), (recall, sum(y == 1 for y, _ in called))):
        assert value == pytest.approx(right / whole if whole else math.nan, nan_ok=True)
    per_label = []
    for target in range(labels.shape[1]):
        positives, negatives = pairs(labels[:, target], logits[:, target])
        true, false = sum(s > 0 for s in positives), sum(s > 0 for s in negatives)
        if positives or false:
            per_label.append(2 * true / (2 * true + false + len(positives) - true))
    assert f1 == pytest.approx(statistics.fmean(per_label) if per_label else math.nan, nan_ok=True)
    assert (found.auc, found.labels_left_out) == pytest.approx(
        macro_auc(labels, logits), nan_ok=True, abs=1e-6
    )
    assert (found.precision, found.recall, found.f1) == pytest.approx((precision, recall, f1), nan_ok=True)
    assert found.medical == {}


def test_a_sigmoid_has_no_overflow_and_keeps_its_precision() -> None:
    logits = np.array([-1e4, -30, -1, 0, 1, 30, 1e4], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = sigmoid(logits)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [0, 9.357623e-14, 0.26894142, 0.5, 0.7310586, 1, 1], rtol=1e-6)


@QUICK
@given(tables())
def test_an_average_precision_sums_over_its_steps(table: tuple[np.ndarray, np.ndarray]) -> None:
    labels, scores = (part[:, 0] for part in table)
    known = ~np.isnan(labels)
    labels, scores = labels[known], scores[known]
    total = (labels == 1).sum()
    steps, before = 0.0, 0
    for cut in sorted(set(scores.tolist()), reverse=True):
        called = scores >= cut
        true = int((labels[called] == 1).sum())
        steps += (true - before) / max(total, 1) * true / called.sum()
        before = true
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = float(average_precision(labels, scores))
    assert found == pytest.approx(steps if total else math.nan, nan_ok=True)


@QUICK
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=9))
def test_cuts_lie_between_neighbours_and_at_both_ends(scores: list[float]) -> None:
    found = cuts(np.array(scores)).tolist()
    values = sorted(set(scores))
    assert found == sorted(found, reverse=True)
    assert len(found) == len(values) + 1
    assert found[0] == values[-1]
    assert found[-1] == np.nextafter(values[0], -np.inf)
    for below, above, cut in zip(values, values[1:], reversed(found[1:-1]), strict=False):
        assert below <= cut < above
        assert cut == pytest.approx((below + above) / 2, rel=1e-12, abs=1e-12)


def test_a_cut_between_floats_that_are_neighbours_still_separates_them() -> None:
    one = np.float64(0.1)
    for below in (one, np.nextafter(one, 1), np.nextafter(np.nextafter(one, 1), 1)):
        above = np.nextafter(below, 1)
        (_, cut, _) = cuts(np.array([below, above]))
        assert below <= cut < above


def test_a_roc_curve_has_a_point_for_each_cut() -> None:
    curve = roc_curve(np.array([1, 0, 1, 0]), np.array([0.9, 0.4, 0.4, 0.1]))
    np.testing.assert_allclose(curve.x, [0, 0, 0.5, 1])
    np.testing.assert_allclose(curve.y, [0, 0.5, 1, 1])
    np.testing.assert_allclose(curve.thresholds, [0.9, 0.65, 0.25, np.nextafter(0.1, -1)])
