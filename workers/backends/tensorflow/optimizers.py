"""One optimizer step, and the loss it descends: the same for heads on features and for models on images.

Every rule is that of the Keras optimizer of its name, written with TensorFlow's fused kernels: one pass over memory.
Weights come as resource handles, hyperparameters as tensors, so that one graph serves all folds and trials.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from workers.device.stepper import BaseStepper
from workers.device.steps import AVERAGE, OPTIMIZER, average_weights


class Stepper(BaseStepper):
    """Takes steps by `StepRules`, on handles of weights and of what the optimizer remembers."""

    def take(
        self,
        weights: Sequence[Any],
        memory: Mapping[str, Sequence[Any]],
        gradients: Sequence[Any],
        step: Any,
        settings: Mapping[str, Any],
    ) -> None:
        """Change weights and memory in place.

        Args:
            weights: resource handles.
            memory: resource handles, by the names of `memory`.
            gradients: one per weight.
            step: how many steps there have been with this one, int64.
            settings: `workers.device.backend.SETTINGS` and the numbers of the rules.
        """
        # Read behind a handle it has no shape, and Keras asks for one.
        taken = tf.reshape(tf.cast(step, tf.float32), [])
        gradients, settings = self.prepare(gradients, taken, settings)
        if self._keras is None:
            moments = memory["first_moment"], memory["second_moment"]
            apply_step(self._rules.optimizer, weights, *moments, gradients, step, settings)
        else:
            before = read(weights, gradients), read(memory[OPTIMIZER], self._keras.memory)
            after = self._keras.apply(*before, gradients, settings["learning_rate"])
            write([*weights, *memory[OPTIMIZER]], [*after[0], *after[1]])
        if self._rules.averages:
            values = read(memory[AVERAGE], gradients), read(weights, gradients)
            write(memory[AVERAGE], average_weights(*values, taken, settings["ema_momentum"]))


def read(handles: Sequence[Any], like: Sequence[Any]) -> list[Any]:
    """The values of resource handles, of the shapes and types of others."""
    values = []
    for handle, other in zip(handles, like, strict=True):
        value = tf.raw_ops.ReadVariableOp(resource=handle, dtype=other.dtype)
        value.set_shape(other.shape)
        values.append(value)
    return values


def write(handles: Sequence[Any], values: Sequence[Any]) -> None:
    """Put values behind resource handles."""
    for handle, value in zip(handles, values, strict=True):
        tf.raw_ops.AssignVariableOp(resource=handle, value=value)


def apply_step(
    optimizer: str,
    weights: Sequence[Any],
    first_moments: Sequence[Any],
    second_moments: Sequence[Any],
    gradients: Sequence[Any],
    step: Any,
    settings: Mapping[str, Any],
) -> None:
    """Change weights and optimizer memory in place.

    Args:
        optimizer: "adam", "adamw" or "sgd".
        weights: resource handles.
        first_moments: resource handles; of "sgd" its velocities.
        second_moments: resource handles; "sgd" leaves them alone.
        gradients: one per weight.
        step: how many steps there have been with this one, int64.
        settings: `workers.device.backend.SETTINGS`.
    """
    if optimizer == "sgd":
        apply_momentum(weights, first_moments, gradients, settings)
        return
    if optimizer == "adamw":
        decay_weights(weights, gradients, settings)
    apply_adam(weights, first_moments, second_moments, gradients, step, settings)


def apply_adam(
    weights: Sequence[Any],
    first_moments: Sequence[Any],
    second_moments: Sequence[Any],
    gradients: Sequence[Any],
    step: Any,
    settings: Mapping[str, Any],
) -> None:
    """One step of Adam (Kingma and Ba 2015, the form before section 2.1).

    lr_t = lr sqrt(1 - beta_2^t) / (1 - beta_1^t);  w -= lr_t m / (sqrt(v) + epsilon), as in Keras.
    """
    power = tf.cast(step, tf.float32)
    for weight, first, second, gradient in zip(
        weights, first_moments, second_moments, gradients, strict=True
    ):
        tf.raw_ops.ResourceApplyAdam(
            var=weight,
            m=first,
            v=second,
            beta1_power=tf.pow(settings["beta_1"], power),
            beta2_power=tf.pow(settings["beta_2"], power),
            lr=settings["learning_rate"],
            beta1=settings["beta_1"],
            beta2=settings["beta_2"],
            epsilon=settings["epsilon"],
            grad=gradient,
        )


def apply_momentum(
    weights: Sequence[Any], velocities: Sequence[Any], gradients: Sequence[Any], settings: Mapping[str, Any]
) -> None:
    """One step of gradient descent with momentum: velocity = momentum velocity - lr gradient;  w += velocity."""
    for weight, velocity, gradient in zip(weights, velocities, gradients, strict=True):
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=weight,
            accum=velocity,
            lr=settings["learning_rate"],
            grad=gradient,
            momentum=settings["momentum"],
        )


def decay_weights(weights: Sequence[Any], gradients: Sequence[Any], settings: Mapping[str, Any]) -> None:
    """Decoupled weight decay, before the step (Loshchilov and Hutter 2019): w -= lr decay w, as in Keras."""
    share = settings["learning_rate"] * settings["weight_decay"]
    for weight, gradient in zip(weights, gradients, strict=True):
        value = tf.raw_ops.ReadVariableOp(resource=weight, dtype=gradient.dtype)
        tf.raw_ops.AssignSubVariableOp(resource=weight, value=share * value)


def masked_cross_entropy(
    labels: Any, logits: Any, positive_weights: Any = 1.0, label_smoothing: Any = 0.0
) -> Any:
    """Mean binary cross-entropy over the assessed entries of a batch; 0 when there is none.

    Args:
        labels: float32, shape (n, targets); NaN is not assessed.
        logits: float32, shape (n, targets).
        positive_weights: shape (targets,); weighs the whole loss of a positive label, as Keras's class weights do.
        label_smoothing: s turns 0 and 1 into s / 2 and 1 - s / 2.
    """
    assessed = tf.math.logical_not(tf.math.is_nan(labels))
    hard = tf.where(assessed, labels, 0)
    known = hard * (1 - label_smoothing) + label_smoothing / 2
    # The weight belongs to the label as it was given: of a smoothed negative, no part is positive.
    losses = (1 + (positive_weights - 1) * hard) * tf.nn.weighted_cross_entropy_with_logits(
        known, logits, 1.0
    )
    weights = tf.cast(assessed, tf.float32)
    return tf.math.divide_no_nan(tf.reduce_sum(losses * weights), tf.reduce_sum(weights))
