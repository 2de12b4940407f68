"""The plan is its own queue: who may work on which point, and what became of it.

The contract, on PostgreSQL and on SQLite alike:

- A point is open, claimed (by one worker, under a token, until a time), done (COMPLETE or PRUNED) or failed.
- Only the holder of a point's token changes it; every change is one UPDATE fenced by that token, so a worker that
  was taken for dead cannot write over its successor. No row changed means: the lease is lost.
- A lease that ran out is a loss, not a failure. Losses in a row without one epoch of progress mean that the point
  itself kills its workers; after `MAX_LOSSES` it becomes failed. A holder that was only late takes its loss back.
- Every call may be repeated after a lost acknowledgement: the token, which stays with a point that was given back
  until the next claim, tells what the first one did.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from storage.database import tables
from storage.database.engine import Database
from storage.errors import LeaseLostError
from storage.states import PointOutcome, PointState, StudyState
from storage.studies.losses import MAX_LOSSES, expire_leases
from storage.studies.point_records import (
    ADDED_FROM,
    PointCounts,
    PointRecord,
    count_points,
    is_any_claimable,
    list_points,
)
from storage.studies.study import StudyRecord
from storage.studies.study_records import has_additions

__all__ = [
    "MAX_LOSSES",
    "Claim",
    "PointCounts",
    "PointRecord",
    "beat",
    "claim_point",
    "count_points",
    "expire_leases",
    "fail_point",
    "finish_point",
    "is_any_claimable",
    "keep_params",
    "list_points",
    "note_progress",
    "note_trial",
    "release_point",
    "require_held",
]

PATIENCE = 3
"""A point that fails in one process only is tried so many times as often before it is settled all the same."""

_points = tables.points.c


@dataclass(frozen=True)
class Claim:
    """The right to work on one point until the lease runs out."""

    study_uuid: str
    point: int
    attempt: int
    token: str
    params: dict[str, Any] | None


def claim_point(
    database: Database, study: StudyRecord, *, worker: str, token: str, avoid: Collection[int] = ()
) -> Claim | None:
    """Claim the lowest point that is open or whose lease has run out; what was added beside the plan comes first.

    Args:
        database: where.
        study: of which study.
        worker: name of the worker, for people.
        token: a fresh random string; calling again with the same one returns the claim it already won.
        avoid: points that are left to other workers.

    Returns:
        The claim, or None when nothing can be claimed now.
    """
    with database.transaction() as connection:
        settled = connection.execute(
            sa.select(tables.points).where(
                _points.token == token, _points.study_uuid == study.uuid, _points.state == PointState.CLAIMED
            )
        ).first()
        if settled is not None:
            return _claim_of(settled, token)
        now = database.now(connection)
        expire_leases(connection, study.uuid, now, study.spec.study.lease_seconds)
        lowest = (
            sa.select(tables.points)
            .join(tables.studies, tables.studies.c.uuid == _points.study_uuid)
            .where(
                _points.study_uuid == study.uuid,
                _points.state == PointState.OPEN,
                tables.studies.c.state == StudyState.OPEN,
                *((_points.point.not_in(avoid),) if avoid else ()),
            )
            .order_by(_points.point)
            .limit(1)
            .with_for_update(skip_locked=True, of=tables.points)
        )
        candidate = None
        if has_additions(study):
            # Somebody waits for what was added by hand.
            candidate = connection.execute(lowest.where(_points.point >= ADDED_FROM)).first()
        if candidate is None:
            candidate = connection.execute(lowest).first()
        if candidate is None:
            return None
        connection.execute(
            sa.update(tables.points)
            .where(_points.study_uuid == study.uuid, _points.point == candidate.point)
            .values(
                state=PointState.CLAIMED,
                attempt=candidate.attempt + 1,
                worker=worker,
                token=token,
                claimed_at=now,
                expires_at=now + study.spec.study.lease_seconds,
                trial_id=None,
                trial_number=None,
                error=None,
            )
        )
        return Claim(study.uuid, candidate.point, candidate.attempt + 1, token, _params_of(candidate))


def note_trial(database: Database, claim: Claim, *, trial_id: int, trial_number: int) -> None:
    """Remember which of Optuna's trials is this attempt.

    Raises:
        LeaseLostError: the point is not held any more.
    """
    with database.transaction() as connection:
        _change(connection, claim, trial_id=trial_id, trial_number=trial_number)


def keep_params(database: Database, claim: Claim, params: dict[str, Any]) -> None:
    """Keep what an adaptive sampler drew, for every later attempt at this point.

    Raises:
        LeaseLostError: the point is not held any more.
    """
    with database.transaction() as connection:
        _change(connection, claim, params=json.dumps(params, sort_keys=True))


def beat(database: Database, claim: Claim, *, lease_seconds: float) -> None:
    """Hold the point for another `lease_seconds`.

    Raises:
        LeaseLostError: the point is not held any more.
    """
    with database.transaction() as connection:
        _change(connection, claim, expires_at=database.clock + lease_seconds)


def require_held(connection: Connection, claim: Claim) -> None:
    """Go on with a transaction only while the point is held, and keep it so until the transaction ends.

    Raises:
        LeaseLostError: the point is not held any more.
    """
    held = (
        sa.select(_points.point).where(*_fence(claim), _points.state == PointState.CLAIMED).with_for_update()
    )
    if connection.execute(held).first() is None:
        raise _lost(claim)


def note_progress(
    connection: Connection, claim: Claim, *, epoch: int, expires_at: float | sa.ColumnElement[float]
) -> None:
    """Hold the point and note that an epoch was finished; part of the ledger's transaction.

    Raises:
        LeaseLostError: the point is not held any more.
    """
    _change(connection, claim, epoch=epoch, losses=0, expires_at=expires_at)


def finish_point(
    database: Database,
    claim: Claim,
    *,
    outcome: PointOutcome,
    value: float | None,
    trial_id: int,
    trial_number: int,
) -> None:
    """The point is done. Only after this is Optuna told.

    Args:
        database: where.
        claim: the right to say so.
        outcome: COMPLETE or PRUNED.
        value: the objective; the last reported mean for PRUNED; None when it is not a number.
        trial_id: Optuna's id of this attempt.
        trial_number: Optuna's number of this attempt.

    Raises:
        LeaseLostError: the point is not held any more.
    """
    with database.transaction() as connection:
        repeated = connection.execute(
            sa.select(_points.point).where(*_fence(claim), _points.state == PointState.DONE)
        ).first()
        if repeated is None:
            _change(
                connection,
                claim,
                state=PointState.DONE,
                outcome=outcome,
                value=value,
                trial_id=trial_id,
                trial_number=trial_number,
                finished_at=database.clock,
                expires_at=None,
            )


def fail_point(database: Database, claim: Claim, *, error: str, retries: int, is_proven: bool = True) -> bool:
    """The objective raised: open the point for another try, or settle it as failed. Returns whether it is settled.

    Args:
        database: where.
        claim: the right to say so.
        error: what it raised.
        retries: how many failures are followed by another try.
        is_proven: whether it may be settled now; when not, somebody else must try first, up to `PATIENCE` times as often.

    Raises:
        LeaseLostError: the point is not held any more.
    """
    with database.transaction() as connection:
        row = connection.execute(
            sa.select(_points.state, _points.failures).where(*_fence(claim)).with_for_update()
        ).first()
        if row is None:
            raise _lost(claim)
        if row.state in (PointState.OPEN, PointState.FAILED):
            return bool(row.state == PointState.FAILED)
        tries = row.failures + 1
        settled = bool(tries > retries and (is_proven or tries >= PATIENCE * (retries + 1)))
        _change(
            connection,
            claim,
            state=PointState.FAILED if settled else PointState.OPEN,
            failures=tries,
            error=error,
            finished_at=database.now(connection) if settled else None,
            expires_at=None,
            worker=_points.worker if settled else None,
        )
    return settled


def release_point(database: Database, claim: Claim) -> None:
    """Give the point back unharmed (the worker is being stopped).

    Raises:
        LeaseLostError: the point is not held any more.
    """
    with database.transaction() as connection:
        repeated = connection.execute(
            sa.select(_points.point).where(*_fence(claim), _points.state == PointState.OPEN)
        ).first()
        if repeated is None:
            _change(connection, claim, state=PointState.OPEN, worker=None, expires_at=None)


def _fence(claim: Claim) -> tuple[Any, ...]:
    return (
        _points.study_uuid == claim.study_uuid,
        _points.point == claim.point,
        _points.token == claim.token,
    )


def _change(connection: Connection, claim: Claim, **values: Any) -> None:
    changed = connection.execute(
        sa.update(tables.points).where(*_fence(claim), _points.state == PointState.CLAIMED).values(**values)
    )
    if changed.rowcount != 1:
        raise _lost(claim)


def _lost(claim: Claim) -> LeaseLostError:
    return LeaseLostError(
        "The lease on this trial was lost; the result of this attempt is dropped.",
        why="The lease ran out and another worker took it, or the study was deleted.",
    )


def _params_of(row: Any) -> dict[str, Any] | None:
    return None if row.params is None else json.loads(row.params)


def _claim_of(row: Any, token: str) -> Claim:
    return Claim(row.study_uuid, row.point, row.attempt, token, _params_of(row))
