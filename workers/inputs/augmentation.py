"""Random changes of training images: what they are; the backend makes them.

All that is random is drawn ahead, one row per image of an epoch, so that the order in which threads work decides
nothing. Rotation, shift, shear, zoom, crop and flips of an image are one matrix and so one interpolation (bilinear); what
comes from outside the picture is black. The matrices of all but crop are those of Keras's ImageDataGenerator, which the second
reference study used, and the units are its units.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from storage.pictures.changes import CHANGES
from storage.pictures.views import FLIPS, is_mirrored, is_upside_down
from workers.device.contract import Settings

Drawn = dict[str, tuple[np.ndarray, ...]]
"""What is done to grey values, by the name of the change, in the order in which it is done; each array has a row per image."""


@dataclass(frozen=True)
class Changes:
    """What is done to each image of an epoch.

    Attributes:
        flips: shape (n, 2): horizontally, vertically.
        matrices: float32, shape (n, 8): where each point of the result comes from, in pixels, as
            [x from x, x from y, x offset, y from x, y from y, y offset, 0, 0]; flips are in it.
        shifts: float32, shape (n,): added to grey values of 0 to 255.
        are_only_flips: whether nothing else was asked for.
        drawn: what else is done to grey values, as `DRAW` gives it.
    """

    flips: NDArray[np.bool_]
    matrices: NDArray[np.float32]
    shifts: NDArray[np.float32]
    are_only_flips: bool
    drawn: Drawn = field(default_factory=dict)


def draw_changes(
    generator: np.random.Generator,
    count: int,
    size: tuple[int, int],
    settings: Settings,
) -> Changes:
    """Draw the changes of `count` images.

    Args:
        generator: where they come from.
        count: how many images.
        size: height and width in pixels.
        settings: augmentation (of `FLIPS`: each flip that it names with probability 1/2), and the keys of
            `storage.pictures.changes.CHANGES`; what is left out is 0.
    """

    def reach(name: str) -> float:
        return float(settings.get(name, 0.0))

    def draw(name: str) -> NDArray[np.float64]:
        return generator.uniform(-reach(name), reach(name), count)

    flips = generator.integers(2, size=(count, 2)).astype(bool)
    allowed = FLIPS[settings["augmentation"]]
    flips &= [any(map(is_mirrored, allowed)), any(map(is_upside_down, allowed))]
    rotation, shear = np.deg2rad(draw("rotation")), np.deg2rad(draw("shear"))
    shift = np.stack([draw("shift") * size[1], draw("shift") * size[0]])
    zoom = np.stack([1 + draw("zoom"), 1 + draw("zoom")])
    shifts = draw("channel_shift").astype(np.float32)
    cropped = _draw_parts(generator, count, reach("crop")) if reach("crop") else None
    return Changes(
        flips,
        make_matrices(
            size, rotation=rotation, shift=shift, shear=shear, zoom=zoom, flips=flips, crop=cropped
        ),
        shifts,
        are_only_flips=not any(map(reach, CHANGES)),
        drawn={name: make(generator, count, size, reach(name)) for name, make in DRAW.items() if reach(name)},
    )


def join_changes(parts: Sequence[Changes]) -> Changes:
    """Changes of single images, drawn by the same settings, as those of all of them."""
    first = parts[0]
    drawn = {
        name: tuple(
            np.concatenate(columns) for columns in zip(*(part.drawn[name] for part in parts), strict=True)
        )
        for name in first.drawn
    }
    return Changes(
        np.concatenate([part.flips for part in parts]),
        np.concatenate([part.matrices for part in parts]),
        np.concatenate([part.shifts for part in parts]),
        first.are_only_flips,
        drawn,
    )


def make_matrices(
    size: tuple[int, int],
    *,
    rotation: NDArray[np.float64],
    shift: NDArray[np.float64],
    shear: NDArray[np.float64],
    zoom: NDArray[np.float64],
    flips: NDArray[np.bool_],
    crop: NDArray[np.float64] | None = None,
) -> NDArray[np.float32]:
    """Compose rotation, shift, shear, zoom, crop and flips, all but crop about the middle of the picture.

    Args:
        size: height and width in pixels.
        rotation: radians, shape (n,).
        shift: pixels along x and y, shape (2, n); the picture moves the other way, as in ImageDataGenerator.
        shear: radians, shape (n,).
        zoom: width and height of what is seen, as a share of the picture, shape (2, n): above 1 things get smaller.
        flips: horizontally and vertically, shape (n, 2).
        crop: the share of both sides that is kept, and its place along x and y (0: left and top, 1: right and bottom), shape
            (3, n); None for nothing.

    Returns:
        Shape (n, 8), as in `Changes`.
    """
    count = len(rotation)
    # All of them act on (x, y, 1).
    rotated, moved, sheared, zoomed, mirrored = (np.tile(np.eye(3), (count, 1, 1)) for _ in range(5))
    cos, sin = np.cos(rotation), np.sin(rotation)
    rotated[:, 0, 0], rotated[:, 0, 1], rotated[:, 1, 0], rotated[:, 1, 1] = cos, -sin, sin, cos
    moved[:, 0, 2], moved[:, 1, 2] = shift
    sheared[:, 0, 1], sheared[:, 1, 1] = -np.sin(shear), np.cos(shear)
    zoomed[:, 0, 0], zoomed[:, 1, 1] = zoom
    whole = rotated @ moved @ sheared @ zoomed

    # About the middle, which for an even number of pixels lies between two of them.
    middle = np.array([(size[1] - 1) / 2, (size[0] - 1) / 2])
    whole[:, :2, 2] += middle - whole[:, :2, :2] @ middle

    for axis in (0, 1):
        flipped = flips[:, axis]
        mirrored[flipped, axis, axis] = -1
        mirrored[flipped, axis, 2] = size[1 - axis] - 1
    if crop is not None:
        whole = whole @ _cut_out(crop, size)
    # A flip is the last thing done to the picture, so the first that a point of the result meets.
    matrices = np.zeros((count, 8), np.float32)
    matrices[:, :6] = (whole @ mirrored)[:, :2].reshape(count, 6)
    return matrices


def _cut_out(crop: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    """The first and the last pixel of the part become those of the picture, so that nothing comes from outside."""
    kept, *places = crop
    part = np.tile(np.eye(3), (len(kept), 1, 1))
    for axis, place in enumerate(places):
        part[:, axis, axis] = kept
        part[:, axis, 2] = place * (1 - kept) * (size[1 - axis] - 1)
    return part


def _draw_parts(generator: np.random.Generator, count: int, reach: float) -> NDArray[np.float64]:
    return np.stack([1 - generator.uniform(0, reach, count), *generator.random((2, count))])


def _draw_brightness(
    generator: np.random.Generator, count: int, size: tuple[int, int], reach: float
) -> tuple[np.ndarray]:
    return (np.float32(255) * generator.uniform(-reach, reach, count).astype(np.float32),)


def _draw_contrast(
    generator: np.random.Generator, count: int, size: tuple[int, int], reach: float
) -> tuple[np.ndarray]:
    return (generator.uniform(1 - reach, 1 + reach, count).astype(np.float32),)


def _draw_gamma(
    generator: np.random.Generator, count: int, size: tuple[int, int], reach: float
) -> tuple[np.ndarray]:
    return (np.exp(generator.uniform(-reach, reach, count)).astype(np.float32),)


def _draw_blur(
    generator: np.random.Generator, count: int, size: tuple[int, int], reach: float
) -> tuple[np.ndarray]:
    return (make_kernels(generator.uniform(0, reach, count), reach),)


def make_kernels(spreads: NDArray[np.float64], widest: float) -> NDArray[np.float32]:
    """Gaussian kernels with these standard deviations in pixels, shape (n, places); cut at four of the `widest`."""
    reach = math.ceil(4 * widest)
    distances = np.arange(-reach, reach + 1)
    # A spread of nearly 0 is the picture as it is.
    kernels = np.exp(-0.5 * (distances / np.maximum(spreads, 1e-3)[:, None]) ** 2)
    return (kernels / kernels.sum(axis=1, keepdims=True)).astype(np.float32)


def _draw_noise(
    generator: np.random.Generator, count: int, size: tuple[int, int], reach: float
) -> tuple[np.ndarray, np.ndarray]:
    spreads = generator.uniform(0, reach, count).astype(np.float32)
    return spreads, generator.integers(2**31, size=(count, 2), dtype=np.int32)


def _draw_cutout(
    generator: np.random.Generator, count: int, size: tuple[int, int], reach: float
) -> tuple[np.ndarray]:
    return (draw_boxes(generator, count, size, np.full(count, reach)),)


def draw_boxes(
    generator: np.random.Generator, count: int, size: tuple[int, int], shares: NDArray[np.float64]
) -> NDArray[np.int32]:
    """Rectangles of these shares of both sides, cut off at the rim of the picture.

    Returns:
        Their first row, first column, and the row and the column after the last, shape (n, 4).
    """
    ends = []
    for side in size:
        length = np.rint(shares * side).astype(np.int64)
        first = generator.integers(side, size=count) - length // 2
        ends.append((np.maximum(first, 0), np.minimum(first + length, side)))
    (top, bottom), (left, right) = ends
    return np.stack([top, left, bottom, right], axis=1).astype(np.int32)


DRAW: dict[str, Callable[..., tuple[np.ndarray, ...]]] = {
    "brightness": _draw_brightness,
    "contrast": _draw_contrast,
    "gamma": _draw_gamma,
    "blur": _draw_blur,
    "noise": _draw_noise,
    "cutout": _draw_cutout,
}
"""What is drawn for each image, by the names of `storage.pictures.changes.CHANGES`: everything but geometry and channel_shift."""
