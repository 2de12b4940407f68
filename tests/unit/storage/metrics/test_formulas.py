"""Formulas against other people's code, published examples, and cases worked by hand; and that each says where it is from."""

from __future__ import annotations

import ast
import inspect
import re
from types import ModuleType

import numpy as np
import pytest
import scipy.stats
from sklearn.metrics import roc_curve

from storage.metrics import agreement, bootstrap, calibration, curves, epoch, intervals, tables, thresholds
from storage.practice import abstention, conformal, decisions, population, prevalence, readers, units, unlike
from storage.tasks import class_metrics, number_metrics
from storage.trust import bias, differences, luck, noise, power_law

OF_FORMULAS = (
    *(agreement, bootstrap, calibration, curves, epoch, intervals, tables, thresholds),
    *(abstention, conformal, decisions, population, prevalence, readers, units, unlike),
    *(class_metrics, number_metrics, bias, differences, luck, noise, power_law),
)
NO_FORMULA = {
    "storage.metrics.calibration": {"describe_measure", "describe_calibration"},
    "storage.metrics.curves": {"cuts", "divide", "count_once"},
    "storage.metrics.epoch": {"score", "sigmoid"},
    "storage.metrics.intervals": {"describe_ends"},
    "storage.metrics.tables": {"tabulate"},
    "storage.metrics.thresholds": {"read_rule", "choose_thresholds"},
    "storage.tasks.class_metrics": {"keep_known"},
    "storage.trust.noise": {"split_runs"},
}
"""Functions that count, arrange or call those that have one."""
YEAR = re.compile(r"\b(1[89]|20)\d\d\b|definition")


@pytest.mark.parametrize("module", OF_FORMULAS, ids=lambda module: module.__name__)
def test_each_formula_says_where_it_is_from(module: ModuleType) -> None:
    tree = ast.parse(inspect.getsource(module))
    functions = {
        node.name: ast.get_docstring(node) or ""
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }
    without = NO_FORMULA.get(module.__name__, set())
    assert without <= functions.keys(), "a function that is no more"
    if YEAR.search(ast.get_docstring(tree) or ""):
        return  # One source for all of them.
    assert [name for name, text in functions.items() if name not in without and not YEAR.search(text)] == []


def test_the_sum_of_two_parts_has_newcombes_interval() -> None:
    """56 of 70 less 48 of 80 has the interval .0524 to .3339 (Newcombe 1998, "Interval estimation for the difference between independent proportions", method 10)."""
    parts = [
        (hits / size, intervals.wilson_interval(hits / size, size, 1.959964))
        for hits, size in ((56, 70), (48, 80))
    ]
    found = intervals.difference_interval((parts[0], parts[1]), (1.0, -1.0))
    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)
    nothing = intervals.Interval.none("few")
    assert intervals.difference_interval((parts[0], (0.5, nothing)), (0.5, 0.5)) is nothing
    # Where all go together, lengths add up as values do; where none does, their squares.
    three, thirds = (parts[0], parts[1], parts[1]), (1 / 3, 1 / 3, 1 / 3)
    below = np.array([value - interval.low for value, interval in three]) / 3
    mean = sum(value for value, _ in three) / 3
    for correlation, length in (
        (1.0, below.sum()),
        (0.0, np.sqrt(below @ below)),
        (np.eye(3), np.sqrt(below @ below)),
    ):
        low = intervals.difference_interval(three, thirds, correlation).low
        assert low == pytest.approx(mean - length)


def test_a_rising_function_takes_the_ends_with_it() -> None:
    found = intervals.map_interval(intervals.Interval(0.25, 0.5), lambda part: 2 * part / (1 + part))
    assert (found.low, found.high) == pytest.approx((0.4, 2 / 3))
    nothing = intervals.Interval.none("few")
    assert intervals.map_interval(nothing, lambda part: part) is nothing


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95, 0.999])
def test_the_normal_quantile_is_that_of_scipy(level: float) -> None:
    assert intervals.normal_quantile(level) == pytest.approx(scipy.stats.norm.ppf((1 + level) / 2))


def test_a_roc_band_joins_the_intervals_of_the_rates_of_scikit_learn() -> None:
    generator = np.random.default_rng(2)
    labels = np.repeat([1, 0], [40, 60])
    scores = np.round(generator.standard_normal(100) + labels, 1)
    false, true, cuts = roc_curve(labels, scores, drop_intermediate=False)
    # They call what is at a threshold, we what is above it: just below is the same. One image a patient is a simple sample.
    band = intervals.roc_band(labels, scores, np.arange(100), cuts - 1e-6)
    lowest, highest = [], []
    for rate, size in ((false, 60), (true, 40)):
        rows = [intervals.share_interval(np.arange(size) < round(one * size), np.ones(size)) for one in rate]
        lowest.append(np.maximum.accumulate([one.low for one in rows]))
        highest.append(np.maximum.accumulate([one.high for one in rows]))
    assert band["lower_x"] == pytest.approx(highest[0])
    assert band["lower_y"] == pytest.approx(lowest[1])
    assert band["upper_x"] == pytest.approx(lowest[0])
    assert band["upper_y"] == pytest.approx(highest[1])
    few = intervals.roc_band(labels[38:42], scores[38:42], np.arange(4), cuts)
    assert few == {"lower_x": [], "lower_y": [], "upper_x": [], "upper_y": []}


def test_groups_are_left_out_one_by_one_and_in_blocks_where_there_are_many() -> None:
    (rows,) = bootstrap.leave_out(np.array([7, 3, 7, 9]))
    assert rows.tolist() == [[1, 0, 1, 1], [0, 1, 0, 1], [1, 1, 1, 0]], "3, 7 and 9"
    rows = np.concatenate(list(bootstrap.leave_out(np.arange(1250))))
    assert rows.shape == (500, 1250)
    # Each image is left out once, and the blocks have two or three patients.
    assert (rows.sum(axis=0) == 499).all()
    assert set((1250 - rows.sum(axis=1)).tolist()) == {2, 3}


def test_quantiles_are_those_of_scipy() -> None:
    values = np.random.default_rng(0).exponential(size=37)
    theirs = scipy.stats.mstats.mquantiles(values, [0.025, 0.9], alphap=1, betap=1)
    assert bootstrap.find_quantiles(values, [0.9, 0.025]) == pytest.approx(tuple(theirs))


def test_the_expected_error_is_the_mean_deviation_of_a_binomial() -> None:
    """All images have one probability, and so one bin."""
    for size, chance in ((4, 0.25), (10, 0.75)):
        hits = np.arange(size + 1)
        exact = float(scipy.stats.binom.pmf(hits, size, chance) @ np.abs(hits / size - chance))
        found = calibration.expected_error(np.full(size, chance), draws=20_000)
        assert found == pytest.approx(exact, abs=0.004)


def test_a_debiased_error_worked_by_hand() -> None:
    """Two bins of four: gaps .3 - 1/4 and .5 - 3/4, each square less (3/16) / 3 = .0625: -.06 and 0. The mean is below 0."""
    labels, scores = np.array([0, 0, 1, 0, 1, 1, 0, 1.0]), np.repeat([0.3, 0.5], 4)
    assert calibration.debiased_error(labels, scores, bins=2) == 0
    # Gaps .05 - 1/4 and .25 - 3/4: .04 - .0625 and .25 - .0625; the mean of both is .0825.
    scores = np.repeat([0.05, 0.25], 4)
    assert calibration.debiased_error(labels, scores, bins=2) == pytest.approx(np.sqrt(0.0825))


def test_the_smooth_curve_is_a_weighted_line_of_numpy_at_each_place() -> None:
    generator = np.random.default_rng(5)
    scores = np.sort(generator.random(40))
    labels = (generator.random(40) < 0.2 + 0.6 * scores).astype(float)
    expected = []
    for place in scores:
        away = np.abs(scores - place)
        weights = np.clip(1 - (away / np.sort(away)[29]) ** 3, 0, None) ** 3  # the nearest 30 of 40
        expected.append(np.polyval(np.polyfit(scores, labels, 1, w=np.sqrt(weights)), place))
    expected = np.clip(expected, 0, 1)
    assert calibration.smooth_calibration(labels, scores, scores) == pytest.approx(expected)
    index = calibration.integrated_calibration_index(labels, scores)
    assert index == pytest.approx(np.abs(expected - scores).mean())


def test_the_best_on_one_side_is_read_on_the_other_by_hand() -> None:
    """Draws choose the first, the second and the first trial; the last draw has no value on one side."""
    inside = np.array([[0.9, 0.7, 0.8, 0.9], [0.8, 0.9, np.nan, 0.8]])
    outside = np.array([[0.6, 0.9, 0.8, np.nan], [0.9, 0.5, 0.9, 0.7]])
    found = bias.average_choices(inside, outside)
    assert found is not None
    assert found.value == pytest.approx((0.6 + 0.5 + 0.8) / 3)
    assert found.draws == 3
    assert found.chosen == pytest.approx([2 / 3, 1 / 3])
    assert bias.average_choices(inside, np.full((2, 4), np.nan)) is None


def test_white_features_have_the_identity_as_covariance() -> None:
    generator = np.random.default_rng(6)
    placed = (generator.standard_normal((400, 4)) @ generator.standard_normal((4, 4))).astype(np.float32)
    assert np.cov(placed @ unlike.whiten(placed), rowvar=False) == pytest.approx(np.eye(4), abs=1e-3)


def test_a_gain_beyond_the_largest_deviation_of_any_threshold_is_better_by_hand() -> None:
    """Draws of both thresholds go apart by the same 1 to 100, of one with twice the step: q is a quantile of standard deviations."""
    steps = np.arange(100.0)
    drawn = np.stack([steps, 2 * steps, np.zeros(100)])
    q = (np.quantile(steps, 0.975) - steps.mean()) / steps.std()
    limits = q * np.array([steps.std(), 2 * steps.std(), 0.0])
    assert decisions.find_better(limits + 0.01, drawn).tolist() == [True, True, False]
    assert decisions.find_better(limits - 0.01, drawn).tolist() == [False, False, False]
