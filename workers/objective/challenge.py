"""Train what a study trains on labels that it must not be able to learn, and see whether it learns them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workers.objective.canary import train_briefly
from workers.objective.keras_objective import KerasObjective
from workers.objective.study_variants import StudyVariants

if TYPE_CHECKING:
    from storage.data.datasets import Dataset
    from storage.studies.study import StudyRecord

Report = Callable[..., None]


class Challenger:
    """Trains one configuration of a study under changed circumstances, on the study's own folds; writes nothing.

    Args:
        study: which.
        dataset: its development images.
        params: what its search chose.
        cache: where features and decoded images are kept.
        report: told of the progress of an extraction.

    Raises:
        As `workers.objective.keras_objective.KerasObjective`.
    """

    def __init__(
        self,
        study: StudyRecord,
        dataset: Dataset,
        params: dict[str, Any],
        cache: Path,
        report: Report | None = None,
    ) -> None:
        self._spec, self._dataset, self._params, self._cache = study.spec, dataset, params, cache
        self._objective = KerasObjective(study, dataset, cache, report, [params])
        self.folds = self._objective.folds
        self._settings = {**study.spec.fixed_beside(params), **params}

    @property
    def measured(self) -> tuple[str, float]:
        """What shuffled labels are scored by, and what that must be where nothing can be learned: AUC and .5, or a correlation and 0."""
        return ("auc", 0.5) if self._spec.task.has_probabilities else ("pearson", 0.0)

    def train_on_shuffled_labels(self, epochs: int, seed: int) -> NDArray[np.float64]:
        """The validation score of each fold where every image has the labels of another one, after some epochs: shape (folds,)."""
        labels, shares = self._objective.labels, self._objective.shares
        order = np.random.default_rng([self._spec.study.seed, seed]).permutation(len(labels))
        shuffled = StudyVariants(
            self._spec,
            self._dataset,
            labels[order],
            self._objective.targets,
            dict(enumerate(self.folds)),
            self._cache,
            points=[self._params],
            shares=None if shares is None else shares[order],
        )
        return self._train(shuffled, epochs)

    def train_briefly(self, **changes: Any) -> tuple[Any, ...]:
        """Steps, losses and a digest of the weights of the first fold after two epochs, with changed hyperparameters."""
        data = self._objective.variants.of(self._params)
        return train_briefly(data.start_fold({**self._settings, **changes}, 0, 0))

    def _train(self, variants: StudyVariants, epochs: int) -> NDArray[np.float64]:
        data, numbers = variants.of(self._params), list(range(len(self.folds)))
        together = data.train_together
        column = f"val_{self.measured[0]}"
        values = np.full(len(numbers), np.nan)
        groups: Sequence[list[int]] = [numbers] if together is not None else [[number] for number in numbers]
        for group in groups:
            folds = {number: data.start_fold(self._settings, 0, number) for number in group}
            for epoch in range(1, epochs + 1):
                if together is not None:
                    together(list(folds.values()), epoch)
                for number, fold in folds.items():
                    values[number] = getattr(fold.run_epoch(epoch), column)
        return values
