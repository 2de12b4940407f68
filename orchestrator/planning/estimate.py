"""How long a study will take: measured where the database knows, else a rule of thumb that says so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.planning.plan import fold_epochs
from storage.results.ledger import read_curves
from storage.spec import SETTINGS, StudySpec, Variant, list_variants
from storage.studies.study import list_studies
from workers.objective.memory import (
    LOCKSTEP_BYTES,
    choose_schedule,
    count_lenet_weights,
    count_weights,
    lockstep_bytes,
)

if TYPE_CHECKING:
    from storage.database.engine import Database

# Fitted to float32 on 2 CPU cores, 2,048 features, head 1024-512-256, 18 labels: 0.63 s an epoch at batch 16,
# 0.19 s at 128 and 0.137 s at 1600, for 2,075 training images.
SECONDS_PER_STEP = 0.0039
SECONDS_PER_IMAGE = 6e-5
RULE_WEIGHTS = 2048 * 1024 + 1024 * 512 + 512 * 256 + 256 * 18
# One forward pass of InceptionV3 at 299 x 299 on the same cores.
SECONDS_PER_VIEW = {"float32": 0.055, "tf32": 0.055, "bfloat16": 0.027}
RULE_PIXELS = 299 * 299
PASSES_OF_A_STEP = 3
LENET_COST = 0.12
"""Of LeNet for a pixel, in those of InceptionV3: 1.28 s for a fold-epoch of 348 images of 128 x 128 (docs/speed-evidence.md)."""
# Of 12 trials of Regime I on 522 radiographs, 41 s with an empty cache of programs and 18 s with all 47 of them, 10 of these before the first
# trial (docs/speed-evidence.md).
START_SECONDS = 10.0
"""From `orch worker` to the first trial: TensorFlow is imported, data are checked, the model is built."""
SECONDS_PER_PROGRAM = 0.5
PROGRAMS_PER_BATCH_SIZE = 4
"""Each batch size is compiled once: its full and its last batch, in training and in validation."""
MOST_SAVED = 0.67
"""The largest share of fold-epochs that pruning saved in the replays of docs/pruning-evidence.md."""
BACKBONES = {
    "ConvNeXtBase": (1024, 5.4),
    "ConvNeXtLarge": (1536, 12),
    "ConvNeXtSmall": (768, 3.1),
    "ConvNeXtTiny": (768, 1.6),
    "ConvNeXtXLarge": (2048, 21),
    "DenseNet121": (1024, 1),
    "DenseNet169": (1664, 1.2),
    "DenseNet201": (1920, 1.5),
    "EfficientNetB0": (1280, 0.14),
    "EfficientNetB1": (1280, 0.2),
    "EfficientNetB2": (1408, 0.23),
    "EfficientNetB3": (1536, 0.34),
    "EfficientNetB4": (1792, 0.53),
    "EfficientNetB5": (2048, 0.83),
    "EfficientNetB6": (2304, 1.2),
    "EfficientNetB7": (2560, 1.8),
    "EfficientNetV2B0": (1280, 0.25),
    "EfficientNetV2B1": (1280, 0.36),
    "EfficientNetV2B2": (1408, 0.41),
    "EfficientNetV2B3": (1536, 0.57),
    "EfficientNetV2L": (1280, 4.3),
    "EfficientNetV2M": (1280, 1.9),
    "EfficientNetV2S": (1280, 1),
    "InceptionResNetV2": (1536, 2.3),
    "InceptionV3": (2048, 1),
    "MobileNet": (1024, 0.2),
    "MobileNetV2": (1280, 0.11),
    "MobileNetV3Large": (960, 0.075),
    "MobileNetV3Small": (576, 0.019),
    "NASNetLarge": (4032, 3.8),
    "NASNetMobile": (1056, 0.2),
    "ResNet101": (2048, 2.7),
    "ResNet101V2": (2048, 2.5),
    "ResNet152": (2048, 4),
    "ResNet152V2": (2048, 3.8),
    "ResNet50": (2048, 1.4),
    "ResNet50V2": (2048, 1.2),
    "VGG16": (512, 5.4),
    "VGG19": (512, 6.9),
    "Xception": (2048, 1.6),
}
"""Of each backbone of Keras: its features for an image, and its multiplications for a pixel, as many times those of InceptionV3 (counted
layer by layer)."""
UNKNOWN = (2048, 1.0)
"""Of a backbone from elsewhere."""
FEATURE_BYTES = 4


@dataclass(frozen=True)
class Extraction:
    """Features that each machine extracts once.

    Attributes:
        backbone, weights, image_size, pooling: what they are of.
        seconds: that one machine takes.
        bytes: on its disk.
    """

    backbone: str
    weights: str
    image_size: tuple[int, int]
    pooling: str
    seconds: float
    bytes: int


@dataclass(frozen=True)
class Estimate:
    """Times of one worker in seconds, when nothing is pruned, and what they rest on; and how folds are trained.

    Attributes:
        start_seconds: before the first trial.
        compilation_seconds: of the programs of all batch sizes.
        least_seconds: in all, if pruning saves as much as it can be expected to; without a pruner the same as `total_seconds`.
        extractions: the sets of features that the trials need.
        models: how many different models and inputs the trials have.
    """

    extraction_seconds: float
    fold_epoch_seconds: float
    total_seconds: float
    basis: str
    schedule: str
    extractions: tuple[Extraction, ...] = ()
    models: int = 1
    start_seconds: float = 0.0
    compilation_seconds: float = 0.0
    least_seconds: float = 0.0


def estimate_time(
    spec: StudySpec,
    points: Sequence[dict[str, Any] | None],
    *,
    images: int,
    train_images: Sequence[int],
    measured: float | None = None,
) -> Estimate:
    """Estimate the time of a study.

    Args:
        spec: the study.
        points: its planned points.
        images: development images, whose features are extracted once.
        train_images: training images of each fold.
        measured: median seconds of a fold-epoch in a study like this one, where there is one.
    """
    variants = list_variants(spec, points)
    extractions = list_extractions(variants, images)
    per_epoch = measured
    if per_epoch is None:
        per_epoch = sum(
            variant.share * _seconds_of_epoch(variant.spec, points, train_images) for variant in variants
        )
    extraction = sum(one.seconds for one in extractions)
    basis = (
        "fold-epochs measured in this database"
        if measured is not None
        else "a rule of thumb for 2 CPU cores; a GPU is many times faster"
    )
    training = per_epoch * fold_epochs(spec)
    compilation = (
        _count_batch_sizes(spec, points, train_images) * PROGRAMS_PER_BATCH_SIZE * SECONDS_PER_PROGRAM
    )
    total = START_SECONDS + extraction + compilation + training
    return Estimate(
        extraction,
        per_epoch,
        total,
        basis,
        describe_schedule(spec, variants),
        tuple(extractions),
        len(variants),
        START_SECONDS,
        compilation,
        total - (0.0 if spec.pruner.name == "none" else MOST_SAVED * training),
    )


def _count_batch_sizes(
    spec: StudySpec, points: Sequence[dict[str, Any] | None], train_images: Sequence[int]
) -> int:
    """How many different batches the trials train on; where a sampler chooses them later, each trial may have its own."""
    if "batch_size" not in spec.search:
        return 1
    known = [point["batch_size"] for point in points if point and "batch_size" in point]
    return len({min(size, max(train_images)) for size in known}) + sum(point is None for point in points)


def list_extractions(variants: Sequence[Variant], images: int) -> list[Extraction]:
    """What each machine extracts, each set of features once, in the order in which trials need them.

    Args:
        variants: of the study.
        images: development images.
    """
    found: dict[str, Extraction] = {}
    for variant in variants:
        spec, model = variant.spec, variant.spec.model
        if spec.uses_features and not model.features and variant.inputs not in found:
            views = len(spec.views)
            found[variant.inputs] = Extraction(
                model.backbone,
                model.weights,
                model.image_size,
                model.pooling,
                images * views * _seconds_of_pass(spec, model.extraction_precision),
                images * views * BACKBONES.get(model.backbone, UNKNOWN)[0] * FEATURE_BYTES,
            )
    return list(found.values())


def _seconds_of_pass(spec: StudySpec, precision: str) -> float:
    """One image through the backbone."""
    pixels = spec.model.image_size[0] * spec.model.image_size[1]
    cost = BACKBONES.get(spec.model.backbone, UNKNOWN)[1] if spec.model.kind == "transfer" else UNKNOWN[1]
    if spec.model.kind == "lenet":
        cost = LENET_COST
    return SECONDS_PER_VIEW[precision] * pixels / RULE_PIXELS * cost


def _seconds_of_epoch(
    spec: StudySpec, points: Sequence[dict[str, Any] | None], train_images: Sequence[int]
) -> float:
    seconds = _rule_of_thumb(spec, points, train_images)
    if not spec.uses_features:
        # Every image passes the backbone in every epoch; a backward pass costs about two forward ones.
        passes = 1 if spec.model.has_fixed_backbone else PASSES_OF_A_STEP
        per_view = _seconds_of_pass(spec, spec.training.precision)
        seconds += sum(train_images) / len(train_images) * passes * per_view
    return seconds


def describe_schedule(spec: StudySpec, variants: Sequence[Variant] = ()) -> str:
    """Say whether the folds will be trained side by side or one after the other, and why; the words begin with which."""
    folds = spec.fold_count
    meant = {"lockstep": f"{folds} folds side by side", "sequential": f"{folds} folds one after the other"}
    if spec.cv.schedule != "auto":
        return f"{spec.cv.schedule}: {meant[spec.cv.schedule]}, as the spec says"
    specs = [variant.spec for variant in variants] or [spec]
    known = [_known_weights(one) for one in specs]
    weights = max((count for count in known if count is not None), default=0)
    chosen = "sequential" if any(
        count is not None and choose_schedule(one, weights=count) == "sequential"
        for one, count in zip(specs, known, strict=True)
    ) else "lockstep"  # fmt: skip
    if None in known and chosen == "lockstep":
        limit = LOCKSTEP_BYTES / 1024**3
        return f"auto: lockstep if {folds} models fit into {limit:.0f} GiB, otherwise sequential; the worker builds one model to find out"
    largest = specs[known.index(weights)]
    return (
        f"{chosen}: {meant[chosen]}; memory: {lockstep_bytes(largest, weights) / 1024**3:.2g} GiB for {folds} folds trained in "
        f"parallel (limit {LOCKSTEP_BYTES / 1024**3:.0f} GiB)"
    )


def _known_weights(spec: StudySpec) -> int | None:
    """How many weights a model trains; None where only building it tells."""
    if spec.uses_features:
        return _head_weights(spec)
    if spec.model.kind == "lenet":
        return count_lenet_weights(spec.model.image_size, max(len(spec.data.targets), 1))
    return None


def measured_seconds(database: Database, spec: StudySpec) -> float | None:
    """Return the median seconds of a fold-epoch of the newest study on the same data and head, or None."""
    for study in reversed(list_studies(database)):
        if study.fingerprint != spec.data.fingerprint or _describe_work(study.spec) != _describe_work(spec):
            continue
        seconds = sorted(row.seconds for row in read_curves(database, study.uuid))
        if seconds:
            return float(seconds[len(seconds) // 2])
    return None


def _describe_work(spec: StudySpec) -> tuple[Any, ...]:
    """What the time of a fold-epoch depends on, besides batch size and data."""
    model = spec.model
    searched = sorted(
        (name, searched.describe()) for name, searched in spec.search.items() if name not in SETTINGS
    )
    common = (model.head, spec.training.threads, spec.uses_features, searched)
    return (
        common
        if spec.uses_features
        else (*common, model.kind, model.backbone, model.trainable, model.image_size)
    )


def _rule_of_thumb(
    spec: StudySpec, points: Sequence[dict[str, Any] | None], train_images: Sequence[int]
) -> float:
    sizes = [(point or {}).get("batch_size", spec.training.batch_size) for point in points]
    train = sum(train_images) / len(train_images)
    steps = sum(math.ceil(train / size) for size in sizes) / len(sizes)
    scale = _head_weights(spec) / RULE_WEIGHTS
    return (steps * SECONDS_PER_STEP + train * SECONDS_PER_IMAGE) * scale


def _head_weights(spec: StudySpec) -> int:
    width = spec.model.features_width or BACKBONES.get(spec.model.backbone, UNKNOWN)[0]
    return count_weights(spec, width, max(len(spec.data.targets), 1))
