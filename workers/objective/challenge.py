"""Train what a study trains on labels that it must not be able to learn, and see whether it learns them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from storage.data.folds import make_folds
from workers.cross_validation.fold import AnyFold
from workers.device.preparation import prepare_for
from workers.objective.canary import train_briefly
from workers.objective.keras_objective import select_targets
from workers.objective.study_variants import StudyVariants

if TYPE_CHECKING:
    from storage.data.datasets import Dataset
    from storage.spec import StudySpec

Report = Callable[..., None]


class Challenger:
    """Trains one configuration of a study under changed circumstances; writes nothing.

    Args:
        spec: of the study.
        dataset: its development images.
        params: what its search chose.
        cache: where features and decoded images are kept.
        report: told of the progress.

    Raises:
        As `workers.objective.study_data.StudyData`.
    """

    def __init__(
        self,
        spec: StudySpec,
        dataset: Dataset,
        params: dict[str, Any],
        cache: Path,
        report: Report | None = None,
    ) -> None:
        prepare_for(spec)
        self._spec, self._dataset, self._params, self._cache, self._report = (
            spec,
            dataset,
            params,
            cache,
            report,
        )
        self._targets = tuple(spec.data.targets) or dataset.targets
        self.labels = select_targets(dataset, self._targets)
        self.folds = make_folds(self.labels, dataset.groups, spec.cv.folds, spec.study.seed)
        self._settings = {**spec.fixed_beside(params), **params}

    def train_on_shuffled_labels(self, epochs: int, seed: int) -> NDArray[np.float64]:
        """The validation AUC of each fold where every image has the labels of another one, after some epochs: shape (folds,)."""
        order = np.random.default_rng([self._spec.study.seed, seed]).permutation(len(self.labels))
        return self._train(self.labels[order], epochs)

    def train_briefly(self, **changes: Any) -> tuple[Any, ...]:
        """Steps, losses and a digest of the weights of the first fold after two epochs, with changed hyperparameters."""
        return train_briefly(self._start(self._variants(self.labels), {**self._settings, **changes}, 0))

    def _variants(self, labels: np.ndarray) -> StudyVariants:
        return StudyVariants(
            self._spec,
            self._dataset,
            labels,
            self._targets,
            dict(enumerate(self.folds)),
            self._cache,
            self._report,
            points=[self._params],
        )

    def _start(self, variants: StudyVariants, settings: dict[str, Any], fold: int) -> AnyFold:
        return variants.of(self._params).start_fold(settings, 0, fold)

    def _train(self, labels: np.ndarray, epochs: int) -> NDArray[np.float64]:
        data = self._variants(labels).of(self._params)
        numbers = list(range(len(self.folds)))
        together = data.train_together
        values = np.full(len(numbers), np.nan)
        groups: Sequence[list[int]] = [numbers] if together is not None else [[number] for number in numbers]
        for group in groups:
            folds = {number: data.start_fold(self._settings, 0, number) for number in group}
            for epoch in range(1, epochs + 1):
                if together is not None:
                    together(list(folds.values()), epoch)
                for number, fold in folds.items():
                    values[number] = fold.run_epoch(epoch).val_auc
        return values
