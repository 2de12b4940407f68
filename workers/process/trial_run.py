"""From a claim to a settled point: start the trial, evaluate it, and say what became of it.

The point is settled first and Optuna is told afterwards; an attempt that ends without a value says why before it gives
its point back. So whatever is cut off where, `storage.studies.sweeping` finds the truth.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from storage.database.trouble import described
from storage.database.waiting import wait_for
from storage.errors import (
    DatabaseAwayError,
    LeaseLostError,
    RecordGoneError,
    SickProcessError,
    UnpreparedError,
)
from storage.results.peers import EpochMeans
from storage.spec.distributions import distributions
from storage.states import AttemptEnd, PointOutcome
from storage.studies import chain, points, trials
from storage.studies.losses import take_back_loss
from storage.studies.points import Claim
from storage.studies.study import StudyRecord, stop_study
from storage.wording import say_duration
from workers.attempts.attempt import Attempt, Outcome, Pruned
from workers.attempts.lease import Drained, Lease
from workers.attempts.sampling import draw_params
from workers.device.words import shorten
from workers.objective.memory import describe_out_of_memory, free_memory
from workers.process.blame import Fault, broken, describe, find_fault, hear_witnesses, passes, try_device
from workers.process.circumstances import Circumstances
from workers.process.track_record import End, WorkerSummary
from workers.pruning.named import make_pruner

if TYPE_CHECKING:
    from workers.objective.keras_objective import Objective

log = logging.getLogger(__name__)

ERROR_CHARACTERS = 2000
FAILED_FOR_GOOD = "failed for good"
RELEASE_SECONDS = 3.0
"""A worker that is being stopped waits so long for the database, not for ever: the lease runs out anyway."""

Result = TypeVar("Result")


@dataclass
class TrialRun:
    """One attempt of one worker.

    Attributes:
        here: the worker's database, device and folder for checkpoints, and how it is told to stop.
        study: of which study.
        claim: the right to work on the point.
        objective: evaluates it.
        seconds_left: of the grace period, once the worker is told to stop.
        hold: holds the point for so many seconds.
        facts: what is kept with a complete trial besides what the objective says.
        forget_objective: frees what the objective holds, after it ran out of memory.
        peers: what this worker has read of the study's other points.
        count_at_once: how many trials the process works on now.
        release_others: gives the other trials of the process back, before it ends.
        has_company: whether it worked on another one meanwhile.
    """

    here: Circumstances
    study: StudyRecord
    claim: Claim
    objective: Objective
    seconds_left: Callable[[], float]
    hold: Callable[[float], None]
    facts: dict[str, object]
    forget_objective: Callable[[], None]
    peers: EpochMeans
    count_at_once: Callable[[], int] = lambda: 1
    release_others: Callable[[], None] = lambda: None
    has_company: bool = False
    trial_id: int | None = None
    trial_number: int | None = None

    @property
    def _name(self) -> str:
        """The study and its trial, for people; an attempt that ended before its trial was recorded has no number."""
        return f"{self.study.name} trial" + ("" if self.trial_number is None else f" {self.trial_number}")

    def run(self, summary: WorkerSummary) -> End:
        """Work on the point and settle it, or give it back; count and tell what became of it.

        Raises:
            DeviceError: the device does not work; the point went back unharmed.
            StorageError: the database refused; the point went back unharmed where it could.
        """
        began = time.monotonic()
        study, tell = self.study, self.here.tell
        lease_seconds = study.spec.study.lease_seconds
        try:
            with Lease(
                self.hold,
                lease_seconds,
                stop=self.here.stop,
                seconds_left=self.seconds_left,
                silence_seconds=self.here.silence_seconds,
                hangs=self._leave,
            ) as lease:
                try:
                    attempt = self._start(lease)
                    end, line = self._evaluate(attempt, summary)
                except (LeaseLostError, RecordGoneError, Drained):
                    raise
                except Exception as error:
                    if isinstance(error, DatabaseAwayError) and self.here.stop.is_set():
                        raise
                    return self._give_back(error, summary)
            seconds = time.monotonic() - began
            left = self.here.outlook(study)
            tell(f"{self._name} {line}, {say_duration(seconds)}{f'; {left}' if left else ''}")
        except RecordGoneError as gone:
            # Every further attempt would end so, and count as lost: nobody is to take another point.
            summary.lost += 1
            self.here.patience.wait(partial(stop_study, self.here.database, study))
            self.release()
            tell(f"{study.name}: stopped. {gone}")
            return End.LOST
        except LeaseLostError:
            summary.lost += 1
            tell(f"{self._name}: lease lost, result dropped")
            held = self.claim
            self.here.patience.wait(
                lambda: take_back_loss(self.here.database, held.study_uuid, held.point, held.token)
            )
            self._end(AttemptEnd.LOST)
            return End.LOST
        except (Drained, DatabaseAwayError):
            if not self.here.stop.is_set():
                raise
            summary.stopped += 1
            tell(f"{self._name}: {'given back' if self.release() else 'left behind'}")
            return End.GIVEN_BACK
        return end

    def release(self, reason: str | None = None, *, broke_down: int | None = None) -> bool:
        """Give the point back unharmed; False when the database does not answer, and the lease must run out.

        Args:
            reason: why, for people; None for a worker that was told to stop.
            broke_down: the epoch that the point had come to, where the device broke down.
        """
        trial_id = self.trial_id
        call = self._briefly if reason is None else self.here.patience.wait
        try:
            if trial_id is not None:
                call(
                    lambda: trials.note_outcome(
                        self.here.database, trial_id, AttemptEnd.STOPPED, error=reason, broke_down=broke_down
                    )
                )
            call(lambda: points.release_point(self.here.database, self.claim))
            if trial_id is not None:
                call(lambda: trials.end_trial(self.here.database, trial_id, AttemptEnd.STOPPED))
        except (LeaseLostError, DatabaseAwayError):
            log.warning(
                "The trial could not be given back; another worker can take it when its lease runs out."
            )
            return False
        return True

    def release_quietly(self) -> None:
        """As `release`, where whatever goes wrong changes nothing any more: the process ends."""
        try:
            self.release()
        except Exception:
            log.debug("The database refuses to take the trial back.", exc_info=True)

    def _give_back(self, error: Exception, summary: WorkerSummary) -> End:
        """What ended the attempt is not the trial's fault: give the point back, and say whether this process may go on."""
        fault, reason = find_fault(error), describe(error)[:ERROR_CHARACTERS]
        log.debug("The trial is given back.", exc_info=error)
        told = f"Not the trial's fault, but that of {fault.value}. {reason}"
        try:
            fate = (
                self._release_broken(told, reason)
                if fault is Fault.DEVICE
                else self._fate(self.release(told))
            )
        except Exception:
            log.debug("The database refuses this, too.", exc_info=True)
            fate = self._fate(False)
        summary.stopped += fate != FAILED_FOR_GOOD
        summary.failed += fate == FAILED_FOR_GOOD
        self.here.tell(f"{self._name}: {fate}, because of {fault.value}: {reason}")
        if fault is Fault.DEVICE:
            raise (
                error if isinstance(error, SickProcessError) else broken(self.here.device, reason)
            ) from error
        if fault is Fault.MEMORY and self.has_company:
            # The traceback holds the frames, and they hold the arrays.
            error.__traceback__ = None
            return End.CROWDED
        if passes(error):
            return End.GIVEN_BACK
        if fault is Fault.MACHINE and not isinstance(error, UnpreparedError):
            # What was damaged while it was in use was put aside: preparing the study again makes it again, or says what is wrong.
            self.forget_objective()
            return End.DAMAGED
        with described():
            raise error

    def _fate(self, given: bool) -> str:
        return "given back" if given else "left behind"

    def _release_broken(self, told: str, reason: str) -> str:
        """Give back a point with which the device broke down, unless it is the point that breaks devices down; what became of it."""
        here, claim = self.here, self.claim
        (point,) = here.patience.wait(
            lambda: points.list_points(here.database, claim.study_uuid, [claim.point])
        )
        known = here.patience.wait(lambda: hear_witnesses(here.database, self.study, here.name, here.device))
        if not known.breaks_devices(claim.point, point.epoch):
            return self._fate(self.release(told, broke_down=point.epoch))
        text = f"More than one device broke down with this trial, again and again. {reason}"
        self._settle_failed(text, retries=0, is_proven=True)
        return FAILED_FOR_GOOD

    def _start(self, lease: Lease) -> Attempt:
        spec = self.study.spec
        trial_id, number = self.here.patience.wait(
            lambda: trials.start_trial(
                self.here.database, self.study, self.claim, distributions(spec), self.here.name
            )
        )
        self.trial_id, self.trial_number = trial_id, number
        self.here.patience.wait(
            lambda: points.note_trial(self.here.database, self.claim, trial_id=trial_id, trial_number=number)
        )
        params = self.claim.params
        if params is None:
            params = self.here.patience.wait(
                lambda: draw_params(self.here.database, self.study, self.claim.point, trial_id)
            )
            self.here.patience.wait(partial(points.keep_params, self.here.database, self.claim, params))
        return Attempt(
            self.here.database,
            self.study,
            self.claim,
            trial_id,
            number,
            params,
            lease,
            make_pruner(spec.pruner, spec.training.epochs, keeps_best=spec.study.objective != "last"),
            self.here.artifacts,
            self.peers,
            self.count_at_once,
        )

    def _evaluate(self, attempt: Attempt, summary: WorkerSummary) -> tuple[End, str]:
        measured = self.study.spec.metric.measured
        try:
            with attempt.lease.watchdog, try_device(self.here.device):
                outcome = self.objective.evaluate(attempt)
            also = attempt.judge_further(outcome)
        except Pruned as pruned:
            value = pruned.value if pruned.value == pruned.value else None
            attempt.finish(PointOutcome.PRUNED, value)
            self.here.patience.wait(
                lambda: trials.settle_trial(
                    self.here.database,
                    attempt.trial_id,
                    PointOutcome.PRUNED,
                    # What the other objectives would have become is not known.
                    None if self.study.spec.further else value,
                )
            )
            self._link()
            attempt.checkpoint.remove()
            summary.pruned += 1
            return End.DONE, "pruned (not a number)" if value is None else f"pruned at {measured(value):.4f}"
        except (LeaseLostError, Drained):
            raise
        except Exception as error:
            fault = find_fault(error)
            if fault is not Fault.TRIAL and (fault is not Fault.MEMORY or self.has_company):
                raise
            log.debug("The objective failed.", exc_info=True)
            summary.failed += 1
            return self._fail(attempt, error, fault)
        self._finish(attempt, outcome, also)
        summary.complete += 1
        return End.DONE, f"complete at {measured(outcome.value):.4f} (epoch {outcome.best_epoch})"

    def _finish(self, attempt: Attempt, outcome: Outcome, also: dict[str, float]) -> None:
        attempt.keep_predictions(outcome.predictions)
        attempt.note(
            {
                **({trials.ALSO: also} if also else {}),
                "best_epoch": outcome.best_epoch,
                "fold_values": list(outcome.fold_values),
                "details": {**outcome.details, **self.facts},
            }
        )
        attempt.finish(PointOutcome.COMPLETE, outcome.value)
        self.here.patience.wait(
            lambda: trials.settle_trial(
                self.here.database,
                attempt.trial_id,
                PointOutcome.COMPLETE,
                outcome.value,
                list(also.values()),
            )
        )
        self._link()
        attempt.checkpoint.remove()

    def _link(self) -> None:
        """Take the settled trial into the chain of the study."""
        claim = self.claim
        self.here.patience.wait(lambda: chain.link_point(self.here.database, claim.study_uuid, claim.point))

    def _fail(self, attempt: Attempt, error: Exception, fault: Fault) -> tuple[End, str]:
        text = f"{type(error).__name__}: {error}"
        if fault is Fault.MEMORY:
            text = describe_out_of_memory(
                error,
                batch_size=attempt.hyperparameters.get("batch_size"),
                per_device=self.here.per_device,
                device=self.here.device,
            )
            # The traceback holds the frames, and they hold the arrays.
            error.__traceback__ = None
            self.forget_objective()
            free_memory()
        text = shorten(text, ERROR_CHARACTERS)
        # Before this failure is on record.
        known = self.here.patience.wait(
            lambda: hear_witnesses(self.here.database, self.study, self.here.name, self.here.device)
        )
        proven = known.is_proven(attempt.point, replaceable=self.here.is_replaceable)
        settled = self._settle_failed(text, retries=attempt.study.spec.study.retries, is_proven=proven)
        if settled:
            attempt.checkpoint.remove()
        end = End.FAILED_FOR_GOOD if settled else End.FAILED
        if fault is Fault.MEMORY:
            end = End.TOO_LARGE if settled else End.OUT_OF_MEMORY
        return end, f"failed{' for good' if settled else ', will be tried again'}: {text}"

    def _settle_failed(self, text: str, *, retries: int, is_proven: bool) -> bool:
        """Count a failure against the point; whether it is failed for good."""
        database, trial_id = self.here.database, self.trial_id
        assert trial_id is not None
        self.here.patience.wait(
            lambda: trials.note_outcome(database, trial_id, AttemptEnd.FAILED, error=text)
        )
        settled = self.here.patience.wait(
            lambda: points.fail_point(database, self.claim, error=text, retries=retries, is_proven=is_proven)
        )
        self._end(AttemptEnd.FAILED)
        if settled:
            self._link()
        return settled

    def _leave(self, seconds: float) -> None:
        """The training hangs: nothing but the end of the process ends a kernel that does not return."""
        self.here.tell(
            f"{self._name}: no progress of the training for {say_duration(seconds)}, so a computation on the device seems to "
            "hang. Leaving the trial to another process."
        )
        if self.here.hung is not None:
            # They may hang as well, on the same device, but one trial alone is to be charged with the end of its process.
            self.release_others()
            self.here.hung()

    def _end(self, outcome: AttemptEnd) -> None:
        trial_id = self.trial_id
        if trial_id is not None:
            self.here.patience.wait(lambda: trials.end_trial(self.here.database, trial_id, outcome))

    def _briefly(self, call: Callable[[], Result]) -> Result:
        return wait_for(lambda _: call(), give_up_after=RELEASE_SECONDS)
