"""How the score of an output changes with the last feature maps, under TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from workers.heads.contract import Head
from workers.models.feature_maps import passed_through

Floats = NDArray[np.float32]


def differentiate(
    model: keras.Model, layer: keras.Layer, images: Floats, choose: Callable[[Floats], list[int]], kind: Head
) -> tuple[Floats, Floats, Floats]:
    """As `workers.final_model.explain.GradCam.differentiate`."""
    # Only what follows the maps is recorded: the backbone, with nearly all layers, needs no gradient.
    tape = tf.GradientTape(watch_accessed_variables=False)
    kept: list[Any] = []

    def watch(maps: Any) -> Any:
        tape.watch(maps)
        kept.append(maps)
        return maps

    with tape, passed_through(layer, watch):
        outputs = tf.convert_to_tensor(model(images, training=False))
        scores = kind.score_places(outputs, tf.constant(choose(outputs.numpy())))
    (maps,) = kept
    gradients = tape.gradient(scores, maps)
    maps, gradients, outputs = (
        np.asarray(tf.cast(found, tf.float32)) for found in (maps, gradients, outputs)
    )
    return maps, gradients, outputs
