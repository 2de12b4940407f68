"""Convolutions and products as a processor computes them well.

XLA has fast products of matrices there, of float32 and, where both factors are bfloat16 and the sums are asked for in float32, of bfloat16.
A convolution with windows of one pixel is such a product: written as one, its gradient takes a fifth of the time. One that makes few
channels wastes most of each vector of the processor: several pixels are made at once, as if they were channels. One of each channel by
itself (depthwise) XLA computes number by number, its gradient most of all: it is a sum of shifted pictures, each times one number of
the kernel for each channel. All other convolutions XLA computes in float32, whatever it is given.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

LAYOUT = ("NHWC", "HWIO", "NHWC")
FEW_CHANNELS = 8
"""So few channels leave half of a vector of sixteen numbers empty, or more."""
AT_ONCE = 8
"""Pixels side by side that are made at once then."""
NARROW = 2 * AT_ONCE
"""Images of fewer columns gain nothing."""


def convolve(inputs: Any, kernel: Any, strides: tuple[int, int], padding: str) -> Any:
    """A convolution of maps whose channels are last, each with all: of the dtype of `inputs`, its sums in float32.

    Args:
        inputs: shape (n, height, width, channels).
        kernel: shape (height, width, channels, channels made), of the same dtype.
        strides: from a window to the next.
        padding: "valid" or "same".
    """
    height, width, channels, made = kernel.shape
    if (height, width) == (1, 1):
        seen = inputs[:, :: strides[0], :: strides[1]]
        rows = multiply(seen.reshape(-1, channels), kernel.reshape(channels, made))
        return rows.reshape(*seen.shape[:3], made)
    if strides == (1, 1) and min(channels, made) <= FEW_CHANNELS:
        return in_float32(functools.partial(_convolve_step_by_step, padding=padding), inputs, kernel)
    return in_float32(functools.partial(_convolve, strides=strides, padding=padding), inputs, kernel)


def convolve_each_channel(inputs: Any, kernel: Any, strides: tuple[int, int], padding: str) -> Any:
    """A convolution of each channel of maps by itself; as `convolve`, but for the shape of `kernel`, which is (height, width, channels, 1)."""

    def compute(inputs: Any, kernel: Any) -> Any:
        size = kernel.shape[:2]
        sides: Any = jax.lax.padtype_to_pads(inputs.shape[1:3], size, strides, padding.upper())
        padded = jnp.pad(inputs, ((0, 0), *sides, (0, 0)))
        # How far the last window lies from the first one.
        down, right = (
            (length - reach) // step * step
            for length, reach, step in zip(padded.shape[1:3], size, strides, strict=True)
        )
        summed = 0
        for row in range(size[0]):
            for column in range(size[1]):
                part = padded[:, row : row + down + 1 : strides[0], column : column + right + 1 : strides[1]]
                summed = summed + part * kernel[row, column, :, 0]
        return summed

    return in_float32(compute, inputs, kernel)


def in_float32(compute: Callable[..., Any], *given: Any) -> Any:
    """What is computed in float32 of arrays, of the dtype of the first: XLA turns each operand and each sum there and back by itself."""
    return compute(*(array.astype(jnp.float32) for array in given)).astype(given[0].dtype)


@jax.custom_vjp
def multiply(rows: Any, kernel: Any) -> Any:
    """The product of two matrices of one dtype, in that dtype; its sums, and those of its gradients, are in float32."""
    return _sum_products(rows, kernel, 1, 0).astype(rows.dtype)


def _multiply(rows: Any, kernel: Any) -> tuple[Any, tuple[Any, Any]]:
    return multiply(rows, kernel), (rows, kernel)


def _pull_back_product(factors: tuple[Any, Any], above: Any) -> tuple[Any, Any]:
    rows, kernel = factors
    to_rows, to_kernel = _sum_products(above, kernel, 1, 1), _sum_products(rows, above, 0, 0)
    return to_rows.astype(rows.dtype), to_kernel.astype(kernel.dtype)


multiply.defvjp(_multiply, _pull_back_product)


def _sum_products(left: Any, right: Any, axis: int, other_axis: int) -> Any:
    numbers = (((axis,), (other_axis,)), ((), ()))
    return jax.lax.dot_general(left, right, numbers, preferred_element_type=jnp.float32)


def _convolve(inputs: Any, kernel: Any, strides: Sequence[int], padding: Any) -> Any:
    sides = padding if not isinstance(padding, str) else padding.upper()
    return jax.lax.conv_general_dilated(inputs, kernel, strides, sides, dimension_numbers=LAYOUT)


def _convolve_step_by_step(inputs: Any, kernel: Any, padding: str) -> Any:
    """A convolution of float32 whose windows go on by one pixel, where it or the gradient of its inputs makes few channels."""
    size = kernel.shape[:2]
    sides: Any = jax.lax.padtype_to_pads(inputs.shape[1:3], size, (1, 1), padding.upper())
    # What a window did not reach beyond the image, those of the gradient do.
    others = [
        (reach - 1 - before, reach - 1 - after) for reach, (before, after) in zip(size, sides, strict=True)
    ]

    @jax.custom_vjp
    def compute(inputs: Any, kernel: Any) -> Any:
        return _make(inputs, kernel, sides)

    def pull_back(given: tuple[Any, Any], above: Any) -> tuple[Any, Any]:
        inputs, kernel = given
        _, to_kernel = jax.vjp(lambda each: _convolve(inputs, each, (1, 1), sides), kernel)
        return _make(above, kernel[::-1, ::-1].swapaxes(2, 3), others), to_kernel(above)[0]

    compute.defvjp(lambda *given: (compute(*given), given), pull_back)
    return compute(inputs, kernel)


def _make(inputs: Any, kernel: Any, sides: Any) -> Any:
    few = kernel.shape[-1] <= FEW_CHANNELS and kernel.shape[1] > 1 and inputs.shape[2] >= NARROW
    return _make_side_by_side(inputs, kernel, sides) if few else _convolve(inputs, kernel, (1, 1), sides)


def _make_side_by_side(inputs: Any, kernel: Any, sides: Any) -> Any:
    """The kernel stands beside itself, moved by a pixel each time; windows go on by as many pixels."""
    down, (left, right) = sides
    columns = inputs.shape[2] + left + right - kernel.shape[1] + 1
    added = -columns % AT_ONCE
    moved = [
        jnp.pad(kernel, ((0, 0), (place, AT_ONCE - 1 - place), (0, 0), (0, 0))) for place in range(AT_ONCE)
    ]
    wide = _convolve(inputs, jnp.concatenate(moved, axis=-1), (1, AT_ONCE), (down, (left, right + added)))
    made = wide.reshape(*wide.shape[:2], columns + added, kernel.shape[-1])
    return made[:, :, :columns]
