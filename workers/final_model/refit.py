"""The final model: the winner of a study trained once more, on all development images, or its k fold models together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from storage.data.datasets import Dataset
from storage.data.folds import make_folds
from storage.errors import TrainingError
from workers.device.contract import Settings
from workers.device.preparation import prepare_for, stacks_folds
from workers.final_model.assembly import assemble, copy_model
from workers.inputs.kept_inputs import KeptInputs
from workers.objective.keras_objective import select_targets
from workers.objective.study_data import StudyData, Trained

if TYPE_CHECKING:
    import keras

    from storage.spec import StudySpec
    from workers.cross_validation.cross_validate import Schedule

Report = Callable[[str, int, int], None]
"""Told what is done, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class Recipe:
    """What to train: a study's spec, the searched values of one of its points, and for how many epochs.

    Attributes:
        ensemble: train the k fold models of the cross-validation again instead of one model on everything.
    """

    spec: StudySpec
    params: Settings
    point: int
    epochs: int
    ensemble: bool = False


@dataclass(frozen=True, eq=False)
class Refit:
    """A trained model from image to probabilities.

    Attributes:
        model: the model.
        losses: the training loss of its last epoch, one per training.
        features: what its head read of each training image, unchanged: shape (n, features); None of a network that is trained as a whole.
    """

    model: keras.Model
    losses: tuple[float, ...]
    features: np.ndarray | None = None


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
    spec = recipe.spec
    prepare_for(spec)
    targets = spec.data.targets or dataset.targets
    labels = select_targets(dataset, targets)
    splits = {spec.fold_count: (np.arange(len(labels)), np.array([], np.int64))}
    if recipe.ensemble:
        splits = dict(enumerate(make_folds(spec.task.strata(labels), dataset.groups, **spec.fold_plan)))

    def tell(done: int, total: int) -> None:
        if report:
            report("reading images", done, total)

    # What was trained as one computation is trained as one again: sums of single folds may be rounded otherwise on a GPU.
    one_by_one = not (recipe.ensemble and stacks_folds())
    variant = spec.variant(recipe.params)
    schedule: Schedule | None = "sequential" if one_by_one else None
    kept = KeptInputs(dataset, labels, cache, tell, shares=dataset.shares_of(targets))
    study_data = StudyData(variant, kept, labels, targets, splits, schedule)
    together = study_data.train_together
    parts: list[Trained] = []
    losses: list[float] = []
    done = 0
    for group in [list(splits)] if together else [[fold] for fold in splits]:
        running = [study_data.start_fold(recipe.params, recipe.point, fold) for fold in group]
        for epoch in range(1, recipe.epochs + 1):
            if together:
                together(running, epoch)
            lasts = [one.run_epoch(epoch).train_loss for one in running]
            if not np.isfinite(lasts).all():
                raise TrainingError(
                    f"The training diverged: its loss is not a number after epoch {epoch}.",
                    why="With all images each epoch takes more steps than in cross-validation.",
                    next_step="Give fewer --epochs, or --ensemble for the models of the cross-validation.",
                )
            done += len(group)
            if report:
                report("training", done, len(splits) * recipe.epochs)
        losses += [float(loss) for loss in lasts]
        for fold in group:
            trained = study_data.trained(fold)
            # Copied, because its trainer goes on with the next fold.
            copied = copy_model(trained.model, f"fold_{len(parts)}" if recipe.ensemble else "trained")
            parts.append(replace(trained, model=copied))
    features = kept.features(variant)[0].values[:, 0] if variant.uses_features else None
    return Refit(assemble(variant, parts), tuple(losses), features)
