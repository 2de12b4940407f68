"""Metrics of one number, for many weightings of the images at once.

`truth` and `guess` have shape (n,), `counts` says how often each image counts, shape (.., n). Everything returns shape (..), NaN
where undefined.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from storage.metrics.bootstrap import AS_IT_IS, FISHER, LEFT_OVER, LOGARITHM
from storage.metrics.curves import Array, divide

LIMIT = 1.96
"""Standard deviations of the difference within which 95 % of them lie, where they are normal (Bland and Altman 1986)."""


def mean_absolute_error(truth: NDArray, guess: NDArray, counts: NDArray) -> Array:
    """The mean of |guess - truth|: a definition."""
    return _mean(np.abs(guess - truth), counts)


def root_mean_squared_error(truth: NDArray, guess: NDArray, counts: NDArray) -> Array:
    """The root of the mean of (guess - truth)^2: a definition."""
    return np.asarray(np.sqrt(_mean((guess - truth) ** 2, counts)))


def explained_variance(truth: NDArray, guess: NDArray, counts: NDArray) -> Array:
    """R2: 1 - sum (guess - truth)^2 / sum (truth - its mean)^2; negative for a model that is worse than the mean.

    The first of the eight that Kvålseth (1985), "Cautionary note about R2", tells from each other.
    """
    total = _variance(truth, counts)
    return 1 - divide(_mean((guess - truth) ** 2, counts), total)


def pearson(truth: NDArray, guess: NDArray, counts: NDArray) -> Array:
    """The correlation of guess and truth (Pearson 1896)."""
    one, other = _variance(truth, counts), _variance(guess, counts)
    together = _mean(truth * guess, counts) - _mean(truth, counts) * _mean(guess, counts)
    return divide(together, np.sqrt(one * other))


def intraclass(truth: NDArray, guess: NDArray, counts: NDArray) -> Array:
    """ICC(2,1) of model and truth: absolute agreement (Shrout and Fleiss 1979); `storage.metrics.agreement` has the formula."""
    cases = np.asarray(counts, np.float64).sum(axis=-1)
    first, second = _mean(truth, counts), _mean(guess, counts)
    # With two raters: half the squared sum about the mean is between cases, half the squared difference about its own mean is rest.
    between = _mean(((truth + guess) / 2) ** 2, counts) - ((first + second) / 2) ** 2
    rest = (_mean((guess - truth) ** 2, counts) - (second - first) ** 2) / 2
    case_square = divide(2 * cases * between, cases - 1)
    error_square = divide(cases * rest, cases - 1)
    rater_square = cases * (second - first) ** 2 / 2
    whole = case_square + error_square + 2 * divide(rater_square - error_square, cases)
    return divide(case_square - error_square, whole)


def bias(truth: NDArray, guess: NDArray, counts: NDArray) -> Array:
    """The mean of guess - truth (Bland and Altman 1986)."""
    return _mean(guess - truth, counts)


def lower_limit(truth: NDArray, guess: NDArray, counts: NDArray) -> Array:
    """The lower limit of agreement (Bland and Altman 1986): the bias less 1.96 standard deviations of the difference."""
    return bias(truth, guess, counts) - LIMIT * _spread(guess - truth, counts)


def upper_limit(truth: NDArray, guess: NDArray, counts: NDArray) -> Array:
    """The upper limit of agreement (Bland and Altman 1986): the bias and 1.96 standard deviations of the difference."""
    return bias(truth, guess, counts) + LIMIT * _spread(guess - truth, counts)


MEASURES = {
    "mae": mean_absolute_error,
    "rmse": root_mean_squared_error,
    "r2": explained_variance,
    "pearson": pearson,
    "icc": intraclass,
}
SCALES = {
    "mae": LOGARITHM,
    "rmse": LOGARITHM,
    "r2": LEFT_OVER,
    "pearson": FISHER,
    "icc": FISHER,
    **dict.fromkeys(("bias", "lower_limit", "upper_limit"), AS_IT_IS),
}
"""On which the errors of each are nearly normal, so that intervals hold the truth as often as they say (`bench.coverage`)."""
LIMITS = {"bias": bias, "lower_limit": lower_limit, "upper_limit": upper_limit}


def _mean(values: NDArray, counts: NDArray) -> Array:
    weights = np.asarray(counts, np.float64)
    return divide(weights @ np.asarray(values, np.float64), weights.sum(axis=-1))


def _variance(values: NDArray, counts: NDArray) -> Array:
    """0 where all are equal but for rounding, so that what is divided by it is undefined there."""
    squares = _mean(values**2, counts)
    found = squares - _mean(values, counts) ** 2
    return np.where(found > 1e-12 * squares, found, np.where(np.isnan(found), np.nan, 0))


def _spread(values: NDArray, counts: NDArray) -> Array:
    cases = np.asarray(counts, np.float64).sum(axis=-1)
    return np.asarray(np.sqrt(_variance(values, counts) * divide(cases, cases - 1)))
