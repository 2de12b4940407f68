"""Out-of-fold predictions of complete trials, kept as float16 (about 3 digits; AUC moves by less than 1e-4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from storage.database import tables
from storage.database.engine import Database
from storage.studies.points import Claim, require_held

_columns = tables.predictions.c

ALL_EPOCHS = 0
"""Stands in the place of the (1-based) epoch of a row that holds the predictions of every epoch."""


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
        claim: the point; nothing is written when it is not held any more.
        key: from `storage.results.ledger.run_key`.
        folds: one record per fold.

    Raises:
        LeaseLostError: the point is not held any more.
    """
    with database.transaction() as connection:
        require_held(connection, claim)
        connection.execute(sa.delete(tables.predictions).where(*_of_point(claim)))
        rows = [
            _as_row(claim, key, fold.fold, fold.epoch, fold.indices, np.asarray(fold.values)[np.newaxis])
            for fold in folds
        ]
        if rows:
            connection.execute(sa.insert(tables.predictions), rows)


def keep_fold(
    connection: Connection, claim: Claim, key: str, fold: int, indices: np.ndarray, values: np.ndarray
) -> None:
    """Keep one finished fold's predictions of every epoch, until the trial is over and says which epoch counts.

    Args:
        connection: of the transaction that records the fold's last epoch and makes sure that the point is held.
        claim: the point.
        key: from `storage.results.ledger.run_key`.
        fold: number of the fold, from 0.
        indices: int32, shape (n,): rows of the development part of the data set.
        values: float16, shape (epochs, n, targets): probabilities after each epoch.
    """
    connection.execute(
        sa.delete(tables.predictions).where(
            *_of_point(claim), sa.or_(_columns.fold == fold, _columns.run_key != key)
        )
    )
    connection.execute(
        sa.insert(tables.predictions), [_as_row(claim, key, fold, ALL_EPOCHS, indices, values)]
    )


def read_kept_folds(database: Database, claim: Claim, key: str) -> dict[int, np.ndarray]:
    """What `keep_fold` kept for this point: fold -> float16, shape (epochs, n, targets)."""
    with database.reading() as connection:
        rows = connection.execute(
            sa.select(tables.predictions).where(
                *_of_point(claim), _columns.run_key == key, _columns.epoch == ALL_EPOCHS
            )
        ).all()
    return {
        row.fold: np.frombuffer(row._mapping["values"], "<f2").reshape(
            -1, len(row.indices) // 4, row.target_count
        )
        for row in rows
    }


def drop_kept_folds(database: Database, claim: Claim) -> None:
    """Forget what `keep_fold` kept: the trial was pruned, so that no epoch of it counts.

    Raises:
        LeaseLostError: the point is not held any more.
    """
    with database.transaction() as connection:
        require_held(connection, claim)
        connection.execute(sa.delete(tables.predictions).where(*_of_point(claim)))


def read_predictions(database: Database, study_uuid: str, point: int) -> list[FoldPredictions]:
    """The out-of-fold predictions of one point, by fold; empty when it has none."""
    with database.reading() as connection:
        rows = connection.execute(
            sa.select(tables.predictions)
            .where(_columns.study_uuid == study_uuid, _columns.point == point, _columns.epoch != ALL_EPOCHS)
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


def _of_point(claim: Claim) -> tuple[Any, ...]:
    return (_columns.study_uuid == claim.study_uuid, _columns.point == claim.point)


def _as_row(
    claim: Claim, key: str, fold: int, epoch: int, indices: np.ndarray, values: np.ndarray
) -> dict[str, Any]:
    return {
        "study_uuid": claim.study_uuid,
        "point": claim.point,
        "fold": fold,
        "run_key": key,
        "epoch": epoch,
        "target_count": values.shape[-1],
        "indices": np.ascontiguousarray(indices, "<i4").tobytes(),
        "values": np.ascontiguousarray(values, "<f2").tobytes(),
    }
