"""What every schedule does alike: run one epoch of one fold, check that it was what was asked for, judge the curves."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np

from storage.errors import TrainingError
from storage.metrics.objectives import Metric
from storage.results.ledger import FoldEpoch
from workers.attempts.attempt import Attempt


class EpochFacts(Protocol):
    """What an epoch did; further numbers are named as in `storage.results.ledger.FoldEpoch`."""

    @property
    def steps(self) -> int:
        """Optimizer steps that really ran."""
        ...

    @property
    def samples(self) -> int:
        """Training images that were seen."""
        ...

    @property
    def train_loss(self) -> float:
        """The loss of training; NaN when it diverged."""
        ...


Facts = TypeVar("Facts", bound=EpochFacts, covariant=True)


class Fold(Protocol[Facts]):
    """One fold in training."""

    train_index: np.ndarray
    val_index: np.ndarray

    @property
    def has_stopped(self) -> bool:
        """Whether nothing is trained any more: an epoch then takes no steps, and has the metrics of the last one."""
        ...

    def run_epoch(self, epoch: int) -> Facts:
        """Train and validate one epoch, counted from 1."""
        ...

    def predict_validation(self) -> np.ndarray:
        """Probabilities for the fold's validation images: float32, shape (n_val, targets)."""
        ...

    def state(self) -> Mapping[str, np.ndarray]:
        """Everything that the next epoch depends on, as plain arrays."""
        ...

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a `state`, bit for bit as if never stopped."""
        ...


AnyFold: TypeAlias = Fold[EpochFacts]

StartFold = Callable[[int], AnyFold]
"""Starts a fold from its beginning, by its number from 0. A later start may end an earlier fold, unless all are needed at once."""


TrainTogether = Callable[[Sequence[AnyFold], int], None]
"""Trains an epoch, counted from 1, of folds in one computation; their `run_epoch` only scores it then."""


def run_fold_epoch(attempt: Attempt, fold: AnyFold, number: int, epoch: int) -> FoldEpoch:
    """Train and validate one epoch of one fold.

    Raises:
        TrainingError: what ran is not what the trial asked for.
    """
    facts = fold.run_epoch(epoch)
    if not fold.has_stopped or facts.steps:
        _check_steps(facts, len(fold.train_index), int(attempt.hyperparameters["batch_size"]), number)
    values: dict[str, Any] = {
        name: getattr(facts, name)
        for name in FoldEpoch.__dataclass_fields__
        if name not in ("point", "fold", "epoch")
    }
    return FoldEpoch(point=attempt.point, fold=number, epoch=epoch, **values)


def is_diverged(row: FoldEpoch) -> bool:
    """Whether the training came to a loss that is not a number."""
    return not math.isfinite(row.train_loss) or not math.isfinite(row.val_loss)


def require_value(value: float, metric: Metric, objective: str) -> None:
    """Refuse a trial that ends without a value.

    Raises:
        TrainingError: the value is not a number: no fold has the metric in an epoch that counts.
    """
    if not math.isnan(value):
        return
    epochs = "in the last epoch" if objective == "last" else "in any epoch"
    raise TrainingError(
        f"No fold has a value of {metric.column} {epochs}, so the trial has none.",
        why=f"In a fold without a value, {metric.undefined_when}.",
        next_step="Choose another study.metric: docs/metrics.md says which ones are always defined."
        if metric.depends_on_calls
        else "`orch data show` counts the labels; use fewer folds or other targets.",
    )


def _check_steps(facts: EpochFacts, train_images: int, batch_size: int, fold: int) -> None:
    """Hold what ran against what was asked for: in the reference study the batch size never arrived."""
    wanted = math.ceil(train_images / batch_size)
    if facts.steps != wanted or facts.samples != train_images:
        raise TrainingError(
            f"Fold {fold} ran {facts.steps} optimizer steps on {facts.samples} images in an epoch, but batch size "
            f"{batch_size} on {train_images} images means {wanted} steps.",
            why="The batch size was not applied as the trial asked.",
            next_step="This is a defect in the training step; please report it.",
        )
