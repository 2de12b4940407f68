"""Image files decoded before they are asked for: for training and for prediction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from storage.data.grey import Scale
from storage.data.images import read_image
from storage.own_processes import count_processors
from storage.pictures.fitting import STRETCH
from storage.pictures.views import VIEWS, is_mirrored, is_upside_down
from workers.device.contract import ImageBatch
from workers.inputs.decoders import count_decoders, decode_apart, run_ahead

AHEAD_ON_THREADS = 64
"""Images that are decoded before the backbone asks for them."""


def map_ahead(
    compute: Callable[[np.ndarray], NDArray[np.float32]],
    batches: Iterator[np.ndarray],
    *,
    at_once: int,
) -> Iterator[NDArray[np.float32]]:
    """Yield what `compute` makes of each batch, in order, `at_once` of them side by side."""
    for first in batches:
        # Alone: it makes the compiled function that the others share.
        yield compute(first)
        break
    yield from run_ahead(compute, batches, threads=at_once, ahead=at_once)


def read_batches(
    files: Sequence[Path],
    size: tuple[int, int],
    views: Sequence[str],
    batch: int,
    first_row: int = 0,
    scale: Scale | None = None,
    resize: str = STRETCH,
) -> Iterator[NDArray[np.uint8]]:
    """Yield the rows (image after image, each in all its views) in batches, decoded ahead on threads.

    Args:
        files: the images.
        size: height and width in pixels.
        views: which of `VIEWS`.
        batch: rows per batch; the last may be shorter.
        first_row: where to begin, counted in rows.
        scale: the data set's rule for files of more than 8 bits.
        resize: of `storage.pictures.fitting.RESIZES`.
    """
    waiting: list[NDArray[np.uint8]] = []
    skip = first_row % len(views)
    for image in decode_ahead(files[first_row // len(views) :], size, scale, resize):
        waiting.extend(flip(image, view) for view in views[skip:])
        skip = 0
        while len(waiting) >= batch:
            yield np.stack(waiting[:batch])
            del waiting[:batch]
    if waiting:
        yield np.stack(waiting)


def read_image_batches(
    files: Sequence[Path],
    size: tuple[int, int],
    views: Sequence[str],
    batch: int,
    first_row: int = 0,
    scale: Scale | None = None,
    resize: str = STRETCH,
) -> Iterator[ImageBatch]:
    """Yield the rows of `read_batches`, for a device that flips the images itself; all batches have the same shapes.

    Args:
        files, size, views, batch, first_row, scale, resize: as of `read_batches`.
    """
    each = len(views)
    decoded = decode_ahead(files[first_row // each :], size, scale, resize)
    # So many images at most have a view among the rows of a batch, wherever it begins.
    room = (batch + 2 * each - 2) // each
    total = len(files) * each
    numbers = np.array([VIEWS.index(view) for view in views], np.int32)
    kept: list[tuple[int, NDArray[np.uint8]]] = []
    next_image = first_row // each
    for begin in range(first_row, total, batch):
        rows = np.arange(begin, min(begin + batch, total), dtype=np.int32)
        first, last = int(rows[0]) // each, int(rows[-1]) // each
        kept = [(number, image) for number, image in kept if number >= first]
        while next_image <= last:
            kept.append((next_image, next(decoded)))
            next_image += 1
        images = np.zeros((room, *size, 3), np.uint8)
        for place, (_, image) in enumerate(kept):
            images[place] = image
        places, shown = np.full(batch, -1, np.int32), np.zeros(batch, np.int32)
        places[: len(rows)], shown[: len(rows)] = rows // each - first, numbers[rows % each]
        yield ImageBatch(images, places, shown, len(rows))


def flip(image: NDArray[np.uint8], view: str) -> NDArray[np.uint8]:
    """One of `VIEWS` of an image, shape (height, width, channels)."""
    flipped = image[:, ::-1] if is_mirrored(view) else image
    return flipped[::-1] if is_upside_down(view) else flipped


def decode_ahead(
    files: Sequence[Path],
    size: tuple[int, int],
    scale: Scale | None = None,
    resize: str = STRETCH,
    *,
    processors: int = 0,
) -> Iterator[NDArray[np.uint8]]:
    """Yield the images, uint8 of shape (height, width, 3), in order, decoded on threads or by processes before they are asked for.

    Args:
        files, size, scale, resize: as of `storage.data.images.read_image`.
        processors: on which to decode; 0 for those that this process may use.
    """
    processors = processors or count_processors()
    decoders = count_decoders(processors, len(files))
    if decoders:
        each = processors // decoders
        return decode_apart(files, size, scale, resize, decoders=decoders, threads=each)
    return run_ahead(
        lambda file: read_image(file, size, scale, resize), files, threads=processors, ahead=AHEAD_ON_THREADS
    )
