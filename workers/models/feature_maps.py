"""The last feature maps of a model: where they are, how they are reached while it runs, and what of them its head never sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from storage.errors import DataError
from workers.heads.contract import Tensor

if TYPE_CHECKING:
    import keras

CENTRING = "centring_"
"""How the names of the layers begin by which a model file says that it takes the mean of the training images off pooled features."""


def find_last_maps(model: keras.Model) -> keras.Layer:
    """The last layer that makes feature maps and does not only pool them, also inside a nested backbone.

    Raises:
        DataError: the model has none.
    """
    found = None
    for layer in _flatten(model):
        shape = getattr(getattr(layer, "output", None), "shape", ())
        if len(shape) == 4 and "Pooling" not in type(layer).__name__:
            found = layer
    if found is None or type(found).__name__ == "InputLayer":
        raise DataError(
            f"The model {model.name} has no layer of feature maps, so there is nothing to lay over an image.",
            why="Grad-CAM needs a convolution.",
        )
    return found


@contextmanager
def passed_through(layer: keras.Layer, function: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """What a layer returns goes through a function while the model is called.

    A model cut in two at the layer would do for a plain stack only; a layer may sit inside a nested backbone.
    """
    original = layer.call

    def call(*arguments: Tensor, **options: Tensor) -> Tensor:
        return function(original(*arguments, **options))

    layer.call = call
    try:
        yield
    finally:
        layer.call = original


def combine_maps(
    model: keras.Model, maps: NDArray[np.float32], gradients: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Heat in [0, 1] from feature maps and the gradients of a score with respect to them, both of shape (n, height, width, maps).

    Where features are centred after pooling (`model.scale` = "standardize"), the level of a map is taken off it first: the head never
    sees that level, and left in, it decides alone whether a whole map is above or below 0.
    """
    shares = gradients.mean(axis=(1, 2), keepdims=True)
    if any(layer.name.startswith(CENTRING) for layer in model.layers):
        maps = maps - maps.mean(axis=(1, 2), keepdims=True)
    heat = np.maximum((shares * maps).sum(axis=-1), 0)
    highest = heat.max(axis=(1, 2), keepdims=True)
    divided: NDArray[np.float32] = np.divide(heat, highest, out=np.zeros_like(heat), where=highest > 0)
    return divided


def _flatten(model: keras.Model) -> Iterator[keras.Layer]:
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _flatten(layer)
        else:
            yield layer
