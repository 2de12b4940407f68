"""Leases that ran out: a loss is nobody's failure, and only many of them in a row, with proof, mean that a point ends its workers.

One device that ends every process which works on it is no proof, as long as another one serves the study and has not tried the point.
"""

from __future__ import annotations

import json
from collections.abc import Set

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from storage.database import tables
from storage.database.engine import Database
from storage.states import AttemptEnd, AttemptState, PointState, WorkerState
from storage.studies.optuna_record import OUTCOME, POINT
from storage.studies.point_records import is_lease_over
from storage.studies.workers import Place, find_serving_places

MAX_LOSSES = 6
"""So many losses in a row, without one epoch of progress, and the point becomes failed."""
PROOF_SECONDS = 60.0
"""The last of them is believed at once where the holder is known to be gone, else when it was silent for so much longer."""

PATIENCE = 3
"""What one device alone does to a point counts so many times less, as long as others are there that could try it."""

_points = tables.points.c
_trials = sa.table(
    "trials", sa.column("trial_id"), sa.column("study_id"), sa.column("number"), sa.column("state")
)
_attributes = sa.table(
    "trial_user_attributes", sa.column("trial_id"), sa.column("key"), sa.column("value_json")
)


def is_ended_by(ends: int, tried: Set[Place], elsewhere: Set[Place]) -> bool:
    """Whether it is the point that ends those who work on it, and not a device that ends whatever is worked on there.

    Args:
        ends: how often a process, or its device, ended with the point, without one epoch of progress.
        tried: where.
        elsewhere: where somebody serves the study at the moment, the same devices or others.
    """
    is_tried_everywhere = not elsewhere - tried or len(tried) >= MAX_LOSSES
    return ends >= MAX_LOSSES and (is_tried_everywhere or ends >= PATIENCE * MAX_LOSSES)


def expire_leases(
    connection: Connection, study_uuid: str, now: float, lease_seconds: float | None = None
) -> None:
    """Open every point whose lease ran out; one that was lost too often in a row becomes failed.

    That it becomes failed needs proof: its last holder is gone, unknown, or silent for `PROOF_SECONDS` more. A machine with more
    to do than it can makes live workers late, and their next beat holds the point again. And it was lost on every device that
    serves the study, or on many (`is_ended_by`).
    """
    holder = tables.workers.c
    may_live = sa.exists().where(holder.worker == _points.worker, holder.state != WorkerState.GONE)
    in_doubt = sa.and_(
        _points.losses + 1 >= MAX_LOSSES, _points.expires_at.between(now - PROOF_SECONDS, now), may_live
    )
    expired = (
        sa.select(_points.point, _points.losses, _points.worker)
        .where(
            _points.study_uuid == study_uuid,
            _points.state == PointState.CLAIMED,
            is_lease_over(now, lease_seconds),
            ~in_doubt,
        )
        .with_for_update(skip_locked=True)
    )
    for row in connection.execute(expired).all():
        losses = row.losses + 1
        changes: dict[str, object] = {"state": PointState.OPEN}
        if losses >= MAX_LOSSES and _ends_its_workers(
            connection, study_uuid, row.point, row.worker, losses, now, lease_seconds
        ):
            text = (
                f"The trial was lost {losses} times in a row without finishing an epoch: each time its worker process "
                "ended, or was not heard of any more. The messages of these workers say why."
            )
            changes = {"state": PointState.FAILED, "error": text, "finished_at": now}
        connection.execute(
            sa.update(tables.points)
            .where(_points.study_uuid == study_uuid, _points.point == row.point)
            .values(**changes, losses=losses, token=None, worker=None, expires_at=None)
        )


def _ends_its_workers(
    connection: Connection,
    study_uuid: str,
    point: int,
    holder: str | None,
    losses: int,
    now: float,
    lease_seconds: float | None,
) -> bool:
    """Whether so many losses in a row speak against the point."""
    studies = tables.studies.c
    study_id = sa.select(studies.optuna_study_id).where(studies.uuid == study_uuid).scalar_subquery()
    numbered, ended, named = (_attributes.alias(name) for name in ("numbered", "ended", "named"))
    has_ended_otherwise = sa.exists().where(
        ended.c.trial_id == _trials.c.trial_id,
        ended.c.key == OUTCOME,
        ended.c.value_json != json.dumps(AttemptEnd.LOST),
    )
    lost_by = (
        sa.select(named.c.value_json)
        .where(
            _trials.c.study_id == study_id,
            _trials.c.state.in_((AttemptState.RUNNING, AttemptState.FAIL)),
            numbered.c.trial_id == _trials.c.trial_id,
            numbered.c.key == POINT,
            numbered.c.value_json == json.dumps(point),
            named.c.trial_id == _trials.c.trial_id,
            named.c.key == "worker",
            ~has_ended_otherwise,
        )
        .order_by(_trials.c.number.desc())
        .limit(losses)
    )
    names = {str(json.loads(name)) for name in connection.execute(lost_by).scalars()}
    names |= {holder} if holder else set()
    workers = tables.workers.c
    rows = connection.execute(sa.select(workers.worker, workers.host, workers.device)).all()
    places = {row.worker: (row.host, row.device) for row in rows}
    elsewhere = find_serving_places(connection, study_uuid, now, lease_seconds)
    tried = {places.get(name, (name, "")) for name in names}
    return is_ended_by(losses, tried, elsewhere)


def take_back_loss(database: Database, study_uuid: str, point: int, token: str) -> None:
    """The holder of a claim whose lease ran out lives: it was late, and the point did not end it.

    Harmless where nothing was counted.

    Args:
        database: where.
        study_uuid: of which study.
        point: that was lost.
        token: of the claim that was lost.
    """
    with database.transaction() as connection:
        connection.execute(
            sa.update(tables.points)
            .where(
                _points.study_uuid == study_uuid,
                _points.point == point,
                _points.state.in_((PointState.OPEN, PointState.CLAIMED)),
                sa.or_(_points.token.is_(None), _points.token != token),
                _points.losses > 0,
            )
            .values(losses=_points.losses - 1)
        )
