"""Whether two models differ, and by how much: paired on the same patients, and on the same folds.

Patients: both models are measured on each draw of the patients, so that what makes a patient hard cancels. It is the difference of
these very models. Folds: the differences of equal folds, corrected for training sets that overlap. It is the difference of two ways
to train, with other seeds, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.metrics.bootstrap import corrected_interval
from storage.metrics.intervals import (
    FEWEST_GROUPS,
    LEVEL,
    TOO_FEW,
    UNDEFINED,
    Interval,
    describe_ends,
    placements,
    student_quantile,
)

Array = NDArray[np.float64]
FEWEST_FOLDS = 3
"""From fewer folds no test: two differences have one degree of freedom."""

LEAST_TAIL = 1e-12
"""A tail below this is taken as this: it has no quantile in numbers."""

FEW_FOLDS = "fewer than 3 folds have a value in both"
EQUAL = "the two are equal in every draw"


@dataclass(frozen=True)
class Difference:
    """A difference (second less first) with its interval and two-sided p-value, NaN where there is none.

    Attributes:
        value: in units of the metric.
        interval: at 95 %.
        p: the probability of a difference at least so large where there is none.
        error: its standard error.
        freedom: of Student's t; infinite for a resampled one.
        beyond: of a resampled one, the one-sided p-value of "the difference is at most this", which belongs to its interval.
    """

    value: float
    interval: Interval
    p: float
    error: float
    freedom: float = math.inf
    beyond: Callable[[float], float] | None = None

    def exceeds(self, bound: float) -> float:
        """The one-sided p-value of "the difference is at most `bound`": small where it is surely larger."""
        if math.isnan(self.error):
            return math.nan
        if self.error == 0:
            return 0.0 if self.value > bound else 1.0
        if self.beyond is not None:
            return self.beyond(bound)
        return student_tail((self.value - bound) / self.error, self.freedom)

    def as_document(self) -> dict[str, Any]:
        """Plain data."""
        return {"value": self.value, **describe_ends(self.interval), "p": self.p}


def fold_difference(first: NDArray, second: NDArray, level: float = LEVEL, repeats: int = 1) -> Difference:
    """The corrected resampled t-test (Nadeau and Bengio 2003, equation 9; Bouckaert and Frank 2004).

    With d the differences of r repeats of k folds and s^2 their variance: t = mean(d) / sqrt(s^2 (1/(r k) + 1/(k - 1))) on r k - 1
    degrees of freedom; 1/(k - 1) is the ratio of validation to training images.

    Args:
        first, second: values of the same folds, shape (folds,), NaN where a fold has none.
        level: of the interval.
        repeats: how many times the images were divided into folds.
    """
    differences = np.asarray(second, np.float64) - np.asarray(first, np.float64)
    differences = differences[~np.isnan(differences)]
    count = len(differences)
    if count < FEWEST_FOLDS:
        return Difference(
            float(differences.mean()) if count else math.nan, Interval.none(FEW_FOLDS), math.nan, math.nan
        )
    value = float(differences.mean())
    error = math.sqrt(float(differences.var(ddof=1)) * (1 / count + 1 / max(count / repeats - 1, 0.5)))
    return _from_student(value, error, count - 1, level)


def paired_areas(
    labels: NDArray, first: NDArray, second: NDArray, groups: NDArray, level: float = LEVEL
) -> Difference:
    """The difference of two areas under the ROC curve on the same images.

    Variance: Obuchowski (1997) for images in patients, of which DeLong, DeLong and Clarke-Pearson (1988) is the case of one image a
    patient; taken of the differences of the placements, which is their L S L' with L = (-1, 1). Student's t with the patients
    of the rarer class less one, as for a single area.

    Args:
        labels: shape (n,): 0 or 1.
        first, second: scores of the two models, shape (n,).
        groups: the patient of each image, shape (n,).
        level: of the interval.
    """
    positive = np.asarray(labels) == 1
    _, members = np.unique(groups, return_inverse=True)
    patients = [len(np.unique(members[rows])) for rows in (positive, ~positive)]
    if min(patients) == 0 or np.isnan(first).any() or np.isnan(second).any():
        return Difference(math.nan, Interval.none(TOO_FEW), math.nan, math.nan)
    placed = [placements(np.asarray(scores, np.float64), positive) for scores in (first, second)]
    parts = [placed[1][side] - placed[0][side] for side in (0, 1)]
    value = float(parts[0].mean())
    if min(patients) < FEWEST_GROUPS:
        return Difference(value, Interval.none(TOO_FEW), math.nan, math.nan)
    count = int(members.max()) + 1
    sums = [
        np.bincount(members[rows], (part - value) / len(part), count)
        for rows, part in ((positive, parts[0]), (~positive, parts[1]))
    ]
    variance = 2 * float(sums[0] @ sums[1]) + sum(
        each / (each - 1) * float((one**2).sum()) for each, one in zip(patients, sums, strict=True)
    )
    return _from_student(value, math.sqrt(max(variance, 0.0)), min(patients) - 1, level)


def patient_difference(
    value: float, drawn: tuple[NDArray, NDArray], left_out: tuple[NDArray, NDArray], level: float = LEVEL
) -> Difference:
    """The difference of a metric where patients are drawn, both models on the same draw.

    The interval is bias-corrected and accelerated (Efron 1987), widened for few patients, and the p-value is 1 less the level at which that interval
    would just reach 0 (Efron and Tibshirani 1993, section 15.4).

    Args:
        value: of the second less the first, on all patients.
        drawn: the metric of each model on the same resamples, shape (resamples,).
        left_out: the metric of each without each patient, shape (patients,).
        level: of the interval.
    """
    gaps = drawn[1] - drawn[0]
    known = gaps[~np.isnan(gaps)]
    jackknife = left_out[1] - left_out[0]
    jackknife = jackknife[~np.isnan(jackknife)]
    if math.isnan(value) or len(known) < 2 or len(jackknife) < 2:
        return Difference(value, Interval.none(UNDEFINED), math.nan, math.nan)
    # Few patients: quantiles further out, by as much as Student's t is wider (Hesterberg 2015, the expanded percentile interval).
    freedom = effective_freedom(jackknife)
    stretch = student_quantile(level, freedom) * math.sqrt((freedom + 1) / freedom)
    wider = 2 * NormalDist().cdf(stretch) - 1
    interval = corrected_interval(value, gaps, jackknife, wider)
    error = float(known.std(ddof=1))
    if interval.reason:
        equal = float(np.abs(gaps[~np.isnan(gaps)]).max()) <= 1e-12
        return Difference(
            value,
            Interval.none(EQUAL if equal else interval.reason),
            1.0 if equal else math.nan,
            0.0 if equal else math.nan,
        )
    beyond = partial(_beyond, value, known, jackknife)
    return Difference(value, interval, 2 * min(beyond(0.0), 1 - beyond(0.0)), error, freedom, beyond)


def effective_freedom(jackknife: NDArray) -> float:
    """How many degrees of freedom the variance between patients has, from what leaving out each of them changes.

    A variance of n values with kurtosis k varies as one of 2 n / (k - 1) degrees of freedom does (its second moment matched, as
    Satterthwaite 1946 does). Where a few patients decide, those of a rare finding, k is large: 200 patients with 20 positives have some 13.

    Args:
        jackknife: the difference without each patient, shape (patients,), at least 2.
    """
    away = np.asarray(jackknife, np.float64) - np.mean(jackknife)
    patients, squares = len(away), float((away**2).sum())
    if squares == 0:
        return patients - 1.0
    kurtosis = patients * float((away**4).sum()) / squares**2
    return float(np.clip(2 * patients / max(kurtosis - 1, 1e-9), 1.0, patients - 1))


def adjust_holm(values: Sequence[float]) -> list[float]:
    """The p-values of several comparisons, so that all claims together are wrong in at most 5 % (Holm 1979).

    Args:
        values: one p-value each; NaN stays and does not count.
    """
    known = [place for place, value in enumerate(values) if not math.isnan(value)]
    adjusted, highest = list(values), 0.0
    for rank, place in enumerate(sorted(known, key=lambda place: values[place])):
        highest = max(highest, min(1.0, (len(known) - rank) * values[place]))
        adjusted[place] = highest
    return adjusted


def student_tail(value: float, freedom: float) -> float:
    """The probability that Student's t exceeds a value (Abramowitz and Stegun 1964, 26.7.1, by the trapezoidal rule)."""
    if math.isinf(freedom) or freedom > 2000:
        return 1 - NormalDist().cdf(value)
    # With x = sqrt(freedom) tan(angle) the density is cos(angle) ** (freedom - 1), on a finite stretch.
    angles = np.linspace(0, np.pi / 2, 20001)
    heights = np.cos(angles) ** (freedom - 1)
    areas = np.concatenate([[0.0], np.cumsum((heights[1:] + heights[:-1]) / 2)])
    inside = float(np.interp(math.atan(abs(value) / math.sqrt(freedom)), angles, areas)) / float(areas[-1])
    return (1 - inside) / 2 if value > 0 else (1 + inside) / 2


def _from_student(value: float, error: float, freedom: float, level: float) -> Difference:
    if error < 1e-12:
        is_equal = abs(value) < 1e-12
        return Difference(
            value, Interval.none(EQUAL), 1.0 if is_equal else math.nan, 0.0 if is_equal else math.nan, freedom
        )
    half = student_quantile(level, freedom) * error
    p = 2 * student_tail(abs(value) / error, freedom)
    return Difference(value, Interval(value - half, value + half), p, error, freedom)


def _beyond(value: float, known: Array, jackknife: Array, limit: float) -> float:
    """One less the one-sided level at which the interval of `patient_difference` would just reach `limit`."""
    normal = NormalDist()

    def share(bound: float) -> float:
        part = float((known < bound).mean() + 0.5 * (known == bound).mean())
        return min(max(part, 0.5 / len(known)), 1 - 0.5 / len(known))

    bias = normal.inv_cdf(share(value))
    gaps = jackknife.mean() - jackknife
    spread = float((gaps**2).sum())
    acceleration = float((gaps**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
    if (known > limit).all() or (known < limit).all():
        # No draw reaches it, and how far away it is only the spread of the draws can tell.
        score = (limit - value) / float(known.std(ddof=1))
    else:
        reached = normal.inv_cdf(share(limit)) - bias
        # The inverse of the interval's own transformation of a quantile.
        score = reached / (1 + acceleration * reached) - bias
    # Back through both widenings of the interval: that of the interval itself, and that for the patients who decide.
    patients, freedom = len(jackknife), effective_freedom(jackknife)
    tail = student_tail(score * math.sqrt((patients - 1) / patients), patients - 1)
    score = normal.inv_cdf(1 - min(max(tail, LEAST_TAIL), 1 - LEAST_TAIL))
    return student_tail(-score * math.sqrt(freedom / (freedom + 1)), freedom)
