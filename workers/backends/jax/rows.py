"""Whether a batch may be padded: what training makes of its rows is then the same with more rows, which BatchNormalization does not measure.

A layer that draws, draws for all rows at once. JAX numbers what it draws in the order of the elements (`jax_threefry_partitionable`),
rows first: what a row gets does not depend on how many rows come behind it. Other generators of JAX do not promise that.

Of a model of the user's own that is known where each of its operations is a layer of Keras that treats every row by itself. What a
layer, a model or an activation does that is not Keras's own is not known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import keras
from keras.src.models.functional import Functional

from workers.models.network import Network

DRAW = (
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "SpatialDropout1D",
    "SpatialDropout2D",
)
"""They draw an array whose first axis is that of the rows."""

BY_ROW = (
    *("InputLayer", "Dense", "Flatten", "Reshape", "Permute", "Rescaling", "Normalization", "Identity"),
    *("Conv1D", "Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose"),
    *("MaxPooling2D", "AveragePooling2D", "GlobalMaxPooling2D", "GlobalAveragePooling2D"),
    *("ZeroPadding2D", "Cropping2D", "UpSampling2D", "Resizing"),
    *("Activation", "ReLU", "LeakyReLU", "PReLU", "ELU"),
    *("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"),
    *("BatchNormalization", "LayerNormalization", "GroupNormalization"),
)
"""Layers whose rows know nothing of each other but for what BatchNormalization measures."""


def rows_may_be_added(network: Network) -> bool:
    """Whether what training makes of a batch stays the same, but for the order of sums, with rows that count for nothing."""
    if not network.body_trains or network.is_lenet:
        return True
    layers = network.body._flatten_layers()
    if network.is_own:
        known = _works_by_row(network.body)
    else:
        known = all(type(layer).__module__.startswith("keras.") for layer in layers)
    seeds = {id(variable) for variable in network.body.non_trainable_variables if variable.dtype == "uint32"}
    if seeds and not _numbers_draws():
        return False
    return known and seeds <= {id(layer.seed_generator.state) for layer in layers if _draws_by_row(layer)}


def _numbers_draws() -> bool:
    config: Any = jax.config
    return bool(config.jax_threefry_partitionable and config.jax_default_prng_impl == "threefry2x32")


def _draws_by_row(layer: Any) -> bool:
    """Whether an array is drawn with an element for each row, or one that all of them share; a shape may name a number of rows."""
    shape = getattr(layer, "noise_shape", None)
    return (
        _is_one_of(layer, DRAW)
        and hasattr(layer, "seed_generator")
        and (shape is None or shape[0] in (None, 1))
    )


def _works_by_row(model: keras.Model) -> bool:
    if type(model) not in (Functional, keras.Sequential):
        return False
    return all(_is_known(operation) for operation in _operations(model))


def _operations(model: keras.Model) -> Iterator[Any]:
    for operation in model.layers if isinstance(model, keras.Sequential) else model.operations:
        if type(operation) in (Functional, keras.Sequential):
            yield from _operations(operation)
        else:
            yield operation


def _is_known(operation: Any) -> bool:
    """Whether an operation of a graph treats each row by itself; a function that it was given must be Keras's own."""
    if type(operation) is keras.layers.Concatenate:
        return bool(operation.axis % len(operation.input[0].shape) != 0)
    activation = getattr(operation, "activation", None)
    is_own_function = activation is not None and not str(
        getattr(activation, "__module__", type(activation).__module__)
    ).startswith("keras.")
    return _is_one_of(operation, (*BY_ROW, *DRAW)) and not is_own_function


def _is_one_of(layer: Any, names: tuple[str, ...]) -> bool:
    return any(type(layer) is getattr(keras.layers, name) for name in names)
