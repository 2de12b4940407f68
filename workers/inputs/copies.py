"""Changed copies of images, drawn once: what an image's copies are depends on the study's seed and on the image alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from storage.data.images import scale_of
from workers.device import backend
from workers.device.contract import Settings
from workers.inputs.augmentation import Changes, draw_changes, join_changes
from workers.inputs.decoding import decode_ahead

if TYPE_CHECKING:
    from storage.data.datasets import Dataset
    from storage.spec import StudySpec


def draw_of_image(
    digest: str, numbers: Sequence[int], seed: int, size: tuple[int, int], settings: Settings
) -> Changes:
    """What is done to one image, one row for each of its copies.

    Args:
        digest: its SHA-256, in hex digits.
        numbers: of the copies.
        seed: of the study, or of a prediction.
        size: height and width in pixels.
        settings: as `workers.inputs.augmentation.draw_changes` takes them.
    """
    image = int(digest[:15], 16)
    return join_changes(
        [draw_changes(np.random.default_rng([seed, number, image]), 1, size, settings) for number in numbers]
    )


def read_copies(
    spec: StudySpec, dataset: Dataset, batch: int, first_row: int = 0
) -> Iterator[NDArray[np.float32]]:
    """Yield rows in batches, image after image: the image itself, then its `augmentation.copies` changed copies.

    Args:
        spec: gives the changes, and the size.
        dataset: the images.
        batch: rows per batch; the last may be shorter.
        first_row: where to begin.
    """
    each, size, seed = 1 + spec.augmentation.copies, spec.model.image_size, spec.study.seed
    settings = spec.all_hyperparameters
    first, skip = divmod(first_row, each)
    decoded = decode_ahead(list(dataset.files[first:]), size, scale_of(dataset), spec.model.resize)
    waiting: list[NDArray[np.float32]] = []
    for image, digest in zip(decoded, dataset.sha256[first:], strict=True):
        drawn = draw_of_image(digest, range(1, each), seed, size, settings)
        copies = backend.epoch_backend().change_images(
            np.repeat(image[None], each - 1, axis=0), drawn.matrices, drawn.shifts, drawn.drawn
        )
        waiting.extend([image.astype(np.float32), *copies][skip:])
        skip = 0
        while len(waiting) >= batch:
            yield np.stack(waiting[:batch])
            del waiting[:batch]
    if waiting:
        yield np.stack(waiting)
