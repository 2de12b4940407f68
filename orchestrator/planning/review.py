"""What is worth knowing of a study before it runs: its data, its folds, and what will not act as it seems."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashboards.tables.training import optimizer_warnings
from orchestrator.planning.hub_presets import describe_weights_of, fill_in_backbones
from orchestrator.planning.own_models import missing_models
from orchestrator.planning.plan import batch_warnings, describe_idle, refuse_idle_search
from storage.data.datasets import load_dataset, read_columns
from storage.data.folds import digest_folds, make_folds
from storage.data.given_features import open_given, read_given
from storage.errors import DataError, SpecError, UsageError
from storage.files.hdf5 import inspect_weights
from storage.files.writing import hash_file
from storage.pictures.fitting import RESIZES, SAID, STRETCH
from storage.pictures.sides import find_sides
from storage.pictures.views import mirrors
from storage.settings import data_folders
from storage.spec import PRUNER_PRESETS, PrunerSection, StudySpec, find_unknown_label, parse
from storage.wording import show_value

if TYPE_CHECKING:
    from storage.data.datasets import Dataset


@dataclass(frozen=True)
class Review:
    """Facts that are kept with the study (plain JSON data), and warnings, one sentence each."""

    facts: dict[str, Any]
    warnings: list[str]


def choose_dataset(flags: Sequence[Path] | None, fingerprint: str) -> Dataset:
    """Load the data set that a new study is made on.

    Args:
        flags: folders of `--data`, if any; else ORCH_DATA and orch.toml name them.
        fingerprint: the data set that the spec asks for; empty for any.

    Raises:
        UsageError: no data set is named, or several and the spec says not which.
        DataError: a folder is no data set, or is not the one that the spec asks for.
    """
    folders = data_folders(flags)
    if not folders:
        raise UsageError(
            "No data set is named.",
            next_step="Add --data DIR, or set ORCH_DATA; `orch data import` makes a dataset folder.",
        )
    datasets = [load_dataset(folder) for folder in folders]
    if fingerprint:
        fitting = [dataset for dataset in datasets if dataset.fingerprint == fingerprint]
        if not fitting:
            raise DataError(
                f"The spec asks for the data set {_short(fingerprint)}, and "
                f"{', '.join(f'{dataset.folder} is {_short(dataset.fingerprint)}' for dataset in datasets)}.",
                why="Its images, labels, groups or split differ from those that the spec was made on.",
                next_step='Name the right folder with --data, or take other data with --set data.fingerprint="".',
            )
        return fitting[0]
    if len(datasets) > 1:
        raise UsageError(
            f"{len(datasets)} data sets are named: {', '.join(str(folder) for folder in folders)}.",
            why="A study uses exactly one data set.",
            next_step="Choose it with --data DIR.",
        )
    return datasets[0]


def fill_in_data(spec: StudySpec, dataset: Dataset) -> StudySpec:
    """Return the spec with the fingerprint, the targets and the kind of label of its data set, and what follows from them.

    Raises:
        DataError: a target of the spec is no label of the data set, or cannot be counted without the others.
        SpecError: the metric or the loss is not of the kind of label that the data set has.
    """
    for target in spec.data.targets:
        if target not in dataset.targets:
            near = difflib.get_close_matches(target, dataset.targets, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(dataset.targets)}"
            raise DataError(f"{dataset.folder} has no label {target!r} ({hint}).")
    targets = list(spec.data.targets or dataset.targets)
    unknown = find_unknown_label(spec, targets)
    if unknown is not None:
        raise SpecError(f"training.oversampled names {unknown!r}, and the labels are {', '.join(targets)}.")
    if fault := dataset.task.find_fault(targets, dataset.targets):
        raise DataError(
            f"The study cannot count {', '.join(targets)} alone: {fault}.",
            why=f"{dataset.folder} has {dataset.task.title}, whose probabilities add up to 1.",
            next_step="Leave data.targets out, or import the images again with the classes that are wanted: --targets A,B,..",
        )
    if dataset.shares is None and True in spec.possible("soft_labels", spec.training.soft_labels):
        raise DataError(
            f"training.soft_labels teaches the shares of readers who said yes, and {dataset.folder} keeps none.",
            next_step="Import the images again with --merge-rows and --soft-labels, or leave training.soft_labels at false.",
        )
    filled = spec.with_values(
        {
            "data.fingerprint": dataset.fingerprint,
            "data.targets": targets,
            "data.task": dataset.task.name,
        }
    )
    columns = [dataset.targets.index(target) for target in targets]
    unit = filled.task.unit(filled.study.metric, dataset.labels[:, columns])
    return filled.with_values({"pruner.unit": unit})


def fill_in_features(spec: StudySpec, dataset: Dataset) -> StudySpec:
    """Return the spec with the SHA-256 of features from elsewhere, so that every worker uses the same; without flips, which they have none of.

    Raises:
        FeaturesError: the dataset folder has no such features.
    """
    if not spec.model.features:
        return spec
    known = read_given(dataset.folder, spec.model.features)
    open_given(dataset.folder, known.name, dataset.fingerprint, "")
    values = {"model.features_sha256": known.sha256, "model.features_width": known.width}
    return spec.with_values({**values, "training.augmentation": "none"})


def fill_in_weights(spec: StudySpec) -> StudySpec:
    """Return the spec with the SHA-256 of every weights file, so that every worker uses the same weights.

    Raises:
        SpecError: a file or a backbone does not exist, or a file is damaged.
    """
    if spec.model.features:
        return spec  # no backbone is built
    spec = fill_in_backbones(spec)
    model = spec.model
    if model.is_preset:
        return spec
    several = spec.possible("weights", model.weights) | set(model.weights_of.values())
    if several == {model.weights}:
        if model.weights in NAMED_WEIGHTS or model.weights_sha256:
            return spec
        path = _find_weights(model.weights)
        return spec.with_values({"model.weights": str(path), "model.weights_sha256": hash_file(path)})
    paths = {
        name: name if name in model.weights_hashes else str(_find_weights(name))
        for name in sorted(several - set(NAMED_WEIGHTS))
    }
    return _name_files(spec, paths) if paths else spec


NAMED_WEIGHTS = ("imagenet", "none")


def _find_weights(name: str) -> Path:
    path = Path(name).expanduser()
    if not path.is_file():
        raise SpecError(
            f"The weights file {path} does not exist.",
            next_step="Name an .h5 file, or use --set model.weights=imagenet or --set model.weights=none.",
        )
    try:
        inspect_weights(path)
    except (OSError, ValueError) as error:
        raise SpecError(
            f"The weights file {path} cannot be read: {getattr(error, 'strerror', None) or str(error).rstrip('.')}.",
            why="It is damaged, only partly copied, or no HDF5 file.",
            next_step="Copy it again, or name another one: --set model.weights=FILE.h5",
        ) from error
    return path.resolve()


def _name_files(spec: StudySpec, paths: dict[str, str]) -> StudySpec:
    """The spec with every weights file by its whole path, and the SHA-256 of each."""
    document = spec.model_dump(mode="json")
    model = document["model"]
    hashes = {path: spec.model.weights_hashes.get(path) or hash_file(Path(path)) for path in paths.values()}

    def name(weights: str) -> str:
        return paths.get(weights, weights)

    model["weights"] = name(model["weights"])
    model["weights_sha256"] = hashes.get(model["weights"], "")
    model["weights_of"] = {backbone: name(weights) for backbone, weights in spec.model.weights_of.items()}
    model["weights_hashes"] = dict(sorted(hashes.items()))
    for searched, section in document["search"].items():
        if searched == "weights":
            section["values"] = [name(weights) for weights in section["values"]]
        if "weights" in section.get("when", {}):
            section["when"]["weights"] = [name(weights) for weights in section["when"]["weights"]]
    return parse(document, source="the weights files")


def describe_model(spec: StudySpec) -> str:
    """Say what will be trained: the network, where its weights come from, and the size of its images; "or" where it is searched."""
    model = spec.model
    head = "as searched" if spec.searches_head else "-".join(map(str, model.head)) or "of one layer"
    if model.features:
        return f"features {model.features} from elsewhere ({model.features_width} for each image); head {head}, only the head is trained"

    def say(name: str, fixed: Any) -> str:
        values = [show_value(value) for value in spec.possible(name, fixed)]
        return " or ".join(sorted(values))

    sizes = sorted(
        {
            (side, side) if isinstance(side, int | float) else tuple(side)
            for side in spec.possible("image_size", model.image_size)
        }
    )
    pixels = f"{' or '.join(f'{int(height)} x {int(width)}' for height, width in sizes)} pixels"
    if "image_size" in spec.search and not spec.search["image_size"].values:
        pixels = f"{spec.search['image_size'].describe()} pixels"
    resized = spec.possible("resize", model.resize)
    if resized != {STRETCH}:
        pixels += f" ({' or '.join(SAID[how] for how in RESIZES if how in resized)})"
    if any(copies := spec.possible("copies", spec.augmentation.copies)):
        pixels += f", {' or '.join(map(str, sorted(copies)))} changed copies of each image"
    kinds = spec.possible("kind", model.kind)
    if "transfer" not in kinds:
        named = {"lenet": "LeNet"}
        return f"{' or '.join(sorted(named.get(kind, kind) for kind in kinds))}, {pixels}"
    trained = " or ".join(
        {"head": "only the head is trained", "all": "all of it is trained"}.get(
            part, f"trained from layer {part} on"
        )
        for part in sorted(spec.possible("trainable", model.trainable), reverse=True)
    )
    weights = say("weights", model.weights) if "weights" in spec.search else model.weights
    weights = " or ".join("none (random)" if name == "none" else name for name in weights.split(" or "))
    weights = ("its own" if model.is_preset else weights) + describe_weights_of(model)
    coarse = [
        f"{what} in {say(name, fixed)}"
        for what, name, fixed in (
            (
                "features",
                "extraction_precision",
                model.extraction_precision if spec.uses_features else "float32",
            ),
            ("training", "precision", spec.training.precision),
        )
        if fixed != "float32" or (name in spec.search and (name == "precision" or spec.uses_features))
    ]
    precision = f"; {' and '.join(coarse)}" if coarse else ""
    others = f"{' or '.join(sorted(kinds - {'transfer'}))}, or " if len(kinds) > 1 else ""
    return f"{others}{say('backbone', model.backbone)}, weights {weights}, {pixels}; head {head}, {trained}{precision}"


def describe_pruner(spec: StudySpec) -> str:
    """Name the rule that stops weak trials, and the settings that a name stands for."""
    rule = spec.pruner.name
    if rule == "none":
        return "none: every trial is trained to its end"
    named = next(
        (name for name in PRUNER_PRESETS if PrunerSection(name=name, unit=spec.pruner.unit) == spec.pruner),
        None,
    )
    if named is None:
        return f"{rule}, with settings of this study's own"
    return named if named == rule else f"{named} (the rule {rule!r})"


def metric_warnings(spec: StudySpec) -> list[str]:
    """Warn of an objective that may be undefined in an epoch of a fold."""
    metric = spec.metric
    if not metric.depends_on_calls:
        return []
    return [
        f"{metric.column} has no value in an epoch of a fold where {metric.undefined_when}; the mean is then taken over the other folds, "
        "so a trial may win by a single fold. docs/metrics.md names safer objectives."
    ]


def side_warnings(spec: StudySpec, dataset: Dataset) -> list[str]:
    """Warn of labels and columns that say left or right where images are mirrored."""
    words = spec.possible("augmentation", spec.training.augmentation)
    if spec.model.features or not any(map(mirrors, words)):
        return []
    classes = dataset.classes if dataset.task.excludes or len(dataset.classes) == 2 else ()
    try:
        columns = read_columns(dataset)
    except DataError:
        columns = {}  # Whoever needs them says so.
    found = find_sides([*spec.data.targets, *classes], columns)
    if not found.said:
        return []
    return [
        f"training.augmentation mirrors images, which exchanges left and right, and {found.said} {found.verb} left or right. Where the "
        "side matters to what is predicted: --set training.augmentation=none, or vertical."
    ]


def count_training(spec: StudySpec, dataset: Dataset) -> list[int]:
    """The training images of each fold of a study.

    Raises:
        DataError: fewer groups than folds.
    """
    columns = [dataset.targets.index(target) for target in spec.data.targets]
    folds = make_folds(spec.task.strata(dataset.labels[:, columns]), dataset.groups, **spec.fold_plan)
    return [len(train) for train, _ in folds]


def review_study(spec: StudySpec, points: Sequence[dict[str, Any] | None], dataset: Dataset) -> Review:
    """Look a study over before it is made.

    Raises:
        DataError: fewer groups than folds.
        SpecError: a searched hyperparameter changes nothing in any trial.
    """
    import numpy

    refuse_idle_search(spec)
    columns = [dataset.targets.index(target) for target in spec.data.targets]
    labels = dataset.labels[:, columns]
    asked = spec.task.questions(spec.data.targets, labels)
    folds = make_folds(spec.task.strata(labels), dataset.groups, **spec.fold_plan)
    train_images = [len(train) for train, _ in folds]
    warnings = list(dataset.warnings)
    if not dataset.grouped and not any("group" in warning for warning in warnings):
        warnings.append(
            "The data set names no groups: images of one patient may be in both training and validation, "
            "which makes every value too optimistic."
        )
    warnings += [
        *batch_warnings(spec, points, train_images),
        *metric_warnings(spec),
        *describe_idle(spec),
        *missing_models(spec),
        *side_warnings(spec, dataset),
        *optimizer_warnings(spec),
    ]
    facts = {
        "images": len(dataset.sha256),
        "groups": len(numpy.unique(dataset.groups)),
        "grouped": dataset.grouped,
        "targets": list(spec.data.targets),
        "task": spec.data.task,
        "classes": list(dataset.classes),
        "train_images": train_images,
        "validation_images": [len(validation) for _, validation in folds],
        "folds_digest": digest_folds(folds),
        "class_balance": _class_balance(asked.names, asked.labels, folds),
        "warnings": warnings,
    }
    return Review(facts, warnings)


def _class_balance(targets: Sequence[str], labels: Any, folds: Sequence[Any]) -> dict[str, list[list[int]]]:
    """For each target and fold: positives and assessed in training, positives and assessed in validation."""
    import numpy

    def count(column: Any) -> list[int]:
        return [int((column == 1).sum()), int((~numpy.isnan(column)).sum())]

    return {
        target: [[*count(labels[train, place]), *count(labels[held, place])] for train, held in folds]
        for place, target in enumerate(targets)
    }


def _short(fingerprint: str) -> str:
    return fingerprint[:19]
