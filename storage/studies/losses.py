"""Leases that ran out: a loss is nobody's failure, and only many of them in a row, with proof, mean that a point ends its workers."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from storage.database import tables
from storage.database.engine import Database
from storage.states import PointState, WorkerState
from storage.studies.point_records import is_lease_over

MAX_LOSSES = 6
"""So many losses in a row, without one epoch of progress, and the point becomes failed."""
PROOF_SECONDS = 60.0
"""The last of them is believed at once where the holder is known to be gone, else when it was silent for so much longer."""

_points = tables.points.c


def expire_leases(
    connection: Connection, study_uuid: str, now: float, lease_seconds: float | None = None
) -> None:
    """Open every point whose lease ran out; one that was lost too often in a row becomes failed.

    That it becomes failed needs proof: its last holder is gone, unknown, or silent for `PROOF_SECONDS` more. A machine with more
    to do than it can makes live workers late, and their next beat holds the point again.
    """
    holder = tables.workers.c
    may_live = sa.exists().where(holder.worker == _points.worker, holder.state != WorkerState.GONE)
    in_doubt = sa.and_(
        _points.losses + 1 >= MAX_LOSSES, _points.expires_at.between(now - PROOF_SECONDS, now), may_live
    )
    expired = (
        sa.select(_points.point)
        .where(
            _points.study_uuid == study_uuid,
            _points.state == PointState.CLAIMED,
            is_lease_over(now, lease_seconds),
            ~in_doubt,
        )
        .with_for_update(skip_locked=True)
    )
    for point in list(connection.execute(expired).scalars()):
        connection.execute(
            sa.update(tables.points)
            .where(_points.study_uuid == study_uuid, _points.point == point)
            .values(
                state=sa.case((_points.losses + 1 >= MAX_LOSSES, PointState.FAILED), else_=PointState.OPEN),
                error=sa.case(
                    (
                        _points.losses + 1 >= MAX_LOSSES,
                        f"The trial was lost {MAX_LOSSES} times in a row without finishing an epoch: each time its worker process "
                        "ended, or was not heard of any more. The messages of these workers say why.",
                    ),
                    else_=_points.error,
                ),
                finished_at=sa.case((_points.losses + 1 >= MAX_LOSSES, now), else_=_points.finished_at),
                losses=_points.losses + 1,
                token=None,
                worker=None,
                expires_at=None,
            )
        )


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
