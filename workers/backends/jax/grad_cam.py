"""How the score of an output changes with the last feature maps, under JAX: a zero is added to the maps, and what it does is asked for."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
from numpy.typing import NDArray

from workers.heads.contract import Head
from workers.models.feature_maps import passed_through

Floats = NDArray[np.float32]


def differentiate(
    model: keras.Model, layer: keras.Layer, images: Floats, choose: Callable[[Floats], list[int]], kind: Head
) -> tuple[Floats, Floats, Floats]:
    """As `workers.final_model.explain.GradCam.differentiate`."""
    run = _compile(model, layer)
    values = [variable.value for variable in model.variables]
    shape = jax.eval_shape(run, 0.0, values, images)[1]
    nothing = jnp.zeros(shape.shape, shape.dtype)
    outputs, pull_back, maps = jax.vjp(lambda added: run(added, values, images), nothing, has_aux=True)
    places = jnp.array(choose(np.asarray(outputs)))
    scores, to_outputs = jax.vjp(lambda found: kind.score_places(found, places), outputs)
    (gradients,) = pull_back(*to_outputs(jnp.ones_like(scores)))
    maps, gradients, outputs = (np.asarray(found.astype(jnp.float32)) for found in (maps, gradients, outputs))
    return maps, gradients, outputs


@functools.lru_cache(maxsize=1)
def _compile(model: keras.Model, layer: keras.Layer) -> Callable[..., Any]:
    """The compiled pass of a model, which serves all its batches: outputs and maps of what is added to the maps, weights and images."""

    @jax.jit
    def run(added: Any, values: list[Any], images: Any) -> tuple[Any, Any]:
        kept: list[Any] = []

        def add(maps: Any) -> Any:
            kept.append(maps)
            return maps + added

        mapping = list(zip(model.variables, values, strict=True))
        with passed_through(layer, add), keras.StatelessScope(state_mapping=mapping):
            outputs = model(images, training=False)
        return outputs, kept[0]

    return run
