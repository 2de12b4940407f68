"""What other points had after the same number of folds: what the pruner of the sequential schedule looks at."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from storage import tables
from storage.engine import Database
from storage.ledger import score_column
from storage.objectives import Metric

_epochs = tables.epochs.c
_points = tables.points.c


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
        .where(_points.study_uuid == study_uuid, _points.outcome == "COMPLETE", _points.value.is_not(None))
        .order_by(_points.value.desc(), _points.point)
        .limit(1)
    )
    with database.reading() as connection:
        return connection.execute(query).scalar_one_or_none()


def find_live_points(database: Database, study_uuid: str) -> set[int]:
    """The points that are being worked on."""
    query = sa.select(_points.point).where(_points.study_uuid == study_uuid, _points.state == "claimed")
    with database.reading() as connection:
        return set(connection.execute(query).scalars())
