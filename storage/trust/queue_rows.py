"""What each row of a study's queue must look like, whatever wrote it, and rows that belong to none of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sqlalchemy as sa

from storage.database import tables
from storage.errors import StudyUnreadableError
from storage.states import PointState
from storage.studies.point_records import PointRecord
from storage.wording import name_few

if TYPE_CHECKING:
    from storage.database.engine import Database

KEPT = {"fold results": tables.epochs, "predictions": tables.predictions}
"""What is kept of a trial, by its name on the pages, and the table that has it."""


@dataclass
class Queue:
    """The rows of a study's queue.

    Attributes:
        numbers: of all rows, in order.
        points: those that can be read.
        problems: what is wrong with the rows themselves, one sentence each.
    """

    numbers: list[int] = field(default_factory=list)
    points: list[PointRecord] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_queue(database: Database, study_uuid: str) -> Queue:
    """Read every row of a queue; one that cannot be read is named, and the others are read all the same."""
    queue, columns = Queue(), tables.points.c
    query = sa.select(tables.points).where(columns.study_uuid == study_uuid).order_by(columns.point)
    with database.reading() as connection:
        rows = connection.execute(query).all()
    for row in rows:
        queue.numbers.append(row.point)
        try:
            point = PointRecord.from_row(row)
        except StudyUnreadableError as error:
            queue.problems.append(error.what)
            continue
        queue.points.append(point)
        queue.problems += check_row(point)
    queue.problems += _find_strays(database, study_uuid, set(queue.numbers))
    return queue


def check_row(point: PointRecord) -> Iterator[str]:
    """Find what no command of orch writes: an end without a time, a lease where no worker can be, a result before the end."""
    name = f"Planned trial {point.point}"
    if point.state == PointState.CLAIMED:
        if point.expires_at is None or not math.isfinite(point.expires_at) or point.token is None:
            yield f"{name} is claimed without a lease that ends, so that no other worker would ever take it over."
    elif point.expires_at is not None:
        yield f"{name} is {point.state} and still has a lease."
    if point.state == PointState.DONE and point.outcome is None:
        yield f"{name} is done without an outcome."
    if point.state != PointState.DONE and (point.outcome is not None or point.value is not None):
        yield f"{name} is {point.state} and yet has an outcome or a value."
    if point.state.is_settled and point.finished_at is None:
        yield f"{name} is {point.state} without the time when it ended."


def _find_strays(database: Database, study_uuid: str, numbers: set[int]) -> Iterator[str]:
    """Find rows of trials that the study does not have."""
    for what, table in KEPT.items():
        query = sa.select(table.c.point).where(table.c.study_uuid == study_uuid).distinct()
        with database.reading() as connection:
            strays = sorted(set(connection.execute(query).scalars()) - numbers)
        if strays:
            yield f"The database has {what} of planned trial {name_few(map(str, strays))}, which the study does not have."
