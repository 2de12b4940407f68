"""Every possible input of the head, computed once: the frozen backbone over all flips of all images."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from storage.data.given_features import open_given
from storage.data.images import RESIZE, describe_decoding, scale_of
from storage.files.feature_writer import FeatureWriter
from storage.files.features import FeatureKey, Features, lock_extraction, open_features
from storage.pictures.views import has_copies
from workers.device import backend
from workers.device import preparation as devices
from workers.inputs.copies import read_copies
from workers.inputs.decoders import keep_ready
from workers.inputs.decoding import map_ahead, read_batches, read_image_batches
from workers.models.folding import fold_normalization
from workers.models.hub import load_for_study
from workers.models.precision import built_for
from workers.models.transfer import build_backbone, find_preprocessing, identify_weights

if TYPE_CHECKING:
    import keras

    from storage.data.datasets import Dataset
    from storage.spec import ModelSection, StudySpec
    from workers.device.contract import Forward

log = logging.getLogger(__name__)

Report = Callable[[int, int], None]


def ensure_features(
    spec: StudySpec, dataset: Dataset, cache: Path, *, report: Report | None = None
) -> Features:
    """Open the features of a study, extracting them first where they are not in the cache.

    One process per machine extracts, the others wait for it. A stopped extraction goes on where it was. Features from elsewhere
    lie in the dataset folder.

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
    if spec.model.features:
        named = spec.model.features, dataset.fingerprint, spec.model.features_sha256
        return open_given(dataset.folder, *named)
    key = describe_features(spec, dataset.fingerprint, describe_decoding(dataset, spec.model.resize))
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


def describe_features(spec: StudySpec, fingerprint: str, decoding: str = RESIZE) -> FeatureKey:
    """Everything that the features of a study depend on; `decoding` is `describe_decoding` of its data set.

    Raises:
        SpecError: no such backbone.
        WeightsError: the weights file is missing or is another one.
    """
    devices.import_quietly()
    import keras

    model, weights = spec.model, identify_weights(spec.model)
    libraries = ["keras", "pillow", keras.backend.backend()]
    if model.is_preset:
        libraries.append("keras-hub")
    if model.weights == "none" and keras.backend.backend() != "tensorflow":
        # Not found again: features of the random weights that JAX drew once, which were others.
        weights += ", drawn alike"
    return FeatureKey(
        fingerprint=fingerprint,
        backbone=model.backbone,
        weights=weights,
        image_size=spec.model.image_size,
        resize=decoding,
        preprocessing="the preset's" if model.is_preset else find_preprocessing(model.backbone).__module__,
        pooling=spec.model.pooling,
        views=spec.views,
        batch=spec.model.extraction_batch,
        precision=spec.model.extraction_precision,
        versions=tuple((name, metadata.version(name)) for name in libraries),
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
    copies = has_copies(key.views)
    dataset.check_images()
    views, images = len(key.views), len(dataset.files)
    if report:
        # Before anything is computed: a device may hang at its first computation.
        report(0, images)
    width, embed, forward = _make_embedding(spec)
    with FeatureWriter(cache, key, (images, views, width)) as writer:
        size, grey = spec.model.image_size, scale_of(dataset)
        source = list(dataset.files), size, key.views, key.batch, writer.done, grey, spec.model.resize

        def extract_batch(batch: np.ndarray) -> NDArray[np.float32]:
            padded = np.zeros((key.batch, *batch.shape[1:]), np.float32)
            padded[: len(batch)] = batch
            with devices.products_in(spec.model.extraction_precision):
                return embed(padded)[: len(batch)]

        if forward is None or copies:
            rows_of = read_copies(spec, dataset, key.batch, writer.done) if copies else read_batches(*source)
            extracted = map_ahead(extract_batch, rows_of, at_once=devices.count_at_once())
        else:
            extracted = forward.run(keep_ready(read_image_batches(*source)))
        for rows in extracted:
            writer.append(rows)
            if report:
                report(writer.done // views, images)
        writer.finish()


def _make_embedding(
    spec: StudySpec,
) -> tuple[int, Callable[[NDArray[np.float32]], NDArray[np.float32]], Forward | None]:
    """How many features an image has, what makes them of a batch of grey values of 0 to 255, and what does so on bytes, if anything."""
    if spec.model.is_preset:
        preset = load_for_study(spec.model)
        return preset.width, preset.embed, None
    backbone = build_extractor(spec.model)
    scale = find_preprocessing(spec.model.backbone)
    forward = backend.epoch_backend().make_forward(backbone, scale, spec.model.extraction_precision)

    def embed(images: NDArray[np.float32]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = backbone.predict_on_batch(scale(images))
        return found

    return int(backbone.output_shape[-1]), embed, forward


def build_extractor(model: ModelSection) -> keras.Model:
    """The backbone in `model.extraction_precision`, as fast as that allows.

    In float32 it stays as Keras built it: features are to be the backbone's own to the last bit. In bfloat16, where they are not
    anyway, its normalisations are folded, which takes a fifth of the time off.

    Raises:
        As `build_backbone`.
    """
    if model.extraction_precision != "bfloat16":
        return build_backbone(model)
    with built_for(model.extraction_precision):
        return fold_normalization(build_backbone(model))
