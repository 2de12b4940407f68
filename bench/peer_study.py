"""One small study for all peers: the same images, features, folds and trials."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.data.datasets import Dataset
from storage.spec import StudySpec, parse

SIGNAL = 0.35
"""How far a label moves the features that know of it, in their standard deviations."""

Split = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True)
class PeerStudy:
    """What every way of running the study gets.

    Attributes:
        spec: the study as orch has it; no augmentation, so that all train on the same features.
        dataset: as imported by orch.
        features: float32, shape (n images, features), of the images in the order of the dataset.
        folds: training and validation images.
        trials: hyperparameters of every trial.
        cache: where orch finds the features.
        folder: a place for databases and logs.
    """

    spec: StudySpec
    dataset: Dataset
    features: NDArray[np.float32]
    folds: list[Split]
    trials: list[dict[str, Any]]
    cache: Path
    folder: Path

    @property
    def labels(self) -> NDArray[np.float32]:
        """Shape (n images, targets)."""
        return self.dataset.labels

    @property
    def fold_epochs(self) -> int:
        """How many epochs of one fold the whole study is."""
        return len(self.trials) * len(self.folds) * self.spec.training.epochs


def make_study(
    folder: Path, *, images: int, targets: int, trials: int, folds: int, epochs: int, threads: int
) -> PeerStudy:
    """Draw images and labels, import them, and put made-up features where orch looks for extracted ones."""
    from orchestrator.importing.choices import Choices
    from orchestrator.importing.imports import import_dataset
    from orchestrator.planning.plan import plan_points
    from storage.data.folds import make_folds

    draw_images(folder / "images", folder / "labels.csv", images, targets)
    dataset = import_dataset(
        folder / "images",
        folder / "labels.csv",
        folder / "data",
        Choices(holdout=0.0, targets=tuple(f"label_{n}" for n in range(targets))),
    )
    spec = parse(
        {
            "study": {"name": "peers", "regime": "I", "trials": trials},
            "data": {"fingerprint": dataset.fingerprint},
            "model": {"weights": "none", "scale": "none"},
            "training": {"epochs": epochs, "augmentation": "none", "threads": threads},
            "cv": {"folds": folds},
            "search": {
                "batch_size": {"type": "int", "low": 16, "high": 2048},
                "dropout_rate": {"type": "float", "low": 0.0, "high": 0.5},
            },
            "pruner": {"name": "none"},
        },
        source="the benchmark",
    )
    features = store_features(spec, dataset, folder / "cache")
    return PeerStudy(
        spec=spec,
        dataset=dataset,
        features=features,
        folds=make_folds(dataset.labels, dataset.groups, folds, spec.study.seed),
        trials=[point for point in plan_points(spec) if point is not None],
        cache=folder / "cache",
        folder=folder,
    )


def draw_images(folder: Path, table: Path, count: int, targets: int) -> None:
    """Write tiny images that differ, and labels for them."""
    from PIL import Image

    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["filename", *(f"label_{n}" for n in range(targets))])
        for number in range(count):
            name = f"{number:06d}.png"
            Image.fromarray(generator.integers(0, 256, (8, 8), np.uint8)).save(folder / name)
            writer.writerow([name, *(generator.random(targets) < 0.2).astype(int)])


def store_features(spec: StudySpec, dataset: Dataset, cache: Path) -> NDArray[np.float32]:
    """Make features that know a little of the labels, and store them as an extraction would."""
    from storage.files.feature_writer import FeatureWriter
    from workers.inputs.extraction import describe_features

    generator = np.random.default_rng(1)
    count, width = len(dataset.files), 2048
    directions = generator.standard_normal((dataset.labels.shape[1], width)) / np.sqrt(width) * 8 * SIGNAL
    values = np.abs(generator.standard_normal((count, width)) + dataset.labels @ directions).astype(
        np.float32
    )
    with FeatureWriter(cache, describe_features(spec, dataset.fingerprint), (count, 1, width)) as writer:
        writer.append(values)
        writer.finish()
    return values
