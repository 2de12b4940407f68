"""k folds of one trial, by one of two schedules, and what they come to."""

from __future__ import annotations

from typing import Literal

from storage.metrics.judging import judge
from workers.attempts.attempt import Attempt, Outcome
from workers.cross_validation.fold import Fold, StartFold, TrainTogether, require_value
from workers.cross_validation.lockstep import run_lockstep
from workers.cross_validation.sequential import run_sequential

__all__ = ["Fold", "Schedule", "StartFold", "cross_validate"]

Schedule = Literal["lockstep", "sequential"]


def cross_validate(
    attempt: Attempt,
    start_fold: StartFold,
    schedule: Schedule = "lockstep",
    at_once: int = 1,
    train_together: TrainTogether | None = None,
) -> Outcome:
    """Run all folds of a trial to the end, or until it is pruned.

    Args:
        attempt: where to record and report.
        start_fold: starts a fold from its beginning, by its number; in lockstep all of them are in use at once.
        schedule: "lockstep": all folds advance together, the mean is reported per epoch; "sequential": fold after
            fold, the mean over the finished ones is reported per fold. The value is the same.
        at_once: how many folds of a lockstep compute at the same time; decides no value.
        train_together: what trains an epoch of all folds of a lockstep in one computation, where something does.

    Raises:
        Pruned: the trial is weak, or a fold's loss is not a number.
        TrainingError: what ran is not what the trial asked for, or no fold has a value of the metric.
        LeaseLostError: the point is not held any more.
        Drained: the worker is told to stop.
    """
    spec = attempt.study.spec
    curves, last_rows, predictions, train_images = (
        run_lockstep(attempt, start_fold, at_once, train_together)
        if schedule == "lockstep"
        else run_sequential(attempt, start_fold)
    )
    value, best_epoch, fold_values = judge(curves, spec.study.objective)
    require_value(value, spec.metric, spec.study.objective)
    return Outcome(
        value=value,
        best_epoch=best_epoch,
        fold_values=tuple(float(fold_value) for fold_value in fold_values),
        predictions=predictions,
        details={
            "schedule": schedule,
            "steps_per_epoch": [row.steps for row in last_rows],
            "train_images": train_images,
            "labels_left_out": [row.labels_left_out for row in last_rows],
            "best_epoch_is_last": best_epoch == spec.training.epochs,
        },
    )
