"""Patients drawn with replacement, and left out one by one: images of one patient are not independent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from storage.metrics.curves import Array

LEVEL = 0.95
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
