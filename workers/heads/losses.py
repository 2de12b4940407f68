"""Losses that count an answer the less the surer the model is of it: focal and asymmetric loss, on logits, in `keras.ops`.

Powers are taken of exp(gamma log q), and q is kept off 0, so that neither value nor slope is ever infinite or NaN.
"""

from __future__ import annotations

from workers.heads.contract import Settings, Tensor

FOCAL, ASYMMETRIC = "focal", "asymmetric"
NUMBERS: dict[str, tuple[str, ...]] = {
    FOCAL: ("focal_gamma", "focal_alpha"),
    ASYMMETRIC: ("gamma_positive", "gamma_negative", "probability_margin"),
}
"""The hyperparameters of each loss for labels side by side; each is one number."""

SMALLEST = 1e-30
"""Far below what float32 tells from 0 in a sum, and a number whose inverse it still has."""


def power(base: Tensor, exponent: Tensor) -> Tensor:
    """`base` in [0, 1] to the power of `exponent` >= 0; 0 to the power of 0 is 1."""
    from keras import ops

    return ops.exp(exponent * ops.log(ops.maximum(base, SMALLEST)))


def binary_focal(labels: Tensor, outputs: Tensor, settings: Settings) -> Tensor:
    """The mean over assessed entries of focal loss (Lin et al. 2017, equations 4 and 5), as Keras's BinaryFocalCrossentropy has it.

    -a (1 - p_t)^gamma log p_t, with p_t the probability of the label as it is: p of a positive, 1 - p of a negative. a is alpha of
    a positive and 1 - alpha of a negative; an alpha of 0 weighs none. Of a smoothed label z, 1 - p_t is z (1 - p) + (1 - z) p.
    """
    from keras import ops

    assessed, hard, known = read_labels(labels, settings["label_smoothing"])
    probability, other = ops.sigmoid(outputs), ops.sigmoid(-outputs)
    losses = -known * ops.log_sigmoid(outputs) - (1 - known) * ops.log_sigmoid(-outputs)
    losses = losses * power(known * other + (1 - known) * probability, settings["focal_gamma"])
    alpha = settings["focal_alpha"]
    losses = losses * ops.where(alpha > 0, known * alpha + (1 - known) * (1 - alpha), 1.0)
    return mean_assessed(losses, assessed, hard, settings)


def asymmetric(labels: Tensor, outputs: Tensor, settings: Settings) -> Tensor:
    """The mean over assessed entries of asymmetric loss (Ridnik et al. 2021, equation 7), slopes of the weights included.

    -(1 - p)^gamma_positive log p of a positive, -q^gamma_negative log(1 - q) of a negative, q = max(p - margin, 0): a negative
    below the margin counts nothing. Of a smoothed label z, z times the one and 1 - z times the other.
    """
    from keras import ops

    assessed, hard, known = read_labels(labels, settings["label_smoothing"])
    probability, other, margin = ops.sigmoid(outputs), ops.sigmoid(-outputs), settings["probability_margin"]
    positive = -power(other, settings["gamma_positive"]) * ops.log_sigmoid(outputs)
    shifted = ops.maximum(probability - margin, 0.0)
    # 1 - p is exact as a sigmoid of its own; without a margin its logarithm is, too.
    rest = ops.where(margin > 0, ops.log(ops.clip(other + margin, SMALLEST, 1.0)), ops.log_sigmoid(-outputs))
    negative = ops.where(shifted > 0, -power(shifted, settings["gamma_negative"]) * rest, 0.0)
    return mean_assessed(known * positive + (1 - known) * negative, assessed, hard, settings)


def read_labels(labels: Tensor, smoothing: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Which entries are assessed, the labels with 0 in place of NaN, which must not reach a product, and their smoothed form."""
    from keras import ops

    assessed = ops.logical_not(ops.isnan(labels))
    hard = ops.where(assessed, labels, 0.0)
    return assessed, hard, hard * (1 - smoothing) + smoothing / 2


def mean_assessed(losses: Tensor, assessed: Tensor, hard: Tensor, settings: Settings) -> Tensor:
    """The mean over assessed entries, positives weighed by their label's weight; 0 where nothing is assessed."""
    from keras import ops

    weighed = losses * (1 + (settings["positive_weights"] - 1) * hard)
    count = ops.sum(ops.cast(assessed, "float32"))
    return ops.sum(ops.where(assessed, weighed, 0.0)) / ops.maximum(count, 1.0)


BINARY = {FOCAL: binary_focal, ASYMMETRIC: asymmetric}
"""Of labels side by side: (labels, outputs, settings) to the mean of a batch."""
