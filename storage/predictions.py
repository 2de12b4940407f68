"""Out-of-fold predictions of complete trials, kept as float16 (about 3 digits; AUC moves by less than 1e-4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa

from storage import tables
from storage.engine import Database
from storage.points import Claim

_columns = tables.predictions.c


@dataclass(frozen=True)
class FoldPredictions:
    """The predictions of one fold's model for the images it did not see.

    Attributes:
        fold: number of the fold, from 0.
        epoch: the epoch they were made after, from 1.
        indices: int32, shape (n,): rows of the development part of the data set.
        values: float16, shape (n, targets): probabilities.
    """

    fold: int
    epoch: int
    indices: np.ndarray
    values: np.ndarray


def keep_predictions(database: Database, claim: Claim, key: str, folds: Sequence[FoldPredictions]) -> None:
    """Keep a trial's out-of-fold predictions; those of an earlier attempt at the point are replaced.

    Args:
        database: where.
        claim: the point; the caller holds it.
        key: from `storage.ledger.run_key`.
        folds: one record per fold.
    """
    with database.transaction() as connection:
        connection.execute(
            sa.delete(tables.predictions).where(
                _columns.study_uuid == claim.study_uuid, _columns.point == claim.point
            )
        )
        connection.execute(
            sa.insert(tables.predictions),
            [
                {
                    "study_uuid": claim.study_uuid,
                    "point": claim.point,
                    "fold": fold.fold,
                    "run_key": key,
                    "epoch": fold.epoch,
                    "target_count": fold.values.shape[1],
                    "indices": np.ascontiguousarray(fold.indices, "<i4").tobytes(),
                    "values": np.ascontiguousarray(fold.values, "<f2").tobytes(),
                }
                for fold in folds
            ],
        )


def read_predictions(database: Database, study_uuid: str, point: int) -> list[FoldPredictions]:
    """The out-of-fold predictions of one point, by fold; empty when it has none."""
    with database.reading() as connection:
        rows = connection.execute(
            sa.select(tables.predictions)
            .where(_columns.study_uuid == study_uuid, _columns.point == point)
            .order_by(_columns.fold)
        ).all()
    return [
        FoldPredictions(
            fold=row.fold,
            epoch=row.epoch,
            indices=np.frombuffer(row.indices, "<i4"),
            values=np.frombuffer(row._mapping["values"], "<f2").reshape(-1, row.target_count),
        )
        for row in rows
    ]
