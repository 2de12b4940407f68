"""Exact metrics of multi-label predictions; a NaN label was not assessed and counts nowhere.

A metric without a defined value (no positive, no prediction above the threshold, ...) is NaN, never 0 or
0.5: an average over folds must be able to leave it out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from storage.metrics.medical import measure_medical

THRESHOLD = 0.5
"""A probability above it (not at it) is a positive prediction, as in Keras."""


@dataclass(frozen=True)
class Scores:
    """The metrics of one set of predictions; `labels_left_out` counts labels without both classes.

    `medical` holds those of `storage.metrics.medical` where they were asked for.
    """

    loss: float
    auc: float
    precision: float
    recall: float
    f1: float
    labels_left_out: int
    medical: dict[str, float] = field(default_factory=dict)


def score(labels: NDArray[np.float32], logits: NDArray[np.float32], *, medical: bool = False) -> Scores:
    """Compute every metric of one epoch.

    Args:
        labels: shape (n, targets); 0, 1 or NaN (not assessed).
        logits: shape (n, targets), before the sigmoid.
        medical: also those of `storage.metrics.medical`.
    """
    probabilities = sigmoid(logits)
    auc, left_out = macro_auc(labels, probabilities)
    precision, recall = precision_recall(labels, probabilities)
    return Scores(
        loss=binary_cross_entropy(labels, logits),
        auc=auc,
        precision=precision,
        recall=recall,
        f1=macro_f1(labels, probabilities),
        labels_left_out=left_out,
        medical=measure_medical(labels, probabilities) if medical else {},
    )


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn logits into probabilities, in the precision of the logits, without overflow."""
    shrunk = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1, shrunk) / (1 + shrunk)


def auc_per_label(labels: NDArray[np.floating], scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Area under the ROC curve of each label: the Mann-Whitney statistic, ties counting one half.

    With R the sum of the mid-ranks of P positives among N negatives: (R - P (P + 1) / 2) / (P N)
    (Hanley and McNeil 1982). Twice every mid-rank is an integer, so sums are exact.

    Args:
        labels: shape (n, targets); 0, 1 or NaN (not assessed).
        scores: shape (n, targets); any monotone score. A NaN score of an assessed entry makes that label NaN.

    Returns:
        Shape (targets,); NaN for a label without both classes.
    """
    assessed = ~np.isnan(labels)
    # NaN sorts behind everything, infinity included, so the entries that do not count take no rank.
    by_label = np.ascontiguousarray(np.where(assessed, scores, np.nan).T)
    order = np.argsort(by_label, axis=1)
    ordered = np.take_along_axis(by_label, order, axis=1)
    positive = np.take_along_axis(np.ascontiguousarray((labels == 1).T), order, axis=1)

    places = np.arange(len(labels))
    differs = np.ones_like(ordered[:, :1], dtype=bool)
    inner = ordered[:, 1:] != ordered[:, :-1]
    begins = np.concatenate([differs[:, : ordered.shape[1]], inner], axis=1)
    ends = np.concatenate([inner, differs[:, : ordered.shape[1]]], axis=1)
    first = np.maximum.accumulate(np.where(begins, places, 0), axis=1)
    last = np.minimum.accumulate(np.where(ends, places, len(labels))[:, ::-1], axis=1)[:, ::-1]
    doubled_ranks = first + last + 2

    positives = positive.sum(axis=1)
    negatives = assessed.sum(axis=0) - positives
    doubled_wins = np.where(positive, doubled_ranks, 0).sum(axis=1) - positives * (positives + 1)
    pairs = 2 * positives * negatives
    undefined = (pairs == 0) | (assessed & np.isnan(scores)).any(axis=0)
    return np.where(undefined, np.nan, doubled_wins / np.where(pairs == 0, 1, pairs))


def macro_auc(labels: NDArray[np.floating], scores: NDArray[np.floating]) -> tuple[float, int]:
    """Mean AUC over the labels that have both classes, and how many labels were left out of it.

    A definition: the unweighted mean of what `auc_per_label` gives (Hanley and McNeil 1982).
    A NaN score makes the mean NaN: a diverged model has no AUC.
    """
    has_both = (labels == 1).any(axis=0) & (labels == 0).any(axis=0)
    left_out = int(np.count_nonzero(~has_both))
    if not has_both.any():
        return float("nan"), left_out
    return float(auc_per_label(labels[:, has_both], scores[:, has_both]).mean()), left_out


def binary_cross_entropy(labels: NDArray[np.floating], logits: NDArray[np.floating]) -> float:
    """Mean binary cross-entropy over the assessed entries, in nats, from logits (no clipping): the logarithmic score (Good 1952).

    max(x, 0) - x z + log(1 + exp(-|x|)) for a logit x and a label z; NaN when nothing is assessed.
    """
    assessed = ~np.isnan(labels)
    if not assessed.any():
        return float("nan")
    x, z = logits[assessed].astype(np.float64), labels[assessed]
    return float(np.mean(np.maximum(x, 0) - x * z + np.log1p(np.exp(-np.abs(x)))))


def precision_recall(
    labels: NDArray[np.floating], probabilities: NDArray[np.floating]
) -> tuple[float, float]:
    """Precision and recall at 0.5 over all assessed entries together (micro), as Keras's metrics.

    Definitions: TP / (TP + FP) and TP / (TP + FN) (van Rijsbergen 1979, "Information retrieval").
    Keras scores an undefined one as 0; here it is NaN.
    """
    true_positive, false_positive, false_negative = (
        count.sum() for count in _count_errors(labels, probabilities)
    )
    return (
        _ratio(true_positive, true_positive + false_positive),
        _ratio(true_positive, true_positive + false_negative),
    )


def macro_f1(labels: NDArray[np.floating], probabilities: NDArray[np.floating]) -> float:
    """Mean over labels of F1 at 0.5, 2 TP / (2 TP + FP + FN); labels where that is 0/0 are left out.

    F1 is that of van Rijsbergen (1979); that the mean is over the labels' own F1 is a definition ("averaged F1" of Opitz and Burst 2019).
    """
    if np.isnan(probabilities[~np.isnan(labels)]).any():
        return float("nan")
    true_positive, false_positive, false_negative = _count_errors(labels, probabilities)
    total = 2 * true_positive + false_positive + false_negative
    defined = total > 0
    return float(np.mean(2 * true_positive[defined] / total[defined])) if defined.any() else float("nan")


def _count_errors(
    labels: NDArray[np.floating], probabilities: NDArray[np.floating]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    predicted = probabilities > THRESHOLD
    positive, negative = labels == 1, labels == 0
    return (
        (predicted & positive).sum(axis=0),
        (predicted & negative).sum(axis=0),
        (~predicted & positive).sum(axis=0),
    )


def _ratio(part: np.integer, whole: np.integer) -> float:
    return float(part / whole) if whole else float("nan")
