"""Fold after fold, for models of which only one fits into memory: the mean over the finished folds is reported.

A finished fold is in the database, predictions and all, and is never computed again, on whatever machine the point
goes on; within a fold a trial goes on from its last checkpoint.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from storage.files.checkpoints import pack, unpack
from storage.metrics.judging import epoch_that_counts, judge, max_known, mean_known
from storage.results.curves import empty_curves, tabulate_rows
from storage.results.ledger import FoldEpoch
from storage.results.predictions import FoldPredictions
from workers.attempts.attempt import Attempt, Pruned
from workers.cross_validation.fold import AnyFold, StartFold, is_diverged, run_fold_epoch
from workers.cross_validation.lockstep import Result
from workers.pruning.forecast import ForecastPruner
from workers.pruning.named import make_pruner_of_folds
from workers.pruning.rules import HalvingPruner, PairedPruner

CHANCE_SDS = 2.0
"""A fold's curve that is weaker than the best trial's by more than so many standard deviations between the best
trial's own folds is not weaker by chance of the fold."""


def run_sequential(attempt: Attempt, start_fold: StartFold) -> Result:
    """Train the folds one after the other; returns and raises as `run_lockstep` does."""
    spec = attempt.study.spec
    curves = empty_curves(spec)
    shape = curves.shape
    rows: dict[tuple[int, int], FoldEpoch] = {}
    stacks: dict[int, np.ndarray] = {}
    if attempt.claim.attempt > 1:
        rows = {(row.fold, row.epoch): row for row in attempt.recorded_epochs()}
        stacks = attempt.read_kept_folds()
    pruner = make_pruner_of_folds(spec.pruner, shape[0])
    train_images: list[int] = []
    val_indices: list[np.ndarray] = []
    try:
        for number in range(shape[0]):
            fold = start_fold(number)
            train_images.append(len(fold.train_index))
            val_indices.append(np.asarray(fold.val_index, np.int32))
            run = _FoldRun(attempt, fold, number, curves, rows)
            if not run.is_finished(stacks.get(number)):
                stacks[number] = run.train()
            value = judge(curves[: number + 1], spec.study.objective).value
            attempt.report(
                number + 1,
                value,
                attempt.fold_means,
                curves[: number + 1],
                pruner=pruner,
                is_last=number + 1 == shape[0],
            )
    except Pruned:
        attempt.drop_kept_folds()
        raise
    counting = [epoch_that_counts(curves, number, spec.study.objective) for number in range(shape[0])]
    predictions = tuple(
        FoldPredictions(number, epoch, val_indices[number], stacks[number][epoch - 1])
        for number, epoch in enumerate(counting)
    )
    return curves, [rows[number, shape[1]] for number in range(shape[0])], predictions, train_images


@dataclass(frozen=True)
class _FoldRun:
    """One fold of an attempt; writes into `curves` and `rows` of the whole."""

    attempt: Attempt
    fold: AnyFold
    number: int
    curves: np.ndarray
    rows: dict[tuple[int, int], FoldEpoch]

    def is_finished(self, stack: np.ndarray | None) -> bool:
        """Whether an earlier attempt finished this fold; its curve is then taken over."""
        epochs = self.curves.shape[1]
        if stack is None or stack.shape[:2] != (epochs, len(self.fold.val_index)):
            return False
        if any((self.number, epoch) not in self.rows for epoch in range(1, epochs + 1)):
            return False
        self._take_over(epochs)
        return True

    def train(self) -> np.ndarray:
        """Train what is left of the fold; returns its predictions, shape (epochs, n_val, targets)."""
        epochs = self.curves.shape[1]
        begin, stack = self._resume()
        judges = isinstance(self.attempt.pruner, HalvingPruner | PairedPruner | ForecastPruner)
        best = self.attempt.read_best_curves() if judges else None
        self.attempt.lease.check()
        for epoch in range(begin + 1, epochs + 1):
            row = run_fold_epoch(self.attempt, self.fold, self.number, epoch)
            stack.append(np.asarray(self.fold.predict_validation(), self.attempt.study.spec.task.kept_as))
            self.rows[self.number, epoch] = row
            self.curves[self.number, epoch - 1] = self.attempt.study.spec.metric.score(row)
            is_last = epoch == epochs
            self.attempt.record(
                [row],
                self.number * epochs + epoch,
                finished_fold=(self.number, self.fold.val_index, np.stack(stack)) if is_last else None,
            )
            if is_diverged(row):
                raise Pruned(math.nan)
            if best is not None and self._falls_behind(best, epoch):
                raise Pruned(self._running_value(epoch))
            checkpoint, draining = self.attempt.checkpoint, self.attempt.lease.is_draining
            if not is_last and (draining or checkpoint.is_due):
                checkpoint.save(
                    epoch,
                    lambda: {"stack": np.stack(stack), **pack("state", self.fold.state())},
                    fold=self.number,
                )
            if draining and not is_last:
                self.attempt.lease.check()
        return np.stack(stack)

    def _resume(self) -> tuple[int, list[np.ndarray]]:
        saved = self.attempt.checkpoint.load() if self.attempt.claim.attempt > 1 else None
        if saved is None or saved[0] != self.number:
            return 0, []
        _, begin, arrays = saved
        if any((self.number, epoch) not in self.rows for epoch in range(1, begin + 1)):
            return 0, []
        self.fold.restore(unpack("state", arrays))
        self._take_over(begin)
        return begin, list(arrays["stack"])

    def _take_over(self, epochs: int) -> None:
        done = tabulate_rows(
            self.attempt.study.spec, (self.rows[self.number, epoch] for epoch in range(1, epochs + 1))
        )
        self.curves[self.number, :epochs] = done[self.number, :epochs]

    def _falls_behind(self, best: np.ndarray, epoch: int) -> bool:
        """Whether this fold was weaker than the best trial's same fold all along, and now by more than chance."""
        pruner = self.attempt.pruner
        gaps = best[self.number, :epoch] - self.curves[self.number, :epoch]
        if isinstance(pruner, PairedPruner | ForecastPruner):
            own = self.curves[self.number : self.number + 1, :epoch]
            is_behind = pruner.race.is_behind(own, best[self.number : self.number + 1])
            return bool(epoch > pruner.warmup_steps and (gaps > 0).all() and is_behind)
        if not isinstance(pruner, HalvingPruner) or not pruner.is_rung(epoch):
            return False
        spread = np.nanstd([max_known(curve) for curve in best])
        return bool((gaps > 0).all() and gaps[-1] > CHANCE_SDS * spread)

    def _running_value(self, epoch: int) -> float:
        return mean_known(self.curves[: self.number + 1, epoch - 1])
