"""How sure the choice among trials is: noise, trials that cannot be told from the best, luck of the best of many.

Fold values are a table of trials and folds. All trials share their folds, so what makes a fold easy cancels in
differences; what is left, the interaction of trial and fold, is the noise, pooled over all trials but the wild ones:
a trial that learns in some folds and not in others says nothing of how far two trials that do learn differ by chance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.metrics.intervals import student_quantile

LEVEL = 0.95
WIDEST = 9.0
"""Standard deviations that integrals over a normal variable reach."""

GRID = 161

FEWEST_TO_SORT = 5
"""With fewer trials there is no majority that a wild one could be held against."""

WILD = 0.05
"""The chance that of equally noisy trials one is called wild."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Noise:
    """The noise of a study, in units of its metric.

    Attributes:
        per_fold: standard deviation of one fold of one trial, what folds and trials have in common removed.
        per_trial: of the mean over folds; the training sets of the folds overlap, which this does not count.
        freedom: degrees of freedom of both.
        folds: over which, those of repeats counted too.
        trials: from which.
        wild: how many trials more were left out, because their folds differ by far more than those of the others.
        repeats: how many times the images were divided into folds.
    """

    per_fold: float
    per_trial: float
    freedom: int
    folds: int
    trials: int
    wild: int = 0
    repeats: int = 1

    @property
    def per_difference(self) -> float:
        """Standard error of the difference of two trials, corrected for overlapping training sets.

        Nadeau and Bengio (2003), "Inference for the Generalization Error", equation 9, with J folds in all, k in each
        repeat, each of 1/(k-1) the size of its training set: variance of a difference * (1/J + 1/(k-1)).
        """
        in_each = max(self.folds / self.repeats, 1.5)  # folds without a value may leave fewer than two
        return self.per_fold * math.sqrt(2 * (1 / self.folds + 1 / (in_each - 1)))


def measure_noise(fold_values: Array, repeats: int = 1) -> Noise | None:
    """Measure the noise; None from fewer than two trials or folds.

    The residual mean square of a two-way table with one value in a cell (Scheffé 1959, "The analysis of variance").

    Args:
        fold_values: shape (trials, folds); folds with a NaN anywhere are left out.
        repeats: how many times the images were divided into folds.
    """
    values = np.asarray(fold_values, np.float64)
    if values.ndim != 2 or not values.size:
        return None
    values = values[:, ~np.isnan(values).any(axis=0)]
    trials, folds = values.shape
    if trials < 2 or folds < 2:
        return None
    kept = ~find_wild(values)
    table = values[kept]
    rest = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
    freedom = (len(table) - 1) * (folds - 1)
    per_fold = math.sqrt(float((rest**2).sum()) / freedom)
    return Noise(
        per_fold, per_fold / math.sqrt(folds), freedom, folds, len(table), trials - len(table), repeats
    )


def find_wild(values: Array) -> NDArray[np.bool_]:
    """Which trials spread over the folds by far more than the others do.

    The spread of a trial is judged by its mean square about what the folds have in common, which of equally noisy trials
    follows chi-square / degrees of freedom; the scale is first that of the median trial, then that of the trials kept
    (a "hard rejection" of outliers: Rousseeuw and Leroy 1987, section 1.2). Of equally noisy trials, one is left out by
    mistake in about 5 % of the studies.

    Args:
        values: shape (trials, folds), without NaN.

    Returns:
        Shape (trials,); of fewer than `FEWEST_TO_SORT` trials none is.
    """
    trials, folds = values.shape
    if trials < FEWEST_TO_SORT:
        return np.zeros(trials, bool)
    inner = values - values.mean(axis=1, keepdims=True)
    rest = inner - np.median(inner, axis=0)
    rest -= rest.mean(axis=1, keepdims=True)
    squares = (rest**2).sum(axis=1) / (folds - 1)
    limit = _chi_square_share(1 - WILD / trials, folds - 1)
    scale = float(np.median(squares)) / _chi_square_share(0.5, folds - 1)
    kept = squares <= limit * scale
    for _ in range(10):
        table = inner[kept]
        rest = inner - table.mean(axis=0)
        squares = (rest**2).sum(axis=1) / (folds - 1)
        scale = float(squares[kept].sum()) / (len(table) - 1)
        again = squares <= limit * scale
        if (again == kept).all() or again.sum() <= trials / 2:
            break
        kept = again
    return ~kept


def split_runs(fold_values: Array, repeats: int = 1) -> list[Array]:
    """The fold values of a trial by repeat, each with all patients once.

    Args:
        fold_values: shape (folds,), the folds of the first repeat first.
        repeats: how many times the images were divided into folds.
    """
    return np.split(np.asarray(fold_values, np.float64), repeats)


def mean_interval(
    value: float,
    runs: Sequence[NDArray[np.floating]],
    level: float = LEVEL,
    limits: tuple[float, float] = (-math.inf, math.inf),
) -> tuple[float, float] | None:
    """What a configuration would score with other patients, other folds and other seeds; None from fewer than two folds.

    The folds of a run have different patients, so the variance of a fold's value about the mean of its run, divided by the
    number of folds, is that of the mean over patients and seeds (LeDell, Petersen and van der Laan 2015 say when: the
    training sets overlap, which this does not count). It is averaged over the runs, which have the same patients in other
    folds, with Student's t of all their degrees of freedom.

    Args:
        value: the estimate that the interval is laid about, symmetrically.
        runs: the fold values of each run of the configuration; NaN where a fold has none.
        level: of confidence.
        limits: where the interval ends at the latest: no value of the metric lies beyond, so it holds the truth as often.
    """
    known = [values[~np.isnan(values)] for values in (np.asarray(run, np.float64) for run in runs)]
    known = [values for values in known if len(values) > 1]
    if not known or math.isnan(value):
        return None
    variance = float(np.mean([values.var(ddof=1) / len(values) for values in known]))
    half = float(student_quantile(level, sum(len(values) - 1 for values in known)) * math.sqrt(variance))
    if half <= 0:
        return None
    return max(float(value) - half, min(limits[0], value)), min(float(value) + half, max(limits[1], value))


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

    The integral of Gupta and Sobel (1957), "On a statistic which arises in selection and ranking problems".
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
    """How far the best of `count` equally good trials lies above the truth, on average: sd * E[max of n normals] (Harter 1961)."""
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


def _chi_square_share(share: float, freedom: int) -> float:
    """The quantile of chi-square / freedom (Wilson and Hilferty 1931)."""
    from statistics import NormalDist

    part = 2 / (9 * freedom)
    return max(1 - part + NormalDist().inv_cdf(share) * math.sqrt(part), 1e-3) ** 3


def _normal_below(z: Array) -> Array:
    """The normal distribution function of each element."""
    scaled = (-np.ravel(z) / math.sqrt(2)).tolist()
    return 0.5 * np.array(list(map(math.erfc, scaled))).reshape(np.shape(z))
