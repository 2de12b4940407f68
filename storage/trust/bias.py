"""What a winner is worth, corrected for having been chosen: bootstrap bias corrected cross-validation.

Tsamardinos, Greasidou and Borboudakis (2018), "Bootstrapping the out-of-sample predictions for efficient and accurate
cross-validation", algorithm 4 (BBC-CV): draw images with replacement, choose the best trial on those drawn, score it on
those not drawn, and average. Here whole groups (patients) are drawn, and the metric is taken within each fold, because
the predictions of different folds come from different models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.metrics.calibration import brier_score, calibration_error
from storage.metrics.curves import auc, average_precision
from storage.metrics.objectives import AUC, Metric
from storage.metrics.tables import Table, tabulate

DRAWS = 200
MOST_TRIALS = 25
"""Trials that compete in each draw, the best by value: those below are hardly ever chosen."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Corrected:
    """A corrected estimate, in units of the metric.

    Attributes:
        value: mean over the draws.
        low, high: 2.5 % and 97.5 % quantiles over the draws.
        draws: in how many a value was found.
        chosen: how often each trial was the best of a draw, a share of the draws.
    """

    value: float
    low: float
    high: float
    draws: int
    chosen: Array


def correct_choice(
    predictions: Sequence[Sequence[NDArray[np.floating]]],
    labels: NDArray[np.floating],
    groups: NDArray[np.integer],
    folds: Sequence[NDArray[np.integer]],
    *,
    metric: Metric = AUC,
    draws: int = DRAWS,
    seed: int = 0,
) -> Corrected | None:
    """Correct the value of the best of several trials for the choice.

    Args:
        predictions: of each trial and fold, shape (n validation, targets), rows as `folds`.
        labels: shape (n, targets), 0, 1 or NaN (not assessed).
        groups: shape (n,), whole numbers.
        folds: the validation images of each fold.
        metric: what was chosen by; not the loss, which predictions kept as float16 cannot give again.
        draws: how many bootstrap samples.
        seed: of the samples.

    Returns:
        None when no draw has a score on both sides.
    """
    drawn = draw_weights(groups, draws, seed)
    left = (drawn == 0).astype(np.float32)
    inside = np.stack([_score(metric, trial, labels, folds, drawn) for trial in predictions])
    outside = np.stack([_score(metric, trial, labels, folds, left) for trial in predictions])
    return average_choices(inside, outside)


def average_choices(inside: Array, outside: Array) -> Corrected | None:
    """Choose on one side of each draw, read on the other.

    Args:
        inside: scores of shape (trials, draws) that choose.
        outside: scores of the same trials on what was not drawn.
    """
    usable = ~(np.isnan(inside).all(axis=0) | np.isnan(outside).any(axis=0))
    if not usable.any():
        return None
    best = np.where(np.isnan(inside), -np.inf, inside)[:, usable].argmax(axis=0)
    values = outside[:, usable][best, np.arange(len(best))]
    low, high = np.quantile(values, (0.025, 0.975))
    chosen = np.bincount(best, minlength=len(inside)) / len(best)
    return Corrected(float(values.mean()), float(low), float(high), len(best), chosen)


def draw_weights(groups: NDArray[np.integer], draws: int, seed: int) -> NDArray[np.float32]:
    """How often each image is drawn when its group is drawn with replacement: float32, shape (n, draws)."""
    numbers = np.unique(groups, return_inverse=True)[1]
    count = int(numbers.max()) + 1
    generator = np.random.default_rng(seed)
    times = generator.multinomial(count, np.full(count, 1 / count), size=draws)
    return np.ascontiguousarray(times.T[numbers], dtype=np.float32)


def weighted_auc(
    labels: NDArray[np.floating], scores: NDArray[np.floating], weights: NDArray[np.float32]
) -> Array:
    """AUC of one label for many weightings of the images at once, ties counting one half.

    Args:
        labels: shape (n,), 0, 1 or NaN.
        scores: shape (n,).
        weights: shape (n, weightings), not negative.

    Returns:
        Shape (weightings,); NaN without both classes.
    """
    known = ~np.isnan(labels)
    order = np.flatnonzero(known)[np.argsort(scores[known], kind="stable")]
    ordered, positive = scores[order], labels[order] == 1
    if not positive.any() or positive.all():
        return np.full(weights.shape[1], np.nan)
    below = np.zeros((len(order) + 1, weights.shape[1]), dtype=np.float64)
    np.cumsum(weights[order] * ~positive[:, None], axis=0, out=below[1:])
    wanted = ordered[positive]
    first = np.searchsorted(ordered, wanted, side="left")
    last = np.searchsorted(ordered, wanted, side="right")
    heavy = weights[order[positive]]
    wins = (heavy * (below[first] + below[last])).sum(axis=0) / 2
    pairs = heavy.sum(axis=0, dtype=np.float64) * below[-1]
    return np.where(pairs > 0, wins / np.where(pairs > 0, pairs, 1), np.nan)


def weighted_metric(
    column: str, labels: NDArray[np.floating], values: NDArray[np.floating], weights: NDArray[np.float32]
) -> Array:
    """A metric of the ledger for many weightings of the images of a fold at once, as `storage.metrics.epoch` takes it for one.

    Args:
        column: of the ledger but the loss, such as "val_brier".
        labels: shape (n, targets), 0, 1 or NaN.
        values: probabilities, shape (n, targets).
        weights: shape (n, weightings), not negative.

    Returns:
        Shape (weightings,); NaN where undefined.
    """
    kind, targets = column.removeprefix("val_"), range(labels.shape[1])
    if kind == "auc":
        return _mean(np.stack([weighted_auc(labels[:, t], values[:, t], weights) for t in targets]))
    if kind == "micro_auc":
        images, places = np.nonzero(~np.isnan(labels))
        return auc(labels[images, places], values[images, places], weights[images].T)
    known = [np.flatnonzero(~np.isnan(labels[:, t])) for t in targets]
    parts = [(labels[rows, t], values[rows, t], weights[rows].T) for t, rows in enumerate(known)]
    if kind in _OF_PROBABILITIES:
        measure = _OF_PROBABILITIES[kind]
        return _mean(np.stack([measure(label, value, counts) for label, value, counts in parts]))
    tables = [tabulate(label, value, weights=counts) for label, value, counts in parts]
    if kind in _OF_ALL_TOGETHER:
        return np.asarray(getattr(sum(tables, Table.empty()), _OF_ALL_TOGETHER[kind]))
    return _mean(np.stack([getattr(table, kind) for table in tables]))


_OF_PROBABILITIES = {
    "pr_auc": average_precision,
    "brier": brier_score,
    "calibration_error": calibration_error,
}
_OF_ALL_TOGETHER = {"precision": "ppv", "recall": "sensitivity"}


def _score(
    metric: Metric,
    trial: Sequence[NDArray[np.floating]],
    labels: NDArray[np.floating],
    folds: Sequence[NDArray[np.integer]],
    weights: NDArray[np.float32],
) -> Array:
    """Mean over folds of the score, for each weighting: shape (weightings,)."""
    by_fold = [
        weighted_metric(metric.column, labels[images], values.astype(np.float32), weights[images])
        for values, images in zip(trial, folds, strict=True)
    ]
    return metric.sign * _mean(np.stack(by_fold))


def _mean(rows: Array) -> Array:
    known = ~np.isnan(rows)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, rows, 0).sum(axis=0) / np.maximum(count, 1), np.nan)
