"""Numbers: an output each, in units of the spread of a fold's training images about their mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workers.heads.contract import CrossEntropy, Head, Settings, Tensor, Vectors

if TYPE_CHECKING:
    import keras

BEND = 1.0
"""Standard deviations from which on Huber's loss is straight (Huber 1964)."""


class Linear(Head):
    """A number for each target; learns by one of `LOSSES`."""

    vectors = ("centre", "spread")

    def __init__(self, loss: str) -> None:
        self._of_gaps = LOSSES[loss]

    def finish(self, targets: int) -> list[keras.Layer]:
        """Nothing: numbers have no bounds."""
        import keras

        return [keras.layers.Activation("linear", dtype="float32", name="numbers")]

    def loss(self, labels: Tensor, outputs: Tensor, settings: Settings, binary: CrossEntropy) -> Tensor:
        """The mean over the numbers that are known of the loss of the gap, in units of the spread."""
        from keras import ops

        known = ops.logical_not(ops.isnan(labels))
        units = (ops.where(known, labels, settings["centre"]) - settings["centre"]) / settings["spread"]
        losses = ops.where(known, self._of_gaps(outputs - units), 0.0)
        return ops.sum(losses) / ops.maximum(ops.sum(ops.cast(known, "float32")), 1.0)

    def prepare(self, labels: NDArray[np.float32], train: NDArray[np.int64], settings: Settings) -> Vectors:
        """Mean and standard deviation of each number among the training images; 0 and 1 where none is known, 1 where all are equal."""
        seen = np.asarray(labels[train], np.float64)
        known = ~np.isnan(seen)
        counts = np.maximum(known.sum(axis=0), 1)
        centre = np.where(known, seen, 0).sum(axis=0) / counts
        spread = np.sqrt((np.where(known, seen - centre, 0) ** 2).sum(axis=0) / counts)
        spread = np.where(spread > 1e-6 * np.maximum(np.abs(centre), 1e-30), spread, 1)
        return {"centre": centre.astype(np.float32), "spread": spread.astype(np.float32)}

    def restore_units(self, model_outputs: Tensor, vectors: Vectors | None, name: str) -> Tensor:
        """Numbers in their own unit."""
        import keras

        assert vectors is not None
        scale, offset = vectors["spread"].tolist(), vectors["centre"].tolist()
        return keras.layers.Rescaling(scale, offset, dtype="float32", name=f"units_{name}")(model_outputs)

    def score_places(self, outputs: Tensor, places: Tensor) -> Tensor:
        """The number itself."""
        from keras import ops

        return ops.squeeze(ops.take_along_axis(outputs, places[:, None], axis=1), axis=1)


def _huber(gaps: Tensor) -> Tensor:
    from keras import ops

    size = ops.abs(gaps)
    return ops.where(size <= BEND, 0.5 * ops.square(gaps), BEND * (size - 0.5 * BEND))


def _absolute(gaps: Tensor) -> Tensor:
    from keras import ops

    return ops.abs(gaps)


def _squared(gaps: Tensor) -> Tensor:
    from keras import ops

    return ops.square(gaps)


LOSSES: dict[str, Callable[[Tensor], Tensor]] = {
    "squared": _squared,
    "absolute": _absolute,
    "huber": _huber,
}
"""By the names of `storage.tasks.numbers`."""
