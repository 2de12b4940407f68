"""Delete a study that workers may be working on: take it from them, wait until they let go, then remove it."""

from __future__ import annotations

import time
from collections.abc import Callable

import sqlalchemy as sa

from storage.database import tables
from storage.database.engine import Database
from storage.database.waiting import described
from storage.states import PointState
from storage.studies.study import StudyRow, delete_study, stop_study
from storage.studies.sweeping import sweep
from storage.studies.trials import list_running

_points = tables.points.c


def stop_and_delete(
    database: Database,
    study: StudyRow,
    *,
    patience: float,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Delete a study and everything of it.

    Args:
        database: where.
        study: which.
        patience: seconds to wait for workers to notice; one that is frozen finds later that its lease is gone.
        sleep: how to wait.

    Returns:
        How many workers were at work on it.
    """
    stop_study(database, study)
    with described():
        with database.transaction() as connection:
            taken = connection.execute(
                sa.update(tables.points)
                .where(_points.study_uuid == study.uuid, _points.state == PointState.CLAIMED)
                .values(state=PointState.OPEN, token=None, worker=None, expires_at=None)
            ).rowcount
        end = time.monotonic() + patience
        # A worker that finds its lease gone ends its trial; the present attempts are those that are still RUNNING.
        while taken and time.monotonic() < end and list_running(database, study):
            sleep(0.25)
        sweep(database, study)
    delete_study(database, study)
    return int(taken)
