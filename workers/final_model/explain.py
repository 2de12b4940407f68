"""Where a model looks, laid over the image in colours."""

from __future__ import annotations

import io
import math

import numpy as np
from numpy.typing import NDArray

from storage.pictures.fitting import STRETCH, fit_picture

ALPHA = 0.3
"""How much of the colour is laid over the image, as in the second reference study."""


def overlay(
    image: NDArray[np.uint8],
    heat: NDArray[np.float32],
    alpha: float = ALPHA,
    *,
    size: tuple[int, int] = (1, 1),
    resize: str = STRETCH,
) -> NDArray[np.uint8]:
    """Lay heat over an image in the colours of JET, from blue (0) to red (1).

    What the model did not see, because it was cut off, stays without colour; heat on the black beside a picture is left out.

    Args:
        image: shape (height, width, 3).
        heat: in [0, 1], of any size, over the whole input of the model.
        alpha: 0 leaves the image, 1 leaves the colours.
        size: height and width of the input; means nothing where the image was stretched.
        resize: how the image was brought to that size, of `storage.pictures.fitting.RESIZES`.
    """
    from PIL import Image

    fit = fit_picture((image.shape[0], image.shape[1]), size, resize)
    # Pixels that the model saw a part of are coloured, so that there is always one.
    left, top, right, bottom = (*map(math.floor, fit.part[:2]), *map(math.ceil, fit.part[2:]))
    rows, columns = heat.shape
    shares = (columns / size[1], rows / size[0]) * 2
    covered = tuple(end * share for end, share in zip(fit.place, shares, strict=True))
    scaled = Image.fromarray(heat).resize(
        (right - left, bottom - top), Image.Resampling.BILINEAR, box=covered
    )
    blended = image.astype(np.float64)
    seen = blended[top:bottom, left:right]
    blended[top:bottom, left:right] = (1 - alpha) * seen + alpha * 255 * colour(
        np.clip(np.asarray(scaled), 0, 1)
    )
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
