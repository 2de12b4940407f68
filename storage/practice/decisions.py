"""Decision curves: the net benefit of acting on a model at each threshold (Vickers and Elkin 2006)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.metrics.bootstrap import draw_counts
from storage.metrics.curves import Array, count_once
from storage.metrics.intervals import Interval, describe_ends, difference_interval, share_interval

ERROR = 0.025
"""How often a useless model may be called better at any of the thresholds."""
THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
"""From .05 to .95."""


def net_benefit(
    labels: NDArray, probabilities: NDArray, threshold: float, weights: NDArray | None = None
) -> Array:
    """TP/n - FP/n t/(1-t): true positives less false ones, these by the odds at which one would act (Vickers and Elkin 2006).

    Args:
        labels: shape (n,): 0 or 1.
        probabilities: shape (n,); above the threshold, not at it, is acted on.
        threshold: from 0 to below 1.
        weights: how often each image counts, shape (.., n).
    """
    counts, positive = count_once(labels, weights), np.asarray(labels) == 1
    acted = np.asarray(probabilities, np.float64) > threshold
    gain = acted * np.where(positive, 1.0, -threshold / (1 - threshold))
    total = counts.sum(axis=-1)
    return np.asarray((counts @ gain) / np.where(total > 0, total, np.nan))


def decision_curve(
    labels: NDArray,
    probabilities: NDArray,
    groups: NDArray,
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    resamples: int = 1000,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """The net benefit of the model at each threshold, of acting on all, and by how much the model exceeds the better of all and none.

    Intervals are of weighted sums of two shares of all images, each with its own interval (`share_interval`), joined as by Zou and Donner (2008), with their correlation between patients:
    TP/n - w FP/n, and less the net benefit of acting on all w TN/n - FN/n, where w are the odds of the threshold. Each is of its threshold by itself. The gain is the lesser of two differences, over acting on all and
    over acting on none, and its ends are the lesser ones of theirs. `is_better` holds for all thresholds at once: the gain lies above 0 by more than its largest standardised deviation over
    the thresholds exceeds in 2.5 % of the draws (max-T: Westfall and Young 1993).

    Args:
        labels: shape (n,): 0, 1 or NaN.
        probabilities: shape (n,).
        groups: shape (n,).
        thresholds: at which one would act.
        resamples: of the patients, for `is_better`; 0 for that and for no intervals.
        seed: of the resamples.
    """
    kept = ~np.isnan(labels)
    truth, guesses, patients = labels[kept], probabilities[kept], groups[kept]
    if not len(truth):
        return []
    draws = np.concatenate(list(draw_counts(patients, resamples, seed))) if resamples else None
    rows, gains = [], []
    for threshold in thresholds:

        def measure(weights: NDArray | None, threshold: float = threshold) -> tuple[Array, Array]:
            return (
                net_benefit(truth, guesses, threshold, weights),
                net_benefit(truth, np.ones(len(truth)), threshold, weights),
            )

        model, everyone = (float(one) for one in measure(None))
        row: dict[str, Any] = {"threshold": threshold, "act_on_all": everyone}
        over_none, gain = None, None
        if resamples:
            over_none, over_all = find_ends(truth == 1, guesses > threshold, patients, threshold)
            gain = _take_lesser((model, model - everyone), (over_none, over_all))
        row["net_benefit"] = {"value": model, **describe_ends(over_none)}
        row["gain"] = {"value": model - max(everyone, 0.0), **describe_ends(gain)}
        rows.append(row)
        if draws is not None:
            of_model, of_all = measure(draws)
            gains.append(of_model - np.maximum(of_all, 0.0))
        else:
            gains.append(np.full(1, np.nan))
    values = np.array([row["gain"]["value"] for row in rows])
    for row, is_better in zip(rows, find_better(values, np.array(gains)), strict=True):
        row["is_better"] = bool(is_better)
    return rows


def find_ends(
    positive: NDArray, acted: NDArray, groups: NDArray, threshold: float
) -> tuple[Interval, Interval]:
    """The intervals of the net benefit, and of what it exceeds that of acting on all by (Zou and Donner 2008, of the shares of two kinds of images each).

    Args:
        positive: shape (n,): which images have the finding.
        acted: shape (n,): on which one would act.
        groups: shape (n,): the patient of each image.
        threshold: from 0 to below 1.
    """
    _, members = np.unique(groups, return_inverse=True)
    totals = np.bincount(members)
    odds = threshold / (1 - threshold)

    def of_two(first: NDArray, second: NDArray, weights: tuple[float, float]) -> Interval:
        hits = [np.bincount(members, among, len(totals)) for among in (first, second)]
        shares = [float(one.sum() / totals.sum()) for one in hits]
        away = [one - share * totals for one, share in zip(hits, shares, strict=True)]
        size = float(np.sqrt((away[0] ** 2).sum() * (away[1] ** 2).sum()))
        parts = [(share, share_interval(one, totals)) for one, share in zip(hits, shares, strict=True)]
        return difference_interval(
            (parts[0], parts[1]), weights, float((away[0] * away[1]).sum()) / size if size else 0.0
        )

    return (
        of_two(positive & acted, ~positive & acted, (1.0, -odds)),
        of_two(positive & ~acted, ~positive & ~acted, (-1.0, odds)),
    )


def _take_lesser(values: Sequence[float], ends: Sequence[Interval]) -> Interval:
    """The interval of the lesser of two quantities; where one of them has none, that of the lesser value."""
    if any(one.reason for one in ends):
        return ends[int(np.argmin(values))]
    return Interval(min(one.low for one in ends), min(one.high for one in ends))


def find_better(gains: Array, drawn: Array) -> NDArray[np.bool_]:
    """Where a gain is above 0, for all thresholds at once, by the max-T method (Westfall and Young 1993); nowhere without draws.

    Args:
        gains: shape (thresholds,).
        drawn: the same of each draw of the patients, shape (thresholds, draws).
    """
    spread = drawn.std(axis=1)
    acts = spread > 0
    if not acts.any():
        return np.zeros(len(gains), bool)
    away = (drawn[acts] - drawn[acts].mean(axis=1, keepdims=True)) / spread[acts, None]
    least = np.quantile(away.max(axis=0), 1 - ERROR)
    better = np.zeros(len(gains), bool)
    better[acts] = gains[acts] > least * spread[acts]
    return better
