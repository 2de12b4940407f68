"""Out-of-fold predictions of complete trials: probabilities as float16 (about 3 digits; AUC moves by less than 1e-4), numbers as float32.

A row holds float32 where its `target_count` is negative.

Each row has a checksum of all that it says, so that a bit that a disk, a restore or a person turned is found when it is read. Rows of an
orch that wrote none, or in a database that has no column for one yet, are taken as they are.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from storage.database import tables
from storage.database.columns import find_missing, list_missing
from storage.database.engine import Database
from storage.studies.points import Claim, require_held
from storage.wording import name_few

log = logging.getLogger(__name__)

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
        values: float16, shape (n, targets): probabilities; of numbers float32.
        is_whole: False where the row is not what was written.
    """

    fold: int
    epoch: int
    indices: np.ndarray
    values: np.ndarray
    is_whole: bool = True


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
        _insert(connection, rows)


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
        values: float16 or float32, shape (epochs, n, targets): what was predicted after each epoch.
    """
    connection.execute(
        sa.delete(tables.predictions).where(
            *_of_point(claim), sa.or_(_columns.fold == fold, _columns.run_key != key)
        )
    )
    _insert(connection, [_as_row(claim, key, fold, ALL_EPOCHS, indices, values)])


def read_kept_folds(database: Database, claim: Claim, key: str) -> dict[int, np.ndarray]:
    """What `keep_fold` kept for this point: fold -> shape (epochs, n, targets).

    A damaged one is left out, so that its fold is trained again.
    """
    with database.reading() as connection:
        rows = connection.execute(
            _select(database).where(*_of_point(claim), _columns.run_key == key, _columns.epoch == ALL_EPOCHS)
        ).all()
    damaged = [row.fold for row in rows if not _is_whole(row)]
    if damaged:
        log.warning(
            "The kept predictions of fold %s are damaged, so it is trained again.",
            name_few(map(str, damaged)),
        )
    return {
        row.fold: np.frombuffer(row._mapping["values"], _kind(row)).reshape(
            -1, len(row.indices) // 4, abs(row.target_count)
        )
        for row in rows
        if row.fold not in damaged
    }


def drop_kept_folds(database: Database, claim: Claim) -> None:
    """Forget what `keep_fold` kept: the trial was pruned, so that no epoch of it counts.

    Raises:
        LeaseLostError: the point is not held any more.
    """
    with database.transaction() as connection:
        require_held(connection, claim)
        connection.execute(sa.delete(tables.predictions).where(*_of_point(claim)))


def read_predictions(
    database: Database, study_uuid: str, point: int, *, with_damaged: bool = False
) -> list[FoldPredictions]:
    """The out-of-fold predictions of one point, by fold; empty when it has none.

    Args:
        database: where.
        study_uuid: of which study.
        point: of which point.
        with_damaged: whether to return rows that are not what was written, too, where they can be read at all; they are left out
            otherwise, and said.
    """
    with database.reading() as connection:
        rows = connection.execute(
            _select(database)
            .where(_columns.study_uuid == study_uuid, _columns.point == point, _columns.epoch != ALL_EPOCHS)
            .order_by(_columns.fold)
        ).all()
    damaged = [row.fold for row in rows if not _is_whole(row)]
    if damaged and not with_damaged:
        log.warning(
            "The kept predictions of trial %d, fold %s, are damaged in the database and left out; `orch study verify` names all.",
            point,
            name_few(map(str, damaged)),
        )
    found = []
    for row in rows:
        kind, content, width = _kind(row), row._mapping["values"], abs(row.target_count)
        values = np.frombuffer(content, kind) if len(content) % kind.itemsize == 0 else np.empty(0, kind)
        fits = len(row.indices) % 4 == 0 and width > 0 and len(values) % width == 0
        if row.fold in damaged and not (with_damaged and fits):
            if with_damaged:
                found.append(
                    FoldPredictions(row.fold, row.epoch, np.empty(0, "<i4"), np.empty((0, 1), "<f2"), False)
                )
            continue
        found.append(
            FoldPredictions(
                fold=row.fold,
                epoch=row.epoch,
                indices=np.frombuffer(row.indices, "<i4"),
                values=values.reshape(-1, width),
                is_whole=row.fold not in damaged,
            )
        )
    return found


def _select(database: Database) -> sa.Select[Any]:
    missing = list_missing(database, tables.predictions)
    return sa.select(*(column for column in tables.predictions.c if column.name not in missing))


def _insert(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        return
    missing = find_missing(connection, tables.predictions)
    kept = [{name: value for name, value in row.items() if name not in missing} for row in rows]
    connection.execute(sa.insert(tables.predictions), kept)


def _is_whole(row: Any) -> bool:
    """Whether a row is what was written; True where no checksum was."""
    written = getattr(row, "digest", None)
    return written is None or written == _digest(row._mapping)


def _digest(row: Mapping[str, Any]) -> str:
    names = ("point", "fold", "run_key", "epoch", "target_count")
    digest = hashlib.sha256(json.dumps([row[name] for name in names]).encode())
    for name in ("indices", "values"):
        digest.update(b"|" + bytes(row[name]))
    return digest.hexdigest()


def _kind(row: Any) -> np.dtype[Any]:
    return np.dtype("<f2" if row.target_count > 0 else "<f4")


def pool_predictions(folds: Sequence[FoldPredictions], count: int) -> NDArray[np.float64]:
    """The out-of-fold probabilities of each image: of repeated folds the mean over the repeats.

    Args:
        folds: of one point.
        count: images of the data set.

    Returns:
        Shape (count, targets); NaN for images that no fold predicted.
    """
    targets = folds[0].values.shape[1] if folds else 0
    total, times = np.zeros((count, targets)), np.zeros((count, 1))
    for fold in folds:
        total[fold.indices] += fold.values
        times[fold.indices] += 1
    return np.where(times > 0, total / np.maximum(times, 1), np.nan)


def _of_point(claim: Claim) -> tuple[Any, ...]:
    return (_columns.study_uuid == claim.study_uuid, _columns.point == claim.point)


def _as_row(
    claim: Claim, key: str, fold: int, epoch: int, indices: np.ndarray, values: np.ndarray
) -> dict[str, Any]:
    is_short = values.dtype == np.float16
    row = {
        "study_uuid": claim.study_uuid,
        "point": claim.point,
        "fold": fold,
        "run_key": key,
        "epoch": epoch,
        "target_count": values.shape[-1] if is_short else -values.shape[-1],
        "indices": np.ascontiguousarray(indices, "<i4").tobytes(),
        "values": np.ascontiguousarray(values, "<f2" if is_short else "<f4").tobytes(),
    }
    return {**row, "digest": _digest(row)}
