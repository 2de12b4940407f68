"""A picture of what a study's augmentation does to images: each row an image, first as it is, then changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from storage.data.grey import Scale
from storage.data.images import read_image
from storage.pictures.fitting import STRETCH
from workers.device import backend
from workers.device import preparation as devices
from workers.device.contract import Settings
from workers.inputs.augmentation import draw_changes
from workers.inputs.mixing import draw_mixture, mix

GAP = 6
GAP_GREY = 255


def draw_preview(
    files: Sequence[Path],
    size: tuple[int, int],
    settings: Settings,
    seed: int,
    columns: int,
    scale: Scale | None = None,
    resize: str = STRETCH,
) -> NDArray[np.uint8]:
    """Draw images as training would see them.

    Args:
        files: the images, one row each.
        size: height and width in pixels, as in training.
        settings: as `workers.inputs.augmentation.draw_changes` takes them.
        seed: of what is drawn.
        columns: changed copies of each image.
        scale: the data set's rule for files of more than 8 bits.
        resize: of `storage.pictures.fitting.RESIZES`.

    Returns:
        The picture: uint8, shape (height, width, 3).

    Raises:
        DataError: an image cannot be read.
        UsageError: the backend that was chosen is not installed.
    """
    devices.import_quietly()
    change = backend.epoch_backend().change_images
    generator = np.random.default_rng(seed)
    images = [read_image(file, size, scale, resize) for file in files]
    rows = []
    for image in images:
        changes = draw_changes(generator, columns, size, settings)
        copies = np.repeat(image[None], columns, axis=0)
        rows.append(change(copies, changes.matrices, changes.shifts, changes.drawn))
    changed = np.stack(rows)
    for column in range(columns):
        # Each column of images is a batch.
        mixture = draw_mixture(generator, len(files), len(files), size, settings)
        if mixture is not None:
            changed[:, column] = mix(changed[:, column], mixture)
    return tile([[image, *np.rint(row).astype(np.uint8)] for image, row in zip(images, changed, strict=True)])


def tile(rows: Sequence[Sequence[NDArray[np.uint8]]]) -> NDArray[np.uint8]:
    """Lay images of one size out in a grid, with white between them."""
    height, width = rows[0][0].shape[:2]
    whole = np.full(
        (len(rows) * (height + GAP) - GAP, len(rows[0]) * (width + GAP) - GAP, 3), GAP_GREY, np.uint8
    )
    for row, images in enumerate(rows):
        for column, image in enumerate(images):
            top, left = row * (height + GAP), column * (width + GAP)
            whole[top : top + height, left : left + width] = image
    return whole
