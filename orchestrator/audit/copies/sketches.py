"""What is kept of a picture to compare it with others: its content without frames, and its most distinct points.

Frames are set aside first (`frames`). Points are extremes of the fine structure; each is described by its surroundings, in a way that
brightness, contrast and inversion do not change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.audit.copies.frames import cut_frames, narrow, spread_highest
from storage.data.images import read_grey

READ_SIDE = 384
"""Pictures are read at about this many pixels along their longer side."""

SIDE = 256
"""Pixels along the longer side of the content, in which points are described."""

FEWEST_PIXELS = 16
POINTS = 120
GRID = 8
RADIUS = 18
"""A point is described by GRID x GRID places up to this many pixels away."""

WHOLE = 32
"""Pixels a side of the structure of the whole, by which pictures are compared that nothing moved."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Sketch:
    """A picture without its frame.

    Attributes:
        picture: uint8, shape (height, width), the longer side SIDE; the content alone.
        known: bits of bool, shape (height, width), by `numpy.packbits`: what is content and not frame.
        points: float32, shape (n, 2): row and column of the distinct points.
        descriptions: float32, shape (n, GRID * GRID), of length 1; the extreme itself is positive.
        whole: float32, shape (WHOLE * WHOLE,): structure of the whole picture, of length 1, or 0 where it has none.
        box: where the content lies in the picture with its frame: top, left, bottom, right as shares of its height and width.
    """

    picture: NDArray[np.uint8]
    known: NDArray[np.uint8]
    points: Floats
    descriptions: Floats
    whole: Floats
    box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)

    def mask(self) -> NDArray[np.bool_]:
        """What is content, bool, of the shape of the picture."""
        count = self.picture.size
        return np.unpackbits(self.known, count=count).astype(np.bool_).reshape(self.picture.shape)

    def to_arrays(self, prefix: str = "") -> dict[str, NDArray[Any]]:
        """Its attributes by name, as arrays."""
        return {f"{prefix}{field.name}": np.asarray(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], prefix: str = "") -> Sketch:
        """The sketch that `to_arrays` was called of."""
        top, left, bottom, right = arrays[f"{prefix}box"].tolist()
        rest = {
            name: arrays[f"{prefix}{name}"] for name in (field.name for field in fields(cls)) if name != "box"
        }
        return cls(**rest, box=(top, left, bottom, right))


def sketch_file(path: Path) -> Sketch:
    """Read an image and sketch it.

    Raises:
        DataError: the file is missing or no image.
    """
    return sketch(read_grey(path, READ_SIDE))


def sketch(grey: NDArray[np.uint8]) -> Sketch:
    """Sketch a grey picture of any shape (height, width)."""
    from PIL import Image
    from scipy import ndimage

    (top, left, bottom, right), content = cut_frames(grey)
    height, width = grey.shape
    grey = np.ascontiguousarray(grey[top:bottom, left:right])
    if not content.any():
        empty = np.zeros((FEWEST_PIXELS, FEWEST_PIXELS), np.uint8)
        nothing = np.zeros((0, GRID * GRID), np.float32)
        whole = np.zeros(WHOLE * WHOLE, np.float32)
        return Sketch(
            empty, np.packbits(empty.astype(np.bool_)), np.zeros((0, 2), np.float32), nothing, whole
        )
    picture, known = Image.fromarray(grey), Image.fromarray(content.astype(np.uint8) * 255)
    share = SIDE / max(picture.size)
    size = (
        max(FEWEST_PIXELS, round(picture.width * share)),
        max(FEWEST_PIXELS, round(picture.height * share)),
    )
    small = np.asarray(picture.resize(size, Image.Resampling.BILINEAR))
    mask = np.asarray(known.resize(size, Image.Resampling.BILINEAR)) > 127
    structure = find_structure(small, mask)
    coarse = ndimage.gaussian_filter(structure, 2.0)
    strength = np.abs(coarse) * narrow(mask, 8)
    peaks = (strength == spread_highest(strength, 9)) & (strength > 0.05)
    places = np.argwhere(peaks)
    values = strength[peaks]
    points = places[np.argsort(-values, kind="stable")[:POINTS]].astype(np.float32)
    signs = np.sign(coarse[points[:, 0].astype(int), points[:, 1].astype(int)])
    described = _describe(ndimage.gaussian_filter(structure, 3.0), points) * signs[:, None]
    whole = np.asarray(Image.fromarray(structure).resize((WHOLE, WHOLE), Image.Resampling.BOX)).ravel()
    length = float(np.linalg.norm(whole))
    whole = whole / length if length > 1 else np.zeros_like(whole)
    box = (top / height, left / width, bottom / height, right / width)
    return Sketch(small, np.packbits(mask), points, described.astype(np.float32), whole, box)


def find_structure(picture: NDArray[np.uint8], mask: NDArray[np.bool_]) -> Floats:
    """Fine structure in units of its own local spread; 0 outside the mask, whose edge leaves no trace."""
    from scipy import ndimage

    weights = mask.astype(np.float32)
    values = picture * weights

    def blur(values: Any, sigma: float) -> Any:
        return ndimage.gaussian_filter(values, sigma, truncate=3, mode="constant")

    def mean(sigma: float) -> Any:
        return blur(values, sigma) / np.maximum(blur(weights, sigma), 1e-3)

    fine = (mean(1.5) - mean(6.0)) * weights
    power = _blur_broadly(fine * fine) / np.maximum(_blur_broadly(weights), 1e-3)
    spread = np.sqrt(np.maximum(power, 0))
    whole = float(np.sqrt((fine[mask] ** 2).mean())) if mask.any() else 0.0
    return np.asarray(fine / (spread + 0.5 + 0.2 * whole), np.float32)


def _blur_broadly(values: Floats) -> Floats:
    """A Gaussian of 14 pixels, made on a picture of a quarter of the size: so smooth a one has no finer detail."""
    from PIL import Image
    from scipy import ndimage

    height, width = (-(-length // 4) for length in values.shape)
    even = np.pad(values, ((0, 4 * height - values.shape[0]), (0, 4 * width - values.shape[1])))
    small = even.reshape(height, 4, width, 4).mean(axis=(1, 3))
    blurred = ndimage.gaussian_filter(small, 3.3, truncate=3, mode="constant")
    large = Image.fromarray(blurred).resize((4 * width, 4 * height), Image.Resampling.BILINEAR)
    return np.asarray(large, np.float32)[: values.shape[0], : values.shape[1]]


def _describe(structure: Floats, points: Floats) -> Floats:
    from scipy import ndimage

    if not len(points):
        return np.zeros((0, GRID * GRID), np.float32)
    steps = (np.arange(GRID) - (GRID - 1) / 2) / (GRID / 2) * RADIUS
    rows, columns = np.broadcast_arrays(
        points[:, 0, None, None] + steps[None, :, None], points[:, 1, None, None] + steps[None, None, :]
    )
    patches = ndimage.map_coordinates(structure, [rows.ravel(), columns.ravel()], order=1, mode="nearest")
    patches = patches.reshape(len(points), -1)
    patches = patches - patches.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(patches, axis=1, keepdims=True)
    return np.asarray(patches / np.maximum(lengths, 1e-3), np.float32)
