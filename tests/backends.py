"""What tests say in a backend's own words, for the backend that KERAS_BACKEND chose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from workers.device import backend

SIDE_BY_SIDE = 1 if backend.name() == "jax" else 2
"""`training.threads` of a head whose study runs in the process of the tests, which computes on one thread.

TensorFlow computes the folds of heads side by side, each on one thread. JAX shares every operation among the threads of a process, whose
number stays what it was at its start, and the files of tests share their processes.
"""


def augment(name: str, *given: Any) -> np.ndarray:
    """What the backend's `change`, `flip` or `mix` makes of images, compiled as in training where JAX computes."""
    function = getattr(backend.load("augmentation"), name)
    if backend.name() == "jax":
        import jax

        function = jax.jit(function)
    return np.asarray(function(*given))


def count_programs(epoch: Any) -> int:
    """How many programs there are of the training of a compiled epoch: traced by TensorFlow, compiled by JAX."""
    if backend.name() == "jax":
        return int(epoch._train._cache_size())
    return int(epoch._train.experimental_get_tracing_count())


def differentiate(compute: Callable[[Any], Any], values: np.ndarray) -> tuple[float, np.ndarray]:
    """A loss of these values, and its gradient."""
    if backend.name() == "jax":
        import jax

        value, gradient = jax.value_and_grad(compute)(values)
        return float(value), np.asarray(gradient)
    import tensorflow as tf

    variable = tf.constant(values)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        value = compute(variable)
    return float(value), np.asarray(tape.gradient(value, variable))


def differentiate_model(
    model: Any, inputs: np.ndarray, compute: Callable[[Any], Any]
) -> tuple[np.ndarray, list[Any]]:
    """What a Keras model that has no statistics says in training, and the gradients of a loss of it by the weights that learn."""
    if backend.name() == "jax":
        import jax

        fixed = [variable.value for variable in model.non_trainable_variables]

        def lose(weights: list[Any]) -> tuple[Any, Any]:
            found, _ = model.stateless_call(weights, fixed, inputs, training=True)
            return compute(found), found

        weights = [variable.value for variable in model.trainable_variables]
        gradients, found = jax.jit(jax.grad(lose, has_aux=True))(weights)
        return np.asarray(found), gradients
    import tensorflow as tf

    with tf.GradientTape() as tape:
        found = model(inputs, training=True)
        loss = compute(found)
    return found.numpy(), tape.gradient(loss, model.trainable_variables)


def find_cross_entropy() -> Any:
    """The cross-entropy of labels side by side."""
    return backend.load("optimizers").masked_cross_entropy


def take_steps(rules: Any, begin: Any, gradients: Any, settings: Any) -> Any:
    """Weights, and memory by its names, after the steps of these rules with these gradients; all of them arrays."""
    return (_take_with_jax if backend.name() == "jax" else _take_with_tensorflow)(
        rules, begin, gradients, settings
    )


def _take_with_jax(rules: Any, begin: Any, gradients: Any, settings: Any) -> Any:
    import jax.numpy as jnp
    import keras

    from workers.backends.jax.optimizers import Stepper

    stepper = Stepper(rules, [keras.Variable(weight) for weight in begin])
    memory: Any = {
        name: [jnp.array(value) for value in ([w * 0 for w in begin] if values is None else values)]
        for name, values in stepper.memory.items()
    }
    weights: Any = [jnp.array(weight) for weight in begin]
    numbers = {name: jnp.float32(value) for name, value in settings.items()}
    for taken, step in enumerate(gradients, start=1):
        weights, memory = stepper.take(weights, memory, [jnp.array(g) for g in step], taken, numbers)
    kept = {name: [np.asarray(one) for one in arrays] for name, arrays in memory.items()}
    return [np.asarray(weight) for weight in weights], kept


def _take_with_tensorflow(rules: Any, begin: Any, gradients: Any, settings: Any) -> Any:
    import keras
    import tensorflow as tf

    from workers.backends.tensorflow.optimizers import Stepper

    weights = [keras.Variable(weight) for weight in begin]
    stepper = Stepper(rules, weights)
    memory = {
        name: [tf.Variable(value) for value in ([w * 0 for w in begin] if values is None else values)]
        for name, values in stepper.memory.items()
    }
    handles = {name: [one.handle for one in variables] for name, variables in memory.items()}
    numbers = {name: tf.constant(value, tf.float32) for name, value in settings.items()}
    for taken, step in enumerate(gradients, start=1):
        slopes = [tf.constant(gradient) for gradient in step]
        places = [weight.value.handle for weight in weights]
        stepper.take(places, handles, slopes, tf.constant(taken, tf.int64), numbers)
    kept = {name: [one.numpy() for one in variables] for name, variables in memory.items()}
    return [weight.numpy() for weight in weights], kept
