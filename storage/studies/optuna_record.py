"""Optuna's study behind one of ours: whether it is there, whether orch made it, and how it is removed whole.

Optuna's own `delete_study` does nothing, and says nothing, when a worker writes at the same moment (it swallows the integrity
error), and takes a minute for thousands of trials. Other tools may delete the record of a study that orch still has.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from storage.database import tables
from storage.database.engine import Database
from storage.database.waiting import wait_for
from storage.errors import RecordGoneError
from storage.studies.study_records import StudyRow

TOKEN = "token"
OUTCOME, POINT = "orch_outcome", "point"
ADOPTED, REFUSED = "orch_point", "orch_refused"
"""User attributes of a trial that somebody enqueued: the point that it became, or why it cannot be run."""
WAITING = "WAITING"
"""The state of a trial that was enqueued."""
PATIENCE_SECONDS = 600.0
"""How long removing waits for workers that hold rows of it."""


def is_there(database: Database, optuna_study_id: int) -> bool:
    """Whether Optuna knows a study of that id."""
    studies = sa.table("studies", sa.column("study_id"))
    query = sa.select(studies.c.study_id).where(studies.c.study_id == optuna_study_id)
    with database.reading() as connection:
        return connection.execute(query).first() is not None


def gone(study: StudyRow) -> RecordGoneError:
    """What to say of a study whose record in Optuna is not there."""
    return RecordGoneError(
        f"Optuna's record of the study {study.name!r} is gone, so no further trial can be kept.",
        why="Another tool deleted it: `optuna delete-study`, or a dashboard that may edit.",
        next_step="The results so far are in orch's own tables: export them, then delete the study.",
    )


def list_all_trials(database: Database, study: StudyRow) -> list[Any] | None:
    """Every trial that Optuna has of a study, past its cache; None where its record is gone."""
    try:
        return list(backend(database).get_all_trials(study.optuna_study_id, deepcopy=False))
    except KeyError:
        return None


def backend(database: Database) -> Any:
    """Optuna's storage past its cache, which would load every trial of a study to answer about a few, and keeps what is finished."""
    return getattr(database.optuna, "_backend", database.optuna)


def find_leftover(database: Database, name: str) -> int | None:
    """Optuna's id of a study that orch made and has no row of any more; None where there is none.

    All its trials carry the token of an attempt; a study without any trial is of nobody in particular.
    """
    try:
        found = int(database.optuna.get_study_id_from_name(name))
    except KeyError:
        return None
    trials, attributes = _columns()
    made_by_orch = sa.exists().where(attributes.c.trial_id == trials.c.trial_id, attributes.c.key == TOKEN)
    of_study = sa.select(sa.func.count()).select_from(trials).where(trials.c.study_id == found)
    with database.reading() as connection:
        count = connection.execute(of_study).scalar_one()
        others = connection.execute(of_study.where(~made_by_orch)).scalar_one()
        used = connection.execute(
            sa.select(tables.studies.c.uuid).where(tables.studies.c.optuna_study_id == found)
        ).first()
    return found if count and not others and used is None else None


def remove(database: Database, optuna_study_id: int) -> None:
    """Remove Optuna's study with all its trials, whoever writes to it; nothing happens when it is gone already."""
    wait_for(lambda _: _remove(database, optuna_study_id), give_up_after=PATIENCE_SECONDS)
    # What Optuna's cache remembers of it must not be taken for the next study: SQLite gives ids away again.
    database.forget_optuna()


def _remove(database: Database, optuna_study_id: int) -> None:
    from optuna.storages._rdb import models

    trials, studies = models.TrialModel.__table__, models.StudyModel.__table__
    of_study = sa.select(trials.c.trial_id).where(trials.c.study_id == optuna_study_id)
    with database.transaction() as connection:
        # Whoever adds a trial, or writes to one, waits for these locks and then finds nothing to hang it on.
        held = sa.select(studies.c.study_id).where(studies.c.study_id == optuna_study_id)
        if connection.execute(held.with_for_update()).first() is None:
            return
        connection.execute(of_study.order_by(trials.c.trial_id).with_for_update())
        for table in reversed(models.BaseModel.metadata.sorted_tables):
            if "study_id" in table.c:
                connection.execute(sa.delete(table).where(table.c.study_id == optuna_study_id))
            elif "trial_id" in table.c:
                connection.execute(sa.delete(table).where(table.c.trial_id.in_(of_study)))


def _columns() -> tuple[Any, Any]:
    trials = sa.table("trials", sa.column("trial_id"), sa.column("study_id"))
    return trials, sa.table("trial_user_attributes", sa.column("trial_id"), sa.column("key"))
