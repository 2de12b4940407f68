"""Medical metrics of one epoch's validation, all labels at once: a study computes them thousands of times.

The same numbers as `storage.metrics` at the threshold 0.5, which has the formulas and their sources, and which the tests
hold these to. Each is the mean over the labels where it is defined, and NaN where it is defined for none; `micro_auc` is
over all assessed entries together.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from storage.metrics.calibration import BINS
from storage.metrics.curves import Array, auc, divide
from storage.metrics.objectives import MEDICAL
from storage.metrics.tables import Table

THRESHOLD = 0.5


def measure_medical(labels: NDArray[np.floating], probabilities: NDArray[np.floating]) -> dict[str, float]:
    """Every metric of `storage.metrics.objectives.MEDICAL`, by name; each function of `storage.metrics` that it stands for has the source.

    Args:
        labels: shape (n, targets); 0, 1 or NaN (not assessed).
        probabilities: shape (n, targets).
    """
    seen = ~np.isnan(labels)
    guesses = np.asarray(probabilities, np.float64)
    by_label = {
        "pr_auc": _average_precision(labels, guesses),
        "brier": divide(np.where(seen, (guesses - labels) ** 2, 0).sum(axis=0), seen.sum(axis=0)),
        "calibration_error": _calibration_error(labels, guesses),
    }
    micro_auc = float(auc(labels[seen], guesses[seen]))
    is_unknown = bool(np.isnan(guesses[seen]).any())
    return average_medical(_tabulate(labels, guesses), by_label, micro_auc, is_unknown=is_unknown)


def average_medical(
    table: Table, by_label: Mapping[str, Array], micro_auc: float, *, is_unknown: bool
) -> dict[str, float]:
    """`average_each` of one set of predictions: arrays of shape (targets,)."""
    parts = (table.true_positives, table.false_positives, table.false_negatives, table.true_negatives)
    return average_each(
        Table(*(part[None] for part in parts)),
        {name: values[None] for name, values in by_label.items()},
        np.array([micro_auc]),
        are_unknown=np.array([is_unknown]),
    )[0]


def average_each(
    table: Table, by_label: Mapping[str, Array], micro_auc: Array, *, are_unknown: NDArray[np.bool_]
) -> list[dict[str, float]]:
    """The mean of each metric over the labels where it is defined, for several sets of predictions at once.

    Args:
        table: of every set and label, shape (sets, targets).
        by_label: what is not read off the table: "pr_auc", "brier" and "calibration_error", each of shape (sets, targets).
        micro_auc: over all assessed entries together, shape (sets,).
        are_unknown: an assessed entry has no number for a probability, shape (sets,). A diverged model has no metric, not one of the
            entries that happen to be numbers.
    """
    kinds = [kind for kind in MEDICAL if kind != "micro_auc"]
    rows = np.stack([by_label[kind] if kind in by_label else getattr(table, kind) for kind in kinds], axis=1)
    rows[are_unknown] = np.nan
    with warnings.catch_warnings():
        # Undefined for every label: the mean is undefined, too, and that is said by the NaN.
        warnings.simplefilter("ignore", RuntimeWarning)
        means = np.nanmean(rows, axis=2).tolist()
    return [
        {"micro_auc": micro, **dict(zip(kinds, values, strict=True))}
        for micro, values in zip(micro_auc.tolist(), means, strict=True)
    ]


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
