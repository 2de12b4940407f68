"""Which pictures are unlike those that a model was trained on: by their distance to the nearest of these in feature space.

Deep nearest neighbours (Sun, Ming, Zhu and Li 2022, "Out-of-distribution detection with deep nearest neighbors"): the score of a picture is its
mean distance to the nearest training pictures, in the features that the model's head reads. These are projected at random, which keeps
distances to within some percent (Johnson and Lindenstrauss 1984), and whitened by the covariance of the training pictures (Lee, Lee, Lee and Shin 2018, "A
simple unified framework for detecting out-of-distribution samples"), so that what hardly varies in training counts most. The threshold is the conformal quantile of
the scores of training pictures whose patients were left out (Vovk 2015): of new pictures of the same kind, the share that is flagged is about the rate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE = 0.05
NEIGHBOURS = 5
DIMENSIONS = 128
IMAGES_PER_DIMENSION = 8
"""A covariance from fewer pictures says little."""
LEAST_VARIANCE = 1e-3
"""Of the mean variance: what varies less in training counts as if it varied so much."""
PARTS = 20
FEWEST = 100
"""Training pictures: with fewer there is no flag."""
CHUNK = 512

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Reference:
    """What new pictures are held against.

    Attributes:
        mean, scale: of each feature in training, shape (features,).
        axes: projection and whitening, shape (features, dimensions).
        kept: the training pictures, shape (n, dimensions).
        threshold: a score above it is flagged.
        rate: the share of training pictures whose patients were left out that is flagged.
    """

    mean: Array
    scale: Array
    axes: Array
    kept: Array
    threshold: float
    rate: float = RATE

    def score(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """The distance of each picture to the nearest training pictures, in units of the threshold: above 1 it is flagged.

        Args:
            features: shape (n, features), of the layer that the head reads.
        """
        placed = project(features, self.mean, self.scale, self.axes)
        return nearest(placed, self.kept) / self.threshold

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """As arrays that a file keeps."""
        return {
            "mean": self.mean,
            "scale": self.scale,
            "axes": self.axes.astype(np.float16),
            "kept": self.kept.astype(np.float16),
            "threshold": np.array([self.threshold, self.rate]),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Reference:
        """Read what `to_arrays` made.

        Raises:
            ValueError, KeyError: the arrays do not fit together.
        """
        mean, scale, axes, kept = (
            np.asarray(arrays[name], np.float32) for name in ("mean", "scale", "axes", "kept")
        )
        threshold, rate = map(float, arrays["threshold"])
        if mean.ndim != 1 or scale.shape != mean.shape or axes.shape != (len(mean), kept.shape[1]):
            raise ValueError("the arrays of the reference do not fit together")
        if not threshold > 0 or len(kept) < NEIGHBOURS:
            raise ValueError("the reference has no threshold, or too few pictures")
        return cls(mean, scale, axes, kept, threshold, rate)


def fit_reference(
    features: NDArray[np.floating], groups: NDArray[np.integer], *, rate: float = RATE, seed: int = 0
) -> Reference | None:
    """What new pictures are held against; None from fewer than `FEWEST` pictures, or where features do not vary.

    Args:
        features: of the training pictures, shape (n, features).
        groups: the patient of each, shape (n,).
        rate: of false alarms, from 0 to 1.
        seed: of the projection and of the parts into which patients are divided.
    """
    values = np.asarray(features, np.float32)
    if len(values) < FEWEST or len(np.unique(groups)) < PARTS:
        return None
    generator = np.random.default_rng(seed)
    # In double precision: features of random weights may be so small that their squares are none in single precision.
    exact = values.astype(np.float64)
    mean, scale = exact.mean(axis=0).astype(np.float32), exact.std(axis=0).astype(np.float32)
    usable = scale > 1e-6 * float(np.abs(mean).max())
    if not usable.any():
        return None
    # A feature that does not vary in training would make any picture infinitely strange.
    scale = np.where(usable, scale, scale[usable].max()).astype(np.float32)
    width, dimensions = values.shape[1], min(DIMENSIONS, len(values) // IMAGES_PER_DIMENSION)
    plain = np.eye(width, dtype=np.float32)
    if width > dimensions:
        plain = (generator.standard_normal((width, dimensions)) / math.sqrt(dimensions)).astype(np.float32)
    placed = project(values, mean, scale, plain)
    members = np.unique(groups, return_inverse=True)[1]
    part = (generator.permutation(int(members.max()) + 1) % PARTS)[members]
    scores = np.empty(len(placed))
    for number in range(PARTS):
        held = part == number
        white = whiten(placed[~held])
        scores[held] = nearest(placed[held] @ white, placed[~held] @ white)
    # As it is kept in a file.
    axes = (plain @ whiten(placed)).astype(np.float16).astype(np.float32)
    kept = project(values, mean, scale, axes).astype(np.float16).astype(np.float32)
    place = min(math.ceil((1 - rate) * (len(scores) + 1)), len(scores)) - 1
    threshold = float(np.sort(scores)[place])
    return Reference(mean, scale, axes, kept, threshold, rate) if threshold > 0 else None


def project(features: NDArray[np.floating], mean: Array, scale: Array, axes: Array) -> Array:
    """Features in units of their standard deviation, projected: shape (n, dimensions)."""
    return np.asarray(((np.asarray(features, np.float32) - mean) / scale) @ axes, np.float32)


def whiten(placed: Array) -> Array:
    """What rows are multiplied by so that their covariance becomes the identity, shape (dimensions, dimensions)."""
    covariance = np.cov(placed, rowvar=False).reshape(placed.shape[1], -1)
    variances, directions = np.linalg.eigh(covariance)
    floor = max(LEAST_VARIANCE * float(variances.mean()), 1e-12)
    return np.asarray(directions / np.sqrt(np.maximum(variances, floor)), np.float32)


def nearest(placed: Array, kept: Array) -> NDArray[np.float64]:
    """The mean distance of each row to the nearest rows of `kept`, shape (n,)."""
    count = min(NEIGHBOURS, len(kept))
    squares = (kept**2).sum(axis=1)
    found = np.empty(len(placed))
    for begin in range(0, len(placed), CHUNK):
        rows = placed[begin : begin + CHUNK]
        distances = (rows**2).sum(axis=1)[:, None] + squares - 2 * rows @ kept.T
        closest = np.partition(distances, count - 1, axis=1)[:, :count]
        found[begin : begin + CHUNK] = np.sqrt(np.maximum(closest, 0)).mean(axis=1)
    return found
