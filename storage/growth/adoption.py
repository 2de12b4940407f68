"""Trials that somebody enqueued in Optuna become points, each exactly once.

`study.enqueue_trial` and optuna-dashboard leave a WAITING trial with some fixed parameters. It is adopted in one transaction, with
its point, the note of which one on the trial, and the study's growth; the trial then waits for the first attempt at the point, which
takes it over, so that it keeps its number. One that cannot be run (an unknown hyperparameter, a value outside of its range) ends
as FAIL, with the reason.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from storage.database import tables
from storage.database.engine import Database
from storage.errors import SpecError, StudyNotFoundError
from storage.growth.extending import lock_facts, note_growth
from storage.spec import complete_values
from storage.spec.distributions import from_optuna
from storage.studies.optuna_record import ADOPTED, REFUSED, WAITING, backend
from storage.studies.point_records import ADDED_FROM, new_point
from storage.studies.study_records import ENQUEUED, StudyRecord

AT_ONCE = 100
"""So many trials are adopted in one transaction, which holds the study's row."""

_trials = sa.table("trials", sa.column("trial_id"), sa.column("study_id"), sa.column("state"))
_attributes = sa.table(
    "trial_user_attributes", sa.column("trial_id"), sa.column("key"), sa.column("value_json")
)


def find_with_enqueued(database: Database, studies: Collection[StudyRecord]) -> list[StudyRecord]:
    """Those of the studies in which a trial was enqueued that is no point yet; one query, whatever their number."""
    query = (
        sa.select(_trials.c.study_id)
        .where(
            _trials.c.study_id.in_([study.optuna_study_id for study in studies]),
            _trials.c.state == WAITING,
            ~_is_adopted(),
        )
        .distinct()
    )
    if not studies:
        return []
    with database.reading() as connection:
        found = set(connection.execute(query).scalars())
    return [study for study in studies if study.optuna_study_id in found]


def adopt_enqueued(database: Database, study: StudyRecord) -> int:
    """Make points of the trials that somebody enqueued. Anybody may, at any time; each trial becomes one point.

    Hyperparameters that an enqueued trial does not fix are drawn at random, by the number of the trial.

    Returns:
        How many points were added.
    """
    adopted = 0
    seen: set[int] = set()
    while True:
        waiting = _list_waiting(database, study, seen)
        if not waiting:
            return adopted
        seen.update(waiting)
        wanted: dict[int, dict[str, Any]] = {}
        for trial_id in waiting:
            with contextlib.suppress(KeyError):  # deleted meanwhile
                trial = backend(database).get_trial(trial_id)
                fixed = {**trial.params, **trial.system_attrs.get("fixed_params", {})}
                try:
                    wanted[trial_id] = complete_values(
                        study.spec, from_optuna(study.spec, fixed), trial.number
                    )
                except SpecError as problem:
                    _refuse(database, trial_id, str(problem))
        try:
            adopted += _adopt(database, study, wanted)
        except StudyNotFoundError:
            return adopted


def _adopt(database: Database, study: StudyRecord, wanted: Mapping[int, dict[str, Any]]) -> int:
    if not wanted:
        return 0
    points = tables.points.c
    last = sa.select(sa.func.max(points.point)).where(
        points.study_uuid == study.uuid, points.point >= ADDED_FROM
    )
    with database.transaction() as connection:
        facts = lock_facts(connection, study)
        still = sa.select(_trials.c.trial_id).where(
            _trials.c.trial_id.in_(list(wanted)), _trials.c.state == WAITING, ~_is_adopted()
        )
        present = list(connection.execute(still.order_by(_trials.c.trial_id)).scalars())
        if not present:
            return 0
        found = connection.execute(last).scalar()
        first = ADDED_FROM if found is None else int(found) + 1
        numbered = list(enumerate(present, start=first))
        connection.execute(
            sa.insert(tables.points),
            [new_point(study.uuid, number, wanted[trial]) for number, trial in numbered],
        )
        connection.execute(
            sa.insert(_attributes),
            [
                {"trial_id": trial, "key": ADOPTED, "value_json": json.dumps(number)}
                for number, trial in numbered
            ],
        )
        entry = {"how": ENQUEUED, "points": [first, first + len(present) - 1]}
        note_growth(database, connection, study, facts, entry)
    return len(present)


def _list_waiting(database: Database, study: StudyRecord, seen: Collection[int]) -> list[int]:
    query = sa.select(_trials.c.trial_id).where(
        _trials.c.study_id == study.optuna_study_id,
        _trials.c.state == WAITING,
        ~_is_adopted(),
        _trials.c.trial_id > max(seen, default=-1),
    )
    with database.reading() as connection:
        return list(connection.execute(query.order_by(_trials.c.trial_id).limit(AT_ONCE)).scalars())


def _is_adopted() -> sa.ColumnElement[bool]:
    return sa.exists().where(_attributes.c.trial_id == _trials.c.trial_id, _attributes.c.key == ADOPTED)


def _refuse(database: Database, trial_id: int, reason: str) -> None:
    import optuna

    ended = (KeyError, optuna.exceptions.UpdateFinishedTrialError, sa.exc.IntegrityError)
    with contextlib.suppress(*ended):  # another worker was quicker
        database.optuna.set_trial_user_attr(trial_id, REFUSED, reason)
        database.optuna.set_trial_state_values(trial_id, optuna.trial.TrialState.FAIL)
