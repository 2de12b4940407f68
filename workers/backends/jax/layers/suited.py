"""Which layers of Keras are computed in another way on a device."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import jax.numpy as jnp
from keras.src import backend as keras_backend

from workers.backends.jax.layers.convolutions import convolve, convolve_each_channel, in_float32, multiply
from workers.backends.jax.layers.pooling import max_pool

KERAS = {
    name: getattr(keras_backend.nn, name)
    for name in ("conv", "depthwise_conv", "average_pool", "max_pool", "moments")
}
KERAS |= {name: getattr(keras_backend.numpy, name) for name in ("matmul", "add")}
"""What Keras computes, by its own names."""

IMAGES = 4
"""Axes of maps of images: image, row, column, channel."""
MOST_SHIFTS = 49
"""Numbers of a channel's kernel: windows of seven pixels are the largest of the backbones of Keras."""


@contextmanager
def suited_layers(*, gpu: bool, measured: Any = None) -> Iterator[None]:
    """Layers of Keras that are traced meanwhile are computed as suits a GPU, where only max-pooling is another one, or a processor.

    Args:
        gpu: which of them.
        measured: boolean, shape (n,): the rows of a batch that BatchNormalization measures; None for all.
    """
    ours = {"max_pool": _pool_on_a_gpu} if gpu else dict(OURS)
    if measured is not None:
        ours["moments"] = functools.partial(_moments, measured)
    with ExitStack() as stack:
        for name, function in ours.items():
            module = keras_backend.nn if hasattr(keras_backend.nn, name) else keras_backend.numpy
            stack.callback(setattr, module, name, getattr(module, name))
            setattr(module, name, function)
        yield


def _pool_on_a_gpu(
    inputs: Any, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: str | None = None
) -> Any:
    if inputs.ndim == IMAGES and _has_channels_last(data_format):
        return max_pool(inputs, pool_size, strides, padding)
    return KERAS["max_pool"](inputs, pool_size, strides, padding, data_format)


def _max_pool(inputs: Any, *given: Any, **named: Any) -> Any:
    return in_float32(lambda maps: _pool_on_a_gpu(maps, *given, **named), inputs)


def _average_pool(inputs: Any, *given: Any, **named: Any) -> Any:
    return in_float32(lambda maps: KERAS["average_pool"](maps, *given, **named), inputs)


def _conv(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    kernel = keras_backend.convert_to_tensor(kernel)
    inputs = keras_backend.convert_to_tensor(inputs, dtype=kernel.dtype)
    plain = inputs.shape[-1] == kernel.shape[-2] and _is_plain(
        inputs, kernel, padding, data_format, dilation_rate
    )
    if plain:
        return convolve(inputs, kernel, _pair(strides), padding)
    return KERAS["conv"](inputs, kernel, strides, padding, data_format, dilation_rate)


def _depthwise_conv(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    inputs, kernel = keras_backend.convert_to_tensor(inputs), keras_backend.convert_to_tensor(kernel)
    plain = (
        _is_plain(inputs, kernel, padding, data_format, dilation_rate)
        and inputs.dtype == kernel.dtype
        # A kernel that makes several channels of one is rare.
        and kernel.shape[-2:] == (inputs.shape[-1], 1)
        and math.prod(kernel.shape[:2]) <= MOST_SHIFTS
    )
    if plain:
        return convolve_each_channel(inputs, kernel, _pair(strides), padding)
    return KERAS["depthwise_conv"](inputs, kernel, strides, padding, data_format, dilation_rate)


def _is_plain(inputs: Any, kernel: Any, padding: str, data_format: str | None, dilation_rate: Any) -> bool:
    """Whether a convolution is of maps, channels last, without holes."""
    return (
        inputs.ndim == IMAGES
        and _has_channels_last(data_format)
        and _is_float(kernel)
        and _pair(dilation_rate) == (1, 1)
        # Of a window that is larger than its image Keras says what is wrong.
        and (padding == "same" or all(a >= b for a, b in zip(inputs.shape[1:3], kernel.shape, strict=False)))
    )


def _matmul(left: Any, right: Any) -> Any:
    left, right = keras_backend.convert_to_tensor(left), keras_backend.convert_to_tensor(right)
    if left.ndim == right.ndim == 2 and left.dtype == right.dtype == jnp.bfloat16:
        return multiply(left, right)
    return KERAS["matmul"](left, right)


def _add(left: Any, right: Any) -> Any:
    """The gradient of a bias is a sum over all pixels, which XLA takes thirty times as long for in bfloat16."""
    halves = [getattr(each, "dtype", None) == jnp.bfloat16 for each in (left, right)]
    return in_float32(jnp.add, left, right) if all(halves) else KERAS["add"](left, right)


def _moments(
    measured: Any, inputs: Any, axes: Sequence[int], keepdims: bool = False, synchronized: bool = False
) -> tuple[Any, Any]:
    """Mean and variance over the rows that are measured, where a batch is measured as a whole."""
    over = tuple(axis % inputs.ndim for axis in axes)
    if 0 not in over or inputs.dtype != jnp.float32 or len(inputs) != len(measured):
        return KERAS["moments"](inputs, axes, keepdims, synchronized)
    inside = measured.reshape(-1, *(1,) * (inputs.ndim - 1))
    count = jnp.sum(measured) * math.prod(inputs.shape[axis] for axis in over if axis)

    def mean_of(values: Any) -> Any:
        return jnp.sum(jnp.where(inside, values, 0), over, keepdims=True) / count

    mean = mean_of(inputs)
    variance = mean_of(jnp.square(inputs - mean))
    return (mean, variance) if keepdims else (jnp.squeeze(mean, over), jnp.squeeze(variance, over))


def _is_float(array: Any) -> bool:
    return array.dtype in (jnp.float32, jnp.bfloat16)


def _has_channels_last(data_format: str | None) -> bool:
    return bool(keras_backend.standardize_data_format(data_format) == "channels_last")


def _pair(sizes: Any) -> tuple[int, int]:
    return (sizes, sizes) if isinstance(sizes, int) else (int(sizes[0]), int(sizes[1]))


OURS = {
    "max_pool": _max_pool,
    "average_pool": _average_pool,
    "conv": _conv,
    "depthwise_conv": _depthwise_conv,
    "matmul": _matmul,
    "add": _add,
}
"""What is computed in their place on a processor."""
