"""Fold results, epoch by epoch: what pruning looks at, what figures are drawn from, what survives a crash.

Rows are keyed by study, point, run key (a digest of the parameters and of the spec), fold and epoch. Seeds come from
(study seed, point, fold), so two attempts at a point write equal rows on equal machines. On another device or with other libraries they
may differ; then the rows of the attempt that holds the point take the place of those that a lost one left, because its value, its
reports and its predictions are computed from its own.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, make_dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from storage.database import tables
from storage.database.columns import list_missing
from storage.database.engine import Database
from storage.metrics.objectives import Metric
from storage.metrics.recorded import FIELDS
from storage.studies.points import Claim, note_progress

_epochs = tables.epochs.c


_Row: Any = make_dataclass("_Row", (("point", int), ("fold", int), ("epoch", int), *FIELDS), frozen=True)


class FoldEpoch(_Row):
    """What one fold did in one epoch: an `EpochResult` and whose it is. Epochs count from 1, folds and points from 0."""

    @classmethod
    def from_row(cls, row: Any) -> FoldEpoch:
        """Make a record of one row of `orch_epochs`."""
        values: dict[str, Any] = {name: getattr(row, name, None) for name in _NAMES}
        for name, value in values.items():
            values[name] = math.nan if value is None else value
        return cls(**values)


_NAMES = [field.name for field in fields(FoldEpoch)]
_KEY = [column.name for column in tables.epochs.primary_key]


def run_key(spec_hash: str, params: dict[str, Any]) -> str:
    """Name what was computed: 32 hexadecimal digits of the digest of spec and parameters."""
    text = json.dumps([spec_hash, params], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def record_epochs(
    database: Database,
    claim: Claim,
    key: str,
    rows: Sequence[FoldEpoch],
    *,
    epoch: int,
    lease_seconds: float,
    together_with: Callable[[Connection], None] | None = None,
) -> None:
    """Write the rows of finished fold-epochs and hold the point, in one transaction.

    A row that an earlier attempt left is replaced, whole.

    Args:
        database: where.
        claim: the right to work on the point; nothing is written without it.
        key: from `run_key`.
        rows: any number of fold-epochs of this point.
        epoch: how far the trial is, for people to see.
        lease_seconds: how long the point is held from now.
        together_with: writes what must not be without these rows, in the same transaction.

    Raises:
        LeaseLostError: the point is not held any more; nothing was written.
    """
    missing = list_missing(database)
    values = [
        {name: value for name, value in _as_row(claim.study_uuid, key, row).items() if name not in missing}
        for row in rows
    ]
    with database.transaction() as connection:
        note_progress(connection, claim, epoch=epoch, expires_at=database.clock + lease_seconds)
        if values:
            connection.execute(_statement(database, tuple(values[0])), values)
        if together_with is not None:
            together_with(connection)


def _statement(database: Database, names: tuple[str, ...]) -> sa.Insert:
    """The statement of `record_epochs`, made once for a database: making it for every epoch would cost a millisecond each."""
    made: dict[tuple[str, ...], sa.Insert] = database.__dict__.setdefault("epoch_statements", {})
    if names not in made:
        written = database.insert(tables.epochs)
        replaced = {name: written.excluded[name] for name in names if name not in _KEY}
        made[names] = written.on_conflict_do_update(index_elements=_KEY, set_=replaced)
    return made[names]


def read_curves(
    database: Database, study_uuid: str, point: int | None = None, key: str | None = None
) -> list[FoldEpoch]:
    """The fold-epochs of a study, or of one of its points (and run key), by point, fold and epoch."""
    missing = list_missing(database)
    there = [column for column in tables.epochs.c if column.name not in missing]
    query = sa.select(*there).where(_epochs.study_uuid == study_uuid)
    if point is not None:
        query = query.where(_epochs.point == point)
    if key is not None:
        query = query.where(_epochs.run_key == key)
    with database.reading() as connection:
        rows = connection.execute(query.order_by(_epochs.point, _epochs.fold, _epochs.epoch)).all()
    return [FoldEpoch.from_row(row) for row in rows]


@dataclass(frozen=True)
class ScoreColumns:
    """The fold-epochs of a study as columns, each of shape (rows,), by point, fold and epoch.

    Attributes:
        point: from 0, int64.
        fold: from 0, int64.
        epoch: from 1, int64.
        score: float64, NaN where undefined.
        seconds: float64.
    """

    point: NDArray[np.int64]
    fold: NDArray[np.int64]
    epoch: NDArray[np.int64]
    score: NDArray[np.float64]
    seconds: NDArray[np.float64]


def score_column(metric: Metric) -> sa.ColumnElement[float]:
    """The score of a fold-epoch, for queries."""
    column = _epochs[metric.column]
    return column if metric.sign > 0 else -column


def read_score_columns(database: Database, study_uuid: str, metric: Metric) -> ScoreColumns:
    """Score and time of all fold-epochs: records of a large study (`read_curves`) take seconds to make."""
    query = (
        sa.select(_epochs.point, _epochs.fold, _epochs.epoch, score_column(metric), _epochs.seconds)
        .where(_epochs.study_uuid == study_uuid)
        .order_by(_epochs.point, _epochs.fold, _epochs.epoch)
    )
    with database.reading() as connection:
        rows = connection.execute(query).all()
    point, fold, epoch, score, seconds = zip(*rows, strict=True) if rows else ((),) * 5
    return ScoreColumns(
        np.array(point, dtype=np.int64),
        np.array(fold, dtype=np.int64),
        np.array(epoch, dtype=np.int64),
        np.array(score, dtype=np.float64),
        np.array(seconds, dtype=np.float64),
    )


@dataclass(frozen=True)
class EpochMean:
    """One epoch of one point: means over the folds that got there; NaN where no fold has a value.

    Attributes:
        train_score: of the study's metric on the training images; NaN where the ledger has none.
        score: on the validation images.
        score_low, score_high: the lowest and the highest of the folds.
    """

    point: int
    epoch: int
    folds: int
    train_score: float
    score: float
    score_low: float
    score_high: float
    steps: int
    seconds: float


def read_mean_curves(database: Database, study_uuid: str, metric: Metric) -> list[EpochMean]:
    """The mean curves of a whole study by point and epoch: a row per epoch where `read_curves` has one per fold.

    Steps and seconds are sums over the folds.
    """
    score = score_column(metric)
    train = sa.func.avg(_epochs[metric.train_column]) * metric.sign if metric.train_column else sa.null()
    query = (
        sa.select(
            _epochs.point,
            _epochs.epoch,
            sa.func.count(),
            train,
            sa.func.avg(score),
            sa.func.min(score),
            sa.func.max(score),
            sa.func.sum(_epochs.steps),
            sa.func.sum(_epochs.seconds),
        )
        .where(_epochs.study_uuid == study_uuid)
        .group_by(_epochs.point, _epochs.epoch)
        .order_by(_epochs.point, _epochs.epoch)
    )
    with database.reading() as connection:
        rows = connection.execute(query).all()
    plain: list[list[Any]] = [[math.nan if value is None else value for value in row] for row in rows]
    return [EpochMean(*values) for values in plain]


def _as_row(study_uuid: str, key: str, row: FoldEpoch) -> dict[str, Any]:
    values: dict[str, Any] = {"study_uuid": study_uuid, "run_key": key}
    # Not `asdict`, which copies each of 4,800 numbers of a trial deeply: a tenth of what a trial costs.
    for name, value in ((name, getattr(row, name)) for name in _NAMES):
        values[name] = None if isinstance(value, float) and not math.isfinite(value) else value
    return values
