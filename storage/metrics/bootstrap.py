"""Confidence intervals by resampling patients: images of one patient are not independent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.metrics.curves import Array

LEVEL = 0.95
MOST_UNDEFINED = 0.05
"""With a larger share of resamples without a value there is no interval: it would be of other, easier data."""

CHUNK = 250
"""Resamples at a time: bounds the memory."""


@dataclass(frozen=True)
class Interval:
    """A percentile interval, or NaN ends; `undefined` is the share of resamples in which there was no value."""

    low: float
    high: float
    undefined: float


def draw_counts(groups: NDArray, resamples: int, seed: int) -> Iterator[Array]:
    """How often each image counts when groups are drawn with replacement, as many as there are.

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


def find_interval(values: NDArray, level: float = LEVEL) -> Interval:
    """The percentile interval of a metric over resamples (Efron and Tibshirani 1993, section 13.3).

    Args:
        values: shape (resamples,), NaN where the metric is undefined.
        level: of confidence.
    """
    known = np.asarray(values)[~np.isnan(values)]
    undefined = 1 - len(known) / len(values) if len(values) else 1.0
    if undefined > MOST_UNDEFINED:
        return Interval(float("nan"), float("nan"), undefined)
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), undefined)
