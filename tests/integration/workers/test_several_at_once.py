"""One process that works on several trials at the same time, with objectives that train nothing."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orchestrator.studies.verify import verify_study
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.errors import DeviceError
from storage.results.ledger import read_curves
from storage.states import PointState, WorkerState
from storage.studies import points
from storage.studies import study as studies
from storage.studies.point_records import PointRecord
from storage.studies.workers import list_workers, note_worker
from tests import light_worker
from tests.studies import PretendObjective, expire, make_study, processes, rising_auc
from workers.attempts.attempt import Attempt, Pruned
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker, WorkerSummary


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    """An open database with orch's tables."""
    with closing(open_database(sqlite_url)) as opened:
        yield opened


def work(
    database: Database,
    study: studies.StudyRecord,
    at_once: int,
    *,
    stop: threading.Event | None = None,
    told: list[str] | None = None,
    **objective: Any,
) -> WorkerSummary:
    """Run one worker until the study is settled or `stop` is set."""
    tell = (told if told is not None else []).append
    here = Circumstances(database, stop or threading.Event(), tell=tell, at_once=at_once, device="GPU 0")
    worker = Worker(here, lambda _: PretendObjective(**objective))
    return worker.run(lambda: [studies.load_study(database, study.name)])


def values_of(database: Database, study: studies.StudyRecord) -> dict[int, float | None]:
    return {record.point: record.value for record in points.list_points(database, study.uuid)}


def test_trials_are_worked_on_side_by_side_and_have_the_values_they_have_alone(database_url: str) -> None:
    with closing(open_database(database_url)) as database:
        work_side_by_side(database)


def work_side_by_side(database: Database) -> None:
    alone, together = make_study(database, "alone", points=5), make_study(database, "together", points=5)
    work(database, alone, 1)
    meeting = threading.Barrier(3, timeout=20)
    held: list[set[int]] = []

    def meet_two_others(attempt: Attempt) -> None:
        if attempt.point < 3:
            meeting.wait()
            records = points.list_points(database, together.uuid)
            held.append({record.point for record in records if record.state == PointState.CLAIMED})
            meeting.wait()

    summary = work(database, together, 3, before=meet_two_others)
    assert held == [{0, 1, 2}] * 3, "a point and a lease for each, and no more than asked for"
    assert (summary.complete, summary.failed, summary.stopped, summary.studies) == (5, 0, 0, ["together"])
    assert values_of(database, together) == values_of(database, alone)
    seconds = {row.seconds for row in read_curves(database, together.uuid)}
    assert 0.5 / 3 in seconds, "shared out among three"
    assert seconds <= {0.5 / count for count in (1, 2, 3)}
    assert database.engine.pool.size() == 3, "a session for each"  # type: ignore[attr-defined]
    assert len(list_workers(database)) == 2, "one worker, whatever the number of its trials"


def test_what_ends_one_trial_does_not_touch_the_others(database: Database) -> None:
    study = make_study(database, points=4, **{"study.retries": 0})

    def end_two(attempt: Attempt) -> None:
        if attempt.point == 1:
            raise ValueError("of this trial alone")
        if attempt.point == 2:
            raise Pruned(math.nan)

    summary = work(database, study, 4, before=end_two)
    assert (summary.complete, summary.pruned, summary.failed) == (2, 1, 1)
    records = points.list_points(database, study.uuid)
    assert "of this trial alone" in str(records[1].error)
    assert [record.value is None for record in records] == [False, True, True, False]
    expected = sum(rising_auc(3, fold, 3) for fold in range(3)) / 3
    assert records[3].value == pytest.approx(expected)


def test_a_dead_device_gives_all_of_them_back(database: Database) -> None:
    study = make_study(database, points=6)
    meeting = threading.Barrier(3, timeout=20)

    def die(attempt: Attempt) -> None:
        meeting.wait()
        raise RuntimeError("CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access was encountered")

    with pytest.raises(DeviceError):
        work(database, study, 3, before=die)
    records = points.list_points(database, study.uuid)
    assert {record.state for record in records} == {PointState.OPEN}
    assert sum(record.failures for record in records) == 0
    assert [record.attempt for record in records] == [1, 1, 1, 0, 0, 0], "and no further one is taken"


def test_a_trial_for_which_the_memory_is_not_enough_beside_others_is_tried_beside_fewer(
    database: Database,
) -> None:
    study = make_study(database, points=6, **{"study.retries": 0})
    at_work: set[int] = set()
    most: list[int] = []
    all_four = threading.Barrier(4, timeout=60)

    def exhaust(attempt: Attempt) -> None:
        at_work.add(attempt.point)
        if not most:
            all_four.wait()
        most.append(len(at_work))
        try:
            if len(at_work) > 2:
                raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate")
        finally:
            time.sleep(0.05)
            at_work.discard(attempt.point)

    told: list[str] = []
    summary = work(database, study, 4, before=exhaust, told=told)
    assert (summary.complete, summary.failed) == (6, 0), "no trial is charged with its neighbours' memory"
    assert max(most) == 4
    assert most[-1] <= 2
    assert "Going on with 2 trials at a time." in told


def test_a_worker_told_to_stop_gives_all_of_them_back(database: Database) -> None:
    study = make_study(database, points=6)
    stop = threading.Event()
    meeting = threading.Barrier(3, action=stop.set, timeout=20)
    summary = work(database, study, 3, stop=stop, before=lambda attempt: meeting.wait() and None)
    assert (summary.drained, summary.stopped, summary.complete) == (True, 3, 0)
    records = points.list_points(database, study.uuid)
    assert {record.state for record in records} == {PointState.OPEN}
    work(database, study, 3)
    assert points.count_points(database, study.uuid).complete == 6


def run_until_it_leaves(
    database: Database,
    study: studies.StudyRecord,
    leaving: threading.Event,
    here: Circumstances,
    **objective: Any,
) -> threading.Thread:
    """Run a worker in a thread until it says that it would end its process; returns the thread, which goes on here."""
    worker = Worker(here, lambda _: PretendObjective(**objective))
    thread = threading.Thread(
        target=lambda: worker.run(lambda: [studies.load_study(database, study.name)]), daemon=True
    )
    thread.start()
    assert leaving.wait(30)
    return thread


def test_a_trial_that_hangs_ends_the_process_and_the_others_are_given_back_before(database: Database) -> None:
    study = make_study(database, points=3)
    leaving, back = threading.Event(), threading.Event()
    states: list[list[str]] = []

    begun: set[int] = set()

    def hang_or_go_on(attempt: Attempt) -> None:
        begun.add(attempt.point)
        while not back.is_set():
            if attempt.point == 1 and len(begun) == 3:
                back.wait(60)
            attempt.lease.watchdog.hear()
            time.sleep(0.02)

    def leave() -> None:
        states.append([str(record.state) for record in points.list_points(database, study.uuid)])
        leaving.set()
        back.wait(60)

    told: list[str] = []
    here = Circumstances(database, tell=told.append, at_once=3, silence_seconds=0.5, hung=leave)
    try:
        thread = run_until_it_leaves(database, study, leaving, here, before=hang_or_go_on)
        assert states == [["open", "claimed", "open"]], "one alone is charged with what it did to the process"
        assert "no progress of the training for" in " ".join(told)
    finally:
        here.stop.set()
        back.set()
    thread.join(30)
    assert not thread.is_alive(), "else it meets the end of the database"


def test_when_the_grace_period_ends_a_trial_that_cannot_be_given_back_holds_no_other_one_up(
    database: Database,
) -> None:
    study = make_study(database, points=3)
    leaving, back = threading.Event(), threading.Event()
    with database.transaction() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER refuse BEFORE UPDATE ON orch_points WHEN OLD.point = 0 AND NEW.state = 'open' "
            "BEGIN SELECT RAISE(ABORT, 'not this one'); END"
        )
    stop = threading.Event()
    meeting = threading.Barrier(3, action=stop.set, timeout=20)

    def ignore(_: Attempt) -> None:
        meeting.wait()
        back.wait(60)

    here = Circumstances(database, stop, at_once=3, grace_seconds=0.5, overdue=leaving.set)
    try:
        thread = run_until_it_leaves(database, study, leaving, here, before=ignore)
        states = [str(record.state) for record in points.list_points(database, study.uuid)]
        assert states == ["claimed", "open", "open"]
    finally:
        with database.transaction() as connection:
            connection.exec_driver_sql("DROP TRIGGER refuse")
        back.set()
    thread.join(30)
    assert not thread.is_alive(), "else it meets the end of the database"


@pytest.mark.parametrize(("takes_several", "expected"), [(True, 2), (False, 1)])
def test_an_objective_that_takes_one_trial_gets_one(
    database: Database, takes_several: bool, expected: int
) -> None:
    study = make_study(database, points=4)
    at_work: set[int] = set()
    most: list[int] = []

    def count(attempt: Attempt) -> None:
        at_work.add(attempt.point)
        time.sleep(0.1)
        most.append(len(at_work))
        at_work.discard(attempt.point)

    told: list[str] = []
    work(database, study, 2, before=count, told=told, takes_several=takes_several)
    assert max(most) == expected
    assert sum("one at a time" in line for line in told) == (not takes_several)


def test_another_study_waits_until_the_trials_of_the_first_have_ended(database: Database) -> None:
    first, second = make_study(database, "first", points=3), make_study(database, "second", points=3)
    at_work: list[str] = []

    def remember(attempt: Attempt) -> None:
        at_work.append(attempt.study.name)
        time.sleep(0.1)
        assert len(set(at_work)) == 1
        at_work.remove(attempt.study.name)

    find: Callable[[studies.StudyRecord], PretendObjective] = lambda _: PretendObjective(before=remember)  # noqa: E731
    worker = Worker(Circumstances(database, at_once=2), find)
    summary = worker.run(lambda: [first, second])
    assert (summary.complete, summary.failed) == (6, 0)


def test_a_study_whose_open_trial_is_left_to_others_does_not_hold_up_another_one(database: Database) -> None:
    first, second = make_study(database, "first", points=1), make_study(database, "second", points=6)
    for number in range(first.spec.study.retries + 1):
        claim = points.claim_point(database, first, worker="this one", token=str(number))
        assert claim is not None
        points.fail_point(
            database, claim, error="it failed here", retries=first.spec.study.retries, is_proven=False
        )
    note_worker(
        database, worker="another", host="h", pid=1, device="", state=WorkerState.WORKING, versions={}, study_uuid=first.uuid
    )  # fmt: skip
    stop, found = threading.Event(), list[str]()
    meeting = threading.Barrier(3, timeout=20)

    def find(study: studies.StudyRecord) -> PretendObjective:
        found.append(study.name)
        return PretendObjective(before=lambda attempt: meeting.wait() and None)

    def note(kind: str, name: str) -> None:
        if points.count_points(database, second.uuid).is_settled:
            stop.set()

    worker = Worker(Circumstances(database, stop, at_once=3, notify=note), find)
    worker._record.failed_on[first.uuid] = {0}
    worker.run(lambda: [first, second])
    assert points.count_points(database, second.uuid).complete == 6
    assert found[0] == "first"


def test_of_a_killed_process_every_trial_is_taken_again_and_none_is_lost(
    sqlite_url: str, database: Database, tmp_path: Path
) -> None:
    undisturbed = make_study(database, "undisturbed", points=6)
    work(database, undisturbed, 1)
    study = make_study(database, points=6)
    doomed = processes.Process(
        target=light_worker.work, args=(sqlite_url, "small", 0.2, str(tmp_path)), kwargs={"at_once": 3}
    )
    doomed.start()
    while len(held := held_by_all(database, study)) < 3 or min(record.epoch for record in held) < 1:
        time.sleep(0.02)
    assert doomed.pid is not None
    os.kill(doomed.pid, signal.SIGKILL)
    doomed.join(20)
    assert {record.point for record in held_by_all(database, study)} == {0, 1, 2}
    for record in held_by_all(database, study):
        expire(database, points.Claim(study.uuid, record.point, record.attempt, str(record.token), None))
    summary = work(database, study, 3)
    assert (summary.complete, summary.failed, summary.lost) == (6, 0, 0)
    assert values_of(database, study) == values_of(database, undisturbed)
    assert [record.attempt for record in points.list_points(database, study.uuid)] == [2, 2, 2, 1, 1, 1]
    found = verify_study(database, study, [{"batch_size": 16 + number} for number in range(6)])
    assert found["problems"] == []


def held_by_all(database: Database, study: studies.StudyRecord) -> list[PointRecord]:
    records = points.list_points(database, study.uuid)
    return [record for record in records if record.state == PointState.CLAIMED]
