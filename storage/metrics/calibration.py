"""Whether a probability of 0.8 means eight in ten, and what can be done about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.metrics.curves import Array, count_once, divide

BINS = 10
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
    """The points of a calibration plot, in the bins of `calibration_error`."""
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


def _assign(probabilities: NDArray, bins: int) -> NDArray[np.int64]:
    return np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], probabilities, side="left")


def _logit(probabilities: NDArray) -> Array:
    kept = np.clip(np.asarray(probabilities, np.float64), SMALLEST, 1 - SMALLEST)
    return np.log(kept) - np.log1p(-kept)


def _sigmoid(logits: NDArray) -> Array:
    return np.exp(-np.logaddexp(0, -logits))
