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

from storage.metrics.objectives import AUC, Metric
from storage.tasks.contract import Task
from storage.tasks.kinds import LABELS, TASKS

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
    task: Task = TASKS[LABELS],
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
        task: what kind of label it is.
        draws: how many bootstrap samples.
        seed: of the samples.

    Returns:
        None when no draw has a score on both sides.
    """
    drawn = draw_weights(groups, draws, seed)
    left = (drawn == 0).astype(np.float32)
    inside, outside = (
        np.stack([score_draws(metric, trial, labels, folds, weights, task) for trial in predictions])
        for weights in (drawn, left)
    )
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
    """AUC of one label (Hanley and McNeil 1982) for many weightings of the images at once, ties counting one half.

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
    task: Task,
    kind: str,
    labels: NDArray[np.floating],
    values: NDArray[np.floating],
    weights: NDArray[np.float32],
) -> Array:
    """A metric of the ledger for many weightings of the images of a fold at once, as an epoch takes it for one.

    Of the rows of `weighted_by_label`, the mean of those that have a value.

    Args:
        task: what kind of label it is.
        kind: of the metric, such as "brier"; one that kept values can give again.
        labels: shape (n, targets).
        values: probabilities or numbers, shape (n, targets).
        weights: shape (n, weightings), not negative.

    Returns:
        Shape (weightings,); NaN where undefined.
    """
    return _mean(weighted_by_label(task, kind, labels, values, weights))


def weighted_by_label(
    task: Task,
    kind: str,
    labels: NDArray[np.floating],
    values: NDArray[np.floating],
    weights: NDArray[np.float32],
) -> Array:
    """What a metric of the ledger is a mean of: its value for each label, or the one value of all labels together.

    Args:
        task, kind, labels, values, weights: as of `weighted_metric`.

    Returns:
        Shape (targets, weightings), or (1, weightings) of a metric that pools the labels; NaN where undefined.
    """
    if kind == "auc" and not task.excludes:
        # The same numbers, faster.
        targets = range(labels.shape[1])
        return np.stack([weighted_auc(labels[:, t], values[:, t], weights) for t in targets])
    return task.measure_each(kind, labels, values, weights.T)


def score_draws(
    metric: Metric,
    trial: Sequence[NDArray[np.floating]],
    labels: NDArray[np.floating],
    folds: Sequence[NDArray[np.integer]],
    weights: NDArray[np.float32],
    task: Task = TASKS[LABELS],
) -> Array:
    """Mean over folds of the score, for each weighting: shape (weightings,).

    A cell is a label in a fold. A draw has no value in cells whose few positives it missed; were they left out, the mean would
    be one of other, commoner labels than the value that is corrected. So every cell that has a value on all images counts in
    every draw by the weight it has there, and where a draw misses it, it is filled with what the same label has in the
    other folds of that draw, or in the other draws.

    Args:
        metric: what is measured.
        trial: predictions of each fold, shape (n validation, targets).
        labels: shape (n, targets).
        folds: the validation images of each fold.
        weights: shape (n, weightings).
        task: what kind of label it is.
    """
    cells, whole = [], []
    for values, images in zip(trial, folds, strict=True):
        known, counts = values.astype(np.float32), weights[images]
        everything = np.ones((len(images), 1), np.float32)
        both = weighted_by_label(task, metric.kind, labels[images], known, np.hstack([counts, everything]))
        cells.append(both[:, :-1])
        whole.append(~np.isnan(both[:, -1]))
    table, counts_in = np.stack(cells), np.stack(whole)
    share = counts_in / np.maximum(counts_in.sum(axis=1, keepdims=True), 1)
    share = share / max(float(share.sum()), 1.0)
    missing = np.isnan(table) & counts_in[:, :, None]
    if missing.any():
        among_folds = _mean(table)
        among_draws = _mean(among_folds.T)[:, None]
        filled = np.where(np.isnan(among_folds), among_draws, among_folds)
        table = np.where(missing, filled, table)
    usable = np.where(counts_in[:, :, None], table, 0.0)
    return np.asarray(
        metric.sign * np.einsum("fc,fcd->d", share, usable)
        if share.any()
        else np.full(weights.shape[1], np.nan)
    )


def _mean(rows: Array) -> Array:
    known = ~np.isnan(rows)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, rows, 0).sum(axis=0) / np.maximum(count, 1), np.nan)
