"""Confidence intervals whose coverage was simulated: shares and areas in closed form, metrics of numbers by leaving out patients, everything else by drawing them.

Images of one patient are not independent, so that every formula counts patients. `bench.coverage` prints how often each
interval holds the truth. An interval never has length zero: where none can be given, its ends are NaN and it says why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.metrics.bootstrap import LEVEL, find_quantiles, most_undefined
from storage.metrics.curves import Array

FEWEST_GROUPS, FEWEST_OF_A_SHARE = 3, 5
"""With fewer patients (of a class, or behind a share) there is no variance between them to speak of, and so no interval."""

RARE = 2
"""So many patients with the rarer outcome weigh as much as the assumption that a patient's images are all alike; see `share_interval`."""

LEAST_FREEDOM = 4
"""Degrees of freedom of the interval of an area with 3 or 4 patients of the rarer class, whose size rests on a formula more than on them."""

TOO_FEW, FEW_BEHIND = "fewer than 3 patients of a class", "fewer than 5 patients count for it"
ALL_EQUAL = "every resample gives the same value"
UNDEFINED = "more than 5 % of the resamples have no value"
NOT_SIMULATED = (
    "Take the intervals of these as approximate: means over labels, and the agreement of the model with readers less that among readers, which held the truth in 90 to 98 % of 200 "
    "simulated data sets; and those that were not simulated: all labels together (micro), the area against a reader, and the distance from the share of readers."
)
"""Said where results stand; docs/metrics.md has how often the others hold it."""
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
    low_high_of_parts: tuple[tuple[float, Interval], tuple[float, Interval]],
    weights: tuple[float, float],
    correlation: float = 0.0,
) -> Interval:
    """The interval of a weighted sum of two quantities from their own ("MOVER": Zou and Donner 2008; with a correlation Zou 2007).

    Args:
        low_high_of_parts: value and interval of each.
        weights: of each; a negative one turns its interval round.
        correlation: of the two quantities.
    """
    value, below, above = 0.0, [], []
    for (part, interval), weight in zip(low_high_of_parts, weights, strict=True):
        if interval.reason:
            return interval
        ends = sorted((weight * interval.low, weight * interval.high))
        value += weight * part
        below.append(weight * part - ends[0])
        above.append(ends[1] - weight * part)
    together = 2 * correlation * float(np.sign(weights[0] * weights[1]))
    down, up = (
        float(np.sqrt(max(one**2 + other**2 + together * one * other, 0.0))) for one, other in (below, above)
    )
    return Interval(value - down, value + up)


def corrected_interval(value: float, resampled: NDArray, left_out: NDArray, level: float = LEVEL) -> Interval:
    """The bias-corrected and accelerated interval (Efron 1987; Efron and Tibshirani 1993, section 14.3), expanded for few patients.

    The bootstrap spreads less than the truth does, by the root of (n - 1) / n, and knows no Student's t: the tails are widened by both
    (Hesterberg 2015, "What teachers should know about the bootstrap", section 4.2).

    Args:
        value: of the metric on all patients.
        resampled: shape (resamples,): the metric with patients drawn; NaN where undefined.
        left_out: shape (patients,): the metric without each patient, for the acceleration.
        level: of confidence.
    """
    known = resampled[~np.isnan(resampled)]
    if np.isnan(value) or most_undefined(resampled):
        return Interval.none(UNDEFINED)
    if known.max() - known.min() <= 1e-12 * max(1.0, abs(value)):
        return Interval.none(ALL_EQUAL)
    # Ties count one half, so that a metric with few values is not pushed to one side.
    below = float(((known < value) + 0.5 * (known == value)).mean())
    below = min(max(below, 0.5 / len(known)), 1 - 0.5 / len(known))
    bias = _normal_inverse(below)
    jackknife = left_out[~np.isnan(left_out)]
    gaps = jackknife.mean() - jackknife if len(jackknife) else np.zeros(1)
    spread = float((gaps**2).sum())
    acceleration = float((gaps**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
    places = []
    count = len(jackknife)
    wide = normal_quantile(level)
    if count > 1:
        wide = student_quantile(level, count - 1) * float(np.sqrt(count / (count - 1)))
    for tail in (-wide, wide):
        shifted = bias + tail
        places.append(_normal_share(bias + shifted / (1 - acceleration * shifted)))
    low, high = find_quantiles(known, places)
    return Interval(low, high) if high > low else Interval.none(ALL_EQUAL)


@dataclass(frozen=True)
class Scale:
    """On which the errors of a metric are nearly normal: the function there, which rises or falls, and the one back."""

    there: Callable[[NDArray], NDArray]
    back: Callable[[NDArray], NDArray]


AS_IT_IS = Scale(np.asarray, np.asarray)
LOGARITHM = Scale(np.log, np.exp)
"""Of an error that is above 0."""
FISHER = Scale(np.arctanh, np.tanh)
"""Of a correlation (Fisher 1921)."""
LEFT_OVER = Scale(lambda share: np.log(1 - share), lambda logarithm: 1 - np.exp(logarithm))
"""Of an explained share: the logarithm of what is left."""


def jackknife_interval(value: float, left_out: NDArray, scale: Scale, level: float = LEVEL) -> Interval:
    """The interval from the metric without each patient in turn, on a scale on which its errors are nearly normal.

    The standard error is the jackknife's (Efron and Tibshirani 1993, section 11.2), a patient with all its images left out at a time. A standard
    error from few or very unequal patients is itself uncertain, so the quantile is that of Student's t with the degrees of freedom that follow from the
    spread of the squares (Satterthwaite 1946): n - 1 where the influence of patients is normal, fewer where a few of them decide.

    Args:
        value: of the metric on all patients.
        left_out: shape (patients,): the metric without each patient; NaN where undefined.
        scale: on which it is symmetric.
        level: of confidence.
    """
    if np.isnan(value) or most_undefined(left_out):
        return Interval.none(UNDEFINED)
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = scale.there(np.asarray(left_out[~np.isnan(left_out)], np.float64))
        middle = float(scale.there(np.array(value, np.float64)))
    count = len(moved)
    if not (np.isfinite(moved).all() and np.isfinite(middle)):
        return Interval.none(ALL_EQUAL)
    gaps = moved - moved.mean()
    square = float((gaps**2).mean())
    if count < 2 or square <= (1e-12 * max(1.0, abs(middle))) ** 2:
        return Interval.none(ALL_EQUAL)
    error = float(np.sqrt((count - 1) * square))
    peaked = float((gaps**4).mean()) / square**2
    # The variance of a variance from n values (Mood, Graybill and Boes 1974, section 6.2) is that of chi-square with so many degrees.
    freedom = 2 * count / max(peaked - 1 + 2 / (count - 1), 2 * count / (count - 1))
    half = student_quantile(level, max(freedom, 1.0)) * error
    low, high = np.sort(scale.back(middle + half * np.array([-1.0, 1.0]))).tolist()
    return Interval(low, high) if high > low else Interval.none(ALL_EQUAL)


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


def normal_quantile(level: float) -> float:
    """The two-sided quantile of the normal distribution: 1.96 at 95 % (Wichura 1988, algorithm AS 241, as Python has it)."""
    return _normal_inverse((1 + level) / 2)


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


def _normal_inverse(share: float) -> float:
    return NormalDist().inv_cdf(min(max(share, 1e-12), 1 - 1e-12))


def _normal_share(value: float) -> float:
    return NormalDist().cdf(value)
