"""Every fold advances one epoch, then the mean over folds is reported and judged."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from numpy.typing import DTypeLike

from storage.files.checkpoints import pack, unpack
from storage.metrics.judging import epoch_that_counts, judge, mean_known
from storage.results.curves import empty_curves, tabulate_rows
from storage.results.ledger import FoldEpoch
from storage.results.predictions import FoldPredictions
from workers.attempts.attempt import Attempt, Pruned
from workers.attempts.lease import Drained
from workers.cross_validation.fold import (
    AnyFold,
    StartFold,
    TrainTogether,
    is_diverged,
    require_value,
    run_fold_epoch,
)

Result = tuple[np.ndarray, list[FoldEpoch], tuple[FoldPredictions, ...], list[int]]


def run_lockstep(
    attempt: Attempt, start_fold: StartFold, at_once: int = 1, train_together: TrainTogether | None = None
) -> Result:
    """Train all folds side by side.

    Args:
        attempt: where to record and report.
        start_fold: starts a fold from its beginning, by its number; all of them are in use at once.
        at_once: how many of them compute at the same time; decides no value.
        train_together: as of `workers.cross_validation.cross_validate.cross_validate`.

    Returns:
        Validation scores of shape (folds, epochs), the rows of the last epoch, the predictions that count, and
        how many images each fold trained on.

    Raises:
        Pruned: the trial is weak, or a fold's loss is not a number.
        TrainingError: what ran is not what the trial asked for, or no fold has a value of the metric.
        LeaseLostError: the point is not held any more.
        Drained: the worker is told to stop.
    """
    spec = attempt.study.spec
    epochs = spec.training.epochs
    folds = _start(start_fold, spec.fold_count, side_by_side=train_together is not None)
    curves = empty_curves(spec)
    keeper = _PredictionKeeper(spec.study.objective, folds, spec.task.kept_as)
    begin, rows = _resume(attempt, folds, curves, keeper)
    runner = _FoldRunner(attempt, folds, at_once, train_together)
    attempt.lease.check()
    for epoch in range(begin + 1, epochs + 1):
        rows = runner.run_epoch(epoch)
        curves[:, epoch - 1] = [spec.metric.score(row) for row in rows]
        attempt.record(rows, epoch)
        if any(is_diverged(row) for row in rows):
            raise Pruned(math.nan)
        keeper.look(curves, epoch)
        if not spec.metric.depends_on_calls:
            # The labels of the folds decide whether there is a value: without one now there never will be.
            require_value(judge(curves[:, :epoch], "max_of_mean").value, spec.metric, "max_of_mean")
        is_last = epoch == epochs
        if attempt.checkpoint.is_due and not is_last:
            attempt.checkpoint.save(epoch, lambda: _pack(folds, keeper))
        mean = mean_known(curves[:, epoch - 1])
        try:
            attempt.report(epoch, mean, attempt.epoch_means, curves[:, :epoch], is_last=is_last)
        except Drained:
            attempt.checkpoint.save(epoch, lambda: _pack(folds, keeper))
            raise
    return curves, rows, keeper.kept(), [len(fold.train_index) for fold in folds]


def _start(start_fold: StartFold, count: int, *, side_by_side: bool) -> list[AnyFold]:
    """Begin all folds; side by side where a GPU would else wait for the processor to draw the weights of one after the other."""
    # The first one puts the features on the device and makes what all of them share.
    first = start_fold(0)
    if not side_by_side:
        return [first, *(start_fold(number) for number in range(1, count))]
    with ThreadPoolExecutor(thread_name_prefix="start") as pool:
        return [first, *pool.map(start_fold, range(1, count))]


def _resume(
    attempt: Attempt, folds: Sequence[AnyFold], curves: np.ndarray, keeper: _PredictionKeeper
) -> tuple[int, list[FoldEpoch]]:
    """Go on where an earlier attempt was: its epochs are reported and judged again, not trained again."""
    saved = attempt.checkpoint.load() if attempt.claim.attempt > 1 else None
    if saved is None:
        return 0, []
    _, begin, arrays = saved
    recorded = [row for row in attempt.recorded_epochs() if row.epoch <= begin]
    if len(recorded) != begin * len(folds) or begin >= curves.shape[1]:
        return 0, []
    curves[:] = tabulate_rows(attempt.study.spec, recorded)
    for epoch in range(1, begin + 1):
        attempt.report(epoch, mean_known(curves[:, epoch - 1]), attempt.epoch_means, curves[:, :epoch])
    for number, fold in enumerate(folds):
        fold.restore(unpack(f"state{number}", arrays))
    keeper.restore(arrays)
    return begin, [row for row in recorded if row.epoch == begin]


def _pack(folds: Sequence[AnyFold], keeper: _PredictionKeeper) -> dict[str, np.ndarray]:
    arrays = keeper.arrays()
    for number, fold in enumerate(folds):
        arrays |= pack(f"state{number}", fold.state())
    return arrays


class _FoldRunner:
    """Runs one epoch of every fold, some of them at the same time."""

    def __init__(
        self, attempt: Attempt, folds: Sequence[AnyFold], at_once: int, train_together: TrainTogether | None
    ) -> None:
        self._attempt, self._folds, self._at_once = attempt, folds, at_once
        self._train_together = train_together
        self._seconds = 0.0

    def run_epoch(self, epoch: int) -> list[FoldEpoch]:
        """Train and validate; the wall time of folds that shared the processor is shared out among them."""
        began = time.perf_counter()
        if self._train_together is not None:
            self._attempt.lease.check(needed=self._seconds * len(self._folds))
            self._train_together(self._folds, epoch)
        # Each thread takes the next fold when it is free: in pairs, one would wait for the other, and compute its metrics alone.
        with ThreadPoolExecutor(self._at_once, thread_name_prefix="fold") as pool:
            rows = list(pool.map(functools.partial(self._run, epoch), range(len(self._folds))))
        passed, counted = time.perf_counter() - began, sum(row.seconds for row in rows)
        if self._train_together is not None:
            self._seconds = passed / len(self._folds)
        elif self._at_once == 1 or counted <= passed:
            return rows
        return [replace(row, seconds=row.seconds * passed / (counted or 1)) for row in rows]

    def _run(self, epoch: int, number: int) -> FoldEpoch:
        # Told to stop within an epoch: finish it, if the grace period has the time.
        self._attempt.lease.check(needed=self._seconds * (len(self._folds) - number))
        row = run_fold_epoch(self._attempt, self._folds[number], number, epoch)
        self._seconds = row.seconds / self._at_once
        return row


class _PredictionKeeper:
    """Keeps the predictions of the epoch that will count, without keeping those of all epochs."""

    def __init__(self, objective: str, folds: Sequence[AnyFold], kept_as: DTypeLike) -> None:
        self._objective, self._kept_as = objective, kept_as
        self._folds = folds
        self._kept: dict[int, FoldPredictions] = {}

    def look(self, curves: np.ndarray, epoch: int) -> None:
        """Keep what this epoch improved."""
        so_far = curves[:, :epoch]
        for number, fold in enumerate(self._folds):
            if epoch_that_counts(so_far, number, self._objective) == epoch:
                self._keep(number, epoch, fold.predict_validation())

    def kept(self) -> tuple[FoldPredictions, ...]:
        """The predictions of the epochs that count, by fold."""
        return tuple(self._kept[number] for number in sorted(self._kept))

    def arrays(self) -> dict[str, np.ndarray]:
        """What is kept, as plain arrays."""
        return {f"kept{number}.{fold.epoch}": fold.values for number, fold in self._kept.items()}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take up what `arrays` gave."""
        for number in range(len(self._folds)):
            for epoch, values in unpack(f"kept{number}", arrays).items():
                self._keep(number, int(epoch), values)

    def _keep(self, number: int, epoch: int, values: np.ndarray) -> None:
        self._kept[number] = FoldPredictions(
            fold=number,
            epoch=epoch,
            indices=np.asarray(self._folds[number].val_index, dtype=np.int32),
            values=np.asarray(values, dtype=self._kept_as),
        )
