"""What is kept of a picture to compare it with others: its content without frames, and its most distinct points.

Constant borders, bars with their titles, and the black around a round or turned collimation say nothing of the patient and
are set aside first. Points are extremes of the fine structure; each is described by its surroundings, in a way that
brightness, contrast and inversion do not change.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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

FLAT, LEVEL = 8, 6
"""Grey values by which a constant region may vary in itself, and from the value of the border: what JPEG does to it."""

MOST_FRAMES = 2
"""Frames within frames."""

BAR = 15
"""Pixels below which a stretch between letters of a title is no content."""

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
    """

    picture: NDArray[np.uint8]
    known: NDArray[np.uint8]
    points: Floats
    descriptions: Floats
    whole: Floats

    def mask(self) -> NDArray[np.bool_]:
        """What is content, bool, of the shape of the picture."""
        count = self.picture.size
        return np.unpackbits(self.known, count=count).astype(np.bool_).reshape(self.picture.shape)


def sketch_file(path: Path) -> Sketch:
    """Read an image and sketch it.

    Raises:
        DataError: the file is missing or no image.
    """
    from storage.data.images import read_grey

    return sketch(read_grey(path, READ_SIDE))


def sketch(grey: NDArray[np.uint8]) -> Sketch:
    """Sketch a grey picture of any shape (height, width)."""
    from PIL import Image
    from scipy import ndimage

    grey, content = _cut_frames(grey)
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
    strength = np.abs(coarse) * ndimage.binary_erosion(mask, iterations=8)
    peaks = (strength == ndimage.maximum_filter(strength, 9)) & (strength > 0.05)
    places = np.argwhere(peaks)
    values = strength[peaks]
    points = places[np.argsort(-values, kind="stable")[:POINTS]].astype(np.float32)
    signs = np.sign(coarse[points[:, 0].astype(int), points[:, 1].astype(int)])
    described = _describe(ndimage.gaussian_filter(structure, 3.0), points) * signs[:, None]
    whole = np.asarray(Image.fromarray(structure).resize((WHOLE, WHOLE), Image.Resampling.BOX)).ravel()
    length = float(np.linalg.norm(whole))
    whole = whole / length if length > 1 else np.zeros_like(whole)
    return Sketch(small, np.packbits(mask), points, described.astype(np.float32), whole)


def _cut_frames(grey: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The picture within its frames, one within the other, and what of it is content."""
    content = find_content(grey)
    for _ in range(MOST_FRAMES):
        rows, columns = (np.flatnonzero(content.any(axis=axis)) for axis in (1, 0))
        if not len(rows) or (len(rows), len(columns)) == content.shape:
            break
        box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        grey, content = np.ascontiguousarray(grey[box]), content[box]
        inner = content & find_content(grey)
        content = inner if inner.sum() >= 0.5 * content.sum() else content
    return grey, content


def find_content(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """What of a picture is content: not constant regions of the border's own grey, nor what is written in them."""
    from scipy import ndimage

    values = grey.astype(np.float32)
    flat = ndimage.maximum_filter(values, 5) - ndimage.minimum_filter(values, 5) <= FLAT
    frame = np.zeros(grey.shape, np.bool_)
    for level in _find_border_levels(grey):
        regions, _ = ndimage.label(flat & (np.abs(values - level) <= LEVEL))
        edge = np.unique(np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]]))
        frame |= np.isin(regions, edge[edge > 0])
    content = ~ndimage.binary_dilation(frame, iterations=3)
    side = max(1, min(BAR, min(grey.shape) // 4))
    opened = ndimage.binary_opening(content, np.ones((side, 1))) & ndimage.binary_opening(
        content, np.ones((1, side))
    )
    regions, count = ndimage.label(opened)
    if not count:
        return np.zeros(grey.shape, np.bool_)
    sizes = np.bincount(regions.ravel())[1:]
    large = np.flatnonzero((sizes >= 0.1 * grey.size) | (sizes == sizes.max())) + 1
    return np.isin(regions, large)


def find_structure(picture: NDArray[np.uint8], mask: NDArray[np.bool_]) -> Floats:
    """Fine structure in units of its own local spread; 0 outside the mask, whose edge leaves no trace."""
    from scipy import ndimage

    weights = mask.astype(np.float32)

    def blur(values: Any, sigma: float) -> Any:
        return ndimage.gaussian_filter(values, sigma, truncate=3, mode="constant")

    def mean(sigma: float) -> Any:
        return blur(picture * weights, sigma) / np.maximum(blur(weights, sigma), 1e-3)

    fine = (mean(1.5) - mean(6.0)) * weights
    spread = np.sqrt(np.maximum(blur(fine * fine, 14.0) / np.maximum(blur(weights, 14.0), 1e-3), 0))
    whole = float(np.sqrt((fine[mask] ** 2).mean())) if mask.any() else 0.0
    return np.asarray(fine / (spread + 0.5 + 0.2 * whole), np.float32)


def _find_border_levels(grey: NDArray[np.uint8]) -> list[int]:
    """The grey values that a third of a side of the picture has."""
    levels: list[int] = []
    for side in (grey[0], grey[-1], grey[:, 0], grey[:, -1]):
        counts = np.convolve(np.bincount(side, minlength=256), np.ones(5), "same")
        level = int(counts.argmax())
        if counts[level] >= 0.3 * len(side) and all(abs(level - known) > LEVEL - 2 for known in levels):
            levels.append(level)
    return levels


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
