"""Whether a probability of 0.8 means eight in ten, and what can be done about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.metrics.bootstrap import AS_IT_IS, jackknife_interval, leave_out
from storage.metrics.curves import Array, count_once, divide
from storage.metrics.intervals import LEVEL, UNDEFINED, Interval, describe_ends, map_interval, share_interval

BINS = 10
SPAN, SMOOTHED_FROM = 0.75, 20
"""Share of the images that a point of the smooth calibration curve looks at, and images from which on there is one."""

SMALLEST = 1e-7
"""Probabilities are kept this far from 0 and 1 before their logit is taken."""


@dataclass(frozen=True)
class Reliability:
    """Predicted and observed shares by bin of predicted probability; NaN in an empty bin. Shapes (bins,)."""

    predicted: Array
    observed: Array
    images: Array


@dataclass(frozen=True)
class Recalibration:
    """Platt's map of a probability p: sigmoid(slope * logit(p) + intercept)."""

    slope: float
    intercept: float

    def apply(self, probabilities: NDArray) -> Array:
        """Recalibrated probabilities, of the same shape; NaN stays NaN."""
        return _sigmoid(self.slope * _logit(probabilities) + self.intercept)


def brier_score(labels: NDArray, probabilities: NDArray, weights: NDArray | None = None) -> Array:
    """Mean squared difference of probability and label (Brier 1950); lower is better."""
    counts = count_once(labels, weights)
    errors = (np.asarray(probabilities, np.float64) - labels) ** 2
    return divide(counts @ errors, counts.sum(axis=-1))


def calibration_error(
    labels: NDArray, probabilities: NDArray, weights: NDArray | None = None, bins: int = BINS
) -> Array:
    """Expected calibration error: the mean over images of |predicted - observed| of their bin (Guo et al. 2017).

    The bins ((m - 1) / M, m / M] are of equal width; 0 belongs to the first.
    """
    counts = count_once(labels, weights)
    members = _assign(probabilities, bins)
    gaps = np.asarray(probabilities, np.float64) - labels
    total = sum(np.abs(counts[..., members == place] @ gaps[members == place]) for place in range(bins))
    # A probability that is not a number belongs to no bin, yet must not pass in silence.
    unknown = np.isnan(probabilities).any()
    return divide(np.full_like(total, np.nan) if unknown else total, counts.sum(axis=-1))


def reliability(labels: NDArray, probabilities: NDArray, bins: int = BINS) -> Reliability:
    """The points of a calibration plot (reliability diagram: DeGroot and Fienberg 1983), in the bins of `calibration_error`."""
    members = _assign(probabilities, bins)
    images = np.bincount(members, minlength=bins).astype(np.float64)
    return Reliability(
        predicted=divide(np.bincount(members, np.asarray(probabilities, np.float64), bins), images),
        observed=divide(np.bincount(members, np.asarray(labels, np.float64), bins), images),
        images=images,
    )


def fit_recalibration(labels: NDArray, probabilities: NDArray) -> Recalibration | None:
    """Fit slope and intercept on predictions for images that the model did not see (Platt 1999).

    The targets are (P + 1) / (P + 2) and 1 / (N + 2) in place of 1 and 0, as Platt has it, so that the fit is finite
    even where the classes do not overlap. Newton's method with halved steps, as Lin, Lin and Weng (2007).

    Returns:
        None unless both classes are there.
    """
    positive = np.asarray(labels) == 1
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives or np.isnan(probabilities).any():
        return None
    targets = np.where(positive, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    inputs = np.stack([_logit(probabilities), np.ones(len(targets))], axis=1)

    def loss(values: Array) -> float:
        logits = inputs @ values
        return float(np.sum(np.logaddexp(0, logits) - targets * logits))

    values = np.array([0.0, np.log((positives + 1) / (negatives + 1))])
    for _ in range(100):
        predicted = _sigmoid(inputs @ values)
        gradient = inputs.T @ (predicted - targets)
        if np.abs(gradient).max() < 1e-10 * len(targets):
            break
        curvature = inputs.T @ (inputs * (predicted * (1 - predicted))[:, None]) + 1e-12 * np.eye(2)
        step, length = np.linalg.solve(curvature, gradient), 1.0
        while loss(values - length * step) > loss(values) and length > 1e-10:
            length /= 2
        values = values - length * step
    return Recalibration(float(values[0]), float(values[1]))


def calibration_slope(labels: NDArray, probabilities: NDArray, weights: NDArray | None = None) -> Array:
    """Slope of a logistic regression of the label on the logit of the probability (Cox 1958): 1 is right, below 1 too extreme.

    Args:
        labels: shape (n,): 0 or 1.
        probabilities: shape (n,).
        weights: shape (.., n).

    Returns:
        Shape (..), NaN without both classes, or where a threshold separates them.
    """
    return _regress(labels, probabilities, weights, free_slope=True)


def calibration_intercept(labels: NDArray, probabilities: NDArray, weights: NDArray | None = None) -> Array:
    """Intercept of the same regression (Cox 1958) with the slope held at 1: 0 is right, below 0 risk is overestimated.

    "Calibration-in-the-large" (Van Calster et al. 2016, "A calibration hierarchy for risk models was defined"): the intercept at which the
    probabilities add up to the positives.
    """
    return _regress(labels, probabilities, weights, free_slope=False)


def observed_expected(labels: NDArray, probabilities: NDArray, weights: NDArray | None = None) -> Array:
    """Positives over the sum of the probabilities: 1 is right (Riley et al. 2016)."""
    counts = count_once(labels, weights)
    return divide(counts @ np.asarray(labels, np.float64), counts @ np.asarray(probabilities, np.float64))


def integrated_calibration_index(labels: NDArray, probabilities: NDArray) -> float:
    """Mean distance between probability and a smooth curve of what was observed (Austin and Steyerberg 2019).

    The curve is a local linear regression over the nearest three quarters of the images, with tricube weights (Cleveland 1979).
    """
    guesses = np.asarray(probabilities, np.float64)
    if len(guesses) < SMOOTHED_FROM or np.isnan(guesses).any():
        return float("nan")
    return float(np.abs(smooth_calibration(labels, guesses, guesses) - guesses).mean())


def smooth_calibration(labels: NDArray, probabilities: NDArray, places: NDArray) -> Array:
    """The share of positives observed about each of `places`, by local linear regression; shape of `places`.

    Cleveland (1979), "Robust locally weighted regression", with its tricube weights and without its robust repetitions: a label is no outlier.
    """
    truth, guesses = np.asarray(labels, np.float64), np.asarray(probabilities, np.float64)
    distinct, which = np.unique(np.asarray(places, np.float64), return_inverse=True)
    reach = max(2, int(np.ceil(SPAN * len(guesses)))) - 1
    smoothed = np.empty(len(distinct))
    for number, place in enumerate(distinct):
        gaps = guesses - place
        distances = np.abs(gaps)
        width = max(float(np.partition(distances, reach)[reach]), 1e-9)
        near = np.clip(1 - (distances / width) ** 3, 0, None) ** 3
        total, first, second = near.sum(), near @ gaps, near @ gaps**2
        spread = total * second - first**2
        if total <= 0:
            smoothed[number] = truth[distances == distances.min()].mean()
        elif spread <= 1e-12 * total**2:
            smoothed[number] = near @ truth / total
        else:
            smoothed[number] = (second * (near @ truth) - first * (near @ (gaps * truth))) / spread
    return np.clip(smoothed, 0, 1)[which]


def debiased_error(labels: NDArray, probabilities: NDArray, bins: int = BINS) -> float:
    """Root of the mean squared gap of predicted and observed share over bins of equally many images, less what chance adds.

    Kumar, Liang and Ma (2019), "debiased estimator": each squared gap loses observed (1 - observed) / (images - 1). 0 where chance
    explains it all.
    """
    guesses = np.asarray(probabilities, np.float64)
    if len(guesses) < 2 * bins or np.isnan(guesses).any():
        return float("nan")
    parts = np.array_split(np.argsort(guesses, kind="stable"), bins)
    total = 0.0
    for part in parts:
        observed = float(np.asarray(labels, np.float64)[part].mean())
        gap = float(guesses[part].mean()) - observed
        total += len(part) * (gap**2 - observed * (1 - observed) / (len(part) - 1))
    return float(np.sqrt(max(total / len(guesses), 0.0)))


def expected_error(probabilities: NDArray, draws: int = 200, seed: int = 0) -> float:
    """What `calibration_error` would be in the mean if every probability were right: chance alone, on these images.

    Labels are drawn from the probabilities, as in the consistency resampling of Bröcker and Smith (2007), "Increasing the reliability of
    reliability diagrams"; the images stay the same.
    """
    guesses = np.asarray(probabilities, np.float64)
    if not len(guesses) or np.isnan(guesses).any():
        return float("nan")
    drawn = np.random.default_rng(seed).random((draws, len(guesses))) < guesses
    members = _assign(guesses, BINS)[:, None] == np.arange(BINS)
    return float(np.abs((drawn - guesses) @ members.astype(np.float64)).sum(axis=1).mean() / len(guesses))


def observed_expected_interval(
    labels: NDArray, probabilities: NDArray, groups: NDArray, level: float = LEVEL
) -> Interval:
    """The interval of observed / expected: that of the share of positives (`share_interval`), over the mean probability.

    What a patient adds to the error is positives less the ratio times the sum of the probabilities: the ratio estimator of Cochran (1977, section 6.4),
    with the probabilities as what is divided by.

    Args:
        labels: shape (n,): 0 or 1.
        probabilities: shape (n,).
        groups: shape (n,): the patient of each image.
        level: of confidence.
    """
    _, members = np.unique(groups, return_inverse=True)
    seen, awaited, images = (
        np.bincount(members, weights) for weights in (labels, probabilities, np.ones(len(labels)))
    )
    total = float(awaited.sum())
    if not total > 0:
        return Interval.none(UNDEFINED)
    of_share = share_interval(seen, images, level, seen - seen.sum() / total * awaited)
    return map_interval(of_share, lambda share: share * len(labels) / total)


REGRESSED: dict[str, Callable[..., Array]] = {
    "slope": calibration_slope,
    "intercept": calibration_intercept,
    "observed_expected": observed_expected,
}
"""Measures with an interval."""


def describe_measure(
    name: str, labels: NDArray, probabilities: NDArray, groups: NDArray, *, with_interval: bool = True
) -> dict[str, Any]:
    """One of `REGRESSED` with its interval: of observed / expected `observed_expected_interval`, of the others patients left out one by one.

    A slope of few images is too steep in the mean; where patients are drawn, its interval misses the truth too often on that side.

    Args:
        name: of the measure.
        labels: shape (n,): 0 or 1.
        probabilities: shape (n,).
        groups: shape (n,).
        with_interval: False for the value alone.
    """
    measure = REGRESSED[name]
    value = float(measure(labels, probabilities))
    interval = None
    if with_interval and not np.isnan(value) and name == "observed_expected":
        interval = observed_expected_interval(labels, probabilities, groups)
    elif with_interval and not np.isnan(value):
        left_out = [measure(labels, probabilities, counts) for counts in leave_out(groups)]
        interval = jackknife_interval(value, np.concatenate(left_out), AS_IT_IS)
    return {"value": value, **describe_ends(interval)}


def describe_calibration(
    labels: NDArray, probabilities: NDArray, groups: NDArray, *, with_intervals: bool = True
) -> dict[str, Any]:
    """How far the probabilities of one label can be taken at their word.

    Args:
        labels: shape (n,): 0, 1 or NaN.
        probabilities: shape (n,).
        groups: shape (n,).
        with_intervals: of slope, intercept and observed / expected.
    """
    kept = ~np.isnan(labels)
    truth, guesses, patients = labels[kept], np.asarray(probabilities, np.float64)[kept], groups[kept]
    described = {
        name: describe_measure(name, truth, guesses, patients, with_interval=with_intervals)
        for name in REGRESSED
    }
    return described | {
        "ici": {"value": integrated_calibration_index(truth, guesses)},
        "debiased_error": {"value": debiased_error(truth, guesses)},
        "expected_error": {"value": expected_error(guesses)},
    }


def _regress(labels: NDArray, probabilities: NDArray, weights: NDArray | None, *, free_slope: bool) -> Array:
    """Newton's method on all weightings at once; the intercept with slope 1, or the slope beside a free intercept."""
    counts = count_once(labels, weights)
    shape = counts.shape[:-1]
    if not len(labels) or np.isnan(probabilities).any():
        return np.full(shape, np.nan)
    counts = counts.reshape(-1, counts.shape[-1])
    truth, inputs = np.asarray(labels, np.float64), _logit(probabilities)
    slopes, intercepts = np.ones(len(counts)), np.zeros(len(counts))
    for _ in range(50):
        with np.errstate(invalid="ignore", over="ignore"):  # a weighting that has run off
            predicted = 1 / (1 + np.exp(-slopes[:, None] * inputs - intercepts[:, None]))
        errors, spread = counts * (truth - predicted), counts * predicted * (1 - predicted)
        first, total = errors.sum(axis=1), spread.sum(axis=1)
        if not free_slope:
            step = divide(first, total)
            intercepts = intercepts + np.clip(step, -2, 2)
        else:
            second, mixed, square = errors @ inputs, spread @ inputs, spread @ inputs**2
            determinant = total * square - mixed**2
            step = divide(total * second - mixed * first, determinant)
            intercepts = intercepts + np.clip(divide(square * first - mixed * second, determinant), -2, 2)
            slopes = slopes + np.clip(step, -1, 1)
        if np.nanmax(np.abs(step), initial=0.0) < 1e-9:
            break
    found = slopes if free_slope else intercepts
    # Not settled: one class alone, or classes that a threshold separates, where the regression runs off.
    return np.where(np.abs(step) < 1e-6, found, np.nan).reshape(shape)


def _assign(probabilities: NDArray, bins: int) -> NDArray[np.int64]:
    return np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], probabilities, side="left")


def _logit(probabilities: NDArray) -> Array:
    kept = np.clip(np.asarray(probabilities, np.float64), SMALLEST, 1 - SMALLEST)
    return np.log(kept) - np.log1p(-kept)


def _sigmoid(logits: NDArray) -> Array:
    return np.exp(-np.logaddexp(0, -logits))
