"""What other points had after as many epochs or folds: what pruners look at."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from storage.database import tables
from storage.database.engine import Database
from storage.metrics.objectives import Metric
from storage.results.ledger import score_column
from storage.states import PointOutcome, PointState

_epochs = tables.epochs.c
_points = tables.points.c


class EpochMeans:
    """The mean over folds at one epoch, of every point of a study that got there.

    What settled points had does not change, so it is read once: a study of 5,000 points has 30,000 rows for each epoch, and a
    pruner asks after every one. One object serves one study and one thread.
    """

    def __init__(self) -> None:
        self._kept: dict[int, dict[int, float]] = {}
        self._read_from: dict[int, int] = {}

    def read(
        self, database: Database, study_uuid: str, epoch: int, *, folds: int, metric: Metric
    ) -> dict[int, float]:
        """Look them up.

        Args:
            database: where.
            study_uuid: of which study; the same in every call.
            epoch: from 1.
            folds: how many must have got there.
            metric: what the study maximises; the same in every call.

        Returns:
            Point -> mean of the folds that have a score; points without any are left out.
        """
        unsettled = sa.select(sa.func.min(_points.point)).where(
            _points.study_uuid == study_uuid, _points.state.not_in((PointState.DONE, PointState.FAILED))
        )
        query = (
            sa.select(_epochs.point, sa.func.avg(score_column(metric)))
            .where(_epochs.study_uuid == study_uuid, _epochs.epoch == epoch)
            .group_by(_epochs.point, _epochs.run_key)
            .having(sa.func.count() == folds)
        )
        with database.reading() as connection:
            # Before the rows: what is settled now was written before.
            first_unsettled = connection.execute(unsettled).scalar_one()
            begin = self._read_from.get(epoch, 0)
            if first_unsettled is not None and first_unsettled < begin:
                # A failed point was opened again.
                self._kept[epoch], begin = {}, 0
            rows = connection.execute(query.where(_epochs.point >= begin)).all()
        kept = self._kept.setdefault(epoch, {})
        read = {point: float(mean) for point, mean in rows if mean is not None}
        self._read_from[epoch] = begin if first_unsettled is None else first_unsettled
        kept.update((point, mean) for point, mean in read.items() if point < self._read_from[epoch])
        return {**kept, **read}


def read_fold_means(
    database: Database, study_uuid: str, folds: int, *, epochs: int, objective: str, metric: Metric
) -> dict[int, float]:
    """The objective over the first folds only, of every point that finished them.

    Args:
        database: where.
        study_uuid: of which study.
        folds: how many folds, counted from the first.
        epochs: how many a finished fold has.
        objective: as `study.objective` of the spec names it.
        metric: what the study maximises.

    Returns:
        Point -> value. Values of lost attempts count once: they belong to points, not to attempts.
    """
    per = (_epochs.point, _epochs.run_key)
    rows = sa.select(*per).where(_epochs.study_uuid == study_uuid, _epochs.fold < folds)
    inner: Any
    if objective == "mean_of_max":
        inner = (
            rows.add_columns(sa.func.max(score_column(metric)).label("value"))
            .group_by(*per, _epochs.fold)
            .having(sa.func.count() == epochs)
            .subquery()
        )
        outer, groups = sa.func.avg(inner.c.value), folds
    else:
        inner = rows.add_columns(sa.func.avg(score_column(metric)).label("value"))
        if objective == "last":
            inner = inner.where(_epochs.epoch == epochs)
        inner = inner.group_by(*per, _epochs.epoch).having(sa.func.count() == folds).subquery()
        outer, groups = sa.func.max(inner.c.value), 1 if objective == "last" else epochs
    query = (
        sa.select(inner.c.point, outer)
        .group_by(inner.c.point, inner.c.run_key)
        .having(sa.func.count() == groups)
    )
    with database.reading() as connection:
        return {point: float(value) for point, value in connection.execute(query) if value is not None}


def find_best_point(database: Database, study_uuid: str) -> int | None:
    """The complete point with the highest value so far; None before the first."""
    query = (
        sa.select(_points.point)
        .where(
            _points.study_uuid == study_uuid,
            _points.outcome == PointOutcome.COMPLETE,
            _points.value.is_not(None),
        )
        .order_by(_points.value.desc(), _points.point)
        .limit(1)
    )
    with database.reading() as connection:
        return connection.execute(query).scalar_one_or_none()


def find_live_points(database: Database, study_uuid: str) -> set[int]:
    """The points that are being worked on."""
    query = sa.select(_points.point).where(
        _points.study_uuid == study_uuid, _points.state == PointState.CLAIMED
    )
    with database.reading() as connection:
        return set(connection.execute(query).scalars())
