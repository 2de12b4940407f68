"""From a study to something that evaluates its trials: data, features, folds and one trainer per fold."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from storage.data.datasets import Dataset
from storage.data.folds import check_folds, make_folds
from storage.database.engine import Database
from storage.database.waiting import wait_for
from storage.errors import (
    DataError,
    FeaturesError,
    ModelError,
    SpecError,
    UnpreparedError,
    WeightsError,
)
from storage.spec import PARAMETERS, has_variants, name_inputs
from storage.studies.points import list_points
from storage.studies.study import StudyRecord, read_canary, register_canary, register_features
from workers.attempts.attempt import Attempt, Outcome
from workers.cross_validation.cross_validate import cross_validate
from workers.cross_validation.fold import AnyFold
from workers.device.contract import Parameters, Settings
from workers.device.preparation import describe, name_products, prepare_for
from workers.inputs.kept_inputs import Source
from workers.objective.canary import Tried, refuse_idle, try_parameters
from workers.objective.study_data import StudyData
from workers.objective.study_variants import OnOpen, StudyVariants

if TYPE_CHECKING:
    from storage.spec import StudySpec

log = logging.getLogger(__name__)

FEATURES_TOLERANCE = {"float32": 1e-3, "tf32": 2e-2, "bfloat16": 5e-2}
"""Largest difference between two machines' features that still counts as rounding, in standard deviations."""

FEW_IMAGES = 32
"""Images of a quick try where each passes the whole network."""


class Objective(Protocol):
    """Evaluates trials of one study."""

    @property
    def takes_several(self) -> bool:
        """Whether several threads may evaluate a trial each."""
        ...

    def evaluate(self, attempt: Attempt) -> Outcome:
        """Cross-validate one trial; raises as `workers.cross_validation.cross_validate.cross_validate` does."""
        ...


class KerasObjective:
    """Cross-validates trials on cached features or on images, as the spec asks."""

    def __init__(
        self,
        study: StudyRecord,
        dataset: Dataset,
        cache: Path,
        report: Callable[..., None] | None = None,
        points: Sequence[Parameters | None] = (),
        on_open: OnOpen | None = None,
    ) -> None:
        """Make the folds, and load or make what they learn from.

        Args:
            study: what to evaluate.
            dataset: the development images; must have the study's fingerprint.
            cache: where features and decoded images are kept.
            report: told of the progress of an extraction.
            points: the parameters of the trials, as far as they are known.
            on_open: told of each set of features or images that was opened.

        Raises:
            DataError: the images moved or changed, or the groups cannot fill the folds.
            FeaturesError: what is kept is damaged, or cannot be kept.
            ModelError: a model of the user's own is not installed or makes something else.
            SpecError: no such backbone or layer, or the images are too small.
            WeightsError: the backbone's weights are missing or do not fit.
        """
        spec = study.spec
        prepare_for(spec)
        self.study = study
        self.targets = spec.data.targets or dataset.targets
        self.labels = select_targets(dataset, self.targets)
        self.shares = dataset.shares_of(self.targets)
        self.folds = make_folds(spec.task.strata(self.labels), dataset.groups, **spec.fold_plan)
        check_folds(study.facts, self.folds)
        self.variants = StudyVariants(
            spec,
            dataset,
            self.labels,
            self.targets,
            dict(enumerate(self.folds)),
            cache,
            report,
            points=points,
            on_open=on_open,
            shares=self.shares,
        )

    @property
    def takes_several(self) -> bool:
        """Whether several threads may evaluate a trial each: heads on features, which share them; a whole network fills a device."""
        return self.variants.train_heads_only

    def evaluate(self, attempt: Attempt) -> Outcome:
        """Cross-validate one trial.

        Raises:
            UnpreparedError: this machine lacks what a trial needs that was not planned when the study was prepared.
        """
        with ExitStack() as stack:
            try:
                data = stack.enter_context(self.variants.lent(attempt.params))
            except (DataError, FeaturesError, ModelError, SpecError, WeightsError) as error:
                raise UnpreparedError(
                    f"This machine cannot prepare what the trial learns from: {error.what}",
                    why=error.why,
                    next_step=error.next_step,
                ) from error
            outcome = cross_validate(
                attempt,
                lambda fold: data.start_fold(attempt.hyperparameters, attempt.point, fold),
                self.variants.schedule,
                at_once=data.folds_at_once,
                train_together=data.train_together,
            )
            return replace(outcome, details={**outcome.details, **self._circumstances(data, attempt.params)})

    def _circumstances(self, data: StudyData, params: Parameters) -> dict[str, object]:
        """What a value depends on besides its seeds, and how many parameters are trained."""
        spec = self.study.spec.variant(params)
        asked = {"training": spec.training.precision, "extraction": spec.model.extraction_precision}
        return {
            "hardware": describe(),
            "products": {name: name_products(precision) for name, precision in asked.items()},
            "parameters_trained": data.count_parameters(),
            **({PARAMETERS: data.count_all_parameters()} if PARAMETERS in spec.study.also else {}),
        }

    def try_parameters(self) -> Tried:
        """Try every searched hyperparameter at both ends of its range, on the first fold (`workers.objective.canary`)."""

        def start(values: Settings) -> AnyFold:
            data = self.variants.of(values)
            return data.start_fold(values, 0, 0, at_most=FEW_IMAGES if data.trains_images else None)

        return try_parameters(self.study.spec, start)


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
        SpecError: a searched hyperparameter changes nothing.
        DataError: the folds are not those that the study was made with.
        DataError, ModelError, SpecError, WeightsError: as `KerasObjective`.
    """
    points = [point.params for point in wait_for(lambda _: list_points(database, study.uuid))]
    is_one = not has_variants(study.spec)

    def compare(variant: StudySpec, source: Source) -> None:
        sample, name = source.sample(), "" if is_one else name_inputs(variant)
        digest, standing = wait_for(
            lambda _: register_features(database, study, source.digest, sample, inputs=name)
        )
        tolerance = FEATURES_TOLERANCE[variant.model.extraction_precision]
        compare_features(study.name, np.asarray(sample), np.asarray(standing), tolerance)
        if digest != source.digest:
            log.info(
                "Features of other library versions than the study's first worker; equal up to rounding."
            )

    objective = KerasObjective(study, dataset, cache, report, points, compare)
    if study.spec.search:
        tried = wait_for(lambda _: read_canary(database, study))
        if tried is None:
            tried = objective.try_parameters()
            wait_for(lambda _: register_canary(database, study, tried))
        refuse_idle(tried)
    return objective


def compare_features(study: str, mine: np.ndarray, standing: np.ndarray, tolerance: float) -> None:
    """Compare samples of features of two machines.

    Args:
        study: its name, for the message.
        mine: a sample of this machine's features.
        standing: that of the study's first worker.
        tolerance: the largest difference that counts as rounding, in standard deviations of the latter.

    Raises:
        FeaturesError: they differ by more than rounding.
    """
    spread = float(standing.std()) or 1.0
    furthest = float(np.abs(mine - standing).max()) / spread if mine.shape == standing.shape else np.inf
    if not furthest <= tolerance:
        raise FeaturesError(
            f"The features of this machine differ from those of the first worker of study {study!r} by "
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
