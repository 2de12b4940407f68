"""A study grows: more trials of the same sequence, and guesses of people beside it. What is there never changes.

The plan of a study numbers its points 0, 1, 2, .. in the order of one sequence; points beside the plan (a person's guess, a trial
that was enqueued in Optuna) are numbered from `ADDED_FROM`, so that the sequence can be continued at any time with the numbers,
and so with the seeds, that it would have had from the start. What was added, when and by whom is noted in the study's facts,
which is no part of its spec.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from storage.database import tables
from storage.database.engine import Database
from storage.database.waiting import described
from storage.errors import SpecError, StudyNotFoundError
from storage.settings import name_user
from storage.studies.chain import link_growth
from storage.studies.point_records import ADDED_FROM, new_point
from storage.studies.study_records import EXTENDED, GROWTH, GUESSED, StudyRow
from storage.wording import show_params

_points, _studies = tables.points.c, tables.studies.c


def extend_study(database: Database, study: StudyRow, planned: Sequence[dict[str, Any] | None]) -> int:
    """Continue the sequence of a study; points that are there stay as they are. May be repeated, and run by several at once.

    Args:
        database: where.
        study: which.
        planned: the parameters of every point of the longer plan, in order; None where the sampler fills them in when claimed.

    Returns:
        How many points this call added; 0 when there are that many already.

    Raises:
        StudyNotFoundError: it was deleted meanwhile.
    """
    with described(), database.transaction() as connection:
        facts = lock_facts(connection, study)
        of_sequence = sa.select(sa.func.count()).where(
            _points.study_uuid == study.uuid, _points.point < ADDED_FROM
        )
        present = int(connection.execute(of_sequence).scalar_one())
        if present >= len(planned):
            return 0
        new = [new_point(study.uuid, number, planned[number]) for number in range(present, len(planned))]
        connection.execute(sa.insert(tables.points), new)
        note_growth(
            database, connection, study, facts, {"how": EXTENDED, "from": present, "to": len(planned)}
        )
    link_growth(database, study.uuid)
    return len(new)


def add_guess(database: Database, study: StudyRow, params: dict[str, Any]) -> int:
    """Add a point beside the sequence.

    Args:
        database: where.
        study: which.
        params: a value of every searched hyperparameter.

    Returns:
        The number of the point.

    Raises:
        SpecError: a point has these parameters already.
        StudyNotFoundError: the study was deleted meanwhile.
    """
    with described(), database.transaction() as connection:
        facts = lock_facts(connection, study)
        known = sa.select(_points.point, _points.params, _points.state, _points.trial_number, _points.value)
        for row in connection.execute(known.where(_points.study_uuid == study.uuid)):
            if row.params is not None and json.loads(row.params) == params:
                trial = "" if row.trial_number is None else f": trial {row.trial_number}"
                value = "" if row.value is None else f", with the value {row.value:.4f}"
                raise SpecError(
                    f"The study {study.name!r} has this trial already{trial} ({row.state}{value}): {show_params(params)}.",
                    why="The same hyperparameters give the same result again but for the seed.",
                    next_step="For repeats with new folds and seeds: `orch study create NAME --from best.json --repeats 5`.",
                )
        number = add_point(database, connection, study, facts, params, GUESSED)
    link_growth(database, study.uuid)
    return number


def add_point(
    database: Database,
    connection: Connection,
    study: StudyRow,
    facts: dict[str, Any],
    params: dict[str, Any],
    how: str,
    **noted: Any,
) -> int:
    """Add a point beside the sequence, within a transaction that holds the study's row. Returns its number."""
    last = sa.select(sa.func.max(_points.point)).where(
        _points.study_uuid == study.uuid, _points.point >= ADDED_FROM
    )
    found = connection.execute(last).scalar()
    number = ADDED_FROM if found is None else int(found) + 1
    connection.execute(sa.insert(tables.points), [new_point(study.uuid, number, params)])
    note_growth(database, connection, study, facts, {"how": how, "point": number, **noted})
    return number


def lock_facts(connection: Connection, study: StudyRow) -> dict[str, Any]:
    """Hold the study's row until the transaction ends, so that it grows by one hand at a time. Returns its facts.

    Raises:
        StudyNotFoundError: it was deleted.
    """
    query = sa.select(_studies.facts).where(_studies.uuid == study.uuid).with_for_update()
    facts = connection.execute(query).scalar()
    if facts is None:
        raise StudyNotFoundError(f"The study {study.name!r} was deleted.")
    return dict(json.loads(facts))


def note_growth(
    database: Database, connection: Connection, study: StudyRow, facts: dict[str, Any], entry: dict[str, Any]
) -> None:
    """Note what was added, when and by whom, within a transaction that holds the study's row."""
    noted = {**entry, "at": database.now(connection), "by": f"{name_user()}@{socket.gethostname()}"}
    changed = {**facts, GROWTH: [*facts.get(GROWTH, ()), noted]}
    connection.execute(
        sa.update(tables.studies).where(_studies.uuid == study.uuid).values(facts=json.dumps(changed))
    )
    facts[GROWTH] = changed[GROWTH]
