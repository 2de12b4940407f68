"""The JAX twin of `workers.backends.tensorflow.optimizers`: the same rules and the same loss as functions that change nothing in place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from workers.device.stepper import BaseStepper
from workers.device.steps import AVERAGE, OPTIMIZER, average_weights

Arrays = Sequence[Any]
Keep: TypeAlias = Callable[[Any, Any], Any]
"""From a new array and the old one to the one that is kept."""


class Stepper(BaseStepper):
    """The JAX twin of `workers.backends.tensorflow.optimizers.Stepper`: new arrays in place of changed ones."""

    def take(
        self,
        weights: Arrays,
        memory: Mapping[str, Arrays],
        gradients: Arrays,
        step: Any,
        settings: Mapping[str, Any],
        keep: Keep = lambda new, _: new,
    ) -> tuple[list[Any], dict[str, list[Any]]]:
        """Weights and memory after a step; arguments as under TensorFlow, but for arrays in place of handles.

        Args:
            weights: arrays.
            memory: arrays, by the names of `memory`.
            gradients: one per weight.
            step: how many steps there have been with this one.
            settings: `workers.device.backend.SETTINGS` and the numbers of the rules.
            keep: chooses between a new array and the old one. Chosen only at the end, the step would be computed from arrays that are
                not kept, and XLA would copy both moments of every fold at every step.
        """
        taken = jnp.asarray(step, jnp.float32)
        gradients, settings = self.prepare(gradients, taken, settings)
        if self._keras is None:
            moments = memory["first_moment"], memory["second_moment"]
            changed, first, second = apply_step(
                self._rules.optimizer, weights, *moments, gradients, step, settings, keep
            )
            after = {"first_moment": first, "second_moment": second}
        else:
            changed, kept = self._keras.apply(
                weights, memory[OPTIMIZER], gradients, settings["learning_rate"]
            )
            changed = [keep(*pair) for pair in zip(changed, weights, strict=True)]
            after = {OPTIMIZER: [keep(*pair) for pair in zip(kept, memory[OPTIMIZER], strict=True)]}
        if self._rules.averages:
            averages = average_weights(memory[AVERAGE], changed, taken, settings["ema_momentum"])
            after[AVERAGE] = [keep(*pair) for pair in zip(averages, memory[AVERAGE], strict=True)]
        return changed, after


def apply_step(
    optimizer: str,
    weights: Arrays,
    first_moments: Arrays,
    second_moments: Arrays,
    gradients: Arrays,
    step: Any,
    settings: Mapping[str, Any],
    keep: Keep = lambda new, _: new,
) -> tuple[list[Any], list[Any], list[Any]]:
    """Weights and both moments after a step; arguments as those of `workers.backends.tensorflow.optimizers.apply_step`, `keep` as of `Stepper.take`."""
    if optimizer == "sgd":
        pairs = [
            apply_momentum(*each, settings, keep)
            for each in zip(weights, first_moments, gradients, strict=True)
        ]
        return [pair[0] for pair in pairs], [pair[1] for pair in pairs], list(second_moments)
    if optimizer == "adamw":
        # Decoupled and before the step (Loshchilov and Hutter 2019): w -= lr decay w, as in Keras.
        share = settings["learning_rate"] * settings["weight_decay"]
        weights = [keep(weight - share * weight, weight) for weight in weights]
    triples = [
        apply_adam(*each, step, settings, keep)
        for each in zip(weights, first_moments, second_moments, gradients, strict=True)
    ]
    return (
        [triple[0] for triple in triples],
        [triple[1] for triple in triples],
        [triple[2] for triple in triples],
    )


def apply_adam(
    weight: Any, first: Any, second: Any, gradient: Any, step: Any, settings: Mapping[str, Any], keep: Keep
) -> tuple[Any, Any, Any]:
    """One step of Adam (Kingma and Ba 2015, the form before section 2.1).

    lr_t = lr sqrt(1 - beta_2^t) / (1 - beta_1^t);  w -= lr_t m / (sqrt(v) + epsilon), as in Keras.
    """
    power = jnp.asarray(step, jnp.float32)
    beta_1, beta_2 = settings["beta_1"], settings["beta_2"]
    rate = settings["learning_rate"] * jnp.sqrt(1 - beta_2**power) / (1 - beta_1**power)
    first = keep(first + (gradient - first) * (1 - beta_1), first)
    second = keep(second + (jnp.square(gradient) - second) * (1 - beta_2), second)
    changed = weight - rate * first / (jnp.sqrt(second) + settings["epsilon"])
    return keep(changed, weight), first, second


def apply_momentum(
    weight: Any, velocity: Any, gradient: Any, settings: Mapping[str, Any], keep: Keep
) -> tuple[Any, Any]:
    """One step of gradient descent with momentum: velocity = momentum velocity - lr gradient;  w += velocity."""
    velocity = keep(settings["momentum"] * velocity - settings["learning_rate"] * gradient, velocity)
    return keep(weight + velocity, weight), velocity


def masked_cross_entropy(
    labels: Any, logits: Any, positive_weights: Any = 1.0, label_smoothing: Any = 0.0
) -> Any:
    """Mean binary cross-entropy over the assessed entries of a batch; 0 when there is none.

    Of label y, its smoothed form z, logit x and positive weight q: (1 + (q - 1) y) ((1 - z) x + log(1 + exp(-x))).

    Args:
        labels: float32, shape (n, targets); NaN is not assessed.
        logits: float32, shape (n, targets).
        positive_weights: shape (targets,); weighs the whole loss of a positive label, as Keras's class weights do.
        label_smoothing: s turns 0 and 1 into s / 2 and 1 - s / 2.
    """
    assessed = ~jnp.isnan(labels)
    hard = jnp.where(assessed, labels, 0)
    known = hard * (1 - label_smoothing) + label_smoothing / 2
    # The weight belongs to the label as it was given: of a smoothed negative, no part is positive.
    losses = (1 + (positive_weights - 1) * hard) * ((1 - known) * logits + jax.nn.softplus(-logits))
    total = jnp.sum(jnp.where(assessed, losses, 0))
    return total / jnp.maximum(jnp.sum(assessed), 1)


@jax.custom_vjp
def multiply_few_rows(inputs: Any, kernel: Any) -> Any:
    """The product of few inputs and a kernel, whose gradient by the kernel is never written to memory.

    With few rows a GPU waits for the memory, not for products: a step of Adam reads weight, moments and gradient, and writes weight and moments.
    As a product of matrices the gradient would be written by one GPU kernel and read by the next. As a sum over the rows,
    XLA computes it where the optimizer needs it, from rows that lie in the caches.

    Args:
        inputs: shape (n, features).
        kernel: shape (features, units).
    """
    return jnp.matmul(inputs, kernel)


def _multiply(inputs: Any, kernel: Any) -> tuple[Any, tuple[Any, Any]]:
    return jnp.matmul(inputs, kernel), (inputs, kernel)


def _differentiate(known: tuple[Any, Any], gradients: Any) -> tuple[Any, Any]:
    inputs, kernel = known
    rows = (inputs.astype(jnp.float32), gradients.astype(jnp.float32))
    # Without the barrier XLA might compute a row again for each weight that needs it.
    left, right = jax.lax.optimization_barrier(rows)
    of_kernel = jnp.sum(left[:, :, None] * right[:, None, :], axis=0)
    return jnp.matmul(gradients, kernel.T), of_kernel.astype(kernel.dtype)


multiply_few_rows.defvjp(_multiply, _differentiate)
