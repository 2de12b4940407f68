"""The development images of a study: bytes that lie on the device, where they fit."""

from __future__ import annotations

import functools
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

SHARE = 3
"""Images may take one of so many parts of a GPU's memory; the rest is for the model."""

RESIDENT_BYTES = 2 * 1024**3
"""What they may take where a device does not tell its memory, as a processor does."""


class ImageSet:
    """Pixels and labels of the development images.

    Args:
        pixels: uint8, shape (n images, height, width, 3); a memory map is fine.
        labels: shape (n images, targets); 0, 1 or NaN (not assessed).
        shares: shape (n images, targets), from 0 to 1: soft labels that the loss takes in place of the labels.
    """

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        labels: NDArray[np.float32],
        shares: NDArray[np.float32] | None = None,
    ) -> None:
        self.pixels = pixels
        self.labels = np.asarray(labels, np.float32)
        self._taught = self.labels if shares is None else shares

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.pixels.shape[1], self.pixels.shape[2]

    @functools.cached_property
    def labels_there(self) -> Any:
        """What the loss is taken of, on the device."""
        return jax.device_put(self._taught)

    def take(self, images: NDArray[np.int32]) -> tuple[Any, NDArray[np.int32]]:
        """Where some images lie: an array of pixels, and the place of each in it.

        All images where they fit on the device, so that a batch sends nothing but its places; else those alone.
        """
        if self._there is not None:
            return self._there, images
        return self.pixels[images], np.arange(len(images), dtype=np.int32)

    @functools.cached_property
    def _there(self) -> Any:
        return jax.device_put(np.asarray(self.pixels)) if self.pixels.nbytes <= count_bytes() else None


def count_bytes() -> int:
    """How much images may take on the device."""
    limit = (jax.devices()[0].memory_stats() or {}).get("bytes_limit")
    return RESIDENT_BYTES if limit is None else int(limit) // SHARE
