"""Features and labels resident in the memory of the device, shared by the folds of a study."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from storage.pictures.views import FLIPS, VIEWS, has_copies
from workers.device.contract import Scale, Tensor

SMALLEST_SHARE = 1e-3
"""A feature varies at least by this share of the typical feature, or is treated as if it did."""

CHUNK = 256
"""Images per step of a sum: bounds the memory it needs beside the features."""


class FeatureSet:
    """All features and labels of the development images, on the device once.

    Args:
        values: float32, shape (n images, views, features); a memory map is fine.
        labels: shape (n images, targets); 0, 1 or NaN (not assessed).
        views: their names; the first of `storage.pictures.views.VIEWS` when left out.
        shares: shape (n images, targets), from 0 to 1: soft labels that the loss may take in place of the labels.
    """

    def __init__(
        self,
        values: NDArray[np.float32],
        labels: NDArray[np.float32],
        views: Sequence[str] = VIEWS,
        shares: NDArray[np.float32] | None = None,
    ) -> None:
        from keras import ops

        self.values = values
        self.labels = np.asarray(labels, np.float32)
        self.image_count, self.view_count, self.feature_count = values.shape
        self.views = tuple(views[: self.view_count])
        self._resident: dict[str, Tensor] = {}
        self._guard = threading.Lock()
        self.resident_labels: Tensor = ops.convert_to_tensor(self.labels)
        self.resident_shares: Tensor | None = None if shares is None else ops.convert_to_tensor(shares)
        self.unscaled: Scale = (ops.zeros(self.feature_count), ops.ones(self.feature_count))
        self._scales: dict[bytes, Scale] = {}

    def resident(self, precision: str) -> Tensor:
        """All features on the device in this precision, shape (n images * views, features); put there once.

        Args:
            precision: "float32" or "bfloat16".
        """
        from keras import ops

        with self._guard:
            if precision not in self._resident:
                rows = np.reshape(self.values, (-1, self.feature_count))
                self._resident[precision] = ops.cast(ops.convert_to_tensor(rows), precision)
        return self._resident[precision]

    @property
    def resident_bytes(self) -> int:
        """How much memory of the device its features take at the moment."""
        return sum(self.size_in(precision) for precision in list(self._resident))

    def size_in(self, precision: str) -> int:
        """How much memory the features take in this precision."""
        return int(np.prod(self.values.shape)) * (2 if precision == "bfloat16" else 4)

    def leave(self) -> None:
        """Let go of the device's memory; `resident` puts the features there again."""
        with self._guard:
            self._resident.clear()

    def draw_views(self, generator: np.random.Generator, word: str, count: int) -> NDArray[np.int64] | int:
        """A view for each of so many images: of those that `training.augmentation` names, or of the copies, with equal probabilities."""
        if has_copies(self.views):
            return 1 + generator.integers(self.view_count - 1, size=count)
        if word == "none":
            return 0
        places = np.array([place for place, view in enumerate(self.views) if view in FLIPS[word]])
        return places[generator.integers(len(places), size=count)]

    def locate(self, images: NDArray[np.int64], views: NDArray[np.int64] | int = 0) -> NDArray[np.int32]:
        """Rows of `resident` that hold these images in these views (0 is the identity)."""
        return np.asarray(images * self.view_count + views, np.int32)

    def scale(self, train: NDArray[np.int64]) -> Scale:
        """Mean and 1/sd on the device, each of shape (features,), over all views of the training images.

        Kept, because every trial of a study trains on the same folds.
        """
        key = np.asarray(train, np.int64).tobytes()
        if key not in self._scales:
            from keras import ops

            mean, sd = measure_scale(self.values, train)
            self._scales[key] = (ops.convert_to_tensor(mean), ops.convert_to_tensor(1 / sd))
        return self._scales[key]


def measure_scale(
    values: NDArray[np.float32], train: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation of each feature over all views of the training images.

    A feature that is (nearly) constant there gets a floor under its sd, `SMALLEST_SHARE` of the root
    mean square sd, so that a validation image in which it wakes up does not drown the others.

    Args:
        values: float32, shape (n images, views, features).
        train: indices of the training images.
    """
    chunks = [train[start : start + CHUNK] for start in range(0, len(train), CHUNK)]
    count = len(train) * values.shape[1]
    mean = sum(values[chunk].sum(axis=(0, 1), dtype=np.float64) for chunk in chunks) / count
    # The second pass sums squares about the mean: features may have a mean far above their sd.
    variance = sum(np.square(values[chunk] - mean).sum(axis=(0, 1)) for chunk in chunks) / count
    sd = np.sqrt(variance)
    floor = SMALLEST_SHARE * np.sqrt(np.mean(variance))
    return mean.astype(np.float32), np.maximum(sd, floor or 1.0).astype(np.float32)
