"""Where a model looks, laid over the image in colours."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

ALPHA = 0.3
"""How much of the colour is laid over the image, as in the second reference study."""


def overlay(image: NDArray[np.uint8], heat: NDArray[np.float32], alpha: float = ALPHA) -> NDArray[np.uint8]:
    """Lay heat over an image in the colours of JET, from blue (0) to red (1).

    Args:
        image: shape (height, width, 3).
        heat: in [0, 1], of any size; scaled to the image.
        alpha: 0 leaves the image, 1 leaves the colours.
    """
    from PIL import Image

    size = (image.shape[1], image.shape[0])
    scaled = np.asarray(Image.fromarray(heat).resize(size, Image.Resampling.BILINEAR))
    blended = (1 - alpha) * image + alpha * 255 * colour(np.clip(scaled, 0, 1))
    return np.rint(blended).astype(np.uint8)


def colour(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """JET: a value in [0, 1] as red, green and blue in [0, 1], in a new last axis."""
    middles = np.array([3.0, 2.0, 1.0])
    return np.clip(1.5 - np.abs(4 * np.asarray(values, np.float64)[..., None] - middles), 0, 1)


def to_png(image: NDArray[np.uint8]) -> bytes:
    """A picture as the bytes of a PNG file."""
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(image).save(content, format="PNG")
    return content.getvalue()
