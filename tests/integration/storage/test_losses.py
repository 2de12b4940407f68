"""Many losses in a row fail a point only with proof that its last holder is gone: a live one that was late is no proof."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest
import sqlalchemy as sa

from storage.database import tables
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.own_processes import is_alive
from storage.states import WorkerState
from storage.studies import points
from storage.studies import workers as fleet
from storage.studies.losses import MAX_LOSSES, PATIENCE, PROOF_SECONDS, take_back_loss
from storage.studies.points import Claim
from storage.studies.study import StudyRecord
from storage.studies.workers import LIVELY_SECONDS
from tests.studies import claim, expire, make_study


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with closing(open_database(database_url)) as opened:
        yield opened


def note(database: Database, worker: str, state: WorkerState = WorkerState.WORKING, pid: int = 1) -> None:
    fleet.note_worker(
        database, worker=worker, host=socket.gethostname(), pid=pid, device="CPU", state=state, versions={}
    )


def state_of(database: Database, study: StudyRecord) -> tuple[str, int]:
    record = points.list_points(database, study.uuid)[0]
    return record.state, record.losses


def sweep(database: Database, study: StudyRecord) -> None:
    with database.transaction() as connection:
        points.expire_leases(connection, study.uuid, database.now(connection))


def lose_all_but_one(database: Database, study: StudyRecord) -> Claim:
    """As many losses as a point may have, and the claim of a live worker that is the last to lose it."""
    note(database, "slow")
    for _ in range(MAX_LOSSES - 1):
        expire(database, claim(database, study, worker="slow"))
    return claim(database, study, worker="slow")


def test_a_live_worker_that_beats_late_keeps_its_point(database: Database) -> None:
    study = make_study(database, points=1)
    held = lose_all_but_one(database, study)
    expire(database, held)
    sweep(database, study)
    assert state_of(database, study) == ("claimed", MAX_LOSSES - 1), "in doubt"
    points.beat(database, held, lease_seconds=5)
    sweep(database, study)
    assert state_of(database, study) == ("claimed", MAX_LOSSES - 1)


def test_a_worker_that_is_gone_or_silent_for_long_is_proof(database: Database) -> None:
    study = make_study(database, points=1)
    held = lose_all_but_one(database, study)
    expire(database, held)
    note(database, "slow", WorkerState.GONE)
    sweep(database, study)
    assert state_of(database, study) == ("failed", MAX_LOSSES)
    other = make_study(database, "other", points=1)
    held = lose_all_but_one(database, other)
    points.beat(database, held, lease_seconds=-PROOF_SECONDS - 1)
    sweep(database, other)
    assert state_of(database, other) == ("failed", MAX_LOSSES)
    error = str(points.list_points(database, other.uuid)[0].error)
    assert "out of memory" not in error
    assert "without finishing an epoch" in error


def test_a_holder_that_was_only_late_takes_its_loss_back(database: Database) -> None:
    study = make_study(database, points=1)
    late = claim(database, study, worker="late")
    take_back_loss(database, study.uuid, 0, late.token)
    assert state_of(database, study) == ("claimed", 0), "nothing was counted"
    expire(database, late)
    next_one = claim(database, study, worker="next")
    assert state_of(database, study) == ("claimed", 1)
    take_back_loss(database, study.uuid, 0, late.token)
    assert state_of(database, study) == ("claimed", 0)
    take_back_loss(database, study.uuid, 0, next_one.token)
    assert state_of(database, study) == ("claimed", 0)


def test_a_new_process_says_the_goodbye_of_those_that_crashed_on_its_machine(database: Database) -> None:
    crashed = subprocess.Popen([sys.executable, "-S", "-c", "pass"])
    crashed.wait()
    note(database, "crashed", pid=crashed.pid)
    note(database, "alive", pid=os.getpid())
    assert fleet.note_the_dead(database, "another host", is_alive) == 0
    assert fleet.note_the_dead(database, socket.gethostname(), is_alive) == 1
    states = {record.worker: record.state for record in fleet.list_workers(database)}
    assert states == {"crashed": WorkerState.GONE, "alive": WorkerState.WORKING}


def test_a_sweep_of_one_study_touches_no_other(database: Database) -> None:
    mine, other = make_study(database, "mine", points=2), make_study(database, "other", points=2)
    for study in (mine, other):
        expire(database, claim(database, study))
    kept = claim(database, other, worker="live")
    before = points.list_points(database, other.uuid)
    sweep(database, mine)
    assert state_of(database, mine) == ("open", 1)
    assert points.list_points(database, other.uuid) == before
    points.beat(database, kept, lease_seconds=5)


def test_the_sixth_loss_in_a_row_is_the_last_and_an_epoch_of_progress_begins_anew(database: Database) -> None:
    study = make_study(database, points=1)
    for losses in range(1, MAX_LOSSES):
        held = claim(database, study)
        expire(database, held)
        sweep(database, study)
        record = points.list_points(database, study.uuid)[0]
        assert (record.state, record.losses, record.token, record.worker) == ("open", losses, None, None)
        assert record.error is None
    held = claim(database, study)
    with database.transaction() as connection:
        points.note_progress(connection, held, epoch=1, expires_at=database.clock - 1)
    sweep(database, study)
    assert state_of(database, study) == ("open", 1)
    for _ in range(MAX_LOSSES - 1):
        expire(database, claim(database, study))
        sweep(database, study)
    record = points.list_points(database, study.uuid)[0]
    assert (record.state, record.losses, record.expires_at) == ("failed", MAX_LOSSES, None)
    assert record.finished_at is not None
    assert f"lost {MAX_LOSSES} times in a row" in str(record.error)


@pytest.mark.parametrize("is_lively", [True, False])
def test_a_device_that_serves_and_never_tries_holds_a_point_open_for_a_while_and_a_dead_one_does_not(
    database: Database, is_lively: bool
) -> None:
    study = make_study(database, points=1)
    fleet.note_worker(
        database, worker="another", host="h", pid=1, device="GPU 1", state=WorkerState.WORKING, versions={},
        study_uuid=study.uuid,
    )  # fmt: skip
    if not is_lively:
        with database.transaction() as connection:
            connection.execute(
                sa.update(tables.workers).values(last_seen=database.clock - LIVELY_SECONDS - 5)
            )
    most = PATIENCE * MAX_LOSSES if is_lively else MAX_LOSSES
    for losses in range(1, most + 1):
        assert state_of(database, study) == ("open", losses - 1)
        expire(database, claim(database, study))
        sweep(database, study)
    assert state_of(database, study) == ("failed", most)


def test_a_loss_is_taken_back_from_the_right_point_once_and_never_below_nothing(database: Database) -> None:
    study, other = make_study(database, points=2), make_study(database, "other", points=2)
    late = [claim(database, study) for _ in range(2)]
    foreign = claim(database, other)
    for held in (*late, foreign):
        expire(database, held)
    for one in (study, other):
        sweep(database, one)
    for _ in range(2):
        take_back_loss(database, study.uuid, 0, late[0].token)
    assert [point.losses for point in points.list_points(database, study.uuid)] == [0, 1]
    assert [point.losses for point in points.list_points(database, other.uuid)] == [1, 0]
    settled = claim(database, study)
    points.fail_point(database, settled, error="x", retries=0)
    take_back_loss(database, study.uuid, settled.point, "another token")
    assert points.list_points(database, study.uuid)[settled.point].losses == 0


@pytest.mark.parametrize(
    ("is_proven", "retries", "last"), [(True, 0, 1), (True, 2, 3), (False, 0, 3), (False, 1, 6)]
)
def test_how_many_failures_settle_a_point(
    database: Database, is_proven: bool, retries: int, last: int
) -> None:
    study = make_study(database, points=1)
    for tries in range(1, last + 1):
        held = claim(database, study, worker="w")
        settled = points.fail_point(
            database, held, error=f"error {tries}", retries=retries, is_proven=is_proven
        )
        assert settled == (tries == last)
        # A repeated call, as after a lost acknowledgement, changes nothing and says the same.
        assert points.fail_point(database, held, error="x", retries=retries, is_proven=is_proven) == settled
        record = points.list_points(database, study.uuid)[0]
        assert (record.failures, record.error, record.expires_at) == (tries, f"error {tries}", None)
        assert record.state == ("failed" if settled else "open")
        assert (record.worker, record.finished_at is not None) == ("w" if settled else None, settled)
