"""Max-pooling whose gradient a GPU computes the same in each run: XLA's own refuses to be trained under `--xla_gpu_deterministic_ops`.

On a processor its gradient takes a fifth of the time of XLA's own.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp


def max_pool(
    inputs: Any,
    pool_size: int | tuple[int, int],
    strides: int | tuple[int, int] | None = None,
    padding: str = "valid",
) -> Any:
    """The same values as of `keras.ops.max_pool`, as the largest of shifted pictures; the gradient goes to the first of equal ones.

    Args:
        inputs: shape (n, height, width, channels).
        pool_size: height and width of a window.
        strides: from a window to the next; the size of a window when left out.
        padding: "valid" or "same".
    """
    size = _pair(pool_size)
    steps = size if strides is None else _pair(strides)
    sides = [(0, 0)] * 4
    counts = []
    for axis, (length, reach, step) in enumerate(zip(inputs.shape[1:3], size, steps, strict=True)):
        counts.append(-(-length // step) if padding == "same" else (length - reach) // step + 1)
        added = max((counts[axis] - 1) * step + reach - length, 0)
        sides[axis + 1] = (added // 2, added - added // 2)
    padded = jnp.pad(inputs, sides, constant_values=-jnp.inf)
    largest = None
    for row in range(size[0]):
        for column in range(size[1]):
            part = padded[
                :,
                row : row + (counts[0] - 1) * steps[0] + 1 : steps[0],
                column : column + (counts[1] - 1) * steps[1] + 1 : steps[1],
            ]
            stays = None if largest is None else (largest >= part) | jnp.isnan(largest)
            largest = part if largest is None else jnp.where(stays, largest, part)
    return largest


def _pair(sizes: int | tuple[int, int]) -> tuple[int, int]:
    return (sizes, sizes) if isinstance(sizes, int) else sizes
