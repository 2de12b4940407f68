"""Intervals: worked by hand, against published examples, and never of length zero. Coverage is printed by `bench.coverage`."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from storage.metrics import bootstrap, calibration, curves, intervals, scorecard


def solve_wilson(share: float, size: float, quantile: float = 1.959964) -> np.ndarray:
    """The shares p that `share` is `quantile` standard errors of p away from: (share - p)^2 = quantile^2 p (1 - p) / size."""
    part = quantile**2 / size
    return np.sort(np.roots([1 + part, -2 * share - part, share**2]))


def test_wilson_gives_the_published_example() -> None:
    """15 of 148 has the interval .0624 to .1605 by the score method (Newcombe 1998, table I)."""
    interval = intervals.wilson_interval(15 / 148, 148, 1.959964)
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.0624, 0.1605)


@pytest.mark.parametrize("freedom", [1, 2, 3, 7, 30, 400, 5000])
def test_the_quantile_is_that_of_students_t(freedom: int) -> None:
    assert intervals.student_quantile(0.95, freedom) == pytest.approx(
        scipy.stats.t.ppf(0.975, freedom), rel=2e-3
    )


def test_one_image_a_patient_is_a_simple_sample() -> None:
    hits = np.repeat([1, 0], [140, 60])
    interval = intervals.share_interval(hits, np.ones(200))
    simple = intervals.wilson_interval(0.7, 199, 1.96)
    assert interval.low == pytest.approx(simple.low, abs=1e-3)
    assert interval.high == pytest.approx(simple.high, abs=1e-3)


def test_a_patient_whose_images_are_all_alike_counts_once() -> None:
    hits = np.repeat([1, 0], [70, 30])
    once = intervals.share_interval(hits, np.ones(100))
    four = intervals.share_interval(4 * hits, 4 * np.ones(100))
    assert (four.low, four.high) == pytest.approx((once.low, once.high), abs=1e-9)


def test_a_share_that_three_patients_miss_counts_by_hand() -> None:
    """Ten patients of four images, three of them with a miss: share .925, variance 10/9 * 2.1 / 40^2, so 47.6 images, of which there are 40; three
    patients miss, and three fifths of the logarithm are that of 40, two fifths that of ten patients."""
    interval = intervals.share_interval(np.array([3, 3, 3] + [4] * 7), np.full(10, 4))
    expected = intervals.wilson_interval(0.925, 40**0.6 * 10**0.4, 1.959964)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_all_of_28_says_that_a_miss_was_possible() -> None:
    """28 images of 20 patients, all called right: before, the interval was 1 to 1."""
    totals = np.array([2] * 8 + [1] * 12)
    interval = intervals.share_interval(totals, totals)
    assert interval.high == 1
    assert interval.low == pytest.approx(20 / (20 + 1.96**2), abs=1e-3)


def test_the_variance_of_an_area_is_delongs_where_each_patient_has_one_image() -> None:
    """Against DeLong's structural components, written as two loops."""
    generator = np.random.default_rng(0)
    labels = np.repeat([1, 0], [40, 60])
    scores = np.round(generator.standard_normal(100) + labels, 1)
    wins = np.array(
        [[(a > b) + 0.5 * (a == b) for b in scores[labels == 0]] for a in scores[labels == 1]], float
    )
    variance = wins.mean(axis=1).var(ddof=1) / 40 + wins.mean(axis=0).var(ddof=1) / 60
    area = wins.mean()
    assert area == pytest.approx(curves.auc(labels, scores))
    size = area * (1 - area) / variance
    model = intervals._newcombe_size(float(area), 40, 60)
    expected = intervals.wilson_interval(
        float(area), float(np.sqrt(size * min(size, model))), intervals.student_quantile(0.95, 39)
    )
    found = intervals.auc_interval(labels, scores, np.arange(100))
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_a_perfect_area_may_have_been_chance() -> None:
    labels = np.repeat([1, 0], 10)
    interval = intervals.auc_interval(labels, labels + np.arange(20) / 100, np.arange(20))
    assert interval.high == 1
    assert 0.6 < interval.low < 0.9


def test_the_corrected_interval_is_the_percentile_interval_where_nothing_is_skew() -> None:
    values = np.linspace(-1, 1, 2001)
    interval = bootstrap.corrected_interval(0.0, values, np.tile([-0.1, 0.1], 50_000))
    assert (interval.low, interval.high) == pytest.approx((-0.95, 0.95), abs=2e-3)


def test_the_corrected_interval_is_wider_by_students_t_where_there_are_few_patients() -> None:
    from scipy import stats

    values = np.linspace(-1, 1, 2001)
    interval = bootstrap.corrected_interval(0.0, values, np.tile([-0.1, 0.1], 5))
    place = stats.norm.cdf(stats.t.ppf(0.975, 9) * np.sqrt(10 / 9))
    assert interval.high == pytest.approx(2 * place - 1, abs=2e-3)
    assert interval.low == pytest.approx(-interval.high, abs=2e-3)


def test_the_corrected_interval_agrees_with_scipy() -> None:
    generator = np.random.default_rng(4)
    sample = generator.exponential(size=60)
    theirs = scipy.stats.bootstrap(
        (sample,), np.var, method="BCa", n_resamples=4000, rng=np.random.default_rng(1)
    ).confidence_interval
    groups, total = np.arange(60), 4000
    counts = np.concatenate(list(bootstrap.draw_counts(groups, total, 2)))
    without = np.concatenate(list(bootstrap.leave_out(groups)))

    def variance(weights: np.ndarray) -> np.ndarray:
        mean = weights @ sample / weights.sum(axis=1)
        return weights @ sample**2 / weights.sum(axis=1) - mean**2

    ours = bootstrap.corrected_interval(float(np.var(sample)), variance(counts), variance(without))
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=0.06)


def test_leaving_out_patients_gives_the_error_of_a_mean_and_welchs_kind_of_freedom() -> None:
    chance = np.random.default_rng(8)
    values = chance.exponential(size=40)
    without = (values.sum() - values) / 39
    found = bootstrap.jackknife_interval(float(values.mean()), without, bootstrap.AS_IT_IS)
    error = float(scipy.stats.sem(values))
    kurtosis = float(scipy.stats.kurtosis(values, fisher=False))
    freedom = 80 / (kurtosis - 1 + 2 / 39)
    assert freedom < 39, "a skewed sample knows its own spread less well"
    half = scipy.stats.t.ppf(0.975, freedom) * error
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), rel=1e-4)
    even = np.tile([-1.0, 1.0], 20)
    low = bootstrap.jackknife_interval(0.0, -even / 39, bootstrap.AS_IT_IS).low
    assert low == pytest.approx(scipy.stats.t.interval(0.95, 39, scale=scipy.stats.sem(even))[0], rel=1e-4)


@pytest.mark.parametrize(
    ("scale", "value", "wanted"),
    [
        (bootstrap.LOGARITHM, 2.0, (0.0, np.inf)),
        (bootstrap.FISHER, 0.97, (-1.0, 1.0)),
        (bootstrap.LEFT_OVER, 0.97, (-np.inf, 1.0)),
    ],
)
def test_an_interval_stays_within_the_range_of_its_metric(
    scale: bootstrap.Scale, value: float, wanted: tuple[float, float]
) -> None:
    without = value + 0.02 * np.random.default_rng(1).standard_normal(6) * (1 if value > 1 else 0.3)
    found = bootstrap.jackknife_interval(value, without, scale)
    assert wanted[0] < found.low < value < found.high < wanted[1]
    assert float(scale.back(scale.there(np.float64(value)))) == pytest.approx(value)
    assert bootstrap.jackknife_interval(value, np.full(6, value), scale).reason == intervals.ALL_EQUAL
    assert bootstrap.jackknife_interval(value, np.full(6, np.nan), scale).reason == intervals.UNDEFINED
    assert (
        bootstrap.jackknife_interval(1.0 if value < 1 else 0.0, without, scale).reason == intervals.ALL_EQUAL
    )


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.where(np.arange(100) < 10, np.nan, 0.9), intervals.UNDEFINED),
        (np.full(100, 0.9), intervals.ALL_EQUAL),
        (np.zeros(0), intervals.UNDEFINED),
    ],
)
def test_what_has_no_interval_says_why(values: np.ndarray, reason: str) -> None:
    interval = bootstrap.corrected_interval(0.9, values, np.array([0.9, 0.9]))
    assert np.isnan([interval.low, interval.high]).all()
    assert interval.reason == reason


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 8), st.integers(0, 9)), min_size=1, max_size=40),
    st.sampled_from([0.0, 0.3, 0.5, 1.0]),
)
@pytest.mark.slow
def test_no_interval_of_any_metric_has_length_zero_or_leaves_its_value_out(
    rows: list[tuple[bool, int, int]], threshold: float
) -> None:
    labels = np.array([[float(label)] for label, _, _ in rows])
    scores = np.array([[score / 8] for _, score, _ in rows])
    groups = np.array([group for _, _, group in rows])
    card = scorecard.score(["a"], labels, scores, groups, thresholds=[threshold], resamples=40)
    for name, metric in card["labels"]["a"]["metrics"].items():
        if np.isnan(metric["low"]):
            assert np.isnan(metric["value"]) or metric["note"].startswith("no interval: "), name
        else:
            assert metric["low"] < metric["high"], name
            if name not in ("pr_auc", "brier", "lr_positive", "lr_negative"):
                assert metric["low"] - 1e-9 <= metric["value"] <= metric["high"] + 1e-9, name


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """AUC of two normals a standard deviation apart is Phi(1 / sqrt 2) = .7602; both images of a patient are alike."""
    generator, covered = np.random.default_rng(11), 0
    labels, patients = np.repeat(np.arange(60) % 2, 2), np.repeat(np.arange(60), 2)
    for _ in range(400):
        scores = np.repeat(generator.standard_normal(60) + (np.arange(60) % 2), 2)
        interval = intervals.auc_interval(labels, scores, patients)
        covered += interval.low <= 0.7602 <= interval.high
    assert 370 <= covered <= 394


def test_the_intervals_of_a_confusion_table_are_those_worked_by_hand() -> None:
    """20 patients of one image: 8 of 10 positives found, 1 of 10 negatives called; a sample of n shares has n - 1 in effect, by Wilson's formula."""
    labels = np.repeat([1.0, 0.0], 10)
    called = np.array([1] * 8 + [0] * 2 + [1] + [0] * 9, bool)
    metrics = ("auc", "sensitivity", "specificity", "ppv", "npv", "accuracy", "f1", "balanced_accuracy")
    found = scorecard.closed_intervals(
        labels, called.astype(float), called, np.arange(20), True, metrics=metrics
    )
    worked = {
        "sensitivity": (0.4738, 0.9467),
        "specificity": (0.5773, 0.9834),
        "ppv": (0.5437, 0.9817),
        "balanced_accuracy": (0.6206, 0.9344),
    }
    for name, ends in worked.items():
        assert (found[name].low, found[name].high) == pytest.approx(ends, abs=1e-4), name
    # F1 = 2 J / (1 + J) of J = 8 / 11, as is accuracy of 17 / 20.
    part = intervals.wilson_interval(8 / 11, 10, 1.959964)
    assert (found["f1"].low, found["f1"].high) == pytest.approx(
        [2 * end / (1 + end) for end in (part.low, part.high)], abs=1e-6
    )
    whole = intervals.wilson_interval(0.85, 19, 1.959964)
    assert (found["accuracy"].low, found["accuracy"].high) == pytest.approx((whole.low, whole.high), abs=1e-6)
    # Of a ratio, by its logarithm: LR+ = .8 / .1 with the ends of both shares, LR- = .2 / .9.
    for name, parts in (
        ("lr_positive", ((0.8, 0.4738, 0.9467), (0.1, 0.0166, 0.4227))),
        ("lr_negative", ((0.2, 0.0533, 0.5262), (0.9, 0.5773, 0.9834))),
    ):
        (one, low, high), (other, least, most) = parts
        below = np.hypot(np.log(one / low), np.log(most / other))
        above = np.hypot(np.log(high / one), np.log(other / least))
        ends = (one / other * np.exp(-below), one / other * np.exp(above))
        assert (found[name].low, found[name].high) == pytest.approx(ends, rel=2e-3), name
    assert set(found) == {*metrics, "lr_positive", "lr_negative"}


def test_observed_over_expected_has_the_interval_of_the_share_of_positives() -> None:
    """Of one image a patient that are all given .25, it is Wilson's of 12 of 40 (a sample of n has n - 1 in effect), over .25."""
    labels, groups = np.repeat([1.0, 0.0], [12, 28]), np.arange(40)
    found = calibration.describe_measure("observed_expected", labels, np.full(40, 0.25), groups)
    low, high = solve_wilson(0.3, 39)
    assert (found["low"], found["value"], found["high"]) == pytest.approx((4 * low, 1.2, 4 * high))
    # Probabilities that know the patients leave less to chance, and more images of each patient leave no more.
    knowing = np.where(labels == 1, 0.6, 0.1)
    narrow = calibration.observed_expected_interval(labels, knowing, groups)
    assert narrow.high - narrow.low <= (high - low) / knowing.mean() * 1.001
    twice = calibration.observed_expected_interval(
        *(np.repeat(one, 2) for one in (labels, np.full(40, 0.25), groups))
    )
    assert (twice.low, twice.high) == pytest.approx((4 * low, 4 * high))
    none_seen = calibration.observed_expected_interval(np.zeros(40), np.full(40, 0.25), groups)
    assert none_seen.low == 0 < none_seen.high < 0.5
    assert calibration.observed_expected_interval(labels, np.zeros(40), groups).reason == intervals.UNDEFINED


def test_a_negative_likelihood_ratio_of_0_may_have_been_chance() -> None:
    """All of 10 positives found, 9 of 10 negatives left alone: the highest miss rate over the lowest specificity."""
    labels = np.repeat([1.0, 0.0], 10)
    called = np.array([1] * 11 + [0] * 9, bool)
    found = scorecard.closed_intervals(
        labels, called.astype(float), called, np.arange(20), True, metrics=("lr_negative",)
    )
    missed, right = 1 - found["sensitivity"].low, found["specificity"].low
    assert (found["lr_negative"].low, found["lr_negative"].high) == pytest.approx((0.0, missed / right))


def test_the_interval_of_a_mean_over_labels_is_that_of_the_means_of_patients() -> None:
    """40 patients of one image and three labels: the mean is that of 40 shares, whose variance SciPy has; the labels' own intervals are Wilson's."""
    chance = np.random.default_rng(5)
    right = (chance.random((40, 3)) < [0.9, 0.8, 0.6]) | (chance.random((40, 1)) < 0.3)
    labels = np.tile([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]], (20, 1))
    scores = np.where(right == (labels == 1), 0.9, 0.1)
    card = scorecard.score(
        list("abc"), labels, scores, np.arange(40), thresholds=[0.5] * 3, metrics=("accuracy",)
    )
    found = card["macro"]["metrics"]["accuracy"]
    patients, value = right.mean(axis=1), right.mean()
    variance = scipy.stats.sem(patients) ** 2
    kurtosis = scipy.stats.kurtosis(patients, fisher=False)
    freedom = 80 / max(kurtosis - 1 + 2 / 39, 80 / 39)
    own = [solve_wilson(share, 39) for share in right.mean(axis=0)]
    errors = np.array([(high - low) / 2 / scipy.stats.norm.ppf(0.975) for low, high in own])
    joined = errors @ np.corrcoef(right.T) @ errors / 9
    middle = np.mean(own)
    sizes = value * (1 - value) / variance, middle * (1 - middle) / joined - scipy.stats.norm.ppf(0.975) ** 2
    size = np.sqrt(sizes[0] * min(sizes))
    wanted = solve_wilson(value, size, scipy.stats.t.ppf(0.975, freedom))
    assert found["value"] == pytest.approx(value)
    assert (found["low"], found["high"]) == pytest.approx(wanted, rel=1e-4)


def test_a_mean_over_labels_is_not_sure_of_a_label_at_its_bound() -> None:
    without = np.array([[0.945, 0.955] * 20, [1.0] * 40])
    sure, unsure = intervals.Interval(0.999, 1.0), intervals.Interval(0.7, 1.0)
    ends = [intervals.Interval(0.9, 0.98), unsure]
    parts = np.array([0.95, 1.0])
    found, alone = (
        bootstrap.mean_interval(0.975, without.mean(axis=0), without, parts, [ends[0], other])
        for other in (unsure, sure)
    )
    assert found.low < alone.low < 0.975 < found.high <= 1
    perfect = bootstrap.mean_interval(1.0, np.ones(40), np.ones((2, 40)), np.ones(2), [ends[1], ends[1]])
    assert perfect.high == 1 > perfect.low > 0.7, "two labels say more than one"
    none = intervals.Interval.none(intervals.TOO_FEW)
    few = bootstrap.mean_interval(0.9, np.full(3, 0.9), np.full((1, 3), 0.9), np.array([0.9]), [none])
    assert few.reason == intervals.TOO_FEW
    nothing = bootstrap.mean_interval(
        np.nan, np.full(3, np.nan), np.full((1, 3), np.nan), np.array([np.nan]), [none]
    )
    assert np.isnan([nothing.low, nothing.high]).all()


def test_without_a_threshold_there_is_the_interval_of_an_area_alone() -> None:
    labels, values = np.tile([1.0, 0.0], 10), np.arange(20.0)
    calls = np.zeros(20, bool)
    found = scorecard.closed_intervals(
        labels, values, calls, np.arange(20), False, metrics=("auc", "sensitivity")
    )
    assert set(found) == {"auc"}
    assert not scorecard.closed_intervals(labels, values, calls, np.arange(20), False, metrics=("ppv",))


def test_with_three_patients_of_a_class_the_quantile_is_that_of_four_degrees_of_freedom() -> None:
    labels = np.repeat([1.0, 0.0], [3, 30])
    scores = np.concatenate([[5.5, 20.5, 33.0], np.arange(30.0)])
    found = intervals.auc_interval(labels, scores, np.arange(33))
    wins = np.array([6, 21, 30]) / 30
    losses = 1 - np.array([(np.array([5.5, 20.5, 33.0]) < one).mean() for one in np.arange(30.0)])
    area = wins.mean()
    size = area * (1 - area) / (wins.var(ddof=1) / 3 + losses.var(ddof=1) / 30)
    model = intervals._newcombe_size(float(area), 3, 30)
    expected = intervals.wilson_interval(float(area), float(np.sqrt(size * min(size, model))), scipy.stats.t.ppf(0.975, 4))  # fmt: skip
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-3)


def test_an_area_under_a_precision_recall_curve_leaves_patients_out_on_its_logit() -> None:
    chance = np.random.default_rng(3)
    groups = np.repeat(np.arange(30), 2)
    labels = (chance.random(30) < 0.4)[groups].astype(float)
    scores = chance.random(60) + 0.5 * labels
    card = scorecard.score(
        ["a"], labels[:, None], scores[:, None], groups, thresholds=[0.5], metrics=("pr_auc",)
    )
    found = card["labels"]["a"]["metrics"]["pr_auc"]
    without = scipy.special.logit(
        [average_precision_score(labels[groups != one], scores[groups != one]) for one in range(30)]
    )
    kurtosis = scipy.stats.kurtosis(without, fisher=False)
    freedom = 60 / max(kurtosis - 1 + 2 / 29, 60 / 29)
    half = scipy.stats.t.ppf(0.975, freedom) * np.sqrt(29 * np.var(without))
    middle = scipy.special.logit(average_precision_score(labels, scores))
    wanted = scipy.special.expit([middle - half, middle, middle + half])
    assert (found["low"], found["value"], found["high"]) == pytest.approx(tuple(wanted), rel=1e-4)
    assert card["micro"]["metrics"]["pr_auc"] == found
