"""The development images of a study, and batches of them as training wants them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from workers.attempts.watchdog import training_lives
from workers.backends.tensorflow.augmentation import change, flip, mix
from workers.inputs.augmentation import Changes
from workers.inputs.image_contract import VALIDATION_BATCH
from workers.inputs.mixing import Mixture

_trace = functools.partial(tf.function, autograph=False)
"""None of the functions here has a loop that only a rewritten source could trace."""

PARALLEL_BATCHES = 2
READY_BATCHES = 2


class ImageSet:
    """Pixels and labels of the development images, and the pipeline from them to batches.

    Gathering, augmentation and scaling of the next batches run on threads while a batch is trained on.

    Args:
        pixels: uint8, shape (n images, height, width, 3); a memory map is fine.
        labels: shape (n images, targets); 0, 1 or NaN (not assessed).
        scale: grey values of 0 to 255 to what the model takes; float32 tensors.
        shares: shape (n images, targets), from 0 to 1: soft labels that the loss takes in place of the labels.
    """

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        labels: NDArray[np.float32],
        scale: Callable[[Any], Any],
        shares: NDArray[np.float32] | None = None,
    ) -> None:
        self.pixels = pixels
        self.labels = np.asarray(labels, np.float32)
        self._taught = self.labels if shares is None else shares
        self._scale = scale
        self._shape = [None, *pixels.shape[1:]]
        # Traced once: a data set made again for each epoch only calls them.
        order = tf.TensorSpec([None], tf.int32)
        flips = tf.TensorSpec([None, 2], tf.bool)
        matrices = tf.TensorSpec([None, 8], tf.float32)
        shifts = tf.TensorSpec([None], tf.float32)
        self._read_plain = _trace(self._plain, input_signature=[order])
        self._read_flipped = _trace(self._flipped, input_signature=[order, flips])
        self._read_changed = _trace(self._changed, input_signature=[order, matrices, shifts])
        # Its last argument has as many parts as there are kinds of changes.
        self._read_changed_grey = _trace(self._changed, reduce_retracing=True)
        self._read_mixed = _trace(self._mixed, reduce_retracing=True)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.pixels.shape[1], self.pixels.shape[2]

    def batches(
        self,
        order: NDArray[np.int64],
        batch_size: int = VALIDATION_BATCH,
        changes: Changes | None = None,
        mixture: Mixture | None = None,
    ) -> Any:
        """A tf.data.Dataset of (scaled images, labels) in the given order; the last batch may be short.

        Of mixed images it is of (scaled images, labels, labels of the other image, share of the image's own labels).

        Args:
            order: indices of images.
            batch_size: images per batch.
            changes: what is done to each of them; None for nothing.
            mixture: with what each of them is mixed after that; None for nothing.
        """
        columns: tuple[Any, ...] = (np.asarray(order, np.int32),)
        read = self._read_plain
        if changes is not None and changes.are_only_flips:
            columns, read = (*columns, changes.flips), self._read_flipped
        elif changes is not None:
            columns, read = (*columns, changes.matrices, changes.shifts), self._read_changed
            if changes.drawn:
                columns, read = (*columns, changes.drawn), self._read_changed_grey
        if changes is not None and mixture is not None:
            parts = (mixture.others, mixture.weights, mixture.boxes)
            columns, read = (
                (columns[0], changes.matrices, changes.shifts, changes.drawn, parts),
                self._read_mixed,
            )
        labels: Any = self._taught[order]
        if mixture is not None:
            labels = (labels, labels[mixture.partners], mixture.shares)
        rows = tf.data.Dataset.from_tensor_slices((columns, labels)).batch(batch_size)

        @tf.autograph.experimental.do_not_convert
        def make_ready(parts: Any, known: Any) -> tuple[Any, ...]:
            return read(*parts), *(known if isinstance(known, tuple) else (known,))

        ready = rows.map(make_ready, num_parallel_calls=PARALLEL_BATCHES, deterministic=True)
        return ready.prefetch(READY_BATCHES)

    def _plain(self, order: Any) -> Any:
        return self._scale(tf.cast(self._gather(order), tf.float32))

    def _flipped(self, order: Any, flips: Any) -> Any:
        return self._scale(tf.cast(flip(self._gather(order), flips), tf.float32))

    def _changed(self, order: Any, matrices: Any, shifts: Any, drawn: Any = None) -> Any:
        return self._scale(change(self._gather(order), matrices, shifts, drawn))

    def _mixed(self, order: Any, matrices: Any, shifts: Any, drawn: Any, parts: Any) -> Any:
        return self._scale(mix(change(self._gather(order), matrices, shifts, drawn), *parts))

    def _gather(self, order: Any) -> Any:
        gathered = tf.numpy_function(self._take, [order], tf.uint8, stateful=False)
        gathered.set_shape(self._shape)
        return gathered

    def _take(self, rows: NDArray[np.int32]) -> NDArray[np.uint8]:
        training_lives()
        return self.pixels[rows]
