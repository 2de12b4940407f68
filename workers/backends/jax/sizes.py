"""XLA compiles for fixed shapes; these are the few that batches are padded to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SMALLEST = 16
"""Fewer rows than this cost a step no less: it is then bound by the weights."""

STEPS_PER_OCTAVE = 4
"""Sizes between a power of two and the next: at most a fifth of a batch is padding."""

STEPS_PER_OCTAVE_OF_A_GPU = 2
"""At most a third of a batch is padding there, which costs a GPU less than the other half of the programs takes to compile."""


def padded_size(count: int, steps_per_octave: int = STEPS_PER_OCTAVE) -> int:
    """The size to which so many rows are padded: the next of so many sizes between powers of two."""
    if count <= SMALLEST:
        return SMALLEST
    step = max(1, 2 ** ((count - 1).bit_length() - 1) // steps_per_octave)
    return -(-count // step) * step


def pad(indices: NDArray[np.int32], length: int) -> NDArray[np.int32]:
    """The indices, then zeros up to a length: some row that exists."""
    return np.concatenate([indices, np.zeros(length - len(indices), np.int32)])
