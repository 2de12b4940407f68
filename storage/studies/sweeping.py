"""Tidy up what killed workers left in Optuna's record. Anybody may do it; of many idle workers, one at a time does."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import sqlalchemy as sa

from storage.database import tables
from storage.database.engine import Database
from storage.states import AttemptEnd, AttemptState, PointState
from storage.studies.chain import complete_chain
from storage.studies.optuna_record import ADOPTED, OUTCOME, POINT, TOKEN, WAITING, backend
from storage.studies.point_records import is_lease_over
from storage.studies.points import PointRecord, expire_leases, list_points
from storage.studies.study import StudyRecord, StudyRow
from storage.studies.trials import (
    ALSO,
    ATTEMPT,
    ERROR,
    end_trial,
    settle_trial,
)

SPARE_SECONDS = 5.0
"""A point that was settled so lately is left to its own worker, which is about to tell Optuna."""

TURN_SECONDS = 1.0
"""Idle workers take turns: when something is left, hundreds of them would lock the same few trials."""

_trials = sa.table("trials", sa.column("trial_id"), sa.column("study_id"), sa.column("state"))
_attributes = sa.table(
    "trial_user_attributes", sa.column("trial_id"), sa.column("key"), sa.column("value_json")
)
_facts = tables.facts.c


def sweep_beside_others(database: Database, study: StudyRow) -> bool:
    """Tidy up what is left, unless another idle worker just did; leave live workers the telling of what they settled.

    Returns:
        Whether a sweep finds nothing more to do: False while a settled point waits for its worker, or for its turn.
    """
    if not _list_left(database, study, 0) and not _is_any_lease_over(database, study):
        return True
    if not _take_turn(database, study):
        return False
    sweep(database, study, spare_seconds=SPARE_SECONDS)
    # What is left beside those is none of orch's.
    return len(_list_left(database, study, 0)) == len(_list_left(database, study, SPARE_SECONDS))


def sweep(database: Database, study: StudyRow, *, spare_seconds: float = 0.0) -> int:
    """Tidy up what killed workers left: may be run by anybody, at any time, any number of times.

    A RUNNING trial whose point is done is told; one that is not its point's present attempt becomes FAIL, lost; so does
    one that was enqueued and whose point another trial settled.

    Args:
        database: where.
        study: of which study.
        spare_seconds: leave points that were settled so lately to their workers.

    Returns:
        How many trials were settled.
    """
    with database.transaction() as connection:
        expire_leases(connection, study.uuid, database.now(connection), _lease_of(study))
    complete_chain(database, study.uuid)
    settled = sum(
        end_trial(database, trial_id, AttemptEnd.LOST) for trial_id in _list_left_over(database, study)
    )
    left = _read_trials(database, _list_left(database, study, spare_seconds))
    if not left:
        return settled
    # Points are read after the trials: a claim is made before its trial, so that a present attempt is never missed.
    numbers = {trial.user_attrs.get(POINT, -1) for trial in left}
    points = {record.point: record for record in list_points(database, study.uuid, numbers)}
    objectives = len(database.optuna.get_study_directions(study.optuna_study_id))
    for trial in left:
        point = points.get(trial.user_attrs.get(POINT, -1))
        if point is None or not _is_of_orch(trial):
            continue
        if _is_settled_by(point, trial) and point.outcome is not None:
            # The objectives of a pruned trial of several are not known: it has none.
            further = list(trial.user_attrs.get(ALSO, {}).values())
            value = point.value if len(further) + 1 == objectives else None
            settled += settle_trial(database, trial._trial_id, point.outcome, value, further)
        elif not _is_present_attempt(point, trial):
            attributes = {ERROR: point.error} if point.state == PointState.FAILED and point.error else None
            # An attempt that was ended on purpose said so before it gave its point back.
            outcome = AttemptEnd(trial.user_attrs.get(OUTCOME, AttemptEnd.LOST))
            settled += end_trial(database, trial._trial_id, outcome, attributes=attributes)
    return settled


def _list_left(database: Database, study: StudyRow, spare_seconds: float) -> list[int]:
    """RUNNING trials that are not the noted attempt of a claimed point.

    Hundreds of idle workers ask this again and again while others work, and Optuna would make an object of every trial
    that runs, with all it reported, each time.
    """
    attempt = sa.and_(
        tables.points.c.study_uuid == study.uuid, tables.points.c.trial_id == _trials.c.trial_id
    )
    is_worked_on = sa.exists().where(attempt, tables.points.c.state == PointState.CLAIMED)
    is_settled_lately = sa.exists().where(
        attempt,
        tables.points.c.state == PointState.DONE,
        tables.points.c.finished_at > database.clock - spare_seconds,
    )
    left = sa.select(_trials.c.trial_id).where(
        _trials.c.study_id == study.optuna_study_id, _trials.c.state == AttemptState.RUNNING, ~is_worked_on
    )
    if spare_seconds:
        left = left.where(~is_settled_lately)
    with database.reading() as connection:
        return list(connection.execute(left.order_by(_trials.c.trial_id)).scalars())


def _list_left_over(database: Database, study: StudyRow) -> list[int]:
    """Enqueued trials whose point another trial settled, as an older orch does, which makes one of its own: Optuna's ids."""
    query = (
        sa.select(_trials.c.trial_id, _attributes.c.value_json)
        .join(_attributes, _attributes.c.trial_id == _trials.c.trial_id)
        .where(
            _trials.c.study_id == study.optuna_study_id,
            _trials.c.state == WAITING,
            _attributes.c.key == ADOPTED,
        )
    )
    with database.reading() as connection:
        waiting = {int(json.loads(point)): int(trial_id) for trial_id, point in connection.execute(query)}
    known = list_points(database, study.uuid, list(waiting)) if waiting else []
    return [waiting[point.point] for point in known if point.state.is_settled]


def _lease_of(study: StudyRow) -> float | None:
    return study.spec.study.lease_seconds if isinstance(study, StudyRecord) else None


def _is_any_lease_over(database: Database, study: StudyRow) -> bool:
    points = tables.points.c
    over = sa.select(points.point).where(
        points.study_uuid == study.uuid,
        points.state == PointState.CLAIMED,
        is_lease_over(database.clock, _lease_of(study)),
    )
    with database.reading() as connection:
        return connection.execute(over.limit(1)).first() is not None


def _read_trials(database: Database, trial_ids: list[int]) -> list[Any]:
    """Optuna's trials; without those that were deleted."""
    found = []
    for trial_id in trial_ids:
        with contextlib.suppress(KeyError):
            found.append(backend(database).get_trial(trial_id))
    return found


def _take_turn(database: Database, study: StudyRow) -> bool:
    key = tables.turn_key(study.uuid)
    with database.transaction() as connection:
        now = database.now(connection)
        # Who finds the row locked does not wait: somebody else has the turn.
        taken = connection.execute(
            sa.select(_facts.value).where(_facts.key == key).with_for_update(skip_locked=True)
        ).scalar()
        if taken is None:
            first = database.insert(tables.facts).values(key=key, value=repr(now)).on_conflict_do_nothing()
            return bool(connection.execute(first).rowcount)
        if float(taken) > now - TURN_SECONDS:
            return False
        connection.execute(sa.update(tables.facts).where(_facts.key == key).values(value=repr(now)))
        return True


def _is_of_orch(trial: Any) -> bool:
    return TOKEN in trial.user_attrs and ATTEMPT in trial.user_attrs


def _is_settled_by(point: PointRecord, trial: Any) -> bool:
    return point.state == PointState.DONE and point.trial_id == trial._trial_id


def _is_present_attempt(point: PointRecord, trial: Any) -> bool:
    if point.state != PointState.CLAIMED or point.token != trial.user_attrs[TOKEN]:
        return False
    # A repeated insert after a lost acknowledgement leaves twins; the noted one is the attempt.
    return point.trial_id is None or point.trial_id == trial._trial_id
