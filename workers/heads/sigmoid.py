"""Labels side by side, or two classes: a sigmoid each, and cross-entropy, focal or asymmetric loss of those that were assessed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workers.heads.contract import CrossEntropy, Head, Settings, Tensor, Vectors
from workers.heads.losses import BINARY, NUMBERS

if TYPE_CHECKING:
    import keras


class Sigmoid(Head):
    """One logit for each label."""

    vectors = ("positive_weights",)
    is_counted = True

    def __init__(self, loss: str = "") -> None:
        self.numbers = NUMBERS.get(loss, ())
        self._weighed = BINARY.get(loss)

    def finish(self, targets: int) -> list[keras.Layer]:
        """The sigmoid."""
        import keras

        return [keras.layers.Activation("sigmoid", dtype="float32", name="probabilities")]

    def loss(self, labels: Tensor, outputs: Tensor, settings: Settings, binary: CrossEntropy) -> Tensor:
        """Focal or asymmetric loss where the study says so; else the backend's own cross-entropy, the same bits as ever."""
        if self._weighed is not None:
            return self._weighed(labels, outputs, settings)
        return binary(labels, outputs, settings["positive_weights"], settings["label_smoothing"])

    def prepare(self, labels: NDArray[np.float32], train: NDArray[np.int64], settings: Settings) -> Vectors:
        """The weight of a positive label: negatives / positives of each label, or 1."""
        return {"positive_weights": weigh_positives(labels, train, settings["positive_weight"])}


SIGMOID = Sigmoid()


def weigh_positives(labels: NDArray[np.float32], train: NDArray[np.int64], kind: str) -> NDArray[np.float32]:
    """The weight of a positive label in the loss: negatives / positives of each label among the training images.

    Args:
        labels: shape (n images, targets); 0, 1 or NaN (not assessed, counts as neither).
        train: indices of the training images; one that comes twice counts twice.
        kind: "none" for weights of 1, or "balanced".

    Returns:
        Shape (targets,); 1 where a label has one class only.
    """
    targets = labels.shape[1]
    if kind == "none":
        return np.ones(targets, np.float32)
    seen = labels[train]
    positives, negatives = (seen == 1).sum(axis=0), (seen == 0).sum(axis=0)
    both = (positives > 0) & (negatives > 0)
    return np.where(both, negatives / np.where(both, positives, 1), 1).astype(np.float32)
