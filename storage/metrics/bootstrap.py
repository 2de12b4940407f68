"""Patients drawn with replacement, and left out one by one, and the intervals of that: images of one patient are not independent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from storage.metrics.curves import Array
from storage.metrics.intervals import (
    ALL_EQUAL,
    LEVEL,
    UNDEFINED,
    Interval,
    normal_inverse,
    normal_quantile,
    student_quantile,
    wilson_interval,
)

MOST_UNDEFINED = 0.05
"""With a larger share of resamples without a value there is no interval: it would be of other, easier data."""

CHUNK = 250
"""Resamples at a time: bounds the memory."""

MOST_LEFT_OUT = 500
"""With more patients they are left out in so many blocks; the acceleration of an interval needs no more."""


def draw_counts(groups: NDArray, resamples: int, seed: int) -> Iterator[Array]:
    """How often each image counts when groups are drawn with replacement, as many as there are.

    The cluster bootstrap (Field and Welsh 2007, "Bootstrapping clustered data"): a group comes with all its images or not at all.

    Args:
        groups: shape (n,): the group of each image.
        resamples: how many draws in all.
        seed: equal groups and seed give equal draws.

    Yields:
        Shape (up to CHUNK, n).
    """
    _, members = np.unique(groups, return_inverse=True)
    count = int(members.max()) + 1 if len(members) else 0
    generator = np.random.default_rng(seed)
    for begin in range(0, resamples, CHUNK):
        size = min(CHUNK, resamples - begin)
        if not count:
            yield np.zeros((size, 0))
            continue
        drawn = generator.integers(count, size=(size, count)) + count * np.arange(size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * count).reshape(size, count)
        yield times[:, members].astype(np.float64)


def leave_out(groups: NDArray) -> Iterator[Array]:
    """How often each image counts when one group, or one of `MOST_LEFT_OUT` blocks of groups, is left out.

    The jackknife (Efron and Tibshirani 1993, chapter 11); with blocks the delete-a-group jackknife (Kott 2001).

    Args:
        groups: shape (n,): the group of each image.

    Yields:
        Shape (up to CHUNK, n): a row for each group or block.
    """
    _, members = np.unique(groups, return_inverse=True)
    count = int(members.max()) + 1 if len(members) else 0
    blocks = members * min(count, MOST_LEFT_OUT) // max(count, 1)
    rows = int(blocks.max()) + 1 if len(blocks) else 0
    for begin in range(0, rows, CHUNK):
        yield (blocks != np.arange(begin, min(begin + CHUNK, rows))[:, None]).astype(np.float64)


def most_undefined(values: NDArray) -> bool:
    """Whether too many resamples have no value for an interval: by definition more than `MOST_UNDEFINED` of them."""
    return not len(values) or float(np.isnan(values).mean()) > MOST_UNDEFINED


def find_quantiles(values: NDArray, places: Sequence[float]) -> tuple[float, float]:
    """Two quantiles of resampled values, lower first, linear between them (Hyndman and Fan 1996, definition 7)."""
    low, high = np.quantile(values, sorted(places))
    return float(low), float(high)


def corrected_interval(value: float, resampled: NDArray, left_out: NDArray, level: float = LEVEL) -> Interval:
    """The bias-corrected and accelerated interval (Efron 1987; Efron and Tibshirani 1993, section 14.3), expanded for few patients.

    The bootstrap spreads less than the truth does, by the root of (n - 1) / n, and knows no Student's t: the tails are widened by both
    (Hesterberg 2015, "What teachers should know about the bootstrap": the expanded percentile interval).

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
    bias = normal_inverse(below)
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
        places.append(NormalDist().cdf(bias + shifted / (1 - acceleration * shifted)))
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
LOGIT = Scale(lambda share: np.log(share / (1 - share)), lambda logit: 1 / (1 + np.exp(-logit)))
"""Of an area under a precision-recall curve."""
SHARE = Scale(np.asarray, np.asarray)
"""Of a mean of what lies between 0 and 1: Wilson's interval (1927) on the size of a sample of shares that would be as informative."""
UP_TO_TWO = Scale(lambda score: np.log(score / (2 - score)), lambda logit: 2 / (1 + np.exp(-logit)))
"""Of a score from 0 to 2: the logit of its half."""
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
    if not (np.isfinite(moved).all() and np.isfinite(middle)):
        return Interval.none(ALL_EQUAL)
    variance, freedom = _jackknife(moved)
    if variance <= len(moved) * (1e-12 * max(1.0, abs(middle))) ** 2:
        return Interval.none(ALL_EQUAL)
    if scale is SHARE and not 0 < value < 1:
        return Interval.none(ALL_EQUAL)
    if scale is SHARE:
        return wilson_interval(value, value * (1 - value) / variance, student_quantile(level, freedom))
    half = student_quantile(level, freedom) * float(np.sqrt(variance))
    low, high = np.sort(scale.back(middle + half * np.array([-1.0, 1.0]))).tolist()
    return Interval(low, high) if high > low else Interval.none(ALL_EQUAL)


def mean_interval(
    value: float,
    means: NDArray,
    left_out: NDArray,
    parts: NDArray,
    ends: Sequence[Interval],
    level: float = LEVEL,
) -> Interval:
    """The interval of a mean over labels of a share or an area, where patients are what is sampled and the labels have them in common.

    The jackknife over patients (Efron and Tibshirani 1993, chapter 11) gives the variance of the mean, with all that the labels have in common, and
    by that the size of a simple sample that would be as informative, of which Wilson's formula (1927) makes the interval, with the jackknife's Student's t.
    A label that happens to be at its bound has no variance there. So, as for a single area, the size is averaged (geometrically, and never
    raised) with the one that the labels' own intervals give, joined by the correlation between labels of the values without each patient. By simulation (`bench.coverage_rest`)
    this holds the truth nearer to 95 % than patients drawn, than the jackknife on the logit scale, and than the labels' intervals joined alone (Zou and Donner 2008).

    Args:
        value: the mean over the labels that have a value.
        means: shape (patients,): the mean without each patient.
        left_out: shape (labels, patients): each label without each patient; NaN where undefined.
        parts: shape (labels,): each label; NaN where undefined.
        ends: of each label its own interval.
        level: of confidence.
    """
    known = [place for place, part in enumerate(parts) if not np.isnan(part)]
    given = [ends[place] for place in known if not ends[place].reason]
    if np.isnan(value) or not given:
        return Interval.none(ends[known[0]].reason if known else "")
    if most_undefined(means):
        return Interval.none(UNDEFINED)
    variance, freedom = _jackknife(means[~np.isnan(means)])
    errors, middles = [], []
    for place in known:
        interval = ends[place]
        if interval.reason:
            own = left_out[place][~np.isnan(left_out[place])]
            errors.append(float(np.sqrt(_jackknife(own)[0])) if len(own) > 1 else 0.0)
            middles.append(float(parts[place]))
        else:
            errors.append((interval.high - interval.low) / 2 / normal_quantile(level))
            middles.append((interval.high + interval.low) / 2)
    together = np.array(errors) @ correlate(left_out[known]) @ np.array(errors) / len(known) ** 2
    middle = float(np.mean(middles))
    # The half width of Wilson's interval is that of a share of `middle` from so many more.
    joined = max(middle * (1 - middle) / together - normal_quantile(level) ** 2, 1.0)
    if variance <= 1e-24 or not 0 < value < 1:
        return wilson_interval(value, joined, normal_quantile(level))
    size = value * (1 - value) / variance
    return wilson_interval(value, float(np.sqrt(size * min(size, joined))), student_quantile(level, freedom))


def _jackknife(without: NDArray) -> tuple[float, float]:
    """The variance from values without each patient, and its degrees of freedom: see `jackknife_interval`."""
    count = len(without)
    if count < 2:
        return 0.0, 1.0
    gaps = without - without.mean()
    square = float((gaps**2).mean())
    if square == 0:
        return 0.0, 1.0
    peaked = float((gaps**4).mean()) / square**2
    # The variance of a variance from n values (Mood, Graybill and Boes 1974, section 6.2) is that of chi-square with so many degrees.
    freedom = 2 * count / max(peaked - 1 + 2 / (count - 1), 2 * count / (count - 1))
    return (count - 1) * square, max(freedom, 1.0)


def correlate(rows: NDArray) -> NDArray:
    """The correlation (Pearson 1896) between rows of values without each patient: 0 where one of two rows does not vary, and 1 of a row with itself.

    Args:
        rows: shape (rows, patients); NaN where undefined.
    """
    known = ~np.isnan(rows)
    means = np.where(known, rows, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    gaps = np.where(known, rows - means[:, None], 0.0)
    lengths = np.sqrt((gaps**2).sum(axis=1))
    lengths = np.where(lengths > 0, lengths, 1.0)
    found: NDArray = gaps @ gaps.T / np.outer(lengths, lengths)
    np.fill_diagonal(found, 1.0)
    return found
