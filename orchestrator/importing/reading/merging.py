"""Several rows for one image, of several readers or findings, made into one."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from orchestrator.importing.reading.tables import Table
from storage.errors import DataError
from storage.wording import name_few

WAYS = ("any", "majority", "all")
BETWEEN = "|"

Value = TypeVar("Value", bound=Hashable)


def find_rows(paths: Sequence[str]) -> list[list[int]]:
    """The rows of each image, in the order in which the images first appear."""
    rows_of: dict[str, list[int]] = {}
    for row, path in enumerate(paths):
        rows_of.setdefault(path, []).append(row)
    return list(rows_of.values())


def merge_table(table: Table, rows_of: Sequence[Sequence[int]]) -> Table:
    """One row for each image: the different cells of a column side by side, with | between them."""
    merged = [
        [
            BETWEEN.join(dict.fromkeys(filter(None, cells)))
            for cells in zip(*(table.rows[row] for row in rows), strict=True)
        ]
        if len(rows) > 1
        else table.rows[rows[0]]
        for rows in rows_of
    ]
    return Table(table.path, table.columns, merged, [table.lines[rows[0]] for rows in rows_of])


def merge_labels(
    values: np.ndarray, rows_of: Sequence[Sequence[int]], way: str, readers: Sequence[str] | None = None
) -> np.ndarray:
    """The labels of each image from those of its rows.

    Args:
        values: shape (rows, targets), 0 or 1, NaN where not assessed.
        rows_of: the rows of each image.
        way: "any": 1 where a row says 1; "all": 1 where every row that assessed it says 1; "majority": 1 where more than
            half of them do, 0 where less than half do, and not assessed where both halves are equal.
        readers: who each row is of; the rows of one reader are first made into one by "any", as a reader who marks several
            places has several rows.

    Returns:
        float32, shape (images, targets).
    """
    merged = np.empty((len(rows_of), values.shape[1]), dtype=np.float32)
    for place, some in enumerate(_list_readings(values, rows_of, readers)):
        merged[place] = _pool(some, way) if len(some) > 1 else some[0]
    return merged


def share_labels(
    values: np.ndarray, rows_of: Sequence[Sequence[int]], readers: Sequence[str] | None = None
) -> np.ndarray:
    """The share of an image's readers who said yes, of those who assessed a label: the soft label of each image.

    Args:
        values, rows_of, readers: as of `merge_labels`.

    Returns:
        float32, shape (images, targets), from 0 to 1; NaN where no reader assessed it.
    """
    shares = np.full((len(rows_of), values.shape[1]), np.nan, dtype=np.float32)
    for place, some in enumerate(_list_readings(values, rows_of, readers)):
        assessed = (~np.isnan(some)).sum(axis=0)
        np.divide((some == 1).sum(axis=0), assessed, out=shares[place], where=assessed > 0, casting="unsafe")
    return shares


def merge_equal(
    table: Table, cells: Sequence[Value], rows_of: Sequence[Sequence[int]], what: str
) -> list[Value]:
    """What all rows of an image agree on.

    Raises:
        DataError: the rows of an image differ.
    """
    torn = [rows for rows in rows_of if len({cells[row] for row in rows}) > 1]
    if torn:
        raise DataError(
            f"{table.path}: rows of one image have different {what}: {name_few(map(table.name_lines, torn))}.",
            next_step="Correct these rows.",
        )
    return [cells[rows[0]] for rows in rows_of]


def _list_readings(
    values: np.ndarray, rows_of: Sequence[Sequence[int]], readers: Sequence[str] | None
) -> Iterator[np.ndarray]:
    """What was said of each image, shape (readings, targets): a row for each of its rows, or for each reader."""
    for rows in rows_of:
        some = values[list(rows)]
        if readers is not None and len(rows) > 1:
            own = [readers[row] for row in rows]
            some = np.stack(
                [_pool(some[[name == reader for name in own]], "any") for reader in dict.fromkeys(own)]
            )
        yield some


def _pool(values: np.ndarray, way: str) -> np.ndarray:
    """One row of several, shape (targets,); what no row assessed stays not assessed."""
    assessed = (~np.isnan(values)).sum(axis=0)
    positive = (values == 1).sum(axis=0)
    if way == "any":
        pooled = (positive > 0).astype(np.float32)
    elif way == "all":
        pooled = (positive == assessed).astype(np.float32)
    else:
        pooled = (2 * positive > assessed).astype(np.float32)
        pooled[2 * positive == assessed] = np.nan
    pooled[assessed == 0] = np.nan
    return pooled
