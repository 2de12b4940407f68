"""Every possible input of the head, computed once: the frozen backbone over all flips of all images."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from storage.data.images import RESIZE, read_image
from storage.files.features import FeatureKey, Features, FeatureWriter, lock_extraction, open_features
from workers.device import preparation as devices

if TYPE_CHECKING:
    import keras

    from storage.data.datasets import Dataset
    from storage.spec.sections import ModelSection
    from storage.spec.study import StudySpec

log = logging.getLogger(__name__)

Report = Callable[[int, int], None]
Given = TypeVar("Given")
Made = TypeVar("Made")

VIEWS = ("identity", "horizontal", "vertical", "both")
"""The four flips of an image, in the order in which features are stored."""

AHEAD = 64
"""Images that are decoded before the backbone asks for them."""


def ensure_features(
    spec: StudySpec, dataset: Dataset, cache: Path, *, report: Report | None = None
) -> Features:
    """Open the features of a study, extracting them first where they are not in the cache.

    One process per machine extracts, the others wait for it. A stopped extraction goes on where it was.

    Args:
        spec: gives the backbone and whether images are flipped.
        dataset: the development images.
        cache: the cache folder.
        report: told the images done and all images.

    Raises:
        DataError: images moved or changed, or cannot be read.
        SpecError: no such backbone.
        WeightsError: the backbone's weights are missing or do not fit.
        FeaturesError: stored features are damaged, or the disk is full.
    """
    key = describe_features(spec, dataset.fingerprint)
    stored = open_features(cache, key)
    if stored is not None:
        return stored

    def say_waiting() -> None:
        log.warning("Another process on this machine extracts these features; waiting for it.")

    with lock_extraction(cache, key, say_waiting):
        stored = open_features(cache, key)
        if stored is None:
            extract(spec, dataset, cache, key, report)
            stored = open_features(cache, key)
    if stored is None:
        raise RuntimeError(f"the features {key.digest} vanished while they were made")
    return stored


def describe_features(spec: StudySpec, fingerprint: str) -> FeatureKey:
    """Everything that the features of a study depend on.

    Raises:
        SpecError: no such backbone.
        WeightsError: the weights file is missing or is another one.
    """
    devices.import_quietly()
    import keras

    from workers.models.transfer import find_preprocessing, identify_weights

    return FeatureKey(
        fingerprint=fingerprint,
        backbone=spec.model.backbone,
        weights=identify_weights(spec.model),
        image_size=spec.model.image_size,
        resize=RESIZE,
        preprocessing=find_preprocessing(spec.model.backbone).__module__,
        pooling=spec.model.pooling,
        views=VIEWS if spec.flips else VIEWS[:1],
        batch=spec.model.extraction_batch,
        precision=spec.model.extraction_precision,
        versions=tuple(
            (name, metadata.version(name)) for name in ("keras", "pillow", keras.backend.backend())
        ),
    )


def extract(
    spec: StudySpec, dataset: Dataset, cache: Path, key: FeatureKey, report: Report | None = None
) -> None:
    """Run the backbone over what is not extracted yet, and store it.

    Every forward pass has `model.extraction_batch` images, the last one padded with black ones, so that a
    value does not depend on how many images there are or where an extraction was stopped.

    Raises:
        As `ensure_features`.
    """
    from workers.models.transfer import find_preprocessing

    dataset.check_images()
    backbone = build_extractor(spec.model)
    scale = find_preprocessing(spec.model.backbone)
    views, images = len(key.views), len(dataset.files)
    with FeatureWriter(cache, key, (images, views, backbone.output_shape[-1])) as writer:
        batches = read_batches(list(dataset.files), spec.model.image_size, views, key.batch, writer.done)

        def extract_batch(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
            padded = np.zeros((key.batch, *batch.shape[1:]), np.float32)
            padded[: len(batch)] = batch
            return backbone.predict_on_batch(scale(padded))[: len(batch)]

        for rows in map_ahead(extract_batch, batches, at_once=devices.count_at_once()):
            writer.append(rows)
            if report:
                report(writer.done // views, images)
        writer.finish()


def build_extractor(model: ModelSection) -> keras.Model:
    """The backbone in `model.extraction_precision`, as fast as that allows.

    In float32 it stays as Keras built it: features are to be the backbone's own to the last bit. In bfloat16, where they are not
    anyway, its normalisations are folded, which takes a fifth of the time off.

    Raises:
        As `build_backbone`.
    """
    from workers.models.folding import fold_normalization
    from workers.models.precision import built_for
    from workers.models.transfer import build_backbone

    if model.extraction_precision == "float32":
        return build_backbone(model)
    with built_for(model.extraction_precision):
        return fold_normalization(build_backbone(model))


def map_ahead(
    compute: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    batches: Iterator[NDArray[np.uint8]],
    *,
    at_once: int,
) -> Iterator[NDArray[np.float32]]:
    """Yield what `compute` makes of each batch, in order, `at_once` of them side by side."""
    for first in batches:
        # Alone: it makes the compiled function that the others share.
        yield compute(first)
        break
    yield from _run_ahead(compute, batches, threads=at_once, ahead=at_once)


def read_batches(
    files: list[Path], size: tuple[int, int], views: int, batch: int, first_row: int = 0
) -> Iterator[NDArray[np.uint8]]:
    """Yield the rows (image after image, each in all its views) in batches, decoded ahead on threads.

    Args:
        files: the images.
        size: height and width in pixels.
        views: how many of `VIEWS`.
        batch: rows per batch; the last may be shorter.
        first_row: where to begin, counted in rows.
    """
    waiting: list[NDArray[np.uint8]] = []
    skip = first_row % views
    for image in decode_ahead(files[first_row // views :], size):
        waiting.extend(flip(image, view) for view in range(skip, views))
        skip = 0
        while len(waiting) >= batch:
            yield np.stack(waiting[:batch])
            del waiting[:batch]
    if waiting:
        yield np.stack(waiting)


def flip(image: NDArray[np.uint8], view: int) -> NDArray[np.uint8]:
    """One of `VIEWS` of an image, shape (height, width, channels)."""
    flipped = image[:, ::-1] if VIEWS[view] in ("horizontal", "both") else image
    return flipped[::-1] if VIEWS[view] in ("vertical", "both") else flipped


def decode_ahead(files: list[Path], size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    """Yield the images, uint8 of shape (height, width, 3), in order, decoded on threads before they are asked for."""
    return _run_ahead(lambda file: read_image(file, size), files, threads=2, ahead=AHEAD)


def _run_ahead(
    compute: Callable[[Given], Made], given: Iterable[Given], *, threads: int, ahead: int
) -> Iterator[Made]:
    """Yield what `compute` makes, in order; `ahead` more are begun on threads before they are asked for."""
    pending: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="ahead") as pool:
        try:
            for one in given:
                pending.append(pool.submit(compute, one))
                if len(pending) > ahead:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
