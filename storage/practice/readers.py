"""Several readers of the same images: how far they agree with each other, and how far the model agrees with each of them.

Cohen's kappa (1960) of each pair; the model against each reader, against their majority and against the share of them that say yes (a soft
label); and whether the model agrees with the readers as well as they do among themselves: the mean kappa of the model and a reader
less the mean kappa of two readers. Intervals of kappa leave patients out one by one, on Fisher's scale (1921), those of the difference on its own; the
area against a reader has the one of any area, the distance from the share of readers that of any Brier score.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.metrics.bootstrap import AS_IT_IS, FISHER, SHARE
from storage.metrics.curves import Array, auc
from storage.metrics.intervals import auc_interval, describe_ends
from storage.tasks.class_metrics import confusion, kappa
from storage.tasks.resampled import Measure, measure_with_intervals

MODEL, MAJORITY = "the model", "the majority"


def compare_readers(
    names: Sequence[str],
    ratings: NDArray[np.floating],
    probabilities: NDArray[np.floating],
    groups: NDArray[Any],
    *,
    threshold: float,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Describe readers and model as plain data.

    Args:
        names: of the readers, at least two.
        ratings: shape (n, readers): 0, 1, or NaN where a reader did not read an image.
        probabilities: of the model, shape (n,).
        groups: the patient of each image, shape (n,).
        threshold: above it the model says yes.
        resamples, seed: of the intervals.

    Returns:
        `pairs` of readers (`one`, `other`, `images`, `kappa`); `model` against each reader and the majority (`reader`, `images`, `positive`,
        `kappa`, `auc`); `brier_soft`, the mean squared distance of probability and soft label; `difference`, the mean kappa of model and reader less
        that of two readers. Each metric is {"value", "low", "high"}, and "note" says why an interval is missing.
    """
    votes = np.nansum(ratings, axis=1)
    read = (~np.isnan(ratings)).sum(axis=1)
    share = np.divide(votes, read, out=np.full(len(votes), np.nan), where=read > 0)
    # A tie is no majority.
    majority = np.where(np.isnan(share) | (share == 0.5), np.nan, (share > 0.5).astype(np.float64))
    called = np.where(np.isnan(probabilities), np.nan, (probabilities > threshold).astype(np.float64))
    pairs = list(combinations(range(len(names)), 2))
    sides = [(name, ratings[:, place]) for place, name in enumerate(names)] + [(MAJORITY, majority)]
    measures: dict[str, Measure] = {}
    for one, other in pairs:
        measures[f"pair {one} {other}"] = partial(agree, ratings[:, one], ratings[:, other])
    for place, (_, labels) in enumerate(sides):
        measures[f"kappa {place}"] = partial(agree, labels, called)
    scales = dict.fromkeys(measures, FISHER) | {"difference": AS_IT_IS, "brier": SHARE}
    measures["brier"] = partial(_distance, share, probabilities)

    def difference(counts: Array) -> Array:
        own = [measures[f"pair {one} {other}"](counts) for one, other in pairs]
        ours = [measures[f"kappa {place}"](counts) for place in range(len(names))]
        return np.asarray(np.mean(ours, axis=0) - np.mean(own, axis=0))

    found = measure_with_intervals(
        {**measures, "difference": difference}, groups, resamples=resamples, seed=seed, scales=scales
    )
    return {
        "readers": list(names),
        "threshold": threshold,
        "pairs": [
            {
                "one": names[one],
                "other": names[other],
                "images": int((~np.isnan(ratings[:, [one, other]]).any(axis=1)).sum()),
                "kappa": found[f"pair {one} {other}"],
            }
            for one, other in pairs
        ],
        "model": [
            {
                "reader": name,
                "images": int((~np.isnan(labels)).sum()),
                "positive": int((labels == 1).sum()),
                "kappa": found[f"kappa {place}"],
                "auc": _describe_area(labels, probabilities, groups, with_interval=resamples > 0),
            }
            for place, (name, labels) in enumerate(sides)
        ],
        "brier_soft": found["brier"],
        "difference": found["difference"],
    }


def agree(one: NDArray[np.floating], other: NDArray[np.floating], counts: Array) -> Array:
    """Cohen's kappa (1960) of two columns of 0 and 1 on the images that both have, for many weightings: shape (..).

    Args:
        one, other: shape (n,), NaN where there is none.
        counts: how often each image counts, shape (.., n).
    """
    known = ~(np.isnan(one) | np.isnan(other))
    table = confusion(
        one[known].astype(np.int64), other[known].astype(np.int64), 2, np.asarray(counts)[..., known]
    )
    return kappa(table)


def _describe_area(
    labels: NDArray[np.floating],
    scores: NDArray[np.floating],
    groups: NDArray[Any],
    *,
    with_interval: bool,
) -> dict[str, Any]:
    known = ~(np.isnan(labels) | np.isnan(scores))
    truth, guesses = labels[known], scores[known]
    value = float(auc(truth, guesses))
    has_one = with_interval and not np.isnan(value)
    return {"value": value, **describe_ends(auc_interval(truth, guesses, groups[known]) if has_one else None)}


def _distance(share: NDArray[np.floating], scores: NDArray[np.floating], counts: Array) -> Array:
    known = ~(np.isnan(share) | np.isnan(scores))
    weights = np.asarray(counts, np.float64)[..., known]
    total = weights.sum(axis=-1)
    squares = weights @ (scores[known] - share[known]) ** 2
    return np.divide(squares, total, out=np.full(np.shape(total), np.nan), where=total > 0)
