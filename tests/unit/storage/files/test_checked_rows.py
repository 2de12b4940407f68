"""Rows with checksums take the place of an array wherever one is read."""

import zlib

import numpy as np
import pytest

from storage.errors import FeaturesError
from storage.files import checked_rows
from storage.files.checked_rows import CheckedRows


def check(values: np.ndarray) -> CheckedRows:
    sums = np.array([zlib.crc32(row.tobytes()) for row in values], np.uint32)
    return CheckedRows(values, sums, place="the features", drop=lambda: None)


@pytest.mark.parametrize(
    "rows",
    [0, -1, slice(1, 3), np.array([2, 0]), (slice(None), 1), (1, 0), (np.array([0, 2]), 1, slice(0, 2)), (2, slice(None), 0)],
)  # fmt: skip
def test_an_index_gives_what_the_array_gives(rows: object) -> None:
    values = np.arange(24.0).reshape(4, 2, 3)
    assert np.array_equal(check(values)[rows], values[rows])


def test_arithmetic_is_that_of_the_array() -> None:
    values = np.arange(24.0).reshape(4, 2, 3)
    rows = check(values)
    assert np.array_equal(rows - values, np.zeros_like(values))
    assert np.array_equal(2 * rows, 2 * values)
    assert (rows == values).all()
    assert np.std(rows) == np.std(values)


@pytest.mark.parametrize("name", ["shape", "dtype", "ndim", "size", "nbytes"])
def test_the_size_is_that_of_the_array(name: str) -> None:
    values = np.zeros((4, 2, 3), np.uint8)
    assert getattr(check(values), name) == getattr(values, name)


def test_a_part_of_a_damaged_row_is_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checked_rows, "RECHECK_SECONDS", -1.0)
    values = np.arange(24.0).reshape(4, 2, 3)
    rows = check(values)
    values[2, 1] = 0
    assert rows[0, 1, 2] == 5
    with pytest.raises(FeaturesError, match="damaged"):
        rows[:, 0]
