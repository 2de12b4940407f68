"""What the folds of one variant of a study learn from, features or images, and the trainers that do it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from storage.errors import DataError
from storage.spec import SETTINGS
from workers.cross_validation.fold import Fold, TrainTogether
from workers.device import preparation as devices
from workers.device.contract import Settings, Tensor
from workers.heads.contract import Vectors
from workers.inputs.kept_inputs import KeptInputs, Source
from workers.models.hub import count_preset_parameters
from workers.models.transfer import count_parameters
from workers.objective.memory import choose_schedule, count_weights
from workers.training.class_balance import oversample
from workers.training.early_stopping import PatientFold, train_together
from workers.training.fold_trainer import FoldTrainer
from workers.training.image_trainer import ImageFoldTrainer, SharedNetwork
from workers.training.results import EpochResult

if TYPE_CHECKING:
    import keras

    from storage.spec import StudySpec
    from workers.cross_validation.cross_validate import Schedule

Split = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Trained:
    """What one fold has learnt.

    Attributes:
        model: a head on the features of the spec's frozen backbone, or a whole network from scaled pixels.
        scale: mean and standard deviation that a head's features are scaled by, each of shape (features,), or None.
        scale_pixels: of a whole network: what it wants done to grey values of 0 to 255; None for a head.
        units: what it has learnt with: the unit of numbers among it.
    """

    model: keras.Model
    scale: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
    scale_pixels: Callable[[Tensor], Tensor] | None = None
    units: Vectors | None = None


class StudyData:
    """Features or images of one variant of a study, its folds and their trainers.

    Args:
        spec: of the variant (`StudySpec.variant`); "what cannot be cached exactly takes the image path": see `StudySpec.uses_features`.
        kept: gives what the folds learn from.
        labels: float32, shape (n, targets), NaN where not assessed.
        targets: their names.
        folds: training and validation images of each fold, by its number.
        schedule: how the folds are trained, whatever the spec says; None where the spec and the memory decide.

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
        kept: KeptInputs,
        labels: np.ndarray,
        targets: Sequence[str],
        folds: Mapping[int, Split],
        schedule: Schedule | None = None,
    ) -> None:
        self._spec, self._labels, self._targets, self._folds = spec, labels, list(targets), folds
        self._kept = kept
        if spec.training.soft_labels and kept.shares is None:
            raise DataError(
                "training.soft_labels teaches the shares of readers, and the data set keeps none.",
                next_step="Import the images again with --merge-rows and --soft-labels.",
            )
        self._pixel_scale: Callable[[Tensor], Tensor] | None = None
        self.source: Source
        self.schedule: Schedule
        self.trained_weights: int
        self._trainers: list[Any]
        if spec.uses_features:
            self._prepare_features(schedule)
        else:
            self._prepare_images(schedule)

    def start_fold(
        self, hyperparameters: Settings, point: int, fold: int, *, at_most: int | None = None
    ) -> Fold[EpochResult]:
        """Begin a fold of a trial; `at_most` so many of its training and of its validation images, for a quick try."""
        # What made the variant is in its spec already.
        given = {name: value for name, value in hyperparameters.items() if name in SETTINGS}
        settings = {**self._spec.all_hyperparameters, **given}
        if self._spec.uses_features:
            self._kept.make_room(self._spec)
        seed = (self._spec.study.seed, point, fold)
        train, validation = (side[:at_most] for side in self._folds[fold])
        trainer = self._trainer(fold)
        trainer.reset(
            self._inputs,
            train_index=self._repeat(train, settings, seed),
            val_index=validation,
            hyperparameters=given,
            seed=seed,
        )
        # Without validation images there is nothing to wait for.
        patience = int(settings["patience"]) if len(validation) else 0
        return PatientFold(trainer, patience, self._spec.metric) if patience else trainer

    def trained(self, fold: int) -> Trained:
        """What a fold that was started has learnt so far; the next one that starts may change its model."""
        trainer = self._trainer(fold)
        if self._pixel_scale is not None or not self._spec.model.standardizes:
            return Trained(trainer.model, None, self._pixel_scale, trainer.units)
        mean, inverse = (np.asarray(part) for part in self._inputs.scale(trainer.train_index))
        return Trained(trainer.model, (mean, (1 / inverse).astype(np.float32)), None, trainer.units)

    @property
    def folds_at_once(self) -> int:
        """How many folds compute at the same time; decides no value."""
        if not self._spec.uses_features:
            return 1  # They share one network.
        # Stacked folds are only scored one by one, and that NumPy does.
        return self._spec.training.threads if self.stacks_folds else devices.count_at_once()

    @property
    def trains_images(self) -> bool:
        """Whether a whole network is trained, on images."""
        return not self._spec.uses_features

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

    def count_all_parameters(self) -> int:
        """How many parameters the whole model has, from image to probabilities; of one on features from elsewhere, the head."""
        model = self._spec.model
        has_backbone = self._spec.uses_features and not model.features
        count = count_preset_parameters if model.is_preset else count_parameters
        frozen = count(model.backbone, model.image_size) if has_backbone else 0
        return int(self._trainers[0].model.count_params()) + frozen

    def _trainer(self, fold: int) -> Any:
        return self._trainers[fold % len(self._trainers)]

    def _repeat(self, train: np.ndarray, settings: Settings, seed: tuple[int, int, int]) -> np.ndarray:
        named = self._spec.training.oversampled
        if not named or settings["oversampling"] == 1:
            return train
        columns = [self._targets.index(name) for name in named]
        return oversample(train, self._labels, columns, float(settings["oversampling"]), seed)

    def _prepare_features(self, schedule: Schedule | None) -> None:
        spec, targets = self._spec, self._labels.shape[1]
        self.source, features = self._kept.features(spec)
        width = features.feature_count
        self._inputs: Any = features
        self.schedule = schedule or choose_schedule(spec, width, targets)
        self.trained_weights = count_weights(spec, width, targets)
        self._trainers = [
            FoldTrainer(spec, feature_count=width, target_count=targets) for _ in range(self._slots)
        ]

    def _prepare_images(self, schedule: Schedule | None) -> None:
        spec = self._spec
        shared = SharedNetwork(spec, self._labels.shape[1])
        self.source = pixels = self._kept.pixels(spec)
        self._inputs = shared.make_image_set(
            pixels.values, self._labels, self._kept.shares if spec.training.soft_labels else None
        )
        self._pixel_scale = shared.network.scale
        self.trained_weights = shared.weight_count
        self.schedule = schedule or choose_schedule(spec, weights=shared.weight_count)
        self._trainers = [ImageFoldTrainer(spec, shared) for _ in range(self._slots)]

    @property
    def _slots(self) -> int:
        return len(self._folds) if self.schedule == "lockstep" else 1
