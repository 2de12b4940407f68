"""What of a picture is content: constant borders, bars with their titles and masks are set aside.

They say nothing of the patient, and two pictures that share them share nothing else.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FLAT, LEVEL = 8, 6
"""Grey values by which a constant region may vary in itself, and from the value of the border: what JPEG does to it."""

MOST_FRAMES = 2
"""Frames within frames."""

BAR = 15
"""Pixels below which a stretch between letters of a title is no content."""

Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]
"""First row, first column, row after the last, column after the last."""


def cut_frames(grey: NDArray[np.uint8]) -> tuple[Box, Mask]:
    """Where the picture is within its frames, one within the other, and what of that box is content."""
    content = find_content(grey)
    top = left = 0
    for _ in range(MOST_FRAMES):
        rows, columns = (np.flatnonzero(content.any(axis=axis)) for axis in (1, 0))
        if not len(rows) or (len(rows), len(columns)) == content.shape:
            break
        box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        grey, content = np.ascontiguousarray(grey[box]), content[box]
        top, left = top + int(rows[0]), left + int(columns[0])
        inner = content & find_content(grey)
        content = inner if inner.sum() >= 0.5 * content.sum() else content
    return (top, left, top + content.shape[0], left + content.shape[1]), content


def find_content(grey: NDArray[np.uint8]) -> Mask:
    """What of a picture is content: not constant regions of the border's own grey, nor what is written in them."""
    from scipy import ndimage

    flat = spread_highest(grey, 5) - ~spread_highest(~grey, 5) <= FLAT
    frame = np.zeros(grey.shape, np.bool_)
    for level in _find_border_levels(grey):
        near = flat & (grey >= max(level - LEVEL, 0)) & (grey <= min(level + LEVEL, 255))
        regions, _ = ndimage.label(near)
        edge = np.unique(np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]]))
        chosen = np.zeros(regions.max() + 1, np.bool_)
        chosen[edge[edge > 0]] = True
        frame |= chosen[regions]
    content = ~widen(frame, 3)
    side = max(1, min(BAR, min(grey.shape) // 4))
    opened = _keep_lines(content, side) & _keep_lines(content.T, side).T
    regions, count = ndimage.label(opened)
    if not count:
        return np.zeros(grey.shape, np.bool_)
    sizes = np.bincount(regions.ravel())
    sizes[0] = 0
    return np.asarray(((sizes >= 0.1 * grey.size) | (sizes == sizes.max()))[regions] & opened)


def widen(mask: Mask, steps: int) -> Mask:
    """Whatever is reached from a mask in some steps up, down, left and right."""
    for _ in range(steps):
        wider = mask.copy()
        wider[1:] |= mask[:-1]
        wider[:-1] |= mask[1:]
        wider[:, 1:] |= mask[:, :-1]
        wider[:, :-1] |= mask[:, 1:]
        mask = wider
    return mask


def narrow(mask: Mask, steps: int) -> Mask:
    """What lies more than some steps within a mask and within the picture."""
    return ~widen(~np.pad(mask, steps), steps)[steps:-steps, steps:-steps]


def spread_highest(values: NDArray[Any], side: int) -> NDArray[Any]:
    """The highest value in the square of an odd side around each place; the picture is mirrored at its edges."""
    reach = side // 2
    for axis in (0, 1):
        width = [(reach, reach) if axis == place else (0, 0) for place in (0, 1)]
        padded = np.moveaxis(np.pad(values, width, mode="symmetric"), axis, 0)
        length = values.shape[axis]
        highest = padded[:length].copy()
        for offset in range(1, side):
            np.maximum(highest, padded[offset : offset + length], out=highest)
        values = np.ascontiguousarray(np.moveaxis(highest, 0, axis))
    return values


def _keep_lines(mask: Mask, side: int) -> Mask:
    """What lies in an unbroken vertical run of at least so many places."""

    def full(values: Mask) -> Mask:
        sums = np.cumsum(np.pad(values, ((1, 0), (0, 0))), axis=0, dtype=np.int32)
        return np.asarray(sums[side:] - sums[:-side] == side)

    # A run that begins at a row covers the rows that follow: any start among the last `side` rows will do.
    starts = full(mask)
    return np.asarray(~full(np.pad(~starts, ((side - 1, side - 1), (0, 0)), constant_values=True)))


def _find_border_levels(grey: NDArray[np.uint8]) -> list[int]:
    """The grey values that a third of a side of the picture has."""
    levels: list[int] = []
    for side in (grey[0], grey[-1], grey[:, 0], grey[:, -1]):
        counts = np.convolve(np.bincount(side, minlength=256), np.ones(5), "same")
        level = int(counts.argmax())
        if counts[level] >= 0.3 * len(side) and all(abs(level - known) > LEVEL - 2 for known in levels):
            levels.append(level)
    return levels
