"""The final model: the winner of a study trained once more, on all development images, or its k fold models together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from storage.data.datasets import Dataset
from storage.errors import TrainingError
from workers.training.class_balance import oversample
from workers.training.early_stopping import PatientFold

if TYPE_CHECKING:
    import keras

    from storage.spec.study import StudySpec
    from workers.final_model.assembly import Part

Report = Callable[[str, int, int], None]
"""Told what is done, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class Recipe:
    """What to train: a study's spec, the searched values of one of its points, and for how many epochs.

    Attributes:
        ensemble: train the k fold models of the cross-validation again instead of one model on everything.
    """

    spec: StudySpec
    params: Mapping[str, Any]
    point: int
    epochs: int
    ensemble: bool = False


@dataclass(frozen=True, eq=False)
class Refit:
    """A trained model from image to probabilities, and the training loss of its last epoch, one per training."""

    model: keras.Model
    losses: tuple[float, ...]


def refit(recipe: Recipe, dataset: Dataset, cache: Path, report: Report | None = None) -> Refit:
    """Train the final model.

    Seeds come from (study seed, point, fold), as in cross-validation, so the models of an ensemble are those whose
    out-of-fold predictions the study kept; the training on all images takes the number of folds as its fold. It runs
    all its epochs: there is no validation part that could stop it early.

    Raises:
        DataError: the images moved or changed, or the groups cannot fill the folds.
        SpecError, WeightsError, ModelError, FeaturesError: as in a study's own training.
        TrainingError: the training diverged.
    """
    from storage.data.folds import make_folds
    from workers.device.preparation import prepare_for
    from workers.final_model.assembly import assemble
    from workers.objective.keras_objective import select_targets

    spec = recipe.spec
    prepare_for(spec)
    targets = spec.data.targets or dataset.targets
    labels = select_targets(dataset, targets)
    splits = {spec.cv.folds: (np.arange(len(labels)), np.array([], np.int64))}
    if recipe.ensemble:
        splits = dict(enumerate(make_folds(labels, dataset.groups, spec.cv.folds, spec.study.seed)))

    def tell(done: int, total: int) -> None:
        if report:
            report("reading images", done, total)

    ground: Any = (_FeatureGround if spec.uses_features else _ImageGround)(spec, dataset, labels, cache, tell)
    settings = {**spec.all_hyperparameters, **recipe.params}
    parts, losses = [], []
    for number, (fold, (train, validation)) in enumerate(splits.items()):
        seed = (spec.study.seed, recipe.point, fold)
        named = [list(targets).index(name) for name in spec.training.oversampled]
        if named and settings["oversampling"] != 1:
            train = oversample(train, labels, named, float(settings["oversampling"]), seed)
        trainer = ground.trainer
        trainer.reset(
            ground.inputs,
            train_index=train,
            val_index=validation,
            hyperparameters=recipe.params,
            seed=seed,
        )
        patience = int(settings["patience"]) if recipe.ensemble else 0
        running = PatientFold(trainer, patience, spec.metric) if patience else trainer
        for epoch in range(1, recipe.epochs + 1):
            loss = running.run_epoch(epoch).train_loss
            if not np.isfinite(loss):
                raise TrainingError(
                    f"The training diverged: its loss is not a number after epoch {epoch}.",
                    why="With all images each epoch takes more steps than in cross-validation.",
                    next_step="Give fewer --epochs, or --ensemble for the models of the cross-validation.",
                )
            if report:
                report("training", number * recipe.epochs + epoch, len(splits) * recipe.epochs)
        losses.append(float(loss))
        parts.append(ground.take_part(f"fold_{number}" if recipe.ensemble else "trained"))
    return Refit(assemble(spec, parts), tuple(losses))


class _FeatureGround:
    """Features of a frozen backbone, and what trains a head on them."""

    def __init__(
        self,
        spec: StudySpec,
        dataset: Dataset,
        labels: np.ndarray,
        cache: Path,
        tell: Callable[[int, int], None],
    ) -> None:
        from workers.inputs.extraction import ensure_features
        from workers.inputs.feature_set import FeatureSet
        from workers.training.fold_trainer import FoldTrainer

        values = ensure_features(spec, dataset, cache, report=tell).values
        self._standardizes = spec.model.standardizes
        self.inputs = FeatureSet(values, labels)
        self.trainer = FoldTrainer(spec, feature_count=values.shape[-1], target_count=labels.shape[1])

    def take_part(self, name: str) -> Part:
        """Copy what was trained, because the trainer goes on with the next fold."""
        from workers.final_model.assembly import Part, copy_model

        scale = None
        if self._standardizes:
            mean, inverse = (np.asarray(part) for part in self.inputs.scale(self.trainer.train_index))
            scale = (mean, (1 / inverse).astype(np.float32))
        return Part(copy_model(self.trainer.model, name), scale)


class _ImageGround:
    """Decoded images, and what trains a whole network on them."""

    def __init__(
        self,
        spec: StudySpec,
        dataset: Dataset,
        labels: np.ndarray,
        cache: Path,
        tell: Callable[[int, int], None],
    ) -> None:
        from workers.inputs.pixels import ensure_pixels
        from workers.training.image_trainer import ImageFoldTrainer, SharedNetwork

        shared = SharedNetwork(spec, labels.shape[1])
        pixels = ensure_pixels(dataset, spec.model.image_size, cache, report=tell)
        self.inputs = shared.make_image_set(pixels.values, labels)
        self.trainer = ImageFoldTrainer(spec, shared)
        self._scale_pixels = shared.network.scale

    def take_part(self, name: str) -> Part:
        """Copy what was trained, because the network goes on with the next fold."""
        from workers.final_model.assembly import Part, copy_model

        return Part(copy_model(self.trainer.model, name), None, self._scale_pixels)
