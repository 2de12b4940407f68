"""Where a model looks: Grad-CAM (Selvaraju et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from storage.errors import DataError
from workers.heads.contract import Head
from workers.heads.sigmoid import SIGMOID
from workers.models.centring import CENTRING


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


def compute_heat(
    model: keras.Model,
    images: NDArray[np.float32],
    targets: Sequence[int] | Callable[[NDArray[np.float32]], int],
    kind: Head = SIGMOID,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Grad-CAM of one output per image.

    With A_k the maps of the last convolution and y the score of the output (the logit of a probability, or a number): relu(sum_k a_k A_k), where a_k is the mean
    of dy / dA_k over places; divided by its maximum. Where features are centred after pooling (`model.scale` =
    "standardize"), the level of a map is taken off it first: the head never sees that level, and left in, it decides
    alone whether a whole map is above or below 0.

    Args:
        model: from images to probabilities.
        images: shape (n, height, width, 3), as the model takes them.
        targets: length n: which output; or what chooses it from all outputs of an image.
        kind: of the model's labels: what score of an output is explained.

    Returns:
        Heat in [0, 1], shape (n, height, width of the maps), all 0 where nothing speaks for the output; and the
        probabilities, shape (n, outputs).

    Raises:
        DataError: the model has no feature maps.
    """
    # Only what follows the maps is recorded: the backbone, with nearly all layers, needs no gradient.
    tape = tf.GradientTape(watch_accessed_variables=False)
    with tape, _captured(find_last_maps(model), tape) as maps:
        outputs = tf.convert_to_tensor(model(images, training=False))
        found = outputs.numpy()
        wanted = tf.constant([targets(row) for row in found] if callable(targets) else list(targets))
        logits = kind.score_places(outputs, wanted)
    (features,) = maps
    gradients = tape.gradient(logits, features)
    shares = tf.reduce_mean(gradients, axis=(1, 2), keepdims=True)
    if any(layer.name.startswith(CENTRING) for layer in model.layers):
        features -= tf.reduce_mean(features, axis=(1, 2), keepdims=True)
    heat = np.maximum(tf.reduce_sum(shares * features, axis=-1).numpy(), 0)
    highest = heat.max(axis=(1, 2), keepdims=True)
    heat = np.divide(heat, highest, out=np.zeros_like(heat), where=highest > 0)
    return heat.astype(np.float32), np.asarray(outputs, np.float32)


def _flatten(model: keras.Model) -> Iterator[keras.Layer]:
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _flatten(layer)
        else:
            yield layer


@contextmanager
def _captured(layer: keras.Layer, tape: Any) -> Iterator[list[Any]]:
    """What a layer returns while the model is called, watched by the tape.

    A model cut in two at the layer would do for a plain stack only; a layer may sit inside a nested backbone.
    """
    returned: list[Any] = []
    original = layer.call

    def call(*arguments: Any, **options: Any) -> Any:
        output = original(*arguments, **options)
        tape.watch(output)
        returned.append(output)
        return output

    layer.call = call
    try:
        yield returned
    finally:
        layer.call = original
