"""The development images of a study as pixels, decoded once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from storage.data.images import describe_decoding, read_image, scale_of
from storage.errors import DataError
from storage.files.pixels import PixelKey, Pixels, keep_pixels, open_pixels
from storage.files.writing import hash_file
from storage.pictures.fitting import STRETCH
from workers.inputs.decoding import decode_ahead

if TYPE_CHECKING:
    from storage.data.datasets import Dataset

Report = Callable[[int, int], None]


def ensure_pixels(
    dataset: Dataset,
    image_size: tuple[int, int],
    cache: Path,
    *,
    resize: str = STRETCH,
    report: Report | None = None,
) -> Pixels:
    """Open the decoded images of a data set, decoding them first where they are not in the cache.

    Args:
        dataset: the development images.
        image_size: height and width in pixels.
        cache: the cache folder.
        resize: of `storage.pictures.fitting.RESIZES`.
        report: told the images done and all images.

    Raises:
        DataError: images moved or changed, or cannot be read.
        FeaturesError: the cache cannot be written, or the disk is full.
    """
    versions = (("pillow", metadata.version("pillow")),)
    key = PixelKey(dataset.fingerprint, image_size, describe_decoding(dataset, resize), versions)
    count = len(dataset.files)

    def decode_again(place: int) -> NDArray[np.uint8]:
        if hash_file(dataset.files[place]) != dataset.sha256[place]:
            raise DataError(f"The image {dataset.files[place]} changed since the import.")
        return read_image(dataset.files[place], image_size, scale_of(dataset), resize)

    found = open_pixels(cache, key, count, decode_again)
    if found is not None:
        return found
    dataset.check_images()

    def decode() -> Iterator[NDArray[np.uint8]]:
        for done, image in enumerate(
            decode_ahead(list(dataset.files), image_size, scale_of(dataset), resize), start=1
        ):
            yield image
            if report:
                report(done, count)

    return keep_pixels(cache, key, count, decode(), decode_again)
