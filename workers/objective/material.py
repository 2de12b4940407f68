"""What the folds of a study learn from, features or images, and the trainers that do it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from workers.cross_validation.fold import TrainTogether
from workers.device import preparation as devices
from workers.objective.memory import choose_schedule
from workers.training.class_balance import oversample
from workers.training.early_stopping import PatientFold, Trainer, train_together

if TYPE_CHECKING:
    from storage.data.datasets import Dataset
    from storage.spec.study import StudySpec
    from workers.cross_validation.cross_validate import Schedule

Split = tuple[np.ndarray, np.ndarray]
Report = Callable[..., None]


class Source(Protocol):
    """What is kept of all images, and how two machines compare it."""

    @property
    def digest(self) -> str:
        """Names what it depends on."""
        ...

    def sample(self) -> list[float]:
        """A few numbers from fixed places."""
        ...


class Material:
    """Features or images of a study, its folds and their trainers.

    Args:
        spec: "what cannot be cached exactly takes the image path": see `StudySpec.uses_features`.
        dataset: the development images.
        labels: float32, shape (n, targets), NaN where not assessed.
        targets: their names.
        folds: training and validation images of each fold.
        cache: where features and decoded images are kept.
        report: told of the progress of an extraction.

    Raises:
        DataError: the images moved or changed.
        FeaturesError: what is kept is damaged, or cannot be kept.
        ModelError: a model of the user's own is not installed or makes something else.
        SpecError: no such backbone or layer, or the images are too small.
        WeightsError: the backbone's weights are missing or do not fit.
    """

    def __init__(
        self,
        spec: StudySpec,
        dataset: Dataset,
        labels: np.ndarray,
        targets: Sequence[str],
        folds: list[Split],
        cache: Path,
        report: Report | None = None,
    ) -> None:
        self._spec, self._labels, self._targets, self._folds = spec, labels, list(targets), folds
        self.source: Source
        self.schedule: Schedule
        self._trainers: list[Any]
        prepare = self._prepare_features if spec.uses_features else self._prepare_images
        prepare(dataset, cache, report)

    def start_fold(
        self, hyperparameters: dict[str, Any], point: int, fold: int, *, at_most: int | None = None
    ) -> Trainer:
        """Begin a fold of a trial; `at_most` so many of its training and of its validation images, for a quick try."""
        settings = {**self._spec.all_hyperparameters, **hyperparameters}
        seed = (self._spec.study.seed, point, fold)
        train, validation = (side[:at_most] for side in self._folds[fold])
        trainer = self._trainers[fold % len(self._trainers)]
        trainer.reset(
            self._inputs,
            train_index=self._repeat(train, settings, seed),
            val_index=validation,
            hyperparameters=hyperparameters,
            seed=seed,
        )
        patience = int(settings["patience"])
        return PatientFold(trainer, patience, self._spec.metric) if patience else trainer

    @property
    def folds_at_once(self) -> int:
        """How many folds compute at the same time; decides no value."""
        if not self._spec.uses_features:
            return 1  # They share one network.
        # Stacked folds are only scored one by one, and that NumPy does.
        return self._spec.training.threads if self.stacks_folds else devices.count_at_once()

    @property
    def train_together(self) -> TrainTogether | None:
        """What trains an epoch of all folds in one computation, before each of them runs it; None where nothing does."""
        return train_together if self.stacks_folds else None

    @property
    def stacks_folds(self) -> bool:
        """Whether the folds of a trial are trained as one computation."""
        return self._spec.uses_features and self.schedule == "lockstep" and devices.stacks_folds()

    def count_parameters(self) -> int:
        """How many parameters the optimizer changes."""
        state = self._trainers[0].state()
        return sum(int(np.size(array)) for name, array in state.items() if name.startswith("weight_"))

    def _repeat(self, train: np.ndarray, settings: dict[str, Any], seed: tuple[int, int, int]) -> np.ndarray:
        named = self._spec.training.oversampled
        if not named or settings["oversampling"] == 1:
            return train
        columns = [self._targets.index(name) for name in named]
        return oversample(train, self._labels, columns, float(settings["oversampling"]), seed)

    def _prepare_features(self, dataset: Dataset, cache: Path, report: Report | None) -> None:
        from workers.inputs.extraction import ensure_features
        from workers.inputs.feature_set import FeatureSet
        from workers.training.fold_trainer import FoldTrainer

        spec, targets = self._spec, self._labels.shape[1]
        features = ensure_features(spec, dataset, cache, report=report)
        width = features.values.shape[-1]
        self.source = features
        self._inputs: Any = FeatureSet(features.values, self._labels)
        self.schedule = choose_schedule(spec, width, targets)
        self._trainers = [
            FoldTrainer(spec, feature_count=width, target_count=targets) for _ in range(self._slots)
        ]

    def _prepare_images(self, dataset: Dataset, cache: Path, report: Report | None) -> None:
        from workers.inputs.pixels import ensure_pixels
        from workers.training.image_trainer import ImageFoldTrainer, SharedNetwork

        spec = self._spec
        shared = SharedNetwork(spec, self._labels.shape[1])
        self.source = pixels = ensure_pixels(dataset, spec.model.image_size, cache, report=report)
        self._inputs = shared.make_image_set(pixels.values, self._labels)
        self.schedule = choose_schedule(spec, weights=shared.weight_count)
        self._trainers = [ImageFoldTrainer(spec, shared) for _ in range(self._slots)]

    @property
    def _slots(self) -> int:
        return len(self._folds) if self.schedule == "lockstep" else 1
