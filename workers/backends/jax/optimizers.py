"""The JAX twin of `workers.backends.tensorflow.optimizers`: the same rules and the same loss as functions that change nothing in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from workers.device.stepper import BaseStepper
from workers.device.steps import AVERAGE, OPTIMIZER, average_weights

Arrays = Sequence[Any]


class Stepper(BaseStepper):
    """The JAX twin of `workers.backends.tensorflow.optimizers.Stepper`: new arrays in place of changed ones."""

    def take(
        self,
        weights: Arrays,
        memory: Mapping[str, Arrays],
        gradients: Arrays,
        step: Any,
        settings: Mapping[str, Any],
    ) -> tuple[list[Any], dict[str, list[Any]]]:
        """Weights and memory after a step; arguments as under TensorFlow, but for arrays in place of handles."""
        taken = jnp.asarray(step, jnp.float32)
        gradients, settings = self.prepare(gradients, taken, settings)
        if self._keras is None:
            moments = memory["first_moment"], memory["second_moment"]
            changed, first, second = apply_step(
                self._rules.optimizer, weights, *moments, gradients, step, settings
            )
            after = {"first_moment": first, "second_moment": second}
        else:
            changed, kept = self._keras.apply(
                weights, memory[OPTIMIZER], gradients, settings["learning_rate"]
            )
            after = {OPTIMIZER: kept}
        if self._rules.averages:
            after[AVERAGE] = average_weights(memory[AVERAGE], changed, taken, settings["ema_momentum"])
        return changed, after


def apply_step(
    optimizer: str,
    weights: Arrays,
    first_moments: Arrays,
    second_moments: Arrays,
    gradients: Arrays,
    step: Any,
    settings: Mapping[str, Any],
) -> tuple[list[Any], list[Any], list[Any]]:
    """Weights and both moments after a step; arguments as those of `workers.backends.tensorflow.optimizers.apply_step`."""
    if optimizer == "sgd":
        pairs = [
            apply_momentum(*each, settings) for each in zip(weights, first_moments, gradients, strict=True)
        ]
        return [pair[0] for pair in pairs], [pair[1] for pair in pairs], list(second_moments)
    if optimizer == "adamw":
        # Decoupled and before the step (Loshchilov and Hutter 2019): w -= lr decay w, as in Keras.
        share = settings["learning_rate"] * settings["weight_decay"]
        weights = [weight - share * weight for weight in weights]
    triples = [
        apply_adam(*each, step, settings)
        for each in zip(weights, first_moments, second_moments, gradients, strict=True)
    ]
    return (
        [triple[0] for triple in triples],
        [triple[1] for triple in triples],
        [triple[2] for triple in triples],
    )


def apply_adam(
    weight: Any, first: Any, second: Any, gradient: Any, step: Any, settings: Mapping[str, Any]
) -> tuple[Any, Any, Any]:
    """One step of Adam (Kingma and Ba 2015, the form before section 2.1).

    lr_t = lr sqrt(1 - beta_2^t) / (1 - beta_1^t);  w -= lr_t m / (sqrt(v) + epsilon), as in Keras.
    """
    power = jnp.asarray(step, jnp.float32)
    beta_1, beta_2 = settings["beta_1"], settings["beta_2"]
    rate = settings["learning_rate"] * jnp.sqrt(1 - beta_2**power) / (1 - beta_1**power)
    first = first + (gradient - first) * (1 - beta_1)
    second = second + (jnp.square(gradient) - second) * (1 - beta_2)
    return weight - rate * first / (jnp.sqrt(second) + settings["epsilon"]), first, second


def apply_momentum(weight: Any, velocity: Any, gradient: Any, settings: Mapping[str, Any]) -> tuple[Any, Any]:
    """One step of gradient descent with momentum: velocity = momentum velocity - lr gradient;  w += velocity."""
    velocity = settings["momentum"] * velocity - settings["learning_rate"] * gradient
    return weight + velocity, velocity


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
