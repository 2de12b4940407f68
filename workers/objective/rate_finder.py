"""The learning-rate finder: a rate that rises tenfold every fifth epoch, and the loss at each (Smith 2017, section 3.3).

The second reference study's form of it: 50 rates from 1e-10, one epoch of a small sample at each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from storage.errors import DataError
from workers.device.preparation import prepare_for
from workers.inputs.kept_inputs import KeptInputs
from workers.objective.study_data import StudyData
from workers.training.learning_rates import RISING, rise

if TYPE_CHECKING:
    from storage.data.datasets import Dataset
    from storage.spec import StudySpec

COUNT = 50
SAFETY = 10.0
"""The suggestion is so many times below the rate with the lowest loss, which is about to diverge."""
SAMPLE = 99
"""Keeps the choice of the sample apart from every other draw of a study."""


@dataclass(frozen=True)
class RateCurve:
    """Learning rates, and the training loss of the epoch at each; NaN where it diverged."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]

    @property
    def suggestion(self) -> float | None:
        """A tenth of the rate with the lowest loss; None when no loss is lower than the first."""
        known = [loss if math.isfinite(loss) else math.inf for loss in self.losses]
        best = int(np.argmin(known))
        return self.rates[best] / SAFETY if best and known[best] < known[0] else None


def find_rates(
    spec: StudySpec,
    dataset: Dataset,
    labels: np.ndarray,
    targets: Sequence[str],
    cache: Path,
    *,
    images: int,
    report: Callable[[int, int], None] | None = None,
) -> RateCurve:
    """Train one model on a sample of the development images, one epoch at each rate.

    Args:
        spec: gives the model, the optimizer, the batch size and the class weights.
        dataset: the development images.
        labels: float32, shape (n, targets).
        targets: their names.
        cache: where features and decoded images are kept.
        images: how large the sample is; a tenth more is set aside to validate on.
        report: told the rates done and all rates.

    Raises:
        DataError: fewer than four development images.
        As `workers.objective.study_data.StudyData` otherwise.
    """
    count = len(dataset.files)
    if count < 4:
        raise DataError(
            f"{dataset.folder} has {count} development images: too few for a learning-rate finder."
        )
    prepare_for(spec)
    chosen = np.random.default_rng([spec.study.seed, SAMPLE]).permutation(count)
    set_aside = max(1, min(images, count) // 10)
    split = (np.sort(chosen[set_aside : set_aside + images]), np.sort(chosen[:set_aside]))
    kept = KeptInputs(dataset, labels, cache, shares=dataset.shares_of(targets))
    study_data = StudyData(spec.variant({}), kept, labels, targets, {0: split})
    fold = study_data.start_fold({"rate_schedule": RISING, "warmup_epochs": 0, "patience": 0}, 0, 0)
    losses: list[float] = []
    for epoch in range(1, COUNT + 1):
        losses.append(fold.run_epoch(epoch).train_loss)
        if report:
            report(epoch, COUNT)
        if not math.isfinite(losses[-1]):
            break
    return RateCurve(tuple(rise(epoch) for epoch in range(1, len(losses) + 1)), tuple(losses))
