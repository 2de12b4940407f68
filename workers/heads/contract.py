"""What a head must say of its kind of label: what follows its last dense layer, what it learns by, and what a fold tells it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

Tensor: TypeAlias = Any
Settings: TypeAlias = Mapping[str, Tensor]
"""Hyperparameters and vectors by name: numbers, words and arrays."""

Vectors: TypeAlias = dict[str, NDArray[np.float32]]
CrossEntropy: TypeAlias = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""A backend's own cross-entropy of labels side by side: labels, logits, weights of positives, smoothing."""

LOGITS = "logits"
"""The name of the last dense layer: losses and scores are exact on what it computes."""


class Head(ABC):
    """One kind of head; it has no weights and no state.

    Attributes:
        vectors: the settings of a fold that are one number for each target, in the order of `prepare`.
        numbers: the hyperparameters of its loss that are one number, beside label_smoothing.
        is_counted: whether a GPU may count what the scores of labels side by side are read from.
    """

    vectors: ClassVar[tuple[str, ...]]
    numbers: tuple[str, ...] = ()
    is_counted: ClassVar[bool] = False

    def outputs(self, targets: int) -> int:
        """How many numbers the last dense layer computes."""
        return targets

    @abstractmethod
    def finish(self, targets: int) -> list[keras.Layer]:
        """The layers from there to probabilities or numbers; layers of Keras alone, because a model file holds no code."""

    @abstractmethod
    def loss(self, labels: Tensor, outputs: Tensor, settings: Settings, binary: CrossEntropy) -> Tensor:
        """The mean loss of a batch, 0 where nothing is assessed.

        Args:
            labels: float32, shape (n, targets), as of `storage.tasks.contract`; NaN is not assessed.
            outputs: float32, shape (n, outputs).
            settings: of the fold: `vectors`, `numbers` and label_smoothing count here.
            binary: the backend's own cross-entropy.
        """

    @abstractmethod
    def prepare(self, labels: NDArray[np.float32], train: NDArray[np.int64], settings: Settings) -> Vectors:
        """What a fold learns with: `vectors`, each of shape (targets,).

        Args:
            labels: shape (n images, targets).
            train: indices of its training images; one that comes twice counts twice.
            settings: every hyperparameter.
        """

    def restore_units(self, model_outputs: Tensor, vectors: Vectors | None, name: str) -> Tensor:
        """What a final model gives from what a fold's model gives."""
        return model_outputs

    def score_places(self, outputs: Tensor, places: Tensor) -> Tensor:
        """What a heat map is of: a score of one output of each image that rises with it, shape (n,).

        Args:
            outputs: of a final model, shape (n, targets).
            places: which output of each image, shape (n,).
        """
        from keras import ops

        chosen = ops.squeeze(ops.take_along_axis(outputs, places[:, None], axis=1), axis=1)
        kept = ops.clip(chosen, SMALLEST, 1 - SMALLEST)
        return ops.log(kept) - ops.log1p(-kept)


SMALLEST = 1e-7
"""A probability is kept so far from 0 and 1 before its logit is taken."""


def cut_at_logits(layers: Sequence[keras.Layer]) -> list[keras.Layer]:
    """The layers up to the last dense one."""
    places = [place for place, layer in enumerate(layers) if layer.name == LOGITS]
    return list(layers[: places[-1] + 1])
