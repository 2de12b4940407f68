"""What became of the points: read only, by anybody."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from storage.database import tables
from storage.database.engine import Database
from storage.errors import StudyUnreadableError
from storage.states import PointOutcome, PointState
from storage.studies.study_records import StudyRecord, StudyRow

_points = tables.points.c

ADDED_FROM = 100_000
"""Points beside the plan's sequence (a guess, a trial enqueued in Optuna) are numbered from here: no plan is longer."""

PACE_POINTS = 50
"""How long a trial takes is the mean of the last so many: what is searched later may be slower."""
PACE_FOLD_EPOCHS = 500
"""Before a trial has ended, the time of a fold-epoch is the median of so many."""
CLOCK_SECONDS = 60.0
"""A clock that is set back by less only makes a dead worker's point wait so much longer."""


@dataclass(frozen=True)
class PointRecord:
    """One point as the database remembers it; times in seconds since 1970."""

    point: int
    params: dict[str, Any] | None
    state: PointState
    attempt: int
    losses: int
    failures: int
    worker: str | None
    token: str | None
    claimed_at: float | None
    expires_at: float | None
    finished_at: float | None
    epoch: int
    trial_id: int | None
    trial_number: int | None
    outcome: PointOutcome | None
    value: float | None
    error: str | None

    @property
    def is_complete(self) -> bool:
        """Whether it was trained to the end, and has a value."""
        return self.outcome == PointOutcome.COMPLETE and self.value is not None and not math.isnan(self.value)

    @property
    def is_added(self) -> bool:
        """Whether it stands beside the plan's sequence."""
        return self.point >= ADDED_FROM

    @classmethod
    def from_row(cls, row: Any) -> PointRecord:
        """Make a record of one row of `orch_points`.

        Raises:
            StudyUnreadableError: a person, a damaged disk or another version of orch wrote something else into it.
        """
        values = {name: getattr(row, name) for name in cls.__dataclass_fields__}
        try:
            values["params"] = None if row.params is None else dict(json.loads(row.params))
            values["state"] = PointState(row.state)
            values["outcome"] = None if row.outcome is None else PointOutcome(row.outcome)
        except (ValueError, TypeError) as error:
            raise StudyUnreadableError(
                f"The row of planned trial {row.point} in the database cannot be read: {error}.",
                why="It was edited or damaged, or another version of orch wrote it.",
                next_step="`orch study verify NAME` names everything that is wrong with a study.",
            ) from error
        return cls(**values)


def rank_points(points: Iterable[PointRecord]) -> list[PointRecord]:
    """The complete ones, the highest value first; of equals the earliest."""
    complete = [point for point in points if point.is_complete]
    return sorted(complete, key=lambda point: (-float(point.value or 0), point.point))


def best_point(points: Iterable[PointRecord]) -> PointRecord | None:
    """The complete one with the highest value, the earliest of equals; None without a complete one."""
    return next(iter(rank_points(points)), None)


@dataclass(frozen=True)
class PointCounts:
    """How many points are where; the last five add up to `planned`, unless other hands wrote into the rows."""

    planned: int
    complete: int
    pruned: int
    failed: int
    open: int
    running: int

    @property
    def is_settled(self) -> bool:
        """Whether every point is done or failed."""
        return self.complete + self.pruned + self.failed == self.planned


def list_points(
    database: Database, study_uuid: str, numbers: Collection[int] | None = None
) -> list[PointRecord]:
    """Every point of a study, or those of these numbers, in order."""
    query = sa.select(tables.points).where(_points.study_uuid == study_uuid).order_by(_points.point)
    if numbers is not None:
        query = query.where(_points.point.in_(numbers))
    with database.reading() as connection:
        rows = connection.execute(query).all()
    return [PointRecord.from_row(row) for row in rows]


def is_lease_over(now: Any, lease_seconds: float | None) -> sa.ColumnElement[bool]:
    """Whether a point's lease is over: it ended, or it ends later than any that was given lately, as when a clock was set back.

    Args:
        now: seconds since 1970 by the clock of the database, or the expression for it.
        lease_seconds: how long a lease of the study is; None where it is not known.
    """
    ended = _points.expires_at < now
    if lease_seconds is None:
        return ended
    return sa.or_(ended, _points.expires_at > now + (lease_seconds + CLOCK_SECONDS))


def is_any_claimable(database: Database, study_uuid: str, lease_seconds: float | None = None) -> bool:
    """Whether a point is open, or held by a worker that let its lease run out."""
    is_claimable = sa.or_(
        _points.state == PointState.OPEN,
        sa.and_(_points.state == PointState.CLAIMED, is_lease_over(database.clock, lease_seconds)),
    )
    query = sa.select(_points.point).where(_points.study_uuid == study_uuid, is_claimable).limit(1)
    with database.reading() as connection:
        return connection.execute(query).first() is not None


def count_points(database: Database, study_uuid: str) -> PointCounts:
    """Count the points of a study by what became of them."""
    with database.reading() as connection:
        rows = connection.execute(
            sa.select(_points.state, _points.outcome, sa.func.count())
            .where(_points.study_uuid == study_uuid)
            .group_by(_points.state, _points.outcome)
        ).all()
    counted = dict.fromkeys(("complete", "pruned", "failed", "open", "running"), 0)
    for state, outcome, count in rows:
        name = {PointState.CLAIMED: "running", PointState.DONE: str(outcome).lower()}.get(state, state)
        # A row with anything else, which only other hands write, is none of them: the study is not over.
        if name in counted:
            counted[name] += count
    return PointCounts(planned=sum(row[2] for row in rows), **counted)


def read_left(database: Database, study: StudyRow, *, begins_next: bool = False) -> float | None:
    """`seconds_left` of a study, in light queries.

    Args:
        database: where it is.
        study: which; of one that this orch cannot read the time is known when its first trial has ended.
        begins_next: the worker that asks has just ended a trial, and begins the next one that waits.
    """
    with database.reading() as connection:
        waiting = connection.execute(
            sa.select(sa.func.count()).where(
                _points.study_uuid == study.uuid, _points.state == PointState.OPEN
            )
        ).scalar_one()
        claimed = connection.execute(
            sa.select(_points.claimed_at).where(
                _points.study_uuid == study.uuid, _points.state == PointState.CLAIMED
            )
        ).scalars()
        now = database.now(connection)
        running = [now - (begun or now) for begun in claimed]
        if begins_next and waiting:
            waiting -= 1
            running.append(0.0)
        return seconds_left(waiting, running, find_durations(connection, study) if running else [])


def find_durations(connection: sa.Connection, study: StudyRow) -> list[float]:
    """How long the last trials of a study took a worker, in seconds; before one has ended, how long one will take."""
    query = (
        sa.select(_points.finished_at - _points.claimed_at)
        .where(
            _points.study_uuid == study.uuid,
            _points.finished_at.is_not(None),
            _points.claimed_at.is_not(None),
        )
        .order_by(_points.finished_at.desc())
        .limit(PACE_POINTS)
    )
    took = [float(seconds) for seconds in connection.execute(query).scalars()]
    if took or not isinstance(study, StudyRecord):
        return took
    # Programs are compiled in a fold's first epoch, so that it tells nothing of the others.
    epochs = tables.epochs.c
    later = (
        sa.select(epochs.seconds)
        .where(epochs.study_uuid == study.uuid, epochs.epoch > 1)
        .limit(PACE_FOLD_EPOCHS)
    )
    seconds = list(connection.execute(later).scalars())
    whole = study.spec.fold_count * study.spec.training.epochs
    return [whole * statistics.median(seconds)] if seconds else []


def seconds_left(waiting: int, running: Sequence[float], took: Sequence[float]) -> float | None:
    """Seconds until the last trial ends, if as many workers go on; None while no worker runs one, or while nothing tells how long one takes.

    A worker claims a trial when features and data are ready, so the start of a worker is no part of a trial's time. The
    times between the ends of trials would tell less: workers that begin together end together, too.

    Args:
        waiting: trials that no worker has begun.
        running: how long each of those that run has been running, in seconds.
        took: how long each of the last ones took a worker, in seconds.
    """
    if not waiting and not running:
        return 0.0
    if not running or not took:
        return None
    usual = sum(took) / len(took)
    rest = [max(0.0, usual - spent) for spent in running]
    return max((waiting * usual + sum(rest)) / len(running), *rest)


def new_point(study_uuid: str, number: int, params: dict[str, Any] | None) -> dict[str, Any]:
    """The row of a point that nobody has touched."""
    return {
        "study_uuid": study_uuid,
        "point": number,
        "params": None if params is None else json.dumps(params, sort_keys=True),
        "state": PointState.OPEN,
        "attempt": 0,
        "losses": 0,
        "failures": 0,
        "epoch": 0,
    }
