"""Curves over all thresholds: ROC with its area, precision-recall with its area."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """Points of a curve from the highest threshold, which calls nobody positive, to the lowest, which calls everyone.

    Attributes:
        thresholds: shape (points,), falling; a score above it, not at it, is called positive.
        x: ROC: false positive rate. Precision-recall: recall. NaN where undefined.
        y: ROC: true positive rate. Precision-recall: precision. NaN where undefined.
    """

    thresholds: Array
    x: Array
    y: Array


def auc(labels: NDArray, scores: NDArray, weights: NDArray | None = None) -> Array:
    """Area under the ROC curve: the share of (positive, negative) pairs in the right order, ties counting one half.

    With a group of equal scores g holding P_g positives and N_g negatives, and N_<g negatives below it:
    sum_g P_g (N_<g + N_g / 2) / (P N) (Hanley and McNeil 1982). Undefined unless both classes are there.
    """
    positives, negatives = _sum_ties(labels, scores, weights)
    below = np.cumsum(negatives, axis=-1) - negatives
    doubled_wins = (positives * (2 * below + negatives)).sum(axis=-1)
    pairs = 2 * positives.sum(axis=-1) * negatives.sum(axis=-1)
    return divide(doubled_wins, pairs)


def average_precision(labels: NDArray, scores: NDArray, weights: NDArray | None = None) -> Array:
    """Area under the precision-recall curve as a step function: sum_k (R_k - R_k-1) P_k, without interpolation.

    Davis and Goadrich (2006) say why not the trapezoidal rule. Undefined without a positive.
    """
    positives, negatives = (part[..., ::-1] for part in _sum_ties(labels, scores, weights))
    true = np.cumsum(positives, axis=-1)
    called = true + np.cumsum(negatives, axis=-1)
    precision = np.divide(true, called, out=np.zeros_like(true), where=called > 0)
    return divide((positives * precision).sum(axis=-1), positives.sum(axis=-1))


def roc_curve(labels: NDArray, scores: NDArray) -> Curve:
    """The ROC curve with a point for every threshold that makes a difference (Fawcett 2006, "An introduction to ROC analysis")."""
    true, false, thresholds = _count_above(labels, scores)
    return Curve(thresholds, divide(false, false[-1]), divide(true, true[-1]))


def precision_recall_curve(labels: NDArray, scores: NDArray) -> Curve:
    """The precision-recall curve (Davis and Goadrich 2006); at the highest threshold nobody is called, and precision is undefined."""
    true, false, thresholds = _count_above(labels, scores)
    return Curve(thresholds, divide(true, true[-1]), divide(true, true + false))


def cuts(scores: NDArray) -> Array:
    """Every threshold that makes a difference, falling: between neighbouring scores, and at both ends.

    The first is the highest score (nothing is above it), the last lies just below the lowest score.
    """
    values = np.unique(np.asarray(scores, np.float64))
    between = (values[1:] + values[:-1]) / 2
    # The midpoint of two neighbouring floating-point numbers may round up to the upper one.
    between = np.where(between < values[1:], between, values[:-1])
    return np.concatenate([[np.nextafter(values[0], -np.inf)], between, [values[-1]]])[::-1]


def divide(part: ArrayLike, whole: ArrayLike) -> Array:
    """`part / whole`, NaN where that is something over nothing."""
    over, under = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    # An epoch divides a hundred times, and asking NumPy for a common shape takes longer than a division.
    shape = over.shape if over.shape == under.shape else np.broadcast_shapes(over.shape, under.shape)
    return np.divide(over, under, out=np.full(shape, np.nan), where=under != 0)


def count_once(labels: NDArray, weights: NDArray | None) -> Array:
    """How often each image counts; once each when left out."""
    return np.ones(len(labels)) if weights is None else np.asarray(weights, np.float64)


def _sum_ties(labels: NDArray, scores: NDArray, weights: NDArray | None) -> tuple[Array, Array]:
    """Positives and negatives of every group of equal scores, lowest first: each of shape (.., groups)."""
    counts = count_once(labels, weights)
    if not len(scores):
        empty = np.zeros((*counts.shape[:-1], 0))
        return empty, empty
    if np.isnan(scores).any():
        # Of a diverged model nothing is known, and NaN carries on through every sum.
        unknown = np.full((*counts.shape[:-1], 1), np.nan)
        return unknown, unknown
    order = np.argsort(scores)
    ordered, truth = np.asarray(scores)[order], np.asarray(labels, np.float64)[order]
    begins = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    counts = counts[..., order]
    positives = np.add.reduceat(counts * truth, begins, axis=-1)
    return positives, np.add.reduceat(counts, begins, axis=-1) - positives


def _count_above(labels: NDArray, scores: NDArray) -> tuple[Array, Array, Array]:
    positives, negatives = _sum_ties(labels, scores, None)
    true, false = (np.concatenate([[0.0], np.cumsum(part[::-1])]) for part in (positives, negatives))
    thresholds = cuts(scores) if np.isfinite(scores).all() and len(scores) else np.full(len(true), np.nan)
    return true, false, thresholds
