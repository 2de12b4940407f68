"""Medical metrics of one epoch's validation, all labels at once: a study computes them thousands of times.

The same numbers as `storage.metrics` at the threshold 0.5, which has the formulas and their sources, and which the tests
hold these to. Each is the mean over the labels where it is defined, and NaN where it is defined for none; `micro_auc` is
over all assessed entries together.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from storage.metrics.calibration import BINS
from storage.metrics.curves import Array, auc, divide
from storage.metrics.objectives import MEDICAL
from storage.metrics.tables import Table

THRESHOLD = 0.5


def measure_medical(labels: NDArray[np.floating], probabilities: NDArray[np.floating]) -> dict[str, float]:
    """Every metric of `storage.metrics.objectives.MEDICAL`, by name.

    Args:
        labels: shape (n, targets); 0, 1 or NaN (not assessed).
        probabilities: shape (n, targets).
    """
    seen = ~np.isnan(labels)
    guesses = np.asarray(probabilities, np.float64)
    table = _tabulate(labels, guesses)
    of_probabilities = {
        "pr_auc": _average_precision(labels, guesses),
        "brier": divide(np.where(seen, (guesses - labels) ** 2, 0).sum(axis=0), seen.sum(axis=0)),
        "calibration_error": _calibration_error(labels, guesses),
    }
    rows = {
        kind: of_probabilities[kind] if kind in of_probabilities else getattr(table, kind)
        for kind in MEDICAL
        if kind != "micro_auc"
    }
    if np.isnan(guesses[seen]).any():
        # A diverged model has no metric, not one of the entries that happen to be numbers.
        rows = dict.fromkeys(rows, np.full(labels.shape[1], np.nan))
    with warnings.catch_warnings():
        # Undefined for every label: the mean is undefined, too, and that is said by the NaN.
        warnings.simplefilter("ignore", RuntimeWarning)
        means = np.nanmean(np.stack(list(rows.values())), axis=1).tolist()
    micro_auc = float(auc(labels[seen], guesses[seen]))
    return {"micro_auc": micro_auc, **dict(zip(rows, means, strict=True))}


def _tabulate(labels: NDArray[np.floating], probabilities: Array) -> Table:
    called, positive, negative = probabilities > THRESHOLD, labels == 1, labels == 0
    parts = (called & positive, called & negative, ~called & positive, ~called & negative)
    return Table(*(part.sum(axis=0).astype(np.float64) for part in parts))


def _average_precision(labels: NDArray[np.floating], probabilities: Array) -> Array:
    if not len(labels):
        return np.full(labels.shape[1], np.nan)
    # Row by label, because neighbours in memory sort faster. Not assessed: behind everything, and counted neither way.
    scores = np.ascontiguousarray(np.where(np.isnan(labels), np.inf, -probabilities).T)
    order = np.argsort(scores, axis=1)
    ordered = np.take_along_axis(scores, order, axis=1)
    truth = np.take_along_axis(np.ascontiguousarray(labels.T), order, axis=1)
    true = (truth == 1).cumsum(axis=1)
    called = true + (truth == 0).cumsum(axis=1)
    ends = np.concatenate(
        [ordered[:, 1:] != ordered[:, :-1], np.ones_like(ordered[:, :1], dtype=bool)], axis=1
    )
    found = np.maximum.accumulate(np.where(ends, true, 0), axis=1)
    gained = np.diff(found, axis=1, prepend=0)
    return divide((gained * (true / np.maximum(called, 1))).sum(axis=1), true[:, -1])


def _calibration_error(labels: NDArray[np.floating], probabilities: Array) -> Array:
    images, places = np.nonzero(~np.isnan(labels))
    guesses = probabilities[images, places]
    bins = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], guesses, side="left")
    count = labels.shape[1]
    gaps = np.bincount(places * BINS + bins, guesses - labels[images, places], minlength=count * BINS)
    return divide(np.abs(gaps.reshape(count, BINS)).sum(axis=1), np.bincount(places, minlength=count))
