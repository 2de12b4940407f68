"""Every attempt at every point, lost and failed ones too: Optuna's trials read in bulk, for people to look at.

Optuna's own `get_trials` builds every trial with all its reports: seconds and hundreds of megabytes for thousands of
trials. These two queries of the same tables take milliseconds.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from storage.database import tables
from storage.database.engine import Database
from storage.states import AttemptEnd, AttemptState, PointState
from storage.studies.optuna_record import ADOPTED, OUTCOME, POINT, REFUSED, TOKEN, WAITING
from storage.studies.point_records import is_lease_over
from storage.studies.study import StudyRecord
from storage.studies.trials import ALSO, ATTEMPT, BROKE_DOWN, ERROR

_trials = sa.table(
    "trials",
    sa.column("trial_id", sa.Integer),
    sa.column("study_id", sa.Integer),
    sa.column("number", sa.Integer),
    sa.column("state", sa.String),
    sa.column("datetime_start", sa.DateTime),
    sa.column("datetime_complete", sa.DateTime),
)
_attributes = sa.table(
    "trial_user_attributes",
    sa.column("trial_id", sa.Integer),
    sa.column("key", sa.String),
    sa.column("value_json", sa.Text),
)
_values = sa.table(
    "trial_values",
    sa.column("trial_id", sa.Integer),
    sa.column("objective", sa.Integer),
    sa.column("value", sa.Double),
)
_READ = (POINT, ATTEMPT, "worker", OUTCOME, ERROR, "best_epoch", "fold_values", ALSO)


@dataclass(frozen=True)
class AttemptRecord:
    """One of Optuna's trials; times in seconds since 1970, None where it has not begun or not ended.

    Attributes:
        outcome: why a FAIL is one.
        best_epoch: of a complete trial, from 1.
        fold_values: of a complete trial, one per fold at `best_epoch`.
        also: of a complete trial, its further objectives by name.
    """

    trial_id: int
    number: int
    point: int | None
    attempt: int | None
    worker: str | None
    state: AttemptState
    outcome: AttemptEnd | None
    error: str | None
    started_at: float | None
    ended_at: float | None
    best_epoch: int | None
    fold_values: tuple[float, ...]
    also: dict[str, float] = field(default_factory=dict)


def list_attempts(database: Database, study: StudyRecord) -> list[AttemptRecord]:
    """Every attempt of a study, by number; without trials that orch did not make."""
    of_study = _trials.c.study_id == study.optuna_study_id
    with database.reading() as connection:
        trials = connection.execute(sa.select(_trials).where(of_study).order_by(_trials.c.number)).all()
        attributes = connection.execute(
            sa.select(_attributes)
            .join(_trials, _trials.c.trial_id == _attributes.c.trial_id)
            .where(of_study, _attributes.c.key.in_(_READ))
        ).all()
    known: dict[int, dict[str, Any]] = defaultdict(dict)
    for row in attributes:
        known[row.trial_id][row.key] = json.loads(row.value_json)
    return [_record(row, known[row.trial_id]) for row in trials if ATTEMPT in known[row.trial_id]]


@dataclass(frozen=True)
class ForeignTrial:
    """One of Optuna's trials that orch did not make: another tool told it, or somebody enqueued it.

    Attributes:
        state: by Optuna's name.
        reason: why an enqueued trial cannot be run; None where it can, or where it was told.
    """

    number: int
    state: str
    value: float | None
    reason: str | None

    @property
    def kind(self) -> str:
        """One word: "enqueued" (a worker will adopt it), "refused" (it cannot be run) or "told" by another tool."""
        if self.reason is not None:
            return "refused"
        return "enqueued" if self.state == WAITING else "told"


def list_foreign(database: Database, study: StudyRecord) -> list[ForeignTrial]:
    """The trials that orch did not make, by number; without those that became points and wait for a worker."""
    its = _attributes.c.trial_id == _trials.c.trial_id
    of_orch = sa.exists().where(its, _attributes.c.key.in_((TOKEN, ATTEMPT, POINT, ADOPTED)))
    reason = (
        sa.select(_attributes.c.value_json)
        .where(its, _attributes.c.key == REFUSED)
        .limit(1)
        .scalar_subquery()
    )
    value = (
        sa.select(_values.c.value)
        .where(_values.c.trial_id == _trials.c.trial_id, _values.c.objective == 0)
        .scalar_subquery()
    )
    query = sa.select(_trials.c.number, _trials.c.state, value.label("value"), reason.label("reason"))
    query = query.where(_trials.c.study_id == study.optuna_study_id, ~of_orch).order_by(_trials.c.number)
    with database.reading() as connection:
        rows = connection.execute(query).all()
    return [
        ForeignTrial(row.number, row.state, row.value, None if row.reason is None else json.loads(row.reason))
        for row in rows
    ]


@dataclass(frozen=True)
class BadEnd:
    """An attempt that failed, in which the device of its worker broke down, or whose worker was not heard of any more.

    Attributes:
        epoch: that the point had come to when the device broke down; None of any other attempt.
        is_loss: whether it lost its worker.
    """

    point: int
    worker: str
    epoch: int | None
    is_loss: bool = False


def list_bad_ends(database: Database, study: StudyRecord) -> list[BadEnd]:
    """The attempts of a study that failed, those in which a device broke down, and those that lost their worker."""
    ended, named, numbered = (_attributes.alias(name) for name in ("ended", "named", "numbered"))
    bad = [json.dumps(end) for end in (AttemptEnd.FAILED, AttemptEnd.LOST)]
    has_failed = sa.and_(ended.c.key == OUTCOME, ended.c.value_json.in_(bad))
    query = sa.select(numbered.c.value_json, named.c.value_json, ended.c.key, ended.c.value_json).where(
        _trials.c.study_id == study.optuna_study_id,
        *(table.c.trial_id == _trials.c.trial_id for table in (ended, named, numbered)),
        sa.or_(has_failed, ended.c.key == BROKE_DOWN),
        named.c.key == "worker",
        numbered.c.key == POINT,
    )
    # What no idle worker has told Optuna yet: it runs there, and its point is another's or nobody's, or will be with the next claim.
    is_over = sa.and_(
        tables.points.c.state == PointState.CLAIMED,
        is_lease_over(database.clock, study.spec.study.lease_seconds),
    )
    is_worked_on = sa.exists().where(
        tables.points.c.study_uuid == study.uuid,
        tables.points.c.trial_id == _trials.c.trial_id,
        tables.points.c.state != PointState.OPEN,
        ~is_over,
    )
    has_ended = sa.exists().where(ended.c.trial_id == _trials.c.trial_id, ended.c.key == OUTCOME)
    left = sa.select(numbered.c.value_json, named.c.value_json).where(
        _trials.c.study_id == study.optuna_study_id,
        _trials.c.state == AttemptState.RUNNING,
        *(table.c.trial_id == _trials.c.trial_id for table in (named, numbered)),
        named.c.key == "worker",
        numbered.c.key == POINT,
        ~is_worked_on,
        ~has_ended,
    )
    with database.reading() as connection:
        rows = connection.execute(query).all()
        lost = connection.execute(left).all()
    ends = [
        BadEnd(
            int(point),
            str(json.loads(worker)),
            int(value) if key == BROKE_DOWN else None,
            is_loss=key == OUTCOME and json.loads(value) == AttemptEnd.LOST,
        )
        for point, worker, key, value in rows
    ]
    return ends + [BadEnd(int(point), str(json.loads(worker)), None, is_loss=True) for point, worker in lost]


def _record(row: Any, known: dict[str, Any]) -> AttemptRecord:
    return AttemptRecord(
        trial_id=row.trial_id,
        number=row.number,
        point=known.get(POINT),
        attempt=known.get(ATTEMPT),
        worker=known.get("worker"),
        state=AttemptState(row.state),
        outcome=AttemptEnd(known[OUTCOME]) if known.get(OUTCOME) else None,
        error=known.get(ERROR),
        started_at=_seconds(row.datetime_start),
        ended_at=_seconds(row.datetime_complete),
        best_epoch=known.get("best_epoch"),
        fold_values=tuple(known.get("fold_values") or ()),
        also=dict(known.get(ALSO) or {}),
    )


def _seconds(time: datetime | None) -> float | None:
    # Optuna 5 writes UTC without saying so.
    return None if time is None else time.replace(tzinfo=UTC).timestamp()
