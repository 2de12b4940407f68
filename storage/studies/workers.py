"""Who is at work: one row per worker process, refreshed while it lives. For people.

The scheduler's job and the GPU lie among the versions: columns of their own would shut older workers out for words that only people read.
Two things rest on it: a point that was lost often is not failed while its last holder may live, or another device serves the study that
has not tried it (`storage.studies.losses`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from storage.database import tables
from storage.database.engine import Database
from storage.states import WorkerState

KEPT_SECONDS = 7 * 86_400
IDLE_SECONDS = 120.0
SILENT_SECONDS = 90.0
"""An idle worker says something every half minute, one at work every quarter of its lease."""
LIVELY_SECONDS = 120.0
"""A worker that was heard of so lately, or within its lease, is at work."""

Place = tuple[str, str]
"""A host and one of its devices."""

_JOB, _GPU = "job", "gpu"
_workers = tables.workers.c
_studies = tables.studies.c
_trials = sa.table("trials", sa.column("trial_id"), sa.column("study_id"))
_attributes = sa.table(
    "trial_user_attributes", sa.column("trial_id"), sa.column("key"), sa.column("value_json")
)


@dataclass(frozen=True)
class WorkerRecord:
    """One worker process; times in seconds since 1970 by the clock of the database."""

    worker: str
    host: str
    pid: int
    device: str
    state: WorkerState
    study_uuid: str | None
    point: int | None
    started_at: float
    last_seen: float
    seconds_ago: float
    versions: dict[str, Any]
    job: str | None = None
    gpu: dict[str, Any] | None = None


def note_worker(
    database: Database,
    *,
    worker: str,
    host: str,
    pid: int,
    device: str,
    state: WorkerState,
    versions: dict[str, Any],
    job: str | None = None,
    gpu: dict[str, Any] | None = None,
    study_uuid: str | None = None,
    point: int | None = None,
) -> None:
    """Say that a worker lives and what it does; `gpu` is what its driver says of its GPU now, and stays as it was without one."""
    added = {_JOB: job, _GPU: gpu}
    described = {**versions, **{key: value for key, value in added.items() if value}}
    with database.transaction() as connection:
        now = database.now(connection)
        changing = {
            "state": state,
            "study_uuid": study_uuid,
            "point": point,
            "last_seen": now,
            "device": device,
        }
        if gpu:
            changing["versions"] = json.dumps(described)
        connection.execute(
            database.insert(tables.workers)
            .values(
                **{"versions": json.dumps(described), **changing},
                worker=worker,
                host=host,
                pid=pid,
                started_at=now,
            )
            .on_conflict_do_update(index_elements=["worker"], set_=changing)
        )


def count_idle(database: Database) -> int:
    """Workers that said lately that they have nothing to do."""
    lately = _workers.last_seen > database.clock - IDLE_SECONDS
    query = sa.select(sa.func.count()).where(_workers.state == WorkerState.IDLE, lately)
    with database.reading() as connection:
        return int(connection.execute(query).scalar_one())


def forget_old_workers(database: Database) -> None:
    """Clear the rows of workers away that were not seen for a week."""
    with database.transaction() as connection:
        now = database.now(connection)
        connection.execute(sa.delete(tables.workers).where(_workers.last_seen < now - KEPT_SECONDS))


def note_the_dead(database: Database, host: str, is_alive: Callable[[int], bool]) -> int:
    """Note that worker processes of a host are gone which the host does not have any more; returns how many.

    Args:
        database: where.
        host: this machine, by the name that its workers give.
        is_alive: whether this machine has a process of that id.
    """
    at_work = sa.select(_workers.worker, _workers.pid).where(
        _workers.host == host, _workers.state != WorkerState.GONE
    )
    with database.reading() as connection:
        dead = [row.worker for row in connection.execute(at_work) if not is_alive(row.pid)]
    if dead:
        with database.transaction() as connection:
            connection.execute(
                sa.update(tables.workers).where(_workers.worker.in_(dead)).values(state=WorkerState.GONE)
            )
    return len(dead)


def is_silent(record: WorkerRecord, lease_seconds: float | None) -> bool:
    """Whether a worker that has not said that it leaves was not heard for too long.

    Args:
        record: the worker.
        lease_seconds: of the study that it works on; None where that is not known.
    """
    at_work = record.state == WorkerState.WORKING and lease_seconds is not None
    patience = lease_seconds if at_work and lease_seconds else SILENT_SECONDS
    return record.state != WorkerState.GONE and record.seconds_ago > patience


def list_workers(database: Database) -> list[WorkerRecord]:
    """Every worker seen in the last week, the latest first."""
    with database.reading() as connection:
        now = database.now(connection)
        rows = connection.execute(sa.select(tables.workers).order_by(_workers.last_seen.desc())).all()
    return [_read(row, now) for row in rows]


def find_serving_places(
    connection: Connection, study_uuid: str, now: float, lease_seconds: float | None
) -> set[Place]:
    """Where somebody is at work on a study, or was before and waits for more.

    Args:
        connection: in whose transaction.
        study_uuid: the study.
        now: seconds since 1970 by the clock of the database.
        lease_seconds: of the study; None where that is not known.
    """
    seen_after = now - max(LIVELY_SECONDS, lease_seconds or 0.0)
    lively = sa.select(_workers.worker, _workers.host, _workers.device, _workers.state, _workers.study_uuid)
    lively = lively.where(_workers.state != WorkerState.GONE, _workers.last_seen > seen_after)
    rows = connection.execute(lively).all()
    idle = [row.worker for row in rows if row.state == WorkerState.IDLE and row.study_uuid != study_uuid]
    was_at_work = (
        sa.select(_attributes.c.value_json)
        .distinct()
        .where(
            _studies.uuid == study_uuid,
            _trials.c.study_id == _studies.optuna_study_id,
            _attributes.c.trial_id == _trials.c.trial_id,
            _attributes.c.key == "worker",
            _attributes.c.value_json.in_([json.dumps(name) for name in idle]),
        )
    )
    waiting = {json.loads(name) for name in connection.execute(was_at_work).scalars()} if idle else set()
    return {(row.host, row.device) for row in rows if row.study_uuid == study_uuid or row.worker in waiting}


def _read(row: Any, now: float) -> WorkerRecord:
    versions = json.loads(row.versions)
    added = {"job": versions.pop(_JOB, None), "gpu": versions.pop(_GPU, None)}
    seconds_ago = max(0.0, now - row.last_seen)
    return WorkerRecord(**{**row._mapping, "versions": versions, "seconds_ago": seconds_ago, **added})
