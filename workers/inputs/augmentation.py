"""Random changes of training images: what they are. `workers.backends.tensorflow.augmentation` makes them.

All that is random is drawn ahead, one row per image of an epoch, so that the order in which threads work decides
nothing. Rotation, shift, shear, zoom and flips of an image are one matrix and so one interpolation (bilinear); what
comes from outside the picture is black. The matrices are those of Keras's ImageDataGenerator, which the second
reference study used, and the units are its units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.spec import CONTINUOUS_AUGMENTATION
from workers.device.contract import Settings


@dataclass(frozen=True)
class Changes:
    """What is done to each image of an epoch.

    Attributes:
        flips: shape (n, 2): horizontally, vertically.
        matrices: float32, shape (n, 8): where each point of the result comes from, in pixels, as
            [x from x, x from y, x offset, y from x, y from y, y offset, 0, 0]; flips are in it.
        shifts: float32, shape (n,): added to grey values of 0 to 255.
        are_only_flips: whether nothing else was asked for.
    """

    flips: NDArray[np.bool_]
    matrices: NDArray[np.float32]
    shifts: NDArray[np.float32]
    are_only_flips: bool


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
        settings: augmentation ("flip": horizontally and vertically, each with probability 1/2), rotation and shear
            in degrees, zoom and shift as shares, channel_shift in grey values; see `AugmentationSection`.
    """

    def draw(reach: float) -> NDArray[np.float64]:
        return generator.uniform(-reach, reach, count)

    flips = generator.integers(2, size=(count, 2)).astype(bool)
    if settings["augmentation"] != "flip":
        flips[:] = False
    rotation, shear = np.deg2rad(draw(settings["rotation"])), np.deg2rad(draw(settings["shear"]))
    shift = np.stack([draw(settings["shift"]) * size[1], draw(settings["shift"]) * size[0]])
    zoom = np.stack([1 + draw(settings["zoom"]), 1 + draw(settings["zoom"])])
    return Changes(
        flips,
        make_matrices(size, rotation=rotation, shift=shift, shear=shear, zoom=zoom, flips=flips),
        draw(settings["channel_shift"]).astype(np.float32),
        are_only_flips=not any(settings[name] for name in CONTINUOUS_AUGMENTATION),
    )


def make_matrices(
    size: tuple[int, int],
    *,
    rotation: NDArray[np.float64],
    shift: NDArray[np.float64],
    shear: NDArray[np.float64],
    zoom: NDArray[np.float64],
    flips: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Compose rotation, shift, shear, zoom and flips, about the middle of the picture.

    Args:
        size: height and width in pixels.
        rotation: radians, shape (n,).
        shift: pixels along x and y, shape (2, n); the picture moves the other way, as in ImageDataGenerator.
        shear: radians, shape (n,).
        zoom: width and height of what is seen, as a share of the picture, shape (2, n): above 1 things get smaller.
        flips: horizontally and vertically, shape (n, 2).

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
    # A flip is the last thing done to the picture, so the first that a point of the result meets.
    matrices = np.zeros((count, 8), np.float32)
    matrices[:, :6] = (whole @ mirrored)[:, :2].reshape(count, 6)
    return matrices
