"""How far two readers agree: weighted kappa for grades, intraclass correlation for scores."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from storage.metrics.curves import divide


def weighted_kappa(
    one: NDArray, other: NDArray, *, weights: Literal["linear", "quadratic"] = "quadratic"
) -> float:
    """Cohen's kappa with partial credit for near misses (Cohen 1968).

    1 - sum w O / sum w E, with w = |i - j| or (i - j)^2 and E what the two would share by chance.

    Args:
        one: grades, shape (n,), whole numbers.
        other: grades of the same cases.
        weights: how fast credit falls with distance.

    Returns:
        NaN for no case, or where both gave one and the same grade to all.
    """
    one, other = np.asarray(one, np.int64), np.asarray(other, np.int64)
    if not len(one):
        return float("nan")
    lowest = min(one.min(), other.min())
    size = int(max(one.max(), other.max()) - lowest) + 1
    observed = np.zeros((size, size))
    np.add.at(observed, (one - lowest, other - lowest), 1)
    expected = np.outer(observed.sum(axis=1), observed.sum(axis=0)) / len(one)
    distance = np.abs(np.subtract.outer(np.arange(size), np.arange(size))).astype(np.float64)
    if weights == "quadratic":
        distance **= 2
    return float(1 - divide((distance * observed).sum(), (distance * expected).sum()))


def intraclass_correlation(ratings: NDArray) -> float:
    """ICC(2,1): absolute agreement of single ratings, raters drawn at random (Shrout and Fleiss 1979).

    (BMS - EMS) / (BMS + (k - 1) EMS + k (JMS - EMS) / n), from the two-way analysis of variance.

    Args:
        ratings: shape (n cases, k raters).

    Returns:
        NaN for fewer than two cases, or where nothing varies.
    """
    ratings = np.asarray(ratings, np.float64)
    cases, raters = ratings.shape
    if cases < 2 or raters < 2:
        return float("nan")
    centred = ratings - ratings.mean()
    between_cases = raters * (centred.mean(axis=1) ** 2).sum()
    between_raters = cases * (centred.mean(axis=0) ** 2).sum()
    rest = (centred - centred.mean(axis=1, keepdims=True) - centred.mean(axis=0)) ** 2
    case_square = between_cases / (cases - 1)
    rater_square = between_raters / (raters - 1)
    error_square = rest.sum() / ((cases - 1) * (raters - 1))
    part = case_square - error_square
    whole = case_square + (raters - 1) * error_square + raters * (rater_square - error_square) / cases
    return float(divide(part, whole))
