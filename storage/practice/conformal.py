"""Sets of labels that hold the truth as often as promised, from out-of-fold predictions.

Cross-conformal prediction (Vovk 2015; CV+ of Barber, Candes, Ramdas and Tibshirani 2021, for classes: Romano, Sesia and Candes
2020), class by class: an image is held against the images of other folds whose label is known, and a class stays in its set as long as
more than alpha of those of that class are at least as strange.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.metrics.intervals import describe_ends, share_interval

LEVELS = (0.8, 0.9, 0.95)
FEWEST = 20
"""Images of a class to be held against: 19 of them are the fewest with which 95 % can be said."""


def find_sets(
    labels: NDArray, probabilities: NDArray, folds: NDArray[np.integer], level: float
) -> NDArray[np.bool_]:
    """Whether absent and present stay in the set of each image: shape (n, 2).

    An image's strangeness under class y is 1 - p(y), and its p-value (1 + how many of that class in other folds are at least so
    strange) / (1 + how many there are).

    Args:
        labels: shape (n,): 0 or 1.
        probabilities: out-of-fold, shape (n,).
        folds: the fold of each image, shape (n,).
        level: how often the set should hold the truth.
    """
    kept = np.zeros((len(labels), 2), bool)
    for side in (0, 1):
        strange = 1 - probabilities if side else np.asarray(probabilities)
        for fold in np.unique(folds):
            mine, others = folds == fold, (folds != fold) & (labels == side)
            known = np.sort(strange[others])
            above = len(known) - np.searchsorted(known, strange[mine], side="left")
            kept[mine, side] = (1 + above) / (1 + len(known)) > 1 - level
    return kept


def describe_sets(
    labels: NDArray,
    probabilities: NDArray,
    folds: NDArray[np.integer],
    groups: NDArray,
    levels: Sequence[float] = LEVELS,
) -> list[dict[str, Any]]:
    """How often the sets hold the truth, of all (with an interval between patients) and of each class, and how many images get what.

    Args:
        labels: shape (n,): 0, 1 or NaN.
        probabilities, folds: as of `find_sets`.
        groups: the patient of each image, shape (n,).
        levels: what is promised.
    """
    known = ~np.isnan(labels)
    truth, guesses, number = labels[known].astype(np.int64), probabilities[known], folds[known]
    _, members = np.unique(groups[known], return_inverse=True)
    totals = np.bincount(members)
    rows: list[dict[str, Any]] = []
    if min(int((truth == side).sum()) for side in (0, 1)) < FEWEST:
        return rows
    for level in levels:
        sets = find_sets(truth, guesses, number, level)
        held, sizes = sets[np.arange(len(truth)), truth], sets.sum(axis=1)
        rows.append(
            {
                "level": level,
                "held": {
                    "value": float(held.mean()),
                    **describe_ends(share_interval(np.bincount(members, held), totals)),
                },
                "held_absent": float(held[truth == 0].mean()),
                "held_present": float(held[truth == 1].mean()),
                "one": float((sizes == 1).mean()),
                "both": float((sizes == 2).mean()),
                "none": float((sizes == 0).mean()),
            }
        )
    return rows
