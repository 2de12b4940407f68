"""Folds of made-up features, and their epochs, stacked or one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.spec import StudySpec


@dataclass(frozen=True)
class Sizes:
    """How large a made-up study is; `rounds` is how often an epoch is timed."""

    batches: tuple[int, ...]
    images: int
    features: int
    targets: int
    folds: int
    rounds: int


NORMAL = Sizes((16, 128, 1600), images=2490, features=2048, targets=18, folds=6, rounds=7)
SMALL = Sizes((16, 100), images=240, features=64, targets=4, folds=3, rounds=2)


def made_up(sizes: Sizes) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Features of shape (images, 4 views, features) that know a little of the labels, and the labels."""
    generator = np.random.default_rng(0)
    labels = (generator.random((sizes.images, sizes.targets)) < 0.2).astype(np.float32)
    known = generator.standard_normal((sizes.targets, sizes.features)).astype(np.float32)
    noise = generator.standard_normal((sizes.images, 4, sizes.features), dtype=np.float32)
    signal = (labels @ known)[:, None] * np.float32(0.3 / np.sqrt(sizes.targets))
    return np.maximum(noise + signal, 0), labels


def start(
    features: NDArray[np.float32],
    labels: NDArray[np.float32],
    sizes: Sizes,
    batch: int,
    precision: str,
    point: int = 0,
    spec: StudySpec | None = None,
) -> list[Any]:
    """A trainer per fold, begun; with the reference study's head, or that of a spec."""
    from bench.fold_epoch import make_spec
    from workers.inputs.feature_set import FeatureSet
    from workers.training.fold_trainer import FoldTrainer

    spec, inputs = spec or make_spec(batch, precision), FeatureSet(features, labels)
    images, trainers = np.arange(sizes.images), []
    for fold in range(sizes.folds):
        trainer = FoldTrainer(spec, sizes.features, sizes.targets)
        validation = images[fold :: sizes.folds]
        trainer.reset(inputs, np.setdiff1d(images, validation), validation, {}, (0, point, fold))
        trainers.append(trainer)
    return trainers


class StackedFolds:
    """Epochs of the folds of a trial."""

    def __init__(self, trainers: list[Any]) -> None:
        self.trainers, self.epoch = trainers, 0

    def run(self) -> list[Any]:
        """An epoch in one computation, with all scores."""
        self.train()
        return [trainer.run_epoch(self.epoch) for trainer in self.trainers]

    def run_alone(self) -> list[Any]:
        """An epoch, fold after fold."""
        self.epoch += 1
        return [trainer.run_epoch(self.epoch) for trainer in self.trainers]

    def train(self) -> None:
        """An epoch in one computation, without scores."""
        from workers.training.fold_trainer import train_together

        self.epoch += 1
        train_together(self.trainers, self.epoch, [True] * len(self.trainers))
