"""k folds of one trial in lockstep: every fold advances one epoch, then the mean over folds is reported and judged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from storage.errors import TrainingError
from storage.ledger import FoldEpoch
from storage.predictions import FoldPredictions
from workers.attempt import Attempt, Outcome, Pruned
from workers.training import EpochResult


class Fold(Protocol):
    """One fold in training."""

    train_index: np.ndarray
    val_index: np.ndarray

    def run_epoch(self, epoch: int) -> EpochResult | FoldEpoch:
        """Train and validate one epoch, counted from 1."""
        ...

    def predict_validation(self) -> np.ndarray:
        """Probabilities for the fold's validation images: float32, shape (n_val, targets)."""
        ...


def cross_validate(attempt: Attempt, folds: Sequence[Fold]) -> Outcome:
    """Run all folds of a trial to the end, or until it is pruned.

    Args:
        attempt: where to record and report.
        folds: freshly started, in the order of their numbers.

    Raises:
        Pruned: the trial is weak, or a fold's loss is not a number.
        TrainingError: what ran is not what the trial asked for, or no fold has an AUC.
        LeaseLostError: the point is not held any more.
        Drained: the worker is told to stop.
    """
    spec = attempt.study.spec
    curves = np.full((len(folds), spec.training.epochs), math.nan)
    keeper = _PredictionKeeper(spec.study.objective, folds)
    for epoch in range(1, spec.training.epochs + 1):
        rows = [_run(attempt, fold, number, epoch) for number, fold in enumerate(folds)]
        curves[:, epoch - 1] = [row.val_auc for row in rows]
        attempt.record(rows, epoch)
        if any(not math.isfinite(row.train_loss) or not math.isfinite(row.val_loss) for row in rows):
            raise Pruned(math.nan)
        keeper.look(curves, epoch)
        attempt.report(epoch, _mean(curves[:, epoch - 1]), attempt.epoch_means)
    value, best_epoch, fold_values = judge(curves, spec.study.objective)
    return Outcome(
        value=value,
        best_epoch=best_epoch,
        fold_values=tuple(float(fold_value) for fold_value in fold_values),
        predictions=keeper.kept(),
        details={
            "steps_per_epoch": [row.steps for row in rows],
            "train_images": [len(fold.train_index) for fold in folds],
            "labels_left_out": [row.labels_left_out for row in rows],
            "best_epoch_is_last": best_epoch == spec.training.epochs,
        },
    )


def judge(curves: np.ndarray, objective: str) -> tuple[float, int, np.ndarray]:
    """The value of a trial from its validation AUC.

    Args:
        curves: shape (folds, epochs); NaN where a fold has no AUC, which leaves it out of the mean.
        objective: "max_of_mean": the maximum over epochs of the mean over folds; "mean_of_max": the mean of each
            fold's best epoch; "last": the mean after the last epoch.

    Returns:
        The value, the common epoch it stands for (from 1), and one value per fold whose mean is the value.
    """
    means = np.array([_mean(column) for column in curves.T])
    best = len(means) - 1 if objective == "last" else int(np.nanargmax(means))
    if objective == "mean_of_max":
        with np.errstate(invalid="ignore"):
            fold_values = np.array([_max(row) for row in curves])
        return _mean(fold_values), best + 1, fold_values
    return float(means[best]), best + 1, curves[:, best]


def _run(attempt: Attempt, fold: Fold, number: int, epoch: int) -> FoldEpoch:
    attempt.lease.check()
    facts = fold.run_epoch(epoch)
    _check_steps(facts, len(fold.train_index), int(attempt.hyperparameters["batch_size"]), number)
    values: dict[str, Any] = {
        name: getattr(facts, name)
        for name in FoldEpoch.__dataclass_fields__
        if name not in ("point", "fold", "epoch")
    }
    return FoldEpoch(point=attempt.point, fold=number, epoch=epoch, **values)


def _check_steps(facts: EpochResult | FoldEpoch, train_images: int, batch_size: int, fold: int) -> None:
    """Hold what ran against what was asked for: in the reference study the batch size never arrived."""
    wanted = math.ceil(train_images / batch_size)
    if facts.steps != wanted or facts.samples != train_images:
        raise TrainingError(
            f"Fold {fold} ran {facts.steps} optimizer steps on {facts.samples} images in an epoch, but batch size "
            f"{batch_size} on {train_images} images means {wanted} steps.",
            why="The batch size was not applied as the trial asked.",
            next_step="This is a defect in the training step; please report it.",
        )


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def _max(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.max()) if len(known) else math.nan


class _PredictionKeeper:
    """Keeps the predictions of the epoch that will count, without keeping those of all epochs."""

    def __init__(self, objective: str, folds: Sequence[Fold]) -> None:
        self._objective = objective
        self._folds = folds
        self._kept: dict[int, FoldPredictions] = {}

    def look(self, curves: np.ndarray, epoch: int) -> None:
        """Keep what this epoch improved."""
        so_far = curves[:, :epoch]
        if self._objective == "mean_of_max":
            improved = [number for number, row in enumerate(so_far) if row[-1] == _max(row)]
        else:
            means = np.array([_mean(column) for column in so_far.T])
            if np.isnan(means).all():
                raise TrainingError(
                    "No fold has a label with both classes among its validation images, so there is no AUC.",
                    next_step="`orch data show` counts the labels; use fewer folds or other targets.",
                )
            is_best = self._objective == "last" or int(np.nanargmax(means)) == epoch - 1
            improved = list(range(len(self._folds))) if is_best else []
        for number in improved:
            fold = self._folds[number]
            self._kept[number] = FoldPredictions(
                fold=number,
                epoch=epoch,
                indices=np.asarray(fold.val_index, dtype=np.int32),
                values=np.asarray(fold.predict_validation(), dtype=np.float16),
            )

    def kept(self) -> tuple[FoldPredictions, ...]:
        """The predictions of the epochs that count, by fold."""
        return tuple(self._kept[number] for number in sorted(self._kept))
