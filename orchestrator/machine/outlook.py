"""What a worker says of the rest of its study, so that the terminal in which it runs shows how long it will take."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import sqlalchemy as sa

from storage.database import tables
from storage.database.deadlines import answering_within
from storage.states import PointState
from storage.studies.point_records import count_points, read_left
from storage.wording import say_duration

if TYPE_CHECKING:
    from storage.database.engine import Database
    from storage.studies.study import StudyRecord

log = logging.getLogger(__name__)

MEANWHILE_SECONDS = 60.0
"""A trial that runs longer than that is no longer silent; a line for each such time."""
SHARE_OF_TIME = 0.05
"""The most that looking may take of a worker's time: where a look takes long, fewer lines have a time left."""
ANSWER_SECONDS = 2.0

_points = tables.points.c


class Outlook:
    """Tells what is left of a study; an answer that would cost much is left out."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Remember where; nothing is read yet."""
        self._database = database
        self._clock = clock
        self._again_at = 0.0
        self._told_at: float | None = None

    def after_trial(self, study: StudyRecord) -> str:
        """What is left now that this worker has ended a trial, as in "4 of 6 trials finished, about 2 min left"; "" for none."""
        if self._clock() < self._again_at:
            return ""
        return self._look(lambda: self._describe(study, begins_next=True))

    def meanwhile(self, study: StudyRecord, point: int) -> str:
        """How far the trial in work is, and what is left; "" where something was told lately, or nothing tells how long it takes."""
        now = self._clock()
        if self._told_at is not None and now - self._told_at < MEANWHILE_SECONDS:
            return ""
        return self._look(lambda: self._describe_trial(study, point))

    def _look(self, describe: Callable[[], str]) -> str:
        began = self._clock()
        try:
            with answering_within(ANSWER_SECONDS):
                said = describe()
        except Exception:
            # It is for people alone; whether the database is away is told by what needs it.
            log.debug("What is left is not known.", exc_info=True)
            said = ""
        now = self._clock()
        self._again_at = now + (now - began) / SHARE_OF_TIME
        if said:
            self._told_at = now
        return said

    def _describe(self, study: StudyRecord, *, begins_next: bool) -> str:
        counts = count_points(self._database, study.uuid)
        finished = f"{counts.planned - counts.open - counts.running} of {counts.planned} trials finished"
        seconds = read_left(self._database, study, begins_next=begins_next)
        return f"{finished}, about {say_duration(seconds)} left" if seconds else finished

    def _describe_trial(self, study: StudyRecord, point: int) -> str:
        epochs = tables.epochs.c
        done = (
            sa.select(sa.func.count())
            .where(epochs.study_uuid == study.uuid, epochs.point == point)
            .scalar_subquery()
        )
        with self._database.reading() as connection:
            trial, rows = connection.execute(
                sa.select(_points.trial_number, done).where(
                    _points.study_uuid == study.uuid,
                    _points.point == point,
                    _points.state == PointState.CLAIMED,
                )
            ).one()
        whole = study.spec.fold_count * study.spec.training.epochs
        if not 0 < rows < whole:
            return ""
        return f"trial {trial} is {rows / whole:.0%} trained; {self._describe(study, begins_next=False)}"
