"""What a trial is worth: its value, the epoch that the value is taken at, and the value of each fold.

This is the only place that turns the curves of a trial into a value. Workers judge with it while they train, and export,
verification and the correction for selection judge the recorded curves with it again, so that all of them get equal bits.
`storage.results.peers.read_fold_means` asks a database for the same values, and a test holds it to this.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Judged(NamedTuple):
    """A trial's value and where it comes from.

    Attributes:
        value: NaN where no fold has a score that counts.
        epoch: the common epoch that the value stands for, from 1; for "mean_of_max" the one with the highest mean.
        fold_values: shape (folds,), NaN where a fold has none; their mean is `value`.
    """

    value: float
    epoch: int
    fold_values: Array


def judge(curves: Array, objective: str) -> Judged:
    """Judge a trial by its validation scores: a definition.

    Args:
        curves: shape (folds, epochs); NaN where a fold has no score, which leaves it out of the mean.
        objective: "max_of_mean": the maximum over epochs of the mean over folds; "mean_of_max": the mean of each
            fold's best epoch; "last": the mean after the last epoch.

    Returns:
        The last epoch and its values where no fold has a score.
    """
    means = mean_over_folds(curves)
    peak = None if objective == "last" else find_peak(means)
    place = len(means) - 1 if peak is None else peak
    if objective == "mean_of_max":
        fold_values = np.array([max_known(row) for row in curves])
        return Judged(mean_known(fold_values), place + 1, fold_values)
    return Judged(float(means[place]), place + 1, curves[:, place])


def epoch_that_counts(curves: Array, fold: int, objective: str) -> int:
    """The epoch (from 1) whose predictions of a fold belong to the value of the trial; arguments as of `judge`."""
    if objective == "mean_of_max" and not np.isnan(curves[fold]).all():
        # Of equal epochs the last, as a keeper that looks at them one by one replaces what it has.
        return int(np.flatnonzero(curves[fold] == max_known(curves[fold]))[-1]) + 1
    return judge(curves, objective).epoch


def mean_over_folds(curves: Array) -> Array:
    """The mean over folds at each epoch, of shape (epochs,), from curves of shape (folds, epochs); bit for bit `mean_known`."""
    columns = np.ascontiguousarray(curves.T)
    means = np.asarray(columns.mean(axis=1))
    for place in np.flatnonzero(np.isnan(means)):
        means[place] = mean_known(columns[place])
    return means


def find_peak(means: Array) -> int | None:
    """The place of the highest mean, the first of equals; None where all are NaN."""
    return None if np.isnan(means).all() else int(np.nanargmax(means))


def mean_known(values: Array) -> float:
    """The mean of what is not NaN; NaN when nothing is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def max_known(values: Array) -> float:
    """The maximum of what is not NaN; NaN when nothing is."""
    known = values[~np.isnan(values)]
    return float(known.max()) if len(known) else math.nan
