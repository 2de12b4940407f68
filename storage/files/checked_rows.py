"""Rows of a file that is mapped into memory, each compared with its checksum when it is read.

A checksum at opening says nothing of the hours after it: a disk that fails, or somebody who writes into the file, changes what a
memory map shows. CRC-32 is enough against accidents: one in 4 thousand million damaged rows is missed.
"""

from __future__ import annotations

import logging
import threading
import time
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

from storage.errors import FeaturesError

log = logging.getLogger(__name__)

RECHECK_SECONDS = 600.0
"""A row is compared again after this time, so that checking takes less than a hundredth of a training."""
MOST_REMADE = 64
"""Rows that are made again in memory; a file with more damage is not worth it."""

SAMPLE_SIZE = 64
"""Numbers by which two machines compare what they keep."""

Make = Callable[[int], NDArray[Any]]


def sample_rows(values: NDArray[Any]) -> list[float]:
    """Some SAMPLE_SIZE numbers of rows, shape (n, ...), from fixed places."""
    places = np.linspace(0, values.size - 1, min(SAMPLE_SIZE, values.size)).astype(np.int64)
    rows, inside = np.divmod(places, values.size // len(values))
    return [
        float(values[row].reshape(-1)[place])
        for row, place in zip(rows.tolist(), inside.tolist(), strict=True)
    ]


class CheckedRows(NDArrayOperatorsMixin):
    """Stands in for a memory map where rows are read: `rows[indices]`, or all of them as an array.

    Args:
        values: the memory map, shape (n, ...).
        sums: CRC-32 of each row's bytes, shape (n,).
        place: what is read, for messages.
        drop: called once when damage is found, so that the file is made again by whoever opens it next; None where nobody can make it.
        make: gives a row again; None where that takes more than a row.
    """

    def __init__(
        self,
        values: NDArray[Any],
        sums: NDArray[np.uint32],
        *,
        place: str,
        drop: Callable[[], None] | None = None,
        make: Make | None = None,
    ) -> None:
        self._values, self._sums = values, sums
        self._place, self._drop, self._make = place, drop, make
        self._checked = np.full(len(values), time.monotonic())
        self._remade: dict[int, NDArray[Any]] = {}
        self._guard = threading.Lock()
        self.shape, self.dtype, self.ndim, self.size = values.shape, values.dtype, values.ndim, values.size
        self.nbytes = int(values.nbytes)

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self._values)

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        """Rows by number, by slice or by an array of numbers; with a tuple, whole rows first and then a part of them.

        Raises:
            FeaturesError: a row has other bytes than it was written with, and cannot be made again.
        """
        if isinstance(rows, tuple):
            first, *rest = rows
            one = isinstance(first, int | np.integer)
            return self[first][tuple(rest) if one else (slice(None), *rest)]
        if isinstance(rows, np.ndarray) and rows.dtype.kind in "iu":
            wanted = np.atleast_1d(rows % len(self)) if rows.size else rows
        else:
            wanted = np.atleast_1d(np.arange(len(self))[rows])
        self._check(wanted)
        found: NDArray[Any] = np.asarray(self._values[rows])
        damaged = [number for number in wanted.tolist() if number in self._remade]
        if not damaged:
            return found
        if found.ndim == self.ndim - 1:
            return self._remade[damaged[0]]
        found = found.copy()
        for number in damaged:
            found[wanted == number] = self._remade[number]
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """All rows."""
        everything = self[:]
        return everything if dtype is None else everything.astype(dtype, copy=False)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """Arithmetic and comparisons, on checked rows as on any array."""
        return getattr(ufunc, method)(
            *(np.asarray(part) if isinstance(part, CheckedRows) else part for part in inputs), **options
        )

    def reshape(self, *shape: Any) -> NDArray[Any]:
        """All rows in another shape."""
        return self[:].reshape(*shape)

    def _check(self, wanted: NDArray[np.int64]) -> None:
        now = time.monotonic()
        for number in wanted[now - self._checked[wanted] > RECHECK_SECONDS].tolist():
            if zlib.crc32(self._values[number].tobytes()) != self._sums[number]:
                self._restore(number)
            self._checked[number] = now

    def _restore(self, number: int) -> None:
        with self._guard:
            if number in self._remade:
                return
            if not self._remade and self._drop is not None:
                log.warning("%s was damaged while it was in use; it will be made again.", self._place)
                self._drop()
            if self._make is not None and len(self._remade) < MOST_REMADE:
                made = np.ascontiguousarray(self._make(number), self.dtype)
                if zlib.crc32(made.tobytes()) == self._sums[number]:
                    self._remade[number] = made
                    return
        raise FeaturesError(
            f"{self._place} was damaged while it was in use.",
            why="The disk failed, or another program wrote into the file.",
            next_step="Start the worker again: what is damaged was put aside, and is made again."
            if self._drop is not None
            else "Put it in its place again from where it was made.",
        )
