"""One attempt at a point, as the objective sees it: what it may report, and when it must stop."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
from sqlalchemy.engine import Connection

from storage.database.engine import Database
from storage.errors import DatabaseAwayError, OrchError, TrainingError
from storage.files.checkpoints import Checkpoint
from storage.metrics.objectives import METRICS
from storage.results import ledger
from storage.results.curves import tabulate_rows
from storage.results.further import judge_further
from storage.results.peers import EpochMeans, find_best_point, find_live_points, read_fold_means
from storage.results.predictions import (
    FoldPredictions,
    drop_kept_folds,
    keep_fold,
    keep_predictions,
    read_kept_folds,
)
from storage.states import PointOutcome
from storage.studies import points, trials
from storage.studies.points import Claim
from storage.studies.study import StudyRecord
from workers.attempts.lease import Lease
from workers.device.contract import Parameters, Settings
from workers.pruning.rules import FoldCurves, Pruner, is_expendable

Result = TypeVar("Result")


class Pruned(OrchError):
    """The trial is weak and was stopped early."""

    def __init__(self, value: float) -> None:
        """Keep the last value; NaN when the training diverged."""
        super().__init__()
        self.value = value


@dataclass(frozen=True)
class Outcome:
    """What a whole cross-validation came to.

    Attributes:
        value: the objective named in the spec.
        best_epoch: the common epoch it is taken at, from 1.
        fold_values: one per fold; their mean is `value`.
        predictions: of each fold's model, for the images it did not see, after `best_epoch`.
        details: plain facts to keep with the trial.
    """

    value: float
    best_epoch: int
    fold_values: tuple[float, ...]
    predictions: tuple[FoldPredictions, ...]
    details: dict[str, object]


@dataclass(frozen=True)
class Attempt:
    """One attempt; every call waits for a database that is away.

    Attributes:
        count_at_once: how many trials its process works on now.
    """

    database: Database
    study: StudyRecord
    claim: Claim
    trial_id: int
    trial_number: int
    params: Parameters
    lease: Lease
    pruner: Pruner
    artifacts: Path | None = None
    peers: EpochMeans = field(default_factory=EpochMeans)
    count_at_once: Callable[[], int] = lambda: 1

    @property
    def point(self) -> int:
        """The point that is worked on."""
        return self.claim.point

    @property
    def hyperparameters(self) -> Settings:
        """Every hyperparameter: the fixed ones of the spec and those of this point."""
        return {**self.study.spec.fixed_beside(self.params), **self.params}

    @cached_property
    def key(self) -> str:
        """Names what is computed, in the ledger."""
        return ledger.run_key(self.study.spec_hash, self.params)

    @cached_property
    def checkpoint(self) -> Checkpoint:
        """Where this attempt says how far it is, and finds how far an earlier one was."""
        return Checkpoint(self.artifacts, self.study.uuid, self.point, self.key)

    def record(
        self,
        rows: Sequence[ledger.FoldEpoch],
        epoch: int,
        *,
        finished_fold: tuple[int, np.ndarray, np.ndarray] | None = None,
    ) -> None:
        """Write finished fold-epochs to the ledger and hold the point.

        Args:
            rows: the fold-epochs; their seconds are shared out among the trials that the process works on.
            epoch: how far the trial is.
            finished_fold: number, validation images and predictions of every epoch of a fold that ends with them.

        Raises:
            LeaseLostError: the point is not held any more.
            Drained: the worker is told to stop.
        """
        at_once = self.count_at_once()
        if at_once > 1:
            rows = [replace(row, seconds=row.seconds / at_once) for row in rows]

        def keep(connection: Connection) -> None:
            if finished_fold is not None:
                keep_fold(connection, self.claim, self.key, *finished_fold)

        self._wait(
            lambda: ledger.record_epochs(
                self.database,
                self.claim,
                self.key,
                rows,
                epoch=epoch,
                lease_seconds=self.study.spec.study.lease_seconds,
                together_with=keep,
            )
        )
        self.lease.watchdog.hear_of_epoch()

    def report(
        self,
        step: int,
        value: float,
        peers_at: Callable[[int], dict[int, float]],
        curves: np.ndarray,
        *,
        pruner: Pruner | None = None,
        is_last: bool = False,
    ) -> None:
        """Report a value to Optuna, let the pruner judge, and go on only if nobody said stop.

        Args:
            step: epochs or folds done, from 1.
            value: mean over folds of the validation scores; NaN where no fold has one, which is neither reported nor judged.
            peers_at: what other points had after a step.
            curves: validation scores so far, shape (folds, epochs), of what is done.
            pruner: takes the place of this attempt's.
            is_last: nothing is left to train: stopping would save nothing, and being told to stop is no reason to
                give the point back.

        Raises:
            Pruned: the trial is weak.
            LeaseLostError: the point is not held any more.
            Drained: the worker is told to stop.
        """
        # Optuna's samplers take what a trial reported for its one objective; the ledger has it in any case.
        if not math.isnan(value) and not self.study.spec.further:
            self._wait(lambda: trials.report_value(self.database, self.trial_id, step, float(value)))
        judge = pruner or self.pruner
        beside = FoldCurves(curves, self.read_best_curves)

        def is_stopped() -> bool:
            return judge.should_stop(self.point, step, value, peers_at, beside) and is_expendable(
                self.point,
                value,
                step,
                peers_at,
                any_complete=find_best_point(self.database, self.study.uuid) is not None,
                live=find_live_points(self.database, self.study.uuid),
            )

        if not is_last and not math.isnan(value) and self._wait(is_stopped):
            raise Pruned(value)
        self.lease.check(needed=0.0 if is_last else math.inf)

    def epoch_means(self, epoch: int) -> dict[int, float]:
        """The mean over folds at one epoch of every point that got there."""
        spec = self.study.spec
        return self.peers.read(
            self.database, self.study.uuid, epoch, folds=spec.fold_count, metric=spec.metric
        )

    def fold_means(self, folds: int) -> dict[int, float]:
        """The objective over the first folds only, of every point that finished them."""
        spec = self.study.spec
        return read_fold_means(
            self.database,
            self.study.uuid,
            folds,
            epochs=spec.training.epochs,
            objective=spec.study.objective,
            metric=spec.metric,
        )

    def read_best_curves(self) -> np.ndarray | None:
        """Validation scores of the best complete point so far, shape (folds, epochs); None before the first."""
        spec = self.study.spec

        def read() -> np.ndarray | None:
            best = find_best_point(self.database, self.study.uuid)
            if best is None or best == self.point:
                return None
            return tabulate_rows(spec, ledger.read_curves(self.database, self.study.uuid, best))

        return self._wait(read)

    def recorded_epochs(self) -> list[ledger.FoldEpoch]:
        """What earlier attempts at this point left in the ledger."""
        rows = self._wait(lambda: ledger.read_curves(self.database, self.study.uuid, self.point, self.key))
        return list(rows)

    def judge_further(self, outcome: Outcome) -> dict[str, float]:
        """The further objectives of this attempt, by name; empty where the study has none.

        Raises:
            TrainingError: no fold has a value of one of them.
        """
        spec = self.study.spec
        if not spec.further:
            return {}
        parameters = int(str(outcome.details.get("parameters", 0)))
        found = judge_further(spec, self.recorded_epochs(), outcome.best_epoch, parameters)
        missing = [name for name, value in found.items() if math.isnan(value)]
        if missing:
            raise TrainingError(
                f"No fold has a value of {missing[0]} in epoch {outcome.best_epoch}, which study.also asks for.",
                why=f"In a fold without a value, {METRICS[missing[0]].undefined_when}.",
                next_step="Choose another objective: docs/metrics.md says which ones are always defined.",
            )
        return found

    def keep_predictions(self, predictions: Sequence[FoldPredictions]) -> None:
        """Keep out-of-fold predictions."""
        self._wait(lambda: keep_predictions(self.database, self.claim, self.key, predictions))

    def read_kept_folds(self) -> dict[int, np.ndarray]:
        """The predictions of the folds that earlier attempts at this point finished."""
        return self._wait(lambda: read_kept_folds(self.database, self.claim, self.key))

    def drop_kept_folds(self) -> None:
        """Forget them: the trial was pruned."""
        self._wait(lambda: drop_kept_folds(self.database, self.claim))

    def note(self, attributes: dict[str, object]) -> None:
        """Keep facts with the trial."""
        self._wait(lambda: trials.note_attributes(self.database, self.trial_id, attributes))

    def finish(self, outcome: PointOutcome, value: float | None) -> None:
        """Settle the point.

        Raises:
            LeaseLostError: the point is not held any more.
        """
        self._wait(
            lambda: points.finish_point(
                self.database,
                self.claim,
                outcome=outcome,
                value=value,
                trial_id=self.trial_id,
                trial_number=self.trial_number,
            )
        )

    def _wait(self, call: Callable[[], Result]) -> Result:
        try:
            with self.lease.watchdog.resting():
                return self.lease.patience.wait(call)
        except DatabaseAwayError:
            # Waiting ends early only because the lease is lost or the worker is told to stop: say which.
            self.lease.check()
            raise
