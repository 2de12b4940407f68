"""Confidence intervals whose coverage was simulated: shares and areas in closed form, and what is made of them.

Images of one patient are not independent, so that every formula counts patients. `bench.coverage` prints how often each
interval holds the truth. An interval never has length zero: where none can be given, its ends are NaN and it says why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.metrics.curves import Array

LEVEL = 0.95

FEWEST_GROUPS, FEWEST_OF_A_SHARE = 3, 5
"""With fewer patients (of a class, or behind a share) there is no variance between them to speak of, and so no interval."""

RARE = 2
"""So many patients with the rarer outcome weigh as much as the assumption that a patient's images are all alike; see `share_interval`."""

LEAST_FREEDOM = 4
"""Degrees of freedom of the interval of an area with 3 or 4 patients of the rarer class, whose size rests on a formula more than on them."""

TOO_FEW, FEW_BEHIND = "fewer than 3 patients of a class", "fewer than 5 patients count for it"
ALL_EQUAL = "every resample gives the same value"
UNDEFINED = "more than 5 % of the resamples have no value"
ABOUT_INTERVALS = (
    "Intervals are of 95 %, and patients are what is sampled. By simulation each kind of interval holds the truth in 93 to 97 % of data sets; with few patients, or "
    "near the end of a metric's range, some hold it more often and are wider than they need be."
)
"""Said where results stand; docs/metrics.md has how often each holds it."""
_LEAST = 1e-12
"""A share is kept so far from 0 before its logarithm is taken."""
OF_LABELS = "read those of the labels: of this mean it would hold the truth too seldom"
BIASED = "biased upwards on few images; see the slope and the expected value"


@dataclass(frozen=True)
class Interval:
    """The ends of an interval, or NaN and the reason why there is none."""

    low: float
    high: float
    reason: str = ""

    @classmethod
    def none(cls, reason: str) -> Interval:
        """No interval."""
        return cls(float("nan"), float("nan"), reason)


def wilson_interval(share: float, size: float, quantile: float) -> Interval:
    """The score interval of a share (Wilson 1927), never of length zero.

    Args:
        share: from 0 to 1.
        size: of the sample, in effect: it need not be a whole number.
        quantile: of the normal or t distribution for the level wanted.
    """
    squared = quantile**2
    middle = (share + squared / (2 * size)) / (1 + squared / size)
    half = quantile * np.sqrt(share * (1 - share) / size + squared / (4 * size**2)) / (1 + squared / size)
    # At 0 and 1 the formula gives these ends up to rounding.
    low = 0.0 if share == 0 else max(0.0, middle - half)
    high = 1.0 if share == 1 else min(1.0, middle + half)
    return Interval(float(low), float(high))


def share_interval(
    hits: NDArray, totals: NDArray, level: float = LEVEL, away: NDArray | None = None
) -> Interval:
    """The interval of sum(hits) / sum(totals), where patients are what is sampled.

    The variance of the ratio estimator between patients (Cochran 1977, section 6.4, "ratio estimates") gives the size of a
    simple sample that would be as informative (Korn and Graubard 1998), and Wilson's formula takes that size. With few patients
    of the rarer outcome the variance knows nothing; the size is then drawn towards the number of patients, as if the images
    of each were all alike. `RARE` was chosen by simulation (`bench.coverage`, images of a patient independent, half alike, all alike): 2 holds the
    truth nearer to 95 % than 4, and in no cell less than Wilson's formula does by itself for independent patients; the mid-P form of Clopper
    and Pearson's interval (Lancaster 1961) on the same size was further from 95 %.

    Args:
        hits: shape (patients,): images of the patient that count as a success.
        totals: shape (patients,): images of the patient that count.
        level: of confidence.
        away: shape (patients,): what each patient adds to the error of sum(hits), where which images count depends on all patients, too;
            None for hits - share * totals.
    """
    kept = totals > 0
    hits, totals = np.asarray(hits, np.float64)[kept], np.asarray(totals, np.float64)[kept]
    patients, images = len(totals), float(totals.sum())
    if patients < FEWEST_OF_A_SHARE:
        return Interval.none(FEW_BEHIND)
    share = float(hits.sum() / images)
    errors = hits - share * totals if away is None else np.asarray(away, np.float64)
    variance = patients / (patients - 1) * float((errors**2).sum()) / images**2
    # Where all count alike, only the patients that `away` brings in vary, and they say nothing of the size.
    mixed = variance > 0 and 0 < share < 1
    size = min(share * (1 - share) / variance, images) if mixed else float(patients)
    rare = min(int((hits > 0).sum()), int((hits < totals).sum()))
    weight = rare / (rare + RARE)
    size = size**weight * min(size, patients) ** (1 - weight)
    return wilson_interval(share, size, normal_quantile(level))


def roc_band(
    labels: NDArray, scores: NDArray, groups: NDArray, thresholds: NDArray, level: float = LEVEL
) -> dict[str, list[float]]:
    """A band about a ROC curve: at each threshold the intervals of its two rates, by `share_interval`.

    A definition of our own, by no publication: the rectangles of two intervals (Wilson 1927, by patient as `share_interval` has it), joined.
    The lower edge runs through (highest false positive rate, lowest sensitivity), the upper one through the other corners. Both rates are
    unsure at once, so at a given false positive rate the band is wider than an interval of the sensitivity alone, and holds it at least
    as often as `level` says (in 96 to 100 % of 300 samples of 60 and of 200 patients, by simulation).

    Args:
        labels: shape (n,): 0 or 1.
        scores: shape (n,).
        groups: shape (n,): the patient of each image.
        thresholds: shape (points,), falling; a score above one is called positive.
        level: of confidence.

    Returns:
        `lower_x`, `lower_y`, `upper_x`, `upper_y`, each of one number a threshold; empty lists where a rate has no interval.
    """
    positive = np.asarray(labels) == 1
    _, members = np.unique(groups, return_inverse=True)
    count = int(members.max()) + 1 if len(members) else 0
    totals = [np.bincount(members[rows], minlength=count) for rows in (~positive, positive)]
    ends = []
    for threshold in thresholds:
        called = np.asarray(scores) > threshold
        hits = [np.bincount(members[rows & called], minlength=count) for rows in (~positive, positive)]
        false, true = (share_interval(hit, total, level) for hit, total in zip(hits, totals, strict=True))
        ends.append((false.high, true.low, false.low, true.high))
    table = np.array(ends).reshape(-1, 4)
    if np.isnan(table).any():
        table = table[:0]
    table[:, [0, 2]] = np.maximum.accumulate(table[:, [0, 2]], axis=0)
    table[:, [1, 3]] = np.maximum.accumulate(table[:, [1, 3]], axis=0)
    names = ("lower_x", "lower_y", "upper_x", "upper_y")
    return {name: column.tolist() for name, column in zip(names, table.T, strict=True)}


def auc_interval(labels: NDArray, scores: NDArray, groups: NDArray, level: float = LEVEL) -> Interval:
    """The interval of an area under the ROC curve, where patients are what is sampled.

    The variance is that of Obuchowski (1997), of which DeLong, DeLong and Clarke-Pearson (1988) is the case of one image a
    patient. As for a share, it is turned into the size of a simple sample. Near an area of 1 that variance is too small as often as
    not, so the size is averaged (geometrically, and never raised) with the one that Hanley and McNeil's variance gives, in Newcombe's
    form (2006, method 5). Student's t with the patients of the rarer class less one, at least `LEAST_FREEDOM`, takes the place of the normal quantile.

    Args:
        labels: shape (n,): 0 or 1.
        scores: shape (n,).
        groups: shape (n,): the patient of each image.
        level: of confidence.
    """
    positive = np.asarray(labels) == 1
    _, members = np.unique(groups, return_inverse=True)
    patients = [len(np.unique(members[rows])) for rows in (positive, ~positive)]
    if min(patients) < FEWEST_GROUPS or np.isnan(scores).any():
        return Interval.none(TOO_FEW)
    wins, losses = placements(np.asarray(scores, np.float64), positive)
    area, count = float(wins.mean()), int(members.max()) + 1
    parts = [
        np.bincount(members[rows], (placed - area) / len(placed), count)
        for rows, placed in ((positive, wins), (~positive, losses))
    ]
    variance = 2 * float(parts[0] @ parts[1]) + sum(
        each / (each - 1) * float((part**2).sum()) for each, part in zip(patients, parts, strict=True)
    )
    model = _newcombe_size(area, *patients)
    size = area * (1 - area) / variance if variance > 0 and 0 < area < 1 else model
    images = (len(wins) / patients[0] + len(losses) / patients[1]) / 2
    size = float(np.sqrt(size * min(size, model * images)))
    return wilson_interval(area, size, student_quantile(level, max(min(patients) - 1, LEAST_FREEDOM)))


def difference_interval(
    parts: Sequence[tuple[float, Interval]], weights: Sequence[float], correlation: float | NDArray = 0.0
) -> Interval:
    """The interval of a weighted sum of quantities from their own ("MOVER": Zou and Donner 2008; with a correlation Zou 2007).

    Args:
        parts: value and interval of each.
        weights: of each; a negative one turns its interval round.
        correlation: of any two quantities, or shape (parts, parts).
    """
    value, sides = 0.0, []
    for (part, interval), weight in zip(parts, weights, strict=True):
        if interval.reason:
            return interval
        ends = sorted((weight * interval.low, weight * interval.high))
        value += weight * part
        sides.append((weight * part - ends[0], ends[1] - weight * part))
    together = np.broadcast_to(correlation, (len(sides), len(sides)))
    lengths = []
    for distances in zip(*sides, strict=True):
        total = sum(distance**2 for distance in distances)
        for one, other in combinations(range(len(distances)), 2):
            sign = float(np.sign(weights[one] * weights[other]))
            total += 2 * float(together[one, other]) * sign * distances[one] * distances[other]
        lengths.append(float(np.sqrt(max(total, 0.0))))
    return Interval(value - lengths[0], value + lengths[1])


def ratio_interval(part: tuple[float, Interval], whole: tuple[float, Interval]) -> Interval:
    """The interval of a ratio of two shares of different patients, from that of each, joined on the log scale ("MOVER": Zou and Donner 2008).

    Args:
        part: value and interval; a value of 0 has no logarithm, and the upper end over the lower one of the other stands for it.
        whole: value and interval; above 0.
    """
    if part[1].reason or whole[1].reason:
        return Interval.none(part[1].reason or whole[1].reason)
    if part[0] == 0:
        return Interval(0.0, part[1].high / max(whole[1].low, _LEAST))
    logs = []
    for value, interval in (part, whole):
        logs.append(np.log(np.maximum([value, interval.low, interval.high], _LEAST)).tolist())
    joined = difference_interval(
        ((logs[0][0], Interval(*logs[0][1:])), (logs[1][0], Interval(*logs[1][1:]))), (1.0, -1.0)
    )
    return map_interval(joined, lambda logarithm: float(np.exp(logarithm)))


def complement(interval: Interval) -> Interval:
    """The interval of 1 - x from that of x, by definition: a falling function turns the ends round."""
    return Interval(1 - interval.high, 1 - interval.low, interval.reason)


def map_interval(interval: Interval, change: Callable[[float], float]) -> Interval:
    """The interval of a rising function of a quantity: by definition the function of its ends, as it keeps their order."""
    if interval.reason:
        return interval
    return Interval(change(interval.low), change(interval.high))


def describe_ends(interval: Interval | None) -> dict[str, Any]:
    """The ends as a document: NaN where there are none, and `note` saying why."""
    if interval is None:
        return {"low": float("nan"), "high": float("nan")}
    return {"low": interval.low, "high": interval.high} | (
        {"note": f"no interval: {interval.reason}"} if interval.reason else {}
    )


def normal_inverse(share: float) -> float:
    """The inverse of the normal distribution (Wichura 1988, algorithm AS 241, as Python has it)."""
    return NormalDist().inv_cdf(min(max(share, 1e-12), 1 - 1e-12))


def normal_quantile(level: float) -> float:
    """The two-sided quantile of the normal distribution: 1.96 at 95 % (Wichura 1988, algorithm AS 241, as Python has it)."""
    return normal_inverse((1 + level) / 2)


@lru_cache(maxsize=4096)
def student_quantile(level: float, freedom: float) -> float:
    """The two-sided quantile of Student's t distribution.

    By halving the density's integral (Abramowitz and Stegun 1964, 26.7.1) until the tail is met, so that SciPy is not needed here.
    """
    if freedom > 2000:
        return normal_quantile(level)
    # x = sqrt(freedom) * tan(angle) makes the density cos(angle) ** (freedom - 1), on a finite stretch.
    angles = np.linspace(0, np.pi / 2, 20001)
    heights = np.cos(angles) ** (freedom - 1)
    areas = np.concatenate([[0.0], np.cumsum((heights[1:] + heights[:-1]) / 2)])
    angle = float(np.interp(level * areas[-1], areas, angles))
    return float(np.sqrt(freedom) * np.tan(angle))


def placements(scores: Array, positive: NDArray) -> tuple[Array, Array]:
    """The share of negatives below each positive, and of positives above each negative; ties count one half.

    The "structural components" of DeLong, DeLong and Clarke-Pearson (1988), whose means are the area.
    """
    upper, lower = scores[positive], scores[~positive]
    above, under = np.sort(upper), np.sort(lower)
    wins = (np.searchsorted(under, upper, "left") + np.searchsorted(under, upper, "right")) / (2 * len(lower))
    losses = (np.searchsorted(above, lower, "left") + np.searchsorted(above, lower, "right")) / (
        2 * len(upper)
    )
    return wins, 1 - losses


def _newcombe_size(area: float, positives: int, negatives: int) -> float:
    half = (positives + negatives) / 2 - 1
    return positives * negatives / (1 + half * ((1 - area) / (2 - area) + area / (1 + area)))
