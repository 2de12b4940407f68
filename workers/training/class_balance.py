"""Rare classes: more turns in an epoch; a weight in the loss is a matter of `workers.heads`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

OVERSAMPLING = 7
"""Keeps the draw of the images that come once more apart from every other draw of a fold."""


def oversample(
    train: NDArray[np.int64],
    labels: NDArray[np.float32],
    columns: Sequence[int],
    factor: float,
    seed: tuple[int, int, int],
) -> NDArray[np.int64]:
    """Let the images of some labels come several times in an epoch, each time with an augmentation of its own.

    Args:
        train: indices of the training images.
        labels: shape (n images, targets).
        columns: an image that is positive for one of these labels is repeated.
        factor: how often it comes; of a fraction, so large a share of these images come once more.
        seed: study seed, point and fold; decides which those are.

    Returns:
        `train`, and behind it the repeats.
    """
    rare = train[(labels[train][:, list(columns)] == 1).any(axis=1)]
    whole = int(factor) - 1
    extra = round((factor - int(factor)) * len(rare))
    chosen = np.random.default_rng([*seed, OVERSAMPLING, 0]).permutation(rare)[:extra]
    return np.concatenate([train, *[rare] * whole, chosen])
