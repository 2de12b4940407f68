"""How sure the choice among trials is: noise, trials that cannot be told from the best, luck of the best of many.

Fold values are a table of trials and folds. All trials share their folds, so what makes a fold easy cancels in
differences; what is left, the interaction of trial and fold, is the noise, pooled over all trials.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
WIDEST = 9.0
"""Standard deviations that integrals over a normal variable reach."""

GRID = 161

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Noise:
    """The noise of a study, in units of its metric.

    Attributes:
        per_fold: standard deviation of one fold of one trial, what folds and trials have in common removed.
        per_trial: of the mean over folds; the training sets of the folds overlap, which this does not count.
        freedom: degrees of freedom of both.
        folds: over which.
        trials: from which.
    """

    per_fold: float
    per_trial: float
    freedom: int
    folds: int
    trials: int

    @property
    def per_difference(self) -> float:
        """Standard error of the difference of two trials, corrected for overlapping training sets.

        Nadeau and Bengio (2003), "Inference for the Generalization Error", equation 9, with k folds each of 1/(k-1) the
        size of its training set: variance of a difference * (1/k + 1/(k-1)).
        """
        return self.per_fold * math.sqrt(2 * (1 / self.folds + 1 / (self.folds - 1)))


def measure_noise(fold_values: Array) -> Noise | None:
    """Measure the noise; None from fewer than two trials or folds.

    Args:
        fold_values: shape (trials, folds); folds with a NaN anywhere are left out.
    """
    values = np.asarray(fold_values, np.float64)
    if values.ndim != 2 or not values.size:
        return None
    values = values[:, ~np.isnan(values).any(axis=0)]
    trials, folds = values.shape
    if trials < 2 or folds < 2:
        return None
    rest = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()
    freedom = (trials - 1) * (folds - 1)
    per_fold = math.sqrt(float((rest**2).sum()) / freedom)
    return Noise(per_fold, per_fold / math.sqrt(folds), freedom, folds, trials)


def find_equals(values: Array, noise: Noise, level: float = LEVEL) -> NDArray[np.int64]:
    """The trials that cannot be told from the best, the best among them, by falling value.

    Rule: Gupta's (1965) subset selection. A trial is kept when the best exceeds it by at most q standard errors of a
    difference, q being the `level` quantile of how far the luckiest of n equal trials exceeds a given one. If all are
    equally good, each stays with probability `level`; so does the truly best, whatever the others are.

    Args:
        values: shape (trials,), one value each; all were judged on the same folds to the end.
        noise: of the study.
        level: probability to keep the truly best.
    """
    order = np.argsort(-values, kind="stable")
    limit = critical_value(len(values), noise.freedom, level) * noise.per_difference
    return order[values[order[0]] - values[order] <= limit]


def critical_value(count: int, freedom: int, level: float = LEVEL) -> float:
    """The quantile q of `find_equals`: P(max of count-1 differences to a given trial <= q standard errors) = level.

    With independent standard normal Z_0..Z_{n-1} and s the root of a mean of `freedom` squares of others:
    P(max (Z_i - Z_0) <= q sqrt(2) s), integrated over Z_0 and s.
    """
    if count < 2:
        return 0.0
    z, weight = _normal_grid()
    spreads = _spread_grid(freedom)
    low, high = 0.0, 60.0
    for _ in range(32):
        middle = (low + high) / 2
        reached = _normal_below(z[:, None] + middle * math.sqrt(2) * spreads) ** (count - 1)
        if float(weight @ reached.mean(axis=1)) < level:
            low = middle
        else:
            high = middle
    return high


def expected_luck(count: int, sd: float) -> float:
    """How far the best of `count` equally good trials lies above the truth, on average: sd * E[max of n normals]."""
    if count < 2:
        return 0.0
    z, weight = _normal_grid()
    return sd * float(count * (weight * z * _normal_below(z) ** (count - 1)).sum())


def _normal_grid() -> tuple[Array, Array]:
    z = np.linspace(-WIDEST, WIDEST, GRID)
    weight = np.exp(-(z**2) / 2)
    return z, weight / weight.sum()


def _spread_grid(freedom: int) -> Array:
    """Equally likely values of the root of chi-square / freedom (Wilson and Hilferty 1931), shape (25,)."""
    from statistics import NormalDist

    quantiles = [NormalDist().inv_cdf((number + 0.5) / 25) for number in range(25)]
    part = 2 / (9 * freedom)
    cubes = np.maximum(1 - part + np.array(quantiles) * math.sqrt(part), 1e-3)
    return np.asarray(cubes**1.5)


def _normal_below(z: Array) -> Array:
    """The normal distribution function of each element."""
    scaled = (-np.ravel(z) / math.sqrt(2)).tolist()
    return 0.5 * np.array(list(map(math.erfc, scaled))).reshape(np.shape(z))
