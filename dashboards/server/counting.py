"""What the overview is counted from: of all studies at once, in one query each."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import sqlalchemy as sa

from dashboards.pages.publish import CORRECTED
from storage.database import tables
from storage.states import PointOutcome, PointState

LARGEST = 1e300
"""No value is larger; on PostgreSQL NaN is larger than every number."""

_points, _epochs = tables.points.c, tables.epochs.c
_attributes = sa.table(
    "study_system_attributes", sa.column("study_id"), sa.column("key"), sa.column("value_json")
)

KINDS = ("complete", "pruned", "failed", "open", "running")


def count(connection: sa.Connection) -> dict[str, dict[str, int]]:
    """How many points of each study are where, by study and by one of `KINDS`."""
    rows = connection.execute(
        sa.select(_points.study_uuid, _points.state, _points.outcome, sa.func.count()).group_by(
            _points.study_uuid, _points.state, _points.outcome
        )
    )
    counted: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(KINDS, 0))
    for uuid, state, outcome, count in rows:
        name = {PointState.CLAIMED: "running", PointState.DONE: str(outcome).lower()}.get(state, state)
        counted[uuid][name] += count
    return counted


def find_best(connection: sa.Connection) -> dict[str, tuple[float, int | None]]:
    """The highest value of each study and its trial, the earliest of equals."""
    complete = sa.and_(_points.outcome == PointOutcome.COMPLETE, _points.value < LARGEST)
    highest = (
        sa.select(_points.study_uuid, sa.func.max(_points.value).label("value"))
        .where(complete)
        .group_by(_points.study_uuid)
        .subquery()
    )
    rows = connection.execute(
        sa.select(_points.study_uuid, _points.value, _points.trial_number)
        .join(highest, sa.and_(highest.c.study_uuid == _points.study_uuid, highest.c.value == _points.value))
        .where(complete)
        .order_by(_points.point.desc())
    )
    return {uuid: (float(value), trial) for uuid, value, trial in rows}


def list_claims(connection: sa.Connection) -> dict[tuple[str, int], Any]:
    """The rows of all claimed points, by study and point."""
    rows = connection.execute(
        sa.select(
            _points.study_uuid, _points.point, _points.worker, _points.token, _points.claimed_at,
            _points.expires_at, _points.epoch, _points.trial_number,
        ).where(_points.state == PointState.CLAIMED)
    )  # fmt: skip
    return {(row.study_uuid, row.point): row for row in rows}


def find_reached(
    connection: sa.Connection, claims: dict[tuple[str, int], Any]
) -> dict[tuple[str, int], dict[int, int]]:
    """The last recorded epoch of each fold of the claimed points, by (study, point) and fold from 0."""
    by_study: dict[str, list[int]] = defaultdict(list)
    for uuid, point in claims:
        by_study[uuid].append(point)
    reached: dict[tuple[str, int], dict[int, int]] = defaultdict(dict)
    for uuid, numbers in by_study.items():
        rows = connection.execute(
            sa.select(_epochs.point, _epochs.fold, sa.func.max(_epochs.epoch))
            .where(_epochs.study_uuid == uuid, _epochs.point.in_(numbers))
            .group_by(_epochs.point, _epochs.fold)
        )
        for point, fold, epoch in rows:
            reached[uuid, point][fold] = epoch
    return reached


def read_corrected(connection: sa.Connection) -> dict[int, dict[str, Any]]:
    """What publishers kept of each study's corrected value, by Optuna's id of the study."""
    rows = connection.execute(
        sa.select(_attributes.c.study_id, _attributes.c.value_json).where(_attributes.c.key == CORRECTED)
    )
    found = {}
    for study_id, text in rows:
        kept = json.loads(text)
        if isinstance(kept, dict) and isinstance(kept.get("said"), str):
            found[study_id] = kept
    return found
