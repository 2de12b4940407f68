"""The loop of one worker process: claim a point, evaluate it, settle it; until every point is settled."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from storage import fleet, points, trials
from storage.distributions import distributions
from storage.engine import Database
from storage.errors import DatabaseAwayError, LeaseLostError, OrchError
from storage.points import COMPLETE, PRUNED, Claim
from storage.studies import StudyRecord
from storage.waiting import wait_for
from workers.attempt import Attempt, Outcome, Pruned
from workers.lease import Drained, Lease
from workers.objective import Objective, library_versions
from workers.pruning import make_pruner
from workers.sampling import draw_params

log = logging.getLogger(__name__)

IDLE_SECONDS = 2.0
IDLE_FOREVER_SECONDS = 15.0
ERROR_CHARACTERS = 2000

Result = TypeVar("Result")
FindObjective = Callable[[StudyRecord], Objective]


class StudyRefused(OrchError):
    """This machine cannot serve the study; others may."""


@dataclass
class WorkerSummary:
    """What one worker process did."""

    complete: int = 0
    pruned: int = 0
    failed: int = 0
    lost: int = 0
    stopped: int = 0
    seconds: float = 0.0
    drained: bool = False
    studies: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Worker:
    """One worker process.

    Attributes:
        database: where the studies are.
        find_objective: makes or finds the objective of a study; StudyRefused leaves it to other workers,
            any other error ends this one before it claims.
        stop: set it to drain: the point in work goes back, and `run` returns.
        device: what it computes on, for people.
        tell: told one line of text after each trial.
        name: unique among all workers.
    """

    database: Database
    find_objective: FindObjective
    stop: threading.Event
    device: str = "CPU"
    tell: Callable[[str], None] = log.info
    name: str = field(default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}")

    def run(self, studies: Callable[[], Sequence[StudyRecord]], *, forever: bool = False) -> WorkerSummary:
        """Work until every point of the studies is done or failed, or until told to stop.

        Args:
            studies: asked before each claim; the studies to serve, first served first.
            forever: wait for new studies instead of leaving.
        """
        summary = WorkerSummary()
        began = time.monotonic()
        try:
            while not self.stop.is_set():
                served = self._call(studies)
                if self._serve_one(served, summary):
                    continue
                self._call(lambda: [trials.sweep(self.database, study) for study in served])  # noqa: B023
                if not forever and self._all_settled(served):
                    break
                self._note("idle")
                self.stop.wait(
                    IDLE_FOREVER_SECONDS if forever and self._all_settled(served) else IDLE_SECONDS
                )
        except (Drained, DatabaseAwayError):
            if not self.stop.is_set():
                raise
        summary.drained = self.stop.is_set()
        summary.seconds = time.monotonic() - began
        self._say_goodbye()
        return summary

    def _serve_one(self, studies: Sequence[StudyRecord], summary: WorkerSummary) -> bool:
        for study in studies:
            if self.stop.is_set() or study.state != "open":
                continue
            if not self._has_work(study):
                continue
            try:
                objective = self.find_objective(study)
            except StudyRefused:
                continue
            token = str(uuid.uuid4())
            claim = self._call(
                partial(points.claim_point, self.database, study, worker=self.name, token=token)
            )
            if claim is not None:
                if study.name not in summary.studies:
                    summary.studies.append(study.name)
                self._work(study, claim, objective, summary)
                return True
        return False

    def _work(self, study: StudyRecord, claim: Claim, objective: Objective, summary: WorkerSummary) -> None:
        began = time.monotonic()
        trial_id: int | None = None
        hold = partial(self._hold, study, claim)
        try:
            with Lease(hold, study.spec.study.lease_seconds, stop=self.stop) as lease:
                trial_id, number, params = self._start(study, claim)
                attempt = Attempt(
                    self.database, study, claim, trial_id, params, lease, make_pruner(study.spec.pruner)
                )
                line = self._evaluate(attempt, objective, summary)
            self.tell(
                f"{study.name} trial {number} (point {claim.point}) {line}, {time.monotonic() - began:.1f} s"
            )
        except LeaseLostError:
            summary.lost += 1
            self.tell(f"{study.name} point {claim.point}: lease lost, result dropped")
            self._end(trial_id, trials.LOST)
        except Drained:
            summary.stopped += 1
            self._release(claim, trial_id)
            self.tell(f"{study.name} point {claim.point}: given back")

    def _start(self, study: StudyRecord, claim: Claim) -> tuple[int, int, dict[str, object]]:
        spec = study.spec
        trial_id, number = self._call(
            lambda: trials.start_trial(self.database, study, claim, distributions(spec), self.name)
        )
        self._call(lambda: points.note_trial(self.database, claim, trial_id=trial_id, trial_number=number))
        params = claim.params
        if params is None:
            params = self._call(lambda: draw_params(self.database, study, claim.point, trial_id))
            self._call(lambda: points.keep_params(self.database, claim, params))
        return trial_id, number, params

    def _evaluate(self, attempt: Attempt, objective: Objective, summary: WorkerSummary) -> str:
        try:
            outcome = objective.evaluate(attempt)
        except Pruned as pruned:
            value = pruned.value if pruned.value == pruned.value else None
            attempt.finish(PRUNED, value)
            self._call(lambda: trials.settle_trial(self.database, attempt.trial_id, PRUNED, value))
            summary.pruned += 1
            return "pruned (not a number)" if value is None else f"pruned at {value:.4f}"
        except (LeaseLostError, Drained, DatabaseAwayError):
            raise
        except Exception as error:
            log.debug("The objective failed.", exc_info=True)
            summary.failed += 1
            return self._fail(attempt, error)
        self._finish(attempt, outcome)
        summary.complete += 1
        return f"complete at {outcome.value:.4f} (epoch {outcome.best_epoch})"

    def _finish(self, attempt: Attempt, outcome: Outcome) -> None:
        attempt.keep_predictions(outcome.predictions)
        attributes = {
            "best_epoch": outcome.best_epoch,
            "fold_values": list(outcome.fold_values),
            "details": {**outcome.details, "device": self.device, "versions": library_versions()},
        }
        attempt.note(attributes)
        attempt.finish(COMPLETE, outcome.value)
        self._call(lambda: trials.settle_trial(self.database, attempt.trial_id, COMPLETE, outcome.value))

    def _fail(self, attempt: Attempt, error: Exception) -> str:
        text = f"{type(error).__name__}: {error}"[:ERROR_CHARACTERS]
        retries = attempt.study.spec.study.retries
        attempt.note({trials.ERROR: text})
        settled = self._call(
            lambda: points.fail_point(self.database, attempt.claim, error=text, retries=retries)
        )
        self._end(attempt.trial_id, trials.FAILED)
        return f"failed{' for good' if settled else ', will be tried again'}: {text}"

    def _release(self, claim: Claim, trial_id: int | None) -> None:
        try:
            # A worker that is being stopped waits a moment for the database, not for ever: the lease runs out anyway.
            wait_for(lambda _: points.release_point(self.database, claim), give_up_after=5)
            if trial_id is not None:
                wait_for(lambda _: trials.end_trial(self.database, trial_id, trials.STOPPED), give_up_after=5)
        except (LeaseLostError, DatabaseAwayError):
            log.warning("The point could not be given back; it is free when its lease runs out.")

    def _end(self, trial_id: int | None, outcome: str) -> None:
        if trial_id is not None:
            self._call(lambda: trials.end_trial(self.database, trial_id, outcome))

    def _hold(self, study: StudyRecord, claim: Claim, lease_seconds: float) -> None:
        points.beat(self.database, claim, lease_seconds=lease_seconds)
        self._note("working", study.uuid, claim.point)

    def _has_work(self, study: StudyRecord) -> bool:
        counts = self._call(lambda: points.count_points(self.database, study.uuid))
        return counts.open + counts.running > 0

    def _all_settled(self, studies: Sequence[StudyRecord]) -> bool:
        counts = [self._call(partial(points.count_points, self.database, study.uuid)) for study in studies]
        return all(
            count.is_settled or (study.state != "open" and not count.running)
            for study, count in zip(studies, counts, strict=True)
        )

    def _note(self, state: str, study_uuid: str | None = None, point: int | None = None) -> None:
        fleet.note_worker(
            self.database,
            worker=self.name,
            host=socket.gethostname(),
            pid=os.getpid(),
            device=self.device,
            state=state,
            versions=library_versions(),
            study_uuid=study_uuid,
            point=point,
        )

    def _say_goodbye(self) -> None:
        try:
            wait_for(lambda _: self._note("gone"), give_up_after=2)
        except DatabaseAwayError:
            log.debug("The database is away; nobody hears the goodbye.")

    def _call(self, call: Callable[[], Result]) -> Result:
        return wait_for(lambda _: call(), stopped=self.stop.is_set)
