"""Metrics against scikit-learn, and where they have no value."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from storage.metrics import epoch as metrics

EXACT = 1e-12


def draw(seed: int, *, count: int = 300, targets: int = 7, decimals: int | None = None) -> tuple:
    generator = np.random.default_rng(seed)
    labels = (generator.random((count, targets)) < 0.3).astype(np.float32)
    logits = generator.normal(size=(count, targets)).astype(np.float32) + labels
    if decimals is not None:
        logits = np.round(logits, decimals)
    return labels, logits


def drop(labels: np.ndarray, seed: int, share: float = 0.4) -> np.ndarray:
    labels = labels.copy()
    labels[np.random.default_rng(seed).random(labels.shape) < share] = np.nan
    return labels


@pytest.mark.parametrize("decimals", [None, 1, 0], ids=["no ties", "some ties", "mostly ties"])
@pytest.mark.parametrize("masked", [False, True])
def test_auc_equals_scikit_learn(decimals, masked) -> None:
    labels, logits = draw(1, decimals=decimals)
    labels = drop(labels, 2) if masked else labels
    scores = metrics.sigmoid(logits)
    expected = []
    for label, score in zip(labels.T, scores.T, strict=True):
        seen = ~np.isnan(label)
        expected.append(reference.roc_auc_score(label[seen], score[seen]))
    assert metrics.auc_per_label(labels, scores) == pytest.approx(expected, abs=EXACT)
    auc, left_out = metrics.macro_auc(labels, scores)
    assert auc == pytest.approx(np.mean(expected), abs=EXACT)
    assert left_out == 0


def test_a_constant_score_has_auc_one_half() -> None:
    labels, _ = draw(3)
    assert metrics.auc_per_label(labels, np.ones_like(labels)) == pytest.approx(0.5, abs=EXACT)


def test_infinite_scores_are_ranked_before_masked_entries() -> None:
    labels = np.array([[0], [1], [np.nan], [1]])
    scores = np.array([[-np.inf], [np.inf], [np.inf], [np.inf]])
    assert metrics.auc_per_label(labels, scores) == pytest.approx(1.0, abs=EXACT)


def test_a_label_with_one_class_is_left_out_and_counted() -> None:
    labels, scores = draw(4, targets=3)
    labels[:, 1] = 0
    labels[:, 2] = np.where(np.arange(len(labels)) % 2 == 0, 1, np.nan)
    auc, left_out = metrics.macro_auc(labels, scores)
    assert left_out == 2
    assert auc == pytest.approx(reference.roc_auc_score(labels[:, 0], scores[:, 0]), abs=EXACT)
    assert np.isnan(metrics.auc_per_label(labels, scores)[1:]).all()


def test_without_any_defined_label_the_auc_is_nan() -> None:
    auc, left_out = metrics.macro_auc(np.zeros((4, 2)), np.zeros((4, 2)))
    assert np.isnan(auc)
    assert left_out == 2


def test_a_nan_score_makes_the_auc_nan_unless_its_label_is_masked() -> None:
    labels, scores = draw(5, targets=2)
    scores[0, 0] = np.nan
    assert np.isnan(metrics.macro_auc(labels, scores)[0])
    labels[0, 0] = np.nan
    assert np.isfinite(metrics.macro_auc(labels, scores)[0])


def test_cross_entropy_equals_scikit_learn_and_masks() -> None:
    labels, logits = draw(6)
    labels = drop(labels, 7)
    seen = ~np.isnan(labels)
    probabilities = 1 / (1 + np.exp(-logits[seen].astype(np.float64)))
    expected = reference.log_loss(labels[seen], probabilities)
    assert metrics.binary_cross_entropy(labels, logits) == pytest.approx(expected, abs=EXACT)
    assert np.isnan(metrics.binary_cross_entropy(np.full((2, 2), np.nan), np.zeros((2, 2))))


def test_cross_entropy_of_extreme_logits_is_finite_and_exact() -> None:
    labels = np.array([[1.0, 0.0]], np.float32)
    logits = np.array([[-800.0, 800.0]], np.float32)
    assert metrics.binary_cross_entropy(labels, logits) == pytest.approx(800.0, abs=EXACT)


@pytest.mark.parametrize("masked", [False, True])
def test_precision_recall_and_f1_equal_scikit_learn(masked) -> None:
    labels, logits = draw(8)
    labels = drop(labels, 9) if masked else labels
    probabilities = metrics.sigmoid(logits)
    seen = ~np.isnan(labels)
    truth, predicted = labels[seen], probabilities[seen] > 0.5
    precision, recall = metrics.precision_recall(labels, probabilities)
    assert precision == pytest.approx(reference.precision_score(truth, predicted), abs=EXACT)
    assert recall == pytest.approx(reference.recall_score(truth, predicted), abs=EXACT)
    per_label = [
        reference.f1_score(label[kept], probability[kept] > 0.5)
        for label, probability, kept in zip(labels.T, probabilities.T, seen.T, strict=True)
    ]
    assert metrics.macro_f1(labels, probabilities) == pytest.approx(np.mean(per_label), abs=EXACT)


def test_a_probability_of_exactly_one_half_is_no_positive_prediction() -> None:
    precision, recall = metrics.precision_recall(np.ones((3, 1)), np.full((3, 1), 0.5))
    assert np.isnan(precision)
    assert recall == 0


def test_undefined_precision_recall_and_f1_are_nan() -> None:
    labels, probabilities = np.zeros((3, 2)), np.zeros((3, 2))
    assert np.isnan(metrics.precision_recall(labels, probabilities)).all()
    assert np.isnan(metrics.macro_f1(labels, probabilities))


def test_sigmoid_does_not_overflow() -> None:
    with np.errstate(over="raise"):
        ends = metrics.sigmoid(np.array([-1e4, 0, 1e4], np.float32))
    assert ends.tolist() == [0, 0.5, 1]
    assert ends.dtype == np.float32


def test_score_reports_a_diverged_model_as_nan() -> None:
    labels, logits = draw(10)
    scores = metrics.score(labels, np.full_like(logits, np.nan))
    assert np.isnan([scores.loss, scores.auc, scores.f1]).all()
    assert scores.labels_left_out == 0


@pytest.mark.parametrize(
    "kind", ["random", "tied", "constant", "single class", "nothing assessed", "diverged"]
)
def test_the_medical_metrics_of_an_epoch_are_those_of_the_scorecard(kind: str) -> None:
    from storage.metrics.medical import measure_medical
    from storage.metrics.objectives import MEDICAL
    from storage.metrics.scorecard import score

    generator = np.random.default_rng(12)
    labels = generator.integers(0, 2, (150, 4)).astype(np.float32)
    labels[generator.random(labels.shape) < 0.2] = np.nan
    probabilities = generator.random(labels.shape).astype(np.float32)
    if kind == "tied":
        probabilities = (np.round(probabilities * 4) / 4).astype(np.float32)
    elif kind == "constant":
        probabilities[:] = 0.5
    elif kind == "single class":
        labels[:, 1], labels[:, 2] = 1, 0
    elif kind == "nothing assessed":
        labels[:] = np.nan
    elif kind == "diverged":
        probabilities[:] = np.nan
    found = measure_medical(labels, probabilities)
    card = score("abcd", labels, probabilities, np.arange(150), thresholds=[0.5] * 4, resamples=0)
    expected = {name: card["macro"]["metrics"][name]["value"] for name in MEDICAL if name != "micro_auc"}
    expected["micro_auc"] = card["micro"]["metrics"]["auc"]["value"]
    assert tuple(found) == MEDICAL
    assert found == pytest.approx(expected, abs=EXACT, nan_ok=True)
    if kind == "random":
        assert np.isfinite(list(found.values())).all()
