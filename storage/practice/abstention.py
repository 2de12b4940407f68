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
        interval = share_interval(np.bincount(members, right & kept), np.bincount(members, kept))
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
