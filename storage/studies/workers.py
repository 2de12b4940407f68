"""Who is at work: one row per worker process, refreshed while it lives. For people.

The scheduler's job lies among the versions: a column of its own would shut older workers out for a word that only people read.
One thing rests on it: a point that was lost often is not failed while its last holder may live (`storage.studies.losses`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from storage.database import tables
from storage.database.engine import Database
from storage.states import WorkerState

KEPT_SECONDS = 7 * 86_400
IDLE_SECONDS = 120.0
_JOB = "job"
_workers = tables.workers.c


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
    study_uuid: str | None = None,
    point: int | None = None,
) -> None:
    """Say that a worker lives and what it does."""
    described = {**versions, _JOB: job} if job else versions
    with database.transaction() as connection:
        now = database.now(connection)
        changing = {
            "state": state,
            "study_uuid": study_uuid,
            "point": point,
            "last_seen": now,
            "device": device,
        }
        connection.execute(
            database.insert(tables.workers)
            .values(
                worker=worker, host=host, pid=pid, started_at=now, versions=json.dumps(described), **changing
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


def list_workers(database: Database) -> list[WorkerRecord]:
    """Every worker seen in the last week, the latest first."""
    with database.reading() as connection:
        now = database.now(connection)
        rows = connection.execute(sa.select(tables.workers).order_by(_workers.last_seen.desc())).all()
    return [_read(row, now) for row in rows]


def _read(row: Any, now: float) -> WorkerRecord:
    versions = json.loads(row.versions)
    job = versions.pop(_JOB, None)
    seconds_ago = max(0.0, now - row.last_seen)
    return WorkerRecord(**{**row._mapping, "versions": versions, "seconds_ago": seconds_ago, "job": job})
