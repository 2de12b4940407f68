"""What is left of the errors when a model may leave its least certain images to a person (risk and coverage: El-Yaniv and Wiener 2010)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.metrics.curves import auc
from storage.metrics.intervals import describe_ends, share_interval
from storage.metrics.tables import tabulate

SHARES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.5)
NEAR, FEWEST_NEAR = 0.1, 10
"""The share of all images, and the number at least, that say how often the model is right where it begins to abstain."""


def abstention_curve(
    labels: NDArray,
    probabilities: NDArray,
    groups: NDArray,
    threshold: float = 0.5,
    shares: Sequence[float] = SHARES,
) -> list[dict[str, Any]]:
    """Accuracy, sensitivity, specificity and AUC of the images that the model keeps, the surest first.

    Sure is how far a probability lies from the threshold, on each side as a share of what is possible there; images with equal
    probabilities are kept or left together.

    The interval of the accuracy counts that other patients would move the place where the model begins to abstain: the error that a patient adds
    is (right - m) of its images that are kept, less q (A - m) of all its images, with A the accuracy, q the share kept and m the accuracy near that
    place (the influence function of a mean above a quantile: Hampel et al. 1986, section 2.1).

    Args:
        labels: shape (n,): 0, 1 or NaN.
        probabilities: shape (n,).
        groups: shape (n,).
        threshold: above 0 and below 1; what lies above is called positive.
        shares: of the images that are kept; at least so many are.
    """
    known = ~np.isnan(labels)
    truth, guesses = labels[known], np.asarray(probabilities, np.float64)[known]
    _, members = np.unique(groups[known], return_inverse=True)
    if not len(truth) or np.isnan(threshold):
        return []
    sure = np.where(
        guesses > threshold,
        (guesses - threshold) / max(1 - threshold, 1e-12),
        (threshold - guesses) / max(threshold, 1e-12),
    )
    falling = -np.sort(-sure)
    rows = []
    for share in shares:
        kept = sure >= falling[max(int(np.ceil(share * len(sure))), 1) - 1]
        right = (guesses > threshold) == (truth == 1)
        interval = share_interval(
            np.bincount(members, right & kept),
            np.bincount(members, kept),
            away=_errors(right, kept, sure, members),
        )
        table = tabulate(truth[kept], guesses[kept], threshold)
        rows.append(
            {
                "kept": float(kept.mean()),
                "accuracy": {"value": float(right[kept].mean()), **describe_ends(interval)},
                "sensitivity": float(table.sensitivity),
                "specificity": float(table.specificity),
                "auc": float(auc(truth[kept], guesses[kept])),
            }
        )
    return rows


def _errors(
    right: NDArray[np.bool_], kept: NDArray[np.bool_], sure: NDArray, members: NDArray[np.integer]
) -> NDArray | None:
    """What each patient adds to the error of the number of kept images that are right; None where all are kept."""
    if kept.all():
        return None
    count = max(int(np.ceil(NEAR * len(sure))), FEWEST_NEAR)
    place = int(kept.sum())
    order = np.argsort(-sure, kind="stable")
    near = right[order[max(place - count // 2, 0) : place + count // 2]].mean()
    accuracy, share = right[kept].mean(), kept.mean()
    return np.bincount(members, kept * (right - near)) - share * (accuracy - near) * np.bincount(members)
