"""The development images of a study, and batches of them as training wants them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from workers.attempts.watchdog import training_lives
from workers.backends.tensorflow.augmentation import change, flip
from workers.inputs.augmentation import Changes

VALIDATION_BATCH = 64
"""Images per forward pass outside training: a constant, as it may decide the last digits."""

PARALLEL_BATCHES = 2
READY_BATCHES = 2


class ImageSet:
    """Pixels and labels of the development images, and the pipeline from them to batches.

    Gathering, augmentation and scaling of the next batches run on threads while a batch is trained on.

    Args:
        pixels: uint8, shape (n images, height, width, 3); a memory map is fine.
        labels: shape (n images, targets); 0, 1 or NaN (not assessed).
        scale: grey values of 0 to 255 to what the model takes; float32 tensors.
    """

    def __init__(
        self, pixels: NDArray[np.uint8], labels: NDArray[np.float32], scale: Callable[[Any], Any]
    ) -> None:
        self.pixels = pixels
        self.labels = np.asarray(labels, np.float32)
        self._scale = scale
        self._shape = [None, *pixels.shape[1:]]
        # Traced once: a data set made again for each epoch only calls them.
        order = tf.TensorSpec([None], tf.int32)
        flips = tf.TensorSpec([None, 2], tf.bool)
        matrices = tf.TensorSpec([None, 8], tf.float32)
        shifts = tf.TensorSpec([None], tf.float32)
        self._read_plain = tf.function(self._plain, input_signature=[order])
        self._read_flipped = tf.function(self._flipped, input_signature=[order, flips])
        self._read_changed = tf.function(self._changed, input_signature=[order, matrices, shifts])

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.pixels.shape[1], self.pixels.shape[2]

    def batches(
        self, order: NDArray[np.int64], batch_size: int = VALIDATION_BATCH, changes: Changes | None = None
    ) -> Any:
        """A tf.data.Dataset of (scaled images, labels) in the given order; the last batch may be short.

        Args:
            order: indices of images.
            batch_size: images per batch.
            changes: what is done to each of them; None for nothing.
        """
        columns: tuple[NDArray[Any], ...] = (np.asarray(order, np.int32),)
        read = self._read_plain
        if changes is not None and changes.are_only_flips:
            columns, read = (*columns, changes.flips), self._read_flipped
        elif changes is not None:
            columns, read = (*columns, changes.matrices, changes.shifts), self._read_changed
        labels = self.labels[order]
        rows = tf.data.Dataset.from_tensor_slices((columns, labels)).batch(batch_size)
        ready = rows.map(
            lambda parts, known: (read(*parts), known),
            num_parallel_calls=PARALLEL_BATCHES,
            deterministic=True,
        )
        return ready.prefetch(READY_BATCHES)

    def _plain(self, order: Any) -> Any:
        return self._scale(tf.cast(self._gather(order), tf.float32))

    def _flipped(self, order: Any, flips: Any) -> Any:
        return self._scale(tf.cast(flip(self._gather(order), flips), tf.float32))

    def _changed(self, order: Any, matrices: Any, shifts: Any) -> Any:
        return self._scale(change(self._gather(order), matrices, shifts))

    def _gather(self, order: Any) -> Any:
        gathered = tf.numpy_function(self._take, [order], tf.uint8, stateful=False)
        gathered.set_shape(self._shape)
        return gathered

    def _take(self, rows: NDArray[np.int32]) -> NDArray[np.uint8]:
        training_lives()
        return self.pixels[rows]
