"""From a study to something that evaluates its trials: data, features, folds and one trainer per fold."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from storage.datasets import Dataset
from storage.engine import Database
from storage.errors import DataError, FeaturesError
from storage.studies import StudyRecord, register_features
from storage.waiting import wait_for
from workers.attempt import Attempt, Outcome
from workers.cross_validation import cross_validate
from workers.memory import choose_schedule

if TYPE_CHECKING:
    from workers.training import FoldTrainer

log = logging.getLogger(__name__)

FEATURES_TOLERANCE = 1e-3
"""Largest difference between two machines' features that still counts as rounding, in standard deviations."""


class Objective(Protocol):
    """Evaluates trials of one study."""

    def evaluate(self, attempt: Attempt) -> Outcome:
        """Cross-validate one trial; raises as `workers.cross_validation.cross_validate` does."""
        ...


class KerasObjective:
    """Trains heads on cached features of a frozen backbone."""

    def __init__(
        self, study: StudyRecord, dataset: Dataset, cache: Path, report: Callable[..., None] | None = None
    ) -> None:
        """Load or extract the features, make the folds, and build one trainer per fold.

        Args:
            study: what to evaluate.
            dataset: the development images; must have the study's fingerprint.
            cache: where features are kept.
            report: told of the progress of an extraction.

        Raises:
            DataError: the images moved or changed, or the groups cannot fill the folds.
            WeightsError: the backbone's weights are missing or do not fit.
            FeaturesError: the stored features are damaged.
        """
        from workers.devices import prepare
        from workers.extraction import ensure_features
        from workers.feature_set import FeatureSet
        from workers.folds import make_folds
        from workers.training import FoldTrainer

        spec = study.spec
        prepare(spec.training.threads)
        self.study = study
        self.targets = spec.data.targets or dataset.targets
        self.labels = select_targets(dataset, self.targets)
        self.folds = make_folds(self.labels, dataset.groups, spec.cv.folds, spec.study.seed)
        self.features = ensure_features(spec, dataset, cache, report=report)
        self._resident = FeatureSet(self.features.values, self.labels)
        feature_count = self.features.values.shape[-1]
        self.schedule = choose_schedule(spec, feature_count, len(self.targets))
        self._trainers = [
            FoldTrainer(spec, feature_count=feature_count, target_count=len(self.targets))
            for _ in range(len(self.folds) if self.schedule == "lockstep" else 1)
        ]

    def evaluate(self, attempt: Attempt) -> Outcome:
        """Cross-validate one trial."""

        def start_fold(fold: int) -> FoldTrainer:
            trainer = self._trainers[fold % len(self._trainers)]
            train, validation = self.folds[fold]
            trainer.reset(
                self._resident,
                train_index=train,
                val_index=validation,
                hyperparameters=attempt.hyperparameters,
                seed=(self.study.spec.study.seed, attempt.point, fold),
            )
            return trainer

        return cross_validate(attempt, start_fold, self.schedule)


def prepare_objective(
    database: Database,
    study: StudyRecord,
    dataset: Dataset,
    cache: Path,
    report: Callable[..., None] | None = None,
) -> KerasObjective:
    """Make the objective of a study, and make sure that this machine's features are the study's.

    Raises:
        FeaturesError: they differ from those of the study's first worker by more than rounding.
        DataError: as `KerasObjective`.
        WeightsError: as `KerasObjective`.
    """
    objective = KerasObjective(study, dataset, cache, report)
    sample = objective.features.sample()
    digest, standing = wait_for(
        lambda _: register_features(database, study, objective.features.digest, sample)
    )
    compare_features(study.name, np.asarray(sample), np.asarray(standing))
    if digest != objective.features.digest:
        log.info("Features of other library versions than the study's first worker; equal up to rounding.")
    return objective


def compare_features(study: str, mine: np.ndarray, standing: np.ndarray) -> None:
    """Compare samples of features of two machines.

    Raises:
        FeaturesError: they differ by more than rounding.
    """
    spread = float(standing.std()) or 1.0
    furthest = float(np.abs(mine - standing).max()) / spread if mine.shape == standing.shape else np.inf
    if not furthest <= FEATURES_TOLERANCE:
        raise FeaturesError(
            f"The features of this machine differ from those the study {study!r} was begun with, by "
            f"{furthest:.3g} standard deviations.",
            why="Other weights, another preprocessing or very different library versions.",
            next_step="Share one features folder between the machines (ORCH_CACHE), or make their versions equal.",
        )


def select_targets(dataset: Dataset, targets: tuple[str, ...]) -> np.ndarray:
    """The labels of the chosen targets: float32, shape (n, targets), NaN where not assessed.

    Raises:
        DataError: a target is not a label of the data set.
    """
    missing = [target for target in targets if target not in dataset.targets]
    if missing:
        raise DataError(
            f"The study counts the target {missing[0]!r}, which {dataset.folder} does not label.",
            next_step=f"Its labels are {', '.join(dataset.targets)}.",
        )
    columns = [dataset.targets.index(target) for target in targets]
    return np.ascontiguousarray(dataset.labels[:, columns])


def library_versions() -> dict[str, str]:
    """Versions of what a value depends on, read without importing any of it."""
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, Any] = {}
    for name in ("orch-studies", "optuna", "keras", "tensorflow", "numpy"):
        try:
            found["orch" if name == "orch-studies" else name] = version(name)
        except PackageNotFoundError:
            continue
    return found
