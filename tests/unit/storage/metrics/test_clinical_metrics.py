"""Medical metrics agree with scikit-learn, or with a table worked by hand, to 1e-12; the undefined is NaN."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import pytest
import sklearn.calibration
import sklearn.linear_model
import sklearn.metrics as reference
from sklearn.linear_model import LogisticRegression

from storage.metrics import calibration, curves, scorecard, tables, thresholds
from storage.metrics import epoch as training_metrics

EXACT = 1e-12


def cases() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    generator = np.random.default_rng(7)
    truth = generator.integers(0, 2, 200)
    yield "random", truth, generator.random(200)
    yield "good", truth, np.clip(0.3 * generator.standard_normal(200) + 0.3 + 0.4 * truth, 0, 1)
    yield "tied", truth, generator.integers(0, 5, 200) / 4
    yield "half precision", truth, generator.random(200).astype(np.float16).astype(float)
    yield "constant", truth, np.full(200, 0.25)
    yield "rare", (np.arange(200) < 3).astype(int), generator.random(200)
    yield "two images", np.array([1, 0]), np.array([0.1, 0.9])


CASES = {name: (labels, scores) for name, labels, scores in cases()}
SINGLE = {"all positive": np.ones(20, int), "all negative": np.zeros(20, int)}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    return CASES[request.param]


def test_areas_equal_scikit_learn(case: tuple[np.ndarray, np.ndarray]) -> None:
    labels, scores = case
    assert curves.auc(labels, scores) == pytest.approx(reference.roc_auc_score(labels, scores), abs=EXACT)
    expected = reference.average_precision_score(labels, scores)
    assert curves.average_precision(labels, scores) == pytest.approx(expected, abs=EXACT)


def test_the_auc_is_the_one_of_training(case: tuple[np.ndarray, np.ndarray]) -> None:
    labels, scores = case
    (other,) = training_metrics.auc_per_label(labels[:, None].astype(float), scores[:, None])
    assert curves.auc(labels, scores) == pytest.approx(other, abs=EXACT)


def test_the_roc_curve_equals_scikit_learn_and_its_thresholds_do_what_they_say(case) -> None:
    labels, scores = case
    curve = curves.roc_curve(labels, scores)
    false, true, _ = reference.roc_curve(labels, scores, drop_intermediate=False)
    assert curve.x == pytest.approx(false, abs=EXACT)
    assert curve.y == pytest.approx(true, abs=EXACT)
    assert (np.diff(curve.thresholds) < 0).all()
    for threshold, x, y in zip(curve.thresholds, curve.x, curve.y, strict=True):
        table = tables.tabulate(labels, scores, threshold)
        assert table.sensitivity == pytest.approx(y, abs=EXACT)
        assert 1 - table.specificity == pytest.approx(x, abs=EXACT)


def test_the_precision_recall_curve_equals_scikit_learn(case) -> None:
    labels, scores = case
    curve = curves.precision_recall_curve(labels, scores)
    precision, recall, _ = reference.precision_recall_curve(labels, scores)
    assert np.isnan(curve.y[0])
    assert curve.y[1:] == pytest.approx(precision[:-1][::-1], abs=EXACT)
    assert curve.x[1:] == pytest.approx(recall[:-1][::-1], abs=EXACT)


@pytest.mark.parametrize("threshold", [0.5, 0.25, 0.7])
def test_what_is_read_off_the_table_equals_scikit_learn(case, threshold: float) -> None:
    labels, scores = case
    called = (scores > threshold).astype(int)
    table = tables.tabulate(labels, scores, threshold)
    (tn, fp), (fn, tp) = reference.confusion_matrix(labels, called, labels=[0, 1])
    counted = (table.true_positives, table.false_positives, table.false_negatives, table.true_negatives)
    assert tuple(map(int, counted)) == (tp, fp, fn, tn)

    def score(function, **options) -> float:
        return function(labels, called, zero_division=np.nan, **options)

    assert table.sensitivity == pytest.approx(score(reference.recall_score), abs=EXACT)
    assert table.specificity == pytest.approx(score(reference.recall_score, pos_label=0), abs=EXACT)
    assert table.balanced_accuracy == pytest.approx(
        reference.balanced_accuracy_score(labels, called), abs=EXACT
    )
    assert table.ppv == pytest.approx(score(reference.precision_score), abs=EXACT, nan_ok=True)
    assert table.npv == pytest.approx(score(reference.precision_score, pos_label=0), abs=EXACT, nan_ok=True)
    assert table.accuracy == pytest.approx(reference.accuracy_score(labels, called), abs=EXACT)
    assert table.f1 == pytest.approx(score(reference.f1_score), abs=EXACT, nan_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        positive, negative = reference.class_likelihood_ratios(
            labels, called, replace_undefined_by={"LR+": np.nan, "LR-": np.nan}
        )
    assert table.lr_positive == pytest.approx(positive, rel=EXACT, nan_ok=True)
    assert table.lr_negative == pytest.approx(negative, rel=EXACT, nan_ok=True)


def test_a_table_worked_by_hand() -> None:
    """90 ill of whom 72 are found, 210 well of whom 21 are called ill."""
    labels = np.repeat([1, 1, 0, 0], [72, 18, 21, 189])
    scores = np.repeat([0.9, 0.1, 0.9, 0.1], [72, 18, 21, 189])
    table = tables.tabulate(labels, scores)
    by_hand = {
        "sensitivity": 0.8,
        "specificity": 0.9,
        "balanced_accuracy": 0.85,
        "ppv": 72 / 93,
        "npv": 189 / 207,
        "lr_positive": 8.0,
        "lr_negative": 0.2 / 0.9,
        "accuracy": 0.87,
        "f1": 144 / 183,
        "mcc": (72 * 189 - 21 * 18) / (93 * 90 * 210 * 207) ** 0.5,
    }
    assert {name: float(getattr(table, name)) for name in by_hand} == pytest.approx(by_hand, abs=EXACT)


def test_matthews_correlation_is_that_of_scikit_learn_and_undefined_where_that_says_zero() -> None:
    generator = np.random.default_rng(5)
    for _ in range(20):
        labels, scores = generator.integers(2, size=50), generator.random(50)
        table = tables.tabulate(labels, scores)
        assert table.mcc == pytest.approx(reference.matthews_corrcoef(labels, scores > 0.5), abs=EXACT)
    assert np.isnan(tables.tabulate(labels, np.zeros(50)).mcc)
    assert np.isnan(tables.tabulate(np.ones(50), scores).mcc)


@pytest.mark.parametrize("name", SINGLE)
def test_with_a_single_class_what_needs_the_other_is_nan(name: str) -> None:
    labels, scores = SINGLE[name], np.linspace(0, 1, 20)
    table = tables.tabulate(labels, scores)
    assert np.isnan(curves.auc(labels, scores))
    assert np.isnan([table.balanced_accuracy, table.lr_positive, table.lr_negative]).all()
    if name == "all positive":
        assert np.isnan(table.specificity)
        assert (table.sensitivity, table.ppv, table.npv) == (0.5, 1.0, 0.0)
        assert curves.average_precision(labels, scores) == 1
    else:
        assert np.isnan([table.sensitivity, curves.average_precision(labels, scores)]).all()
        assert (table.specificity, table.ppv, table.npv) == (0.5, 0.0, 1.0)
    assert np.isnan(thresholds.choose_youden(labels, scores))
    assert calibration.fit_recalibration(labels, scores) is None


def test_likelihood_ratios_are_never_infinite() -> None:
    perfect = tables.tabulate(np.array([1, 0]), np.array([0.9, 0.1]))
    assert np.isnan(perfect.lr_positive)
    assert perfect.lr_negative == 0
    reversed_calls = tables.tabulate(np.array([1, 0]), np.array([0.1, 0.9]))
    assert reversed_calls.lr_positive == 0
    assert np.isnan(reversed_calls.lr_negative)


def test_nobody_and_not_a_number_give_nan_everywhere() -> None:
    empty = np.array([])
    unknown = np.array([0.5, np.nan])
    for labels, scores in ((empty, empty), (np.array([1, 0]), unknown)):
        measured = [
            curves.auc(labels, scores),
            curves.average_precision(labels, scores),
            calibration.brier_score(labels, scores),
            calibration.calibration_error(labels, scores),
            tables.tabulate(labels, scores).accuracy,
        ]
        assert np.isnan(measured).all()


def test_the_brier_score_equals_scikit_learn(case) -> None:
    labels, scores = case
    expected = reference.brier_score_loss(labels, scores)
    assert calibration.brier_score(labels, scores) == pytest.approx(expected, abs=EXACT)


def test_the_points_of_a_calibration_plot_equal_scikit_learn(case) -> None:
    labels, scores = case
    found = calibration.reliability(labels, scores)
    observed, predicted = sklearn.calibration.calibration_curve(labels, scores, n_bins=10)
    filled = found.images > 0
    assert found.observed[filled] == pytest.approx(observed, abs=EXACT)
    assert found.predicted[filled] == pytest.approx(predicted, abs=EXACT)
    by_hand = np.nansum(found.images * np.abs(found.observed - found.predicted)) / len(labels)
    assert calibration.calibration_error(labels, scores) == pytest.approx(by_hand, abs=EXACT)


def test_a_calibration_error_worked_by_hand() -> None:
    """Two bins in use: 0.2, 0.2 with one positive (gap 0.3, of 2), and 0.9 with none (gap 0.9, of 1)."""
    labels, scores = np.array([1, 0, 0]), np.array([0.2, 0.2, 0.9])
    assert calibration.calibration_error(labels, scores) == pytest.approx((2 * 0.3 + 0.9) / 3, abs=EXACT)


def test_weights_count_an_image_as_often_as_they_say(case) -> None:
    labels, scores = case
    scores = scores.astype(float)
    times = np.random.default_rng(3).integers(0, 4, (5, len(labels)))
    for measure in (
        curves.auc,
        curves.average_precision,
        calibration.brier_score,
        calibration.calibration_error,
        lambda labels, scores, weights=None: tables.tabulate(labels, scores, 0.4, weights).f1,
    ):
        repeated = [float(measure(np.repeat(labels, row), np.repeat(scores, row))) for row in times]
        assert measure(labels, scores, times) == pytest.approx(repeated, abs=EXACT, nan_ok=True)


def test_recalibration_is_logistic_regression_on_the_logit_with_platts_targets() -> None:
    labels, scores = CASES["good"][0], 0.4 + 0.3 * CASES["good"][1]
    found = calibration.fit_recalibration(labels, scores)
    positives, negatives = (labels == 1).sum(), (labels == 0).sum()
    inputs = calibration._logit(scores)[:, None]
    shares = np.where(labels == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    peer = sklearn.linear_model.LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000)
    peer.fit(
        np.vstack([inputs, inputs]), np.repeat([1, 0], len(labels)), np.concatenate([shares, 1 - shares])
    )
    assert found is not None
    assert (found.slope, found.intercept) == pytest.approx((peer.coef_[0, 0], peer.intercept_[0]), abs=1e-4)
    assert calibration.brier_score(labels, found.apply(scores)) < calibration.brier_score(labels, scores)


def test_recalibration_stays_finite_where_the_classes_do_not_overlap() -> None:
    labels = np.repeat([0, 1], 20)
    found = calibration.fit_recalibration(labels, np.where(labels == 1, 0.99, 0.01))
    assert found is not None
    assert found.apply(np.array([0.99]))[0] == pytest.approx(21 / 22, abs=1e-6)


def test_youden_is_the_best_of_all_thresholds(case) -> None:
    labels, scores = case
    chosen = tables.tabulate(labels, scores, thresholds.choose_youden(labels, scores))
    every = [tables.tabulate(labels, scores, cut).balanced_accuracy for cut in curves.cuts(scores)]
    assert chosen.balanced_accuracy == pytest.approx(np.max(every), abs=EXACT)


@pytest.mark.parametrize("wanted", [0.5, 0.9, 1.0])
def test_a_wanted_sensitivity_is_reached_and_no_higher_threshold_reaches_it(case, wanted: float) -> None:
    labels, scores = case
    chosen = thresholds.choose_sensitivity(labels, scores, wanted)
    assert tables.tabulate(labels, scores, chosen).sensitivity >= wanted
    higher = [cut for cut in curves.cuts(scores) if cut > chosen]
    assert all(tables.tabulate(labels, scores, cut).sensitivity < wanted for cut in higher)


def draw_calibrated(images: int, slope: float = 1.0, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from probabilities, and probabilities whose logits are then stretched and shifted."""
    generator = np.random.default_rng(8)
    logits = 1.5 * generator.standard_normal(images) - 0.5
    labels = (generator.random(images) < 1 / (1 + np.exp(-logits))).astype(float)
    return labels, 1 / (1 + np.exp(-(logits - shift) / slope))


def test_slope_and_intercept_are_those_of_a_logistic_regression() -> None:
    labels, scores = draw_calibrated(300, slope=0.5)
    logits = np.log(scores / (1 - scores))
    fitted = LogisticRegression(C=np.inf, tol=1e-10).fit(logits[:, None], labels)
    assert calibration.calibration_slope(labels, scores) == pytest.approx(fitted.coef_[0, 0], abs=1e-5)
    counts = np.random.default_rng(1).integers(0, 3, (4, 300))
    theirs = [
        LogisticRegression(C=np.inf, tol=1e-10).fit(logits[:, None], labels, row).coef_[0, 0]
        for row in counts
    ]
    assert calibration.calibration_slope(labels, scores, counts) == pytest.approx(theirs, abs=1e-4)


def test_calibration_in_the_large_makes_the_sums_equal() -> None:
    labels, scores = draw_calibrated(400, shift=0.7)
    shift = float(calibration.calibration_intercept(labels, scores))
    logits = np.log(scores / (1 - scores)) + shift
    assert (1 / (1 + np.exp(-logits))).sum() == pytest.approx(labels.sum(), abs=1e-6)
    assert calibration.observed_expected(labels, scores) == pytest.approx(labels.sum() / scores.sum())


def test_the_interval_of_a_slope_leaves_out_patients_one_by_one() -> None:
    labels, scores = draw_calibrated(120)
    groups = np.arange(120) // 2
    found = calibration.describe_measure("slope", labels, scores, groups)
    without = [
        float(calibration.calibration_slope(labels[groups != one], scores[groups != one]))
        for one in range(60)
    ]
    error = np.sqrt(59 * np.var(without))
    assert (found["low"] + found["high"]) / 2 == pytest.approx(found["value"])
    assert 1.96 * error < found["high"] - found["value"] < 2.2 * error
    alone = calibration.describe_measure("slope", labels, scores, groups, with_interval=False)
    assert alone["value"] == found["value"]
    assert np.isnan(alone["low"])


def test_where_a_threshold_separates_the_classes_there_is_no_slope() -> None:
    labels = np.repeat([0.0, 1.0], 10)
    assert np.isnan(calibration.calibration_slope(labels, np.linspace(0.1, 0.9, 20)))
    assert np.isnan(calibration.calibration_intercept(np.zeros(5), np.full(5, 0.5)))


def test_right_probabilities_have_no_error_beyond_chance() -> None:
    labels, scores = draw_calibrated(400)
    plain = float(calibration.calibration_error(labels, scores))
    assert plain == pytest.approx(calibration.expected_error(scores), abs=0.03)
    assert calibration.debiased_error(labels, scores) < 0.04 < plain
    assert calibration.integrated_calibration_index(labels, scores) < 0.04


def test_the_smooth_curve_of_a_straight_line_is_the_line() -> None:
    places = np.linspace(0, 1, 40)
    assert calibration.smooth_calibration(places, places, places) == pytest.approx(places, abs=1e-9)
    labels, scores = draw_calibrated(2000, slope=0.7)
    # Probabilities that are too extreme are off by what the true curve says, on average.
    logits = 0.7 * np.log(scores / (1 - scores))
    off = np.abs(1 / (1 + np.exp(-logits)) - scores).mean()
    assert calibration.integrated_calibration_index(labels, scores) == pytest.approx(off, abs=0.02)


def test_what_is_one_whatever_the_model_says_is_left_out_with_the_reason() -> None:
    labels = np.array([[1, 1], [1, 0], [1, 1], [1, 0]], np.float64)
    probabilities = np.array([[0.9, 0.8], [0.2, 0.6], [0.7, 0.9], [0.6, 0.1]])
    card = scorecard.score(
        ["all", "both"], labels, probabilities, np.arange(4), thresholds=[0.5, 0.5], resamples=0
    )
    alone, both = (card["labels"][name]["metrics"] for name in ("all", "both"))
    for name in ("pr_auc", "ppv"):
        assert np.isnan(alone[name]["value"])
        assert "all assessed images are positive" in alone[name]["note"]
        mean = card["macro"]["metrics"][name]
        assert mean["value"] == (1 + both[name]["value"]) / 2, "as it was recorded while training"
        assert "for 1 of 2 labels it is 1 whatever the model says" in mean["note"]
    assert alone["sensitivity"]["value"] == 0.75
    none = scorecard.score(
        ["none"], 1 - labels[:, :1], probabilities[:, :1], np.arange(4), thresholds=[0.5], resamples=0
    )
    assert "all assessed images are negative" in none["labels"]["none"]["metrics"]["npv"]["note"]
    assert none["labels"]["none"]["metrics"]["specificity"]["value"] == 0.25
