"""One attempt at a point, as the objective sees it: what it may report, and when it must stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from storage import ledger, points, trials
from storage.engine import Database
from storage.errors import DatabaseAwayError, OrchError
from storage.points import Claim
from storage.predictions import FoldPredictions, keep_predictions
from storage.studies import StudyRecord
from storage.waiting import wait_for
from workers.lease import Lease
from workers.pruning import Pruner

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
    details: dict[str, Any]


@dataclass(frozen=True)
class Attempt:
    """One attempt; every call waits for a database that is away."""

    database: Database
    study: StudyRecord
    claim: Claim
    trial_id: int
    params: dict[str, Any]
    lease: Lease
    pruner: Pruner

    @property
    def point(self) -> int:
        """The point that is worked on."""
        return self.claim.point

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Every hyperparameter: the fixed ones of the spec and those of this point."""
        return {**self.study.spec.hyperparameters, **self.params}

    @cached_property
    def key(self) -> str:
        """Names what is computed, in the ledger."""
        return ledger.run_key(self.study.spec_hash, self.params)

    def record(self, rows: Sequence[ledger.FoldEpoch], epoch: int) -> None:
        """Write finished fold-epochs to the ledger and hold the point.

        Raises:
            LeaseLostError: the point is not held any more.
            Drained: the worker is told to stop.
        """
        self._wait(
            lambda: ledger.record_epochs(
                self.database,
                self.claim,
                self.key,
                rows,
                epoch=epoch,
                lease_seconds=self.study.spec.study.lease_seconds,
            )
        )

    def report(self, step: int, value: float, peers_at: Callable[[int], dict[int, float]]) -> None:
        """Report a value to Optuna, let the pruner judge, and go on only if nobody said stop.

        Args:
            step: epochs or folds done, from 1.
            value: mean over folds of the validation AUC.
            peers_at: what other points had after a step.

        Raises:
            Pruned: the trial is weak, or the value is not a number.
            LeaseLostError: the point is not held any more.
            Drained: the worker is told to stop.
        """
        self._wait(lambda: trials.report_value(self.database, self.trial_id, step, float(value)))
        if self._wait(lambda: self.pruner.should_stop(self.point, step, value, peers_at)):
            raise Pruned(value)
        self.lease.check()

    def epoch_means(self, epoch: int) -> dict[int, float]:
        """The mean over folds at one epoch of every point that got there."""
        return ledger.read_epoch_means(self.database, self.study.uuid, epoch, self.study.spec.cv.folds)

    def recorded_epochs(self) -> list[ledger.FoldEpoch]:
        """What earlier attempts at this point left in the ledger."""
        rows = self._wait(lambda: ledger.read_curves(self.database, self.study.uuid, self.point, self.key))
        return list(rows)

    def keep_predictions(self, predictions: Sequence[FoldPredictions]) -> None:
        """Keep out-of-fold predictions."""
        self._wait(lambda: keep_predictions(self.database, self.claim, self.key, predictions))

    def note(self, attributes: dict[str, Any]) -> None:
        """Keep facts with the trial."""
        self._wait(lambda: trials.note_attributes(self.database, self.trial_id, attributes))

    def finish(self, outcome: str, value: float | None) -> None:
        """Settle the point.

        Raises:
            LeaseLostError: the point is not held any more.
        """
        number = self.database.optuna.get_trial_number_from_id
        self._wait(
            lambda: points.finish_point(
                self.database,
                self.claim,
                outcome=outcome,
                value=value,
                trial_id=self.trial_id,
                trial_number=number(self.trial_id),
            )
        )

    def _wait(self, call: Callable[[], Result]) -> Result:
        try:
            return wait_for(lambda _: call(), stopped=lambda: self.lease.is_stopping)
        except DatabaseAwayError:
            # Waiting ends early only because the lease is lost or the worker is told to stop: say which.
            self.lease.check()
            raise
