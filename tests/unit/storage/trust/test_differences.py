"""Differences of models, held to SciPy, to sums over pairs, and to cases worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from storage.metrics.curves import auc
from storage.metrics.objectives import AUC, find_metric
from storage.tasks.kinds import TASKS
from storage.trust.comparison import Judged, compare, compare_folds
from storage.trust.differences import (
    EQUAL,
    adjust_holm,
    effective_freedom,
    fold_difference,
    paired_areas,
    patient_difference,
    student_tail,
)


def draw_scores(seed: int, *, patients: int = 60, gap: float = 0.0) -> tuple[np.ndarray, ...]:
    generator = np.random.default_rng(seed)
    groups = np.repeat(np.arange(patients), generator.integers(1, 4, patients))
    labels = (generator.random(patients) < 0.4)[groups].astype(float)
    shared = generator.standard_normal(patients)[groups]
    scores = [
        np.round(labels * (1 + extra) + shared + generator.standard_normal(len(groups)), 1)
        for extra in (0.0, gap)
    ]
    return groups, labels, *scores


def test_the_corrected_resampled_t_test_by_hand() -> None:
    first, second = np.array([0.70, 0.74, 0.72, 0.71]), np.array([0.73, 0.75, 0.76, 0.72])
    found = fold_difference(first, second)
    gaps = second - first
    error = math.sqrt(gaps.var(ddof=1) * (1 / 4 + 1 / 3))
    assert found.value == pytest.approx(0.0225)
    assert found.p == pytest.approx(2 * stats.t.sf(0.0225 / error, 3), abs=1e-6)
    assert (found.interval.low, found.interval.high) == pytest.approx(
        stats.t.interval(0.95, 3, 0.0225, error), abs=1e-5
    )
    # Without the correction it is the paired t-test.
    plain = stats.ttest_rel(second, first)
    assert found.p > plain.pvalue
    assert found.value / error * math.sqrt(1 + 4 / 3) == pytest.approx(plain.statistic)
    with_gap = fold_difference(np.append(first, np.nan), np.append(second, 0.9))
    assert with_gap.p == pytest.approx(found.p)
    of_two = fold_difference(first[:2], second[:2])
    assert math.isnan(of_two.p)
    assert of_two.value == pytest.approx((0.03 + 0.01) / 2)
    assert math.isnan(fold_difference(first[:0], second[:0]).value)
    assert fold_difference(first, first).p == 1.0


def test_two_areas_are_compared_as_delong_did() -> None:
    # The textbook form with one image a patient: covariances of the placements of both models.
    _, labels, one, other = draw_scores(1)
    placed = []
    for scores in (one, other):
        wins = np.array(
            [[(a > b) + 0.5 * (a == b) for b in scores[labels == 0]] for a in scores[labels == 1]]
        )
        placed.append((wins.mean(axis=1), wins.mean(axis=0)))
    covariance = sum(np.cov(placed[0][side], placed[1][side]) / len(placed[0][side]) for side in (0, 1))
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    found = paired_areas(labels, one, other, np.arange(len(labels)))
    assert found.value == pytest.approx(float(auc(labels, other) - auc(labels, one)))
    assert found.error == pytest.approx(math.sqrt(variance))
    assert found.p == pytest.approx(
        2 * stats.t.sf(abs(found.value) / found.error, min((labels == 1).sum(), (labels == 0).sum()) - 1),
        abs=1e-6,
    )


def test_images_of_one_patient_count_once() -> None:
    groups, labels, one, other = draw_scores(2, gap=0.5)
    found = paired_areas(labels, one, other, groups)
    doubled = paired_areas(np.tile(labels, 2), np.tile(one, 2), np.tile(other, 2), np.tile(groups, 2))
    assert doubled.value == pytest.approx(found.value)
    assert doubled.error == pytest.approx(found.error)
    assert (
        paired_areas(np.tile(labels, 2), np.tile(one, 2), np.tile(other, 2), np.arange(2 * len(groups))).error
        < found.error
    )
    assert math.isnan(paired_areas(np.zeros(5), np.arange(5.0), np.arange(5.0), np.arange(5)).p)
    assert paired_areas(labels, one, one, groups).p == 1.0


def test_holms_correction_by_hand() -> None:
    assert adjust_holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert adjust_holm([0.2, math.nan, 0.9])[::2] == pytest.approx([0.4, 0.9])
    assert adjust_holm([0.6, 0.7]) == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize("freedom", [1, 2, 5, 30, 5000, math.inf])
def test_the_tail_of_students_t(freedom: float) -> None:
    for value in (-2.5, -0.3, 0.0, 1.0, 4.0):
        assert student_tail(value, freedom) == pytest.approx(stats.t.sf(value, freedom), abs=2e-4)


def test_the_p_value_is_where_the_interval_reaches_zero() -> None:
    generator = np.random.default_rng(3)
    patients = 50
    drawn = (np.zeros(4000), 0.02 + 0.012 * generator.standard_normal(4000))
    left = (np.zeros(patients), 0.02 + 0.0002 * generator.standard_normal(patients))
    found = patient_difference(0.02, drawn, left)
    at_that_level = patient_difference(0.02, drawn, left, level=1 - found.p)
    assert at_that_level.interval.low == pytest.approx(0, abs=5e-4)
    assert found.interval.low < 0.02 < found.interval.high
    assert found.exceeds(0.0) == pytest.approx(found.p / 2, abs=0.02)
    assert patient_difference(0.0, (drawn[0], drawn[0]), (left[0], left[0])).p == 1.0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_not_worse_is_where_the_lower_end_of_the_interval_lies_above_the_margin(seed: int) -> None:
    """Of skewed draws, whose lower end is not two standard errors away."""
    generator = np.random.default_rng(seed)
    gaps = generator.exponential(size=20001) - 1
    left_out = (generator.exponential(size=40) - 1) / 40
    found = patient_difference(0.0, (np.zeros(20001), gaps), (np.zeros(40), left_out))
    assert found.exceeds(found.interval.low - 0.005) < 0.025 < found.exceeds(found.interval.low + 0.005)
    assert found.exceeds(found.interval.high - 0.05) < 0.975 < found.exceeds(found.interval.high + 0.05)
    assert found.p == pytest.approx(2 * min(found.exceeds(0.0), 1 - found.exceeds(0.0)))


def test_a_p_value_of_draws_that_tie_by_hand() -> None:
    # The share below the value, ties by half: 1,500 + 1,000 of 4,000; what reaches 0: 250 of 4,000.
    drawn = np.repeat([-0.01, 0.0, 0.01, 0.02, 0.03], [0, 500, 1000, 2000, 500])
    jackknife = 0.02 + 0.001 * np.repeat([1.0, -1.0], 1000)
    found = patient_difference(0.02, (np.zeros(4000), drawn), (np.zeros(2000), jackknife))
    bias, reached = stats.norm.ppf(2500 / 4000), stats.norm.ppf(250 / 4000)
    assert found.p == pytest.approx(2 * stats.norm.cdf(reached - 2 * bias), rel=0.03)


def test_where_no_draw_reaches_zero_its_distance_in_standard_deviations_decides() -> None:
    drawn = np.linspace(0.001, 0.099, 1000)
    jackknife = 0.05 + 0.001 * np.array([1.0, -1.0] * 10)
    found = patient_difference(0.05, (np.zeros(1000), drawn), (np.zeros(20), jackknife))
    # The interval is widened twice, by Student's t of the patients and of those who decide, here all: each is taken back.
    inner = stats.norm.isf(stats.t.sf(0.05 / drawn.std(ddof=1) * math.sqrt(19 / 20), 19))
    assert found.p == pytest.approx(2 * stats.t.sf(inner * math.sqrt(19 / 20), 19), rel=1e-3)
    turned = patient_difference(-0.05, (drawn, np.zeros(1000)), (jackknife, np.zeros(20)))
    assert turned.p == pytest.approx(found.p)


def test_draws_that_are_all_the_same_are_equal_models_only_where_they_are_zero() -> None:
    same = patient_difference(0.0, (np.ones(50), np.ones(50)), (np.ones(9), np.ones(9)))
    apart = patient_difference(0.02, (np.zeros(50), np.full(50, 0.02)), (np.zeros(9), np.full(9, 0.02)))
    assert (same.p, same.interval.reason) == (1.0, EQUAL)
    assert math.isnan(apart.p)
    assert apart.interval.reason not in ("", None, EQUAL)


def test_where_no_patient_matters_more_than_another_nothing_is_accelerated() -> None:
    unit = 2.0**-7  # a mean of such numbers has no rounding
    drawn = unit * np.repeat([-1, 1, 3], [100, 450, 450])
    found = patient_difference(unit, (np.zeros(1000), drawn), (np.zeros(30), np.full(30, unit)))
    bias, reached = stats.norm.ppf(325 / 1000), stats.norm.ppf(100 / 1000)
    # Both widenings are by Student's t of 30 patients.
    inner = stats.norm.isf(stats.t.sf(abs(reached - 2 * bias) * math.sqrt(29 / 30), 29))
    assert found.p == pytest.approx(2 * stats.t.sf(inner * math.sqrt(29 / 30), 29), rel=1e-3)


def test_a_difference_that_is_no_number_has_neither_interval_nor_p_value() -> None:
    found = patient_difference(math.nan, (np.zeros(9), np.ones(9)), (np.zeros(5), np.ones(5)))
    assert math.isnan(found.p)
    assert found.interval.reason


@pytest.mark.parametrize(("p", "is_claimed"), [(0.02, True), (0.03, False)])
def test_not_worse_is_claimed_at_half_of_five_percent(p: float, is_claimed: bool) -> None:
    folds = [np.arange(5), np.arange(5, 10), np.arange(10, 15)]
    gaps = np.array([0.01, -0.02, 0.005])
    error = math.sqrt(gaps.var(ddof=1) * (1 / 3 + 1 / 2))
    margin = float(stats.t.isf(p, 2) * error - gaps.mean())
    models = [
        Judged(name, folds, [np.zeros((5, 1))] * 3, 0.8 + gap) for name, gap in (("a", 0 * gaps), ("b", gaps))
    ]
    found = compare_folds(models, AUC, margin)
    assert found is not None
    claim = found["comparisons"][0]["claim"]
    assert claim["p_not_worse"] == pytest.approx(p, rel=1e-3)
    assert claim["not_worse"] is is_claimed


def test_each_model_is_compared_with_the_first_and_numbers_have_no_areas() -> None:
    groups, labels, one, other = draw_scores(5, patients=40, gap=1.0)
    values = [np.clip(0.5 + 0.2 * scores[:, None], 0, 1) for scores in (one, other, 0.5 * (one + other))]
    models = [Judged(name, [np.arange(len(labels))], [values[n]]) for n, name in enumerate("abc")]
    found = compare(models, ["x"], labels[:, None], groups, resamples=50)
    for place, comparison in enumerate(found["comparisons"], start=1):
        for metric, gap in comparison["metrics"].items():
            mine, first = (found["models"][number]["metrics"][metric] for number in (place, 0))
            assert gap["value"] == pytest.approx(mine - first, abs=1e-9)
        assert set(comparison["areas"]) == {"x"}
    age = 40 + 20 * labels[:, None] + groups[:, None] % 7
    guesses = [age + 5 * value for value in values]
    models = [Judged(name, [np.arange(len(age))], [guesses[n]]) for n, name in enumerate("ab")]
    found = compare(models, ["age"], age, groups, task=TASKS["number"])
    assert found["resamples"] == 1000
    (of_numbers,) = found["comparisons"]
    assert of_numbers["areas"] == {}
    assert of_numbers["claim"]["test"] == "patients"


def test_models_of_the_same_images_are_compared_with_the_first() -> None:
    groups, labels, one, other = draw_scores(4, patients=150, gap=1.2)
    rows = [np.arange(len(labels))]

    def model(name: str, scores: np.ndarray) -> Judged:
        return Judged(name, rows, [1 / (1 + np.exp(-scores[:, None]))])

    models = [model("a", one), model("b", other), model("c", one + 1e-9)]
    found = compare(models, ["fracture"], labels[:, None], groups, margin=0.05, resamples=200)
    better, same = found["comparisons"]
    assert (better["first"], better["second"], better["claim"]["test"]) == ("a", "b", "areas")
    assert better["claim"]["differs"]
    assert better["claim"]["not_worse"]
    assert better["metrics"]["val_auc"]["value"] == pytest.approx(
        better["areas"]["fracture"]["value"], abs=1e-6
    )
    assert better["metrics"]["val_auc"]["low"] > 0
    assert better["metrics"]["neg_val_brier"]["value"] == pytest.approx(
        found["models"][1]["metrics"]["neg_val_brier"] - found["models"][0]["metrics"]["neg_val_brier"]
    )
    assert not same["claim"]["differs"]
    assert same["claim"]["not_worse"]
    turned = compare(models[:2][::-1], ["fracture"], labels[:, None], groups, margin=0.001, resamples=200)
    assert turned["comparisons"][0]["claim"]["value"] == pytest.approx(-better["claim"]["value"])
    assert not turned["comparisons"][0]["claim"]["not_worse"]


def test_folds_are_compared_only_where_they_are_the_same() -> None:
    halves = [np.arange(0, 5), np.arange(5, 10), np.arange(10, 15)]
    values = [np.zeros((5, 1))] * 3
    first = Judged("a", halves, values, np.array([0.7, 0.8, 0.9]))
    second = Judged("b", halves, values, np.array([0.75, 0.87, 0.94]))
    found = compare_folds([first, second], AUC)
    assert found is not None
    assert found["comparisons"][0]["folds"]["value"] == pytest.approx(0.16 / 3)
    assert found["comparisons"][0]["claim"]["test"] == "folds"
    other = Judged("c", halves[::-1], values, np.array([0.7, 0.8, 0.9]))
    assert compare_folds([first, other], find_metric("neg_val_loss")) is None


def test_models_of_the_same_folds_are_tested_over_folds_and_have_no_areas() -> None:
    groups, labels, one, other = draw_scores(6, patients=60, gap=1.0)
    folds = [np.flatnonzero(groups % 3 == number) for number in range(3)]

    def model(name: str, scores: np.ndarray) -> Judged:
        values = [1 / (1 + np.exp(-scores[fold, None])) for fold in folds]
        areas = [auc(labels[fold], value[:, 0]) for fold, value in zip(folds, values, strict=True)]
        return Judged(name, folds, values, np.array(areas))

    models = [model("a", one), model("b", other)]
    (found,) = compare(models, ["x"], labels[:, None], groups, resamples=50)["comparisons"]
    gaps = np.asarray(models[1].fold_values) - np.asarray(models[0].fold_values)
    assert (found["claim"]["test"], found["claim"]["metric"], found["areas"]) == ("folds", "val_auc", {})
    assert found["folds"]["value"] == pytest.approx(gaps.mean())
    assert found["claim"]["value"] == pytest.approx(gaps.mean())
    # A model that saw none of the images beside one of folds, whose scores are not of one scale: no area of them all.
    alone = Judged("c", [np.arange(len(labels))], [other[:, None]])
    (found,) = compare([alone, models[0]], ["x"], labels[:, None], groups, resamples=50)["comparisons"]
    assert (found["claim"]["test"], found["areas"]) == ("patients", {})
    # One fold of all images has no folds to differ by, whatever is recorded of it.
    rows = [np.arange(len(labels))]
    whole = [
        Judged(name, rows, [scores[:, None]], np.array([0.8])) for name, scores in (("a", one), ("b", other))
    ]
    brier = find_metric("neg_val_brier")
    (found,) = compare(whole, ["x"], labels[:, None], groups, metric=brier, resamples=50)["comparisons"]
    assert (found["claim"]["test"], found["claim"]["metric"], found["folds"]) == (
        "patients",
        brier.name,
        None,
    )


def test_freedom_counts_the_patients_who_decide() -> None:
    generator = np.random.default_rng(0)
    assert effective_freedom(generator.standard_normal(4000)) == pytest.approx(4000, rel=0.15)
    # Twenty of two hundred decide, by equal parts either way: kurtosis 10, so 2 x 200 / 9.
    few = np.zeros(200)
    few[:20] = [1, -1] * 10
    assert effective_freedom(few) == pytest.approx(2 * 200 / 9)
    assert effective_freedom(np.zeros(5)) == 4
    # Never more than patients less one: where all change the same, the kurtosis is 1.
    assert effective_freedom(np.array([1.0, -1.0] * 5)) == 9
