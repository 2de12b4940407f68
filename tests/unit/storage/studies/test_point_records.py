"""The time left of a study: what trials take, not when they happen to end."""

from __future__ import annotations

import pytest

from storage.studies.point_records import seconds_left


@pytest.mark.parametrize(
    ("waiting", "running", "took", "left"),
    [
        (0, [], [10.0], 0.0),
        # One worker, three trials of 10 s behind it: 4 more and 6 s of the present one.
        (4, [4.0], [9.0, 10.0, 11.0], 46.0),
        # Eight workers began together and two ended a second apart: ten rounds of an hour are left, and no minutes.
        (74, [0.0] * 2 + [3600.0] * 6, [3599.0, 3601.0], (74 + 2) * 3600 / 8),
        # The last round is over with its longest trial.
        (0, [0.0, 9.0], [10.0], 10.0),
        # A trial that runs longer than usual takes no time from the others.
        (1, [50.0], [10.0], 10.0),
        # Unknown before a trial has ended, and while no worker runs one.
        (5, [100.0], [], None),
        (5, [], [10.0], None),
    ],
)
def test_time_left(waiting: int, running: list[float], took: list[float], left: float | None) -> None:
    assert seconds_left(waiting, running, took) == (None if left is None else pytest.approx(left))
