"""Classes of which an image has one: softmax, and the cross-entropy or focal loss of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workers.heads.contract import CrossEntropy, Head, Settings, Tensor, Vectors
from workers.heads.losses import FOCAL, power

if TYPE_CHECKING:
    import keras


class Softmax(Head):
    """One logit for each class."""

    vectors = ("positive_weights",)

    def __init__(self, loss: str = "") -> None:
        self.numbers = ("focal_gamma",) if loss == FOCAL else ()

    def finish(self, targets: int) -> list[keras.Layer]:
        """The softmax."""
        import keras

        return [keras.layers.Activation("softmax", dtype="float32", name="probabilities")]

    def log_probabilities(self, outputs: Tensor) -> Tensor:
        """The logarithm of the probability of each class, shape (n, targets)."""
        from keras import ops

        return ops.log_softmax(outputs, axis=-1)

    def loss(self, labels: Tensor, outputs: Tensor, settings: Settings, binary: CrossEntropy) -> Tensor:
        """The mean over the images that have a class of -w log p, w being the weight of their class.

        Focal loss is -w (1 - p)^gamma log p (Lin et al. 2017), as Keras's CategoricalFocalCrossentropy has it with an alpha of 1.
        With smoothing s the class counts 1 - s and each of the k classes s / k beside it (Szegedy et al. 2016).
        """
        from keras import ops

        assessed = ops.logical_not(ops.isnan(labels))
        # NaN must not reach a product, or the gradient is NaN, too.
        truth = ops.where(assessed, labels, 0.0)
        weights = ops.sum(truth * settings["positive_weights"], axis=-1)
        present = ops.sum(truth, axis=-1)
        smoothing = settings["label_smoothing"]
        wanted = truth * (1 - smoothing) + present[:, None] * smoothing / truth.shape[-1]
        found = self.log_probabilities(outputs)
        if self.numbers:
            wanted = wanted * power(-ops.expm1(found), settings["focal_gamma"])
        losses = -ops.sum(wanted * found, axis=-1)
        return ops.sum(losses * weights) / ops.maximum(ops.sum(present), 1.0)

    def prepare(self, labels: NDArray[np.float32], train: NDArray[np.int64], settings: Settings) -> Vectors:
        """The weight of an image of each class: n / (k n_c) where classes are balanced (King and Zeng 2001), else 1."""
        targets = labels.shape[1]
        weights = np.ones(targets, np.float32)
        if settings["positive_weight"] != "none":
            counts = (labels[train] == 1).sum(axis=0)
            there = counts > 0
            balanced = counts.sum() / (there.sum() * np.where(there, counts, 1)) if there.any() else weights
            weights = np.where(there, balanced, 1).astype(np.float32)
        return {"positive_weights": weights}
