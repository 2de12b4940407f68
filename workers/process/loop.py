"""The loop of one worker process: claim a point, evaluate it, settle it; until every point is settled."""

from __future__ import annotations

import importlib
import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, TypeVar

from storage.errors import (
    DatabaseAwayError,
    DeviceSettledError,
    OrchError,
    SickProcessError,
    SpentProcessError,
    UnpreparedError,
)
from storage.growth.adoption import adopt_enqueued, find_with_enqueued
from storage.growth.part_specs import may_have_parts
from storage.growth.parts import FindDataset, is_left, make_missing_part, makes_parts
from storage.results.judged import judged_epoch
from storage.results.peers import EpochMeans
from storage.states import StudyState, WorkerState
from storage.studies import points
from storage.studies import workers as fleet
from storage.studies.points import Claim
from storage.studies.study import StudyRecord
from storage.studies.study_records import growth_of
from storage.studies.sweeping import sweep_beside_others
from storage.wording import say_count
from workers.attempts.lease import Drained
from workers.device.versions import library_versions
from workers.objective.memory import free_memory
from workers.process.circumstances import Circumstances
from workers.process.claiming import claim_next
from workers.process.grace import Grace
from workers.process.messages import CLAIMED, PROGRESS, SETTLED
from workers.process.preparing import refuse_what_does_not_fit, saying_so, set_aside
from workers.process.presence import Presence
from workers.process.side_by_side import Places
from workers.process.track_record import End, TrackRecord, WorkerSummary
from workers.process.trial_run import RELEASE_SECONDS, TrialRun

if TYPE_CHECKING:
    from workers.objective.keras_objective import Objective

__all__ = ["StudyRefused", "Worker", "WorkerSummary"]

FIRST_IDLE_SECONDS = 0.5
LONGEST_IDLE_SECONDS = 10.0
LONGEST_IDLE_FOREVER_SECONDS = 30.0
ADOPTION_SECONDS = 5.0
"""A worker looks so often for trials that somebody enqueued in Optuna."""
LOOK_AGAIN_SECONDS = 600.0
"""A study that was finished is counted again so often: a database that was restored from a backup, or a standby that took over,
may have lost its last trials."""
CLAIM_TRIES_PER_SECOND = 20.0
"""How often a worker without work looks: less and less often, and the fewer times the more of them do, so that a thousand
leave the database alone and the fleet still sees what there is within a moment."""

Result = TypeVar("Result")
FindObjective = Callable[[StudyRecord], "Objective"]


class StudyRefused(OrchError):
    """This machine cannot serve the study; others may."""


@dataclass(frozen=True)
class Worker:
    """One worker process.

    Attributes:
        here: the database, the device, how it is told to stop, and who hears of it.
        find_objective: makes or finds the objective of a study; StudyRefused leaves it to other workers,
            any other error ends this one before it claims.
        forget_objective: frees what `find_objective` made, after it ran out of memory.
        find_dataset: the data of a study on this machine, by which the folds of its parts are noted.
    """

    here: Circumstances
    find_objective: FindObjective
    forget_objective: Callable[[], None] = lambda: None
    find_dataset: FindDataset = lambda _: None
    _settled: dict[str, int] = field(default_factory=dict)
    _adopted_at: list[float] = field(default_factory=lambda: [0.0])
    _look_again_at: list[float] = field(default_factory=lambda: [0.0])
    _runs: list[TrialRun] = field(default_factory=list)
    _peers: dict[str, list[EpochMeans]] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _alone: set[str] = field(default_factory=set)
    _leaving: threading.Event = field(default_factory=threading.Event)
    _record: TrackRecord = field(default_factory=TrackRecord)

    def run(self, studies: Callable[[], Sequence[StudyRecord]], *, forever: bool = False) -> WorkerSummary:
        """Work until every point of the studies is done or failed, or until told to stop.

        Args:
            studies: asked before each claim; the studies to serve, first served first.
            forever: wait for new studies instead of leaving.
        """
        # Optuna imports it late, in this thread, while others make queries: those would find half of it (AttributeError).
        importlib.import_module("sqlalchemy.orm")
        summary = WorkerSummary()
        began = time.monotonic()
        with Grace(
            self.here.stop, self.here.grace_seconds, self._give_up if self.here.overdue else None
        ) as grace:
            try:
                if self.here.at_once > 1:
                    self.here.database.keep_sessions(self.here.at_once)
                self._presence.begin()
                with self._places:
                    self._serve(studies, summary, grace, forever=forever)
            except (Drained, DatabaseAwayError):
                if not self.here.stop.is_set():
                    raise
            except (DeviceSettledError, SpentProcessError, SickProcessError, UnpreparedError):
                self._presence.end()
                raise
            summary.drained = self.here.stop.is_set()
            summary.seconds = time.monotonic() - began
            self._presence.end()
        return summary

    def _serve(
        self,
        studies: Callable[[], Sequence[StudyRecord]],
        summary: WorkerSummary,
        grace: Grace,
        *,
        forever: bool,
    ) -> None:
        idle = FIRST_IDLE_SECONDS
        while not self.here.stop.is_set():
            self._wait_for_room()
            served = self._take_note_of_additions(self.here.patience.wait(studies), studies)
            if self._serve_one(served, summary, grace):
                idle = FIRST_IDLE_SECONDS
                continue
            if self._places.is_any_taken:
                self._places.wait_for_one(idle)
                idle = min(idle * 1.6, LONGEST_IDLE_SECONDS)
                continue
            all_settled = self._settle(served)
            if not forever:
                if all_settled and not self._adopt(served):
                    break
                refuse_what_does_not_fit(self._record, self._unsettled(served))
            self.here.patience.wait(lambda: self._presence.note(WorkerState.IDLE))
            longest = self._longest_idle(served, all_settled=all_settled)
            crowd = (
                self.here.patience.wait(partial(fleet.count_idle, self.here.database))
                / CLAIM_TRIES_PER_SECOND
            )
            self.here.stop.wait(max(min(idle, longest), crowd) * random.uniform(0.8, 1.2))
            idle = min(idle * 1.6, longest)

    @cached_property
    def _presence(self) -> Presence:
        return Presence(self.here)

    @cached_property
    def _places(self) -> Places[End]:
        return Places(self.here.at_once)

    def _wait_for_room(self) -> None:
        if self._places.wait_for_room():
            self.forget_objective()
            free_memory()
            self.here.tell(f"Going on with {say_count(self._places.count, 'trial')} at a time.")

    def _take_note_of_additions(
        self, served: Sequence[StudyRecord], studies: Callable[[], Sequence[StudyRecord]]
    ) -> Sequence[StudyRecord]:
        """Adopt what was enqueued in Optuna, now and then, and look again at finished studies that have grown, and rarely at all."""
        if time.monotonic() >= self._look_again_at[0]:
            self._look_again_at[0] = time.monotonic() + LOOK_AGAIN_SECONDS
            self._settled.clear()
        if time.monotonic() >= self._adopted_at[0] and self._adopt(served):
            served = self.here.patience.wait(studies)
        for study in served:
            if self._settled.get(study.uuid, 0) < len(growth_of(study)):
                self._settled.pop(study.uuid, None)
        return served

    def _adopt(self, served: Sequence[StudyRecord]) -> bool:
        """Make points of the trials that somebody enqueued; whether there were any."""
        self._adopted_at[0] = time.monotonic() + ADOPTION_SECONDS
        waiting = self.here.patience.wait(partial(find_with_enqueued, self.here.database, served))
        adopted = [
            self.here.patience.wait(partial(adopt_enqueued, self.here.database, study)) for study in waiting
        ]
        return any(adopted)

    def _serve_one(
        self, studies: Sequence[StudyRecord], summary: WorkerSummary, grace: Grace | None = None
    ) -> bool:
        for study in studies:
            if self._leaving.is_set():
                return False
            if self.here.stop.is_set() or study.state != StudyState.OPEN or study.uuid in self._settled:
                continue
            if not self.here.patience.wait(
                partial(
                    points.is_any_claimable, self.here.database, study.uuid, study.spec.study.lease_seconds
                )
            ):
                continue
            if self._record.is_aside(study.uuid):
                continue
            if self._record.is_left_to_others(study.uuid) and self._places.works_on_other_than(study.uuid):
                # Else each look at it would wait until all trials of the other study have ended.
                continue
            # One objective at a time, for memory's sake.
            self._places.wait_for_others_than(study.uuid)
            try:
                with saying_so(partial(self._presence.note, WorkerState.PREPARING, study.uuid)):
                    objective = self.find_objective(study)
            except (StudyRefused, Drained, DeviceSettledError) as error:
                if isinstance(error, StudyRefused):
                    continue
                raise
            except Exception as error:
                set_aside(self._record, self.here, study, error, self.forget_objective)
                continue
            claim = claim_next(self.here, study, self._record)
            if claim is None:
                self._record.leave_to_others(study.uuid)
            else:
                whole = self._name_whole(study, studies)
                if whole not in summary.studies:
                    summary.studies.append(whole)
                self.here.notify(CLAIMED, whole)
                self.here.patience.wait(
                    partial(self._presence.note, WorkerState.WORKING, study.uuid, claim.point)
                )
                self._places.put(
                    partial(self._work, study, claim, objective, summary, grace),
                    partial(self._conclude, study, claim, whole),
                    study.uuid,
                    alone=self._takes_one(study, objective),
                )
                return True
        return False

    def _takes_one(self, study: StudyRecord, objective: Objective) -> bool:
        """Whether trials of this study are trained one at a time whatever this process was told; it is said once."""
        if self.here.at_once == 1 or objective.takes_several:
            return False
        if study.uuid not in self._alone:
            self._alone.add(study.uuid)
            self.here.tell(f"{study.name}: trains whole networks, so its trials are trained one at a time.")
        return True

    def _conclude(self, study: StudyRecord, claim: Claim, whole: str, end: End) -> None:
        self._learn(study, claim, end, whole)
        if self.here.after_trial is not None and not self.here.stop.is_set():
            self.here.after_trial(study)

    def _learn(self, study: StudyRecord, claim: Claim, end: End, whole: str) -> None:
        """Draw the conclusions from what became of a trial.

        Raises:
            SickProcessError: too many different trials failed in a row.
            SpentProcessError: memory ran out, and a new process has all of it again.
            UnpreparedError: what trials read was damaged too many times in a row.
        """
        if end in (End.DONE, End.FAILED_FOR_GOOD, End.TOO_LARGE, End.LOST):
            self.here.notify(PROGRESS, whole)
        if end is End.DONE:
            self._record.note_success()
        elif end in (End.OUT_OF_MEMORY, End.TOO_LARGE) and self.here.is_replaceable:
            # JAX gives no memory back to the driver while its process lives, and another process may share the device.
            raise SpentProcessError(
                "The memory was not enough for a trial, and this process keeps what it took."
            )
        elif end in (End.FAILED, End.FAILED_FOR_GOOD, End.OUT_OF_MEMORY, End.TOO_LARGE):
            self._record.note_failure(study.uuid, claim.point)
        elif end is End.DAMAGED:
            self._record.note_damage()
        elif end is End.CROWDED:
            self._places.halve()
        if end in (End.GIVEN_BACK, End.DAMAGED) and not self.here.stop.is_set():
            self.here.stop.wait(self._record.pause())

    def _work(
        self,
        study: StudyRecord,
        claim: Claim,
        objective: Objective,
        summary: WorkerSummary,
        grace: Grace | None,
    ) -> End:
        peers = self._peers.setdefault(study.uuid, [])
        run = TrialRun(
            here=self.here,
            study=study,
            claim=claim,
            objective=objective,
            seconds_left=grace.seconds_left if grace else lambda: 0.0,
            hold=partial(self._hold, study, claim),
            facts={"device": self.here.device, "versions": library_versions()},
            forget_objective=self.forget_objective,
            peers=peers.pop() if peers else EpochMeans(),
            count_at_once=lambda: len(self._runs),
            release_others=lambda: self._release([other for other in self._runs if other is not run]),
        )
        own = WorkerSummary()
        with self._guard:
            self._runs.append(run)
            for one in self._runs:
                one.has_company |= len(self._runs) > 1
        try:
            return run.run(own)
        finally:
            with self._guard:
                self._runs.remove(run)
                summary.add(own)
            peers.append(run.peers)

    def _settle(self, studies: Sequence[StudyRecord]) -> bool:
        """Tidy up what killed workers left, and find out whether anything is left to do.

        A study is counted before it is swept: what is settled then and swept afterwards needs nobody any more. One whose parts are not
        made or not worked off is not settled.
        """
        all_settled = True
        for study in studies:
            if study.uuid in self._settled:
                continue
            counts = self.here.patience.wait(partial(points.count_points, self.here.database, study.uuid))
            nothing_left = self.here.patience.wait(partial(sweep_beside_others, self.here.database, study))
            if counts.is_settled and nothing_left:
                if self._continue(study):
                    all_settled = False
                    continue
                self._settled[study.uuid] = len(growth_of(study))
                if not study.spec.study.part_of:
                    self.here.notify(SETTLED, study.name)
            elif study.state == StudyState.OPEN or counts.running or not nothing_left:
                all_settled = False
        return all_settled

    def _continue(self, study: StudyRecord) -> bool:
        """Make the part that follows from a finished study; whether a part is left to work off, as long as the study is not stopped."""
        makes = makes_parts(study.spec)
        if study.state != StudyState.OPEN or not (makes or may_have_parts(study)):
            return False
        if makes:
            self.here.patience.wait(
                partial(make_missing_part, self.here.database, study, judged_epoch, self.find_dataset(study))
            )
        return self.here.patience.wait(partial(is_left, self.here.database, study))

    def _name_whole(self, study: StudyRecord, studies: Sequence[StudyRecord]) -> str:
        """The study's own name; of a part, that of the study which it is a part of."""
        return next((one.name for one in studies if one.uuid == study.spec.study.part_of), study.name)

    def _unsettled(self, studies: Sequence[StudyRecord]) -> list[StudyRecord]:
        return [
            study for study in studies if study.state == StudyState.OPEN and study.uuid not in self._settled
        ]

    def _longest_idle(self, studies: Sequence[StudyRecord], *, all_settled: bool) -> float:
        if all_settled:
            return LONGEST_IDLE_FOREVER_SECONDS
        # A point whose worker vanished should not wait much longer than its lease.
        leases = [study.spec.study.lease_seconds for study in studies if study.uuid not in self._settled]
        return min([LONGEST_IDLE_SECONDS, *(lease / 2 for lease in leases)])

    def _hold(self, study: StudyRecord, claim: Claim, lease_seconds: float) -> None:
        points.beat(self.here.database, claim, lease_seconds=lease_seconds)
        self._presence.note(WorkerState.WORKING, study.uuid, claim.point)
        said = self.here.meanwhile(study, claim.point)
        if said:
            self.here.tell(f"{study.name} {said}")

    def _release(self, runs: Iterable[TrialRun]) -> None:
        """Give trials back before the process ends, and take none: one beside the other, as the database may be away."""
        self._leaving.set()
        threads = [threading.Thread(target=run.release_quietly, daemon=True) for run in runs]
        for thread in threads:
            thread.start()
        end = time.monotonic() + RELEASE_SECONDS
        for thread in threads:
            thread.join(max(end - time.monotonic(), 0.0))

    def _give_up(self) -> None:
        self._release(list(self._runs))
        self.here.tell("the grace period ended before the epoch did: leaving")
        assert self.here.overdue is not None
        self.here.overdue()
