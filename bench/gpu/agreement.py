"""The stage that says how far apart the values of two devices, two ways and two runs are."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.gpu.desk import backbone_of
from bench.gpu.folds import NORMAL, SMALL, StackedFolds, made_up, start
from bench.gpu.speed import known_precisions, start_device
from bench.on_a_gpu import Found, Place

EPOCHS = 6


def run_same(place: Place, found: Found) -> None:
    """Largest differences; the processor of this machine computes the features of reference in the same process."""
    start_device()
    sizes = SMALL if place.rehearse else NORMAL
    features, labels = made_up(sizes)
    batch = sizes.batches[1]

    def train(precision: str, *, stacked: bool = True) -> tuple[Any, list[Any]]:
        folds = StackedFolds(start(features, labels, sizes, batch, precision))
        epoch = folds.run if stacked else folds.run_alone
        curves = np.array([[result.val_auc for result in epoch()] for _ in range(EPOCHS)])
        return curves, [trainer.predict_validation() for trainer in folds.trainers]

    first = train("float32")
    found["stacked against stacked again"] = compare(first, train("float32"))
    found["stacked against alone"] = compare(first, train("float32", stacked=False))
    for precision in known_precisions():
        if precision != "float32":
            found[f"float32 against {precision}"] = compare(first, train(precision))
    found["a trial's values do not depend on its place among stacked trials"] = places_do_not_matter(
        features, labels, sizes
    )
    compare_features(place, found)


def compare(one: tuple[Any, list[Any]], two: tuple[Any, list[Any]]) -> dict[str, Any]:
    """How far apart two trainings of the same folds are."""
    (auc, predicted), (other_auc, other) = one, two
    differences = [np.abs(mine - theirs).max() for mine, theirs in zip(predicted, other, strict=True)]
    return {
        "identical": max(differences) == 0,
        "largest difference of a probability": float(max(differences)),
        "of a fold's AUC": float(np.abs(auc - other_auc).max()),
        "of the value": float(abs(auc.mean(1).max() - other_auc.mean(1).max())),
    }


def compare_features(place: Place, found: Found) -> None:
    """Features of real images in every precision against those of the processor in float32."""
    import jax

    from storage.data.images import read_image
    from storage.spec import ModelSection
    from workers.device import preparation
    from workers.inputs.extraction import build_extractor
    from workers.models.transfer import find_preprocessing

    size, count = ((75, 75), 8) if place.rehearse else ((299, 299), 16)
    files = sorted((place.data / "images").iterdir())[:count]
    scale = find_preprocessing(backbone_of(place))
    pixels = scale(np.stack([read_image(file, size) for file in files]).astype(np.float32))

    def extract(precision: Any) -> Any:
        model = ModelSection(
            backbone=backbone_of(place), weights="none", image_size=size, extraction_precision=precision
        )
        with preparation.products_in(precision):
            return build_extractor(model).predict_on_batch(pixels)

    with jax.default_device(jax.devices("cpu")[0]), jax.default_matmul_precision("highest"):
        reference = extract("float32")
    spread = float(reference.std())
    for precision in known_precisions():
        largest = float(np.abs(extract(precision) - reference).max()) / spread
        found[f"features, {precision} here against float32 on the processor, in sd"] = largest


def places_do_not_matter(features: Any, labels: Any, sizes: Any) -> bool:
    """Two trials with one batch size in one computation, in two orders of their slots: bit for bit the same."""
    predicted = []
    for order in ((0, 1), (1, 0)):
        groups = {
            point: start(features, labels, sizes, sizes.batches[1], "float32", point) for point in order
        }
        folds = StackedFolds([trainer for point in order for trainer in groups[point]])
        for _ in range(2):
            folds.run()
        predicted.append([trainer.predict_validation() for point in (0, 1) for trainer in groups[point]])
    return all((one == two).all() for one, two in zip(*predicted, strict=True))
