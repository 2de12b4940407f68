"""Points as records: counts, rows that other hands wrote, and the time left, which is of what trials take, not of when they end."""

from __future__ import annotations

import contextlib

import pytest
import sqlalchemy as sa

from storage.database import tables
from storage.database.opening import open_database
from storage.errors import StudyUnreadableError
from storage.results.ledger import record_epochs
from storage.studies.point_records import best_point, count_points, list_points, read_left, seconds_left
from tests.studies import claim, make_row, make_study


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


def test_the_time_left_of_the_rows_of_a_study(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.closing(open_database(sqlite_url)) as database:
        study = make_study(database, points=5)
        ended = {"state": "done", "outcome": "PRUNED", "claimed_at": 100.0, "finished_at": 110.0}
        with database.transaction() as connection:
            for number, values in ((0, ended), (1, {"state": "claimed", "claimed_at": 110.0})):
                row = sa.update(tables.points).where(tables.points.c.point == number)
                connection.execute(row.values(**values))
        # A trial takes 10 s; the present one has run for 4 s, and three wait behind it.
        monkeypatch.setattr(type(database), "now", lambda *_: 114.0)
        assert read_left(database, study) == pytest.approx(6 + 3 * 10)
        # A second worker that has just ended a trial begins the next one, and two wait behind both.
        assert read_left(database, study, begins_next=True) == pytest.approx((2 * 10 + 6 + 10) / 2)


def test_before_a_trial_has_ended_the_time_left_follows_from_its_epochs(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with contextlib.closing(open_database(sqlite_url)) as database:
        study = make_study(database, points=3)
        held = claim(database, study)
        began = list_points(database, study.uuid, [held.point])[0].claimed_at
        assert began is not None
        monkeypatch.setattr(type(database), "now", lambda *_: began + 30.0)

        def record(epoch: int, seconds: float) -> None:
            rows = [make_row(held.point, fold, epoch, seconds=seconds) for fold in range(3)]
            record_epochs(database, held, "key", rows, epoch=epoch, lease_seconds=60)

        # The first epoch compiles the programs: of it nothing follows.
        record(1, 8.0)
        assert read_left(database, study) is None
        record(2, 5.0)
        # Three folds of four epochs of 5 s, of which 30 s are over; two more trials wait.
        assert read_left(database, study) == pytest.approx(60 - 30 + 2 * 60)


@pytest.mark.parametrize(
    ("outcome", "value", "is_complete"),
    [("COMPLETE", 0.8, True), ("PRUNED", 0.8, False), (None, None, False), ("COMPLETE", None, False)],
)
def test_only_a_trial_that_was_trained_to_the_end_and_has_a_value_is_complete(
    sqlite_url: str, outcome: str | None, value: float | None, is_complete: bool
) -> None:
    with contextlib.closing(open_database(sqlite_url)) as database:
        study = make_study(database, points=1)
        with database.transaction() as connection:
            connection.execute(sa.update(tables.points).values(outcome=outcome, value=value))
        (point,) = list_points(database, study.uuid)
    assert point.is_complete is is_complete
    assert best_point([point]) == (point if is_complete else None)


@pytest.mark.parametrize("change", [{"state": "halfway"}, {"state": "done", "outcome": "WON"}])
def test_a_row_that_orch_does_not_write_is_planned_and_nothing_else(
    sqlite_url: str, change: dict[str, str]
) -> None:
    with contextlib.closing(open_database(sqlite_url)) as database:
        study = make_study(database, points=3)
        with database.transaction() as connection:
            row = sa.update(tables.points).where(tables.points.c.point == 1)
            connection.execute(row.values(**change))
        counts = count_points(database, study.uuid)
        assert (counts.planned, counts.open, counts.is_settled) == (3, 2, False)
        with pytest.raises(StudyUnreadableError, match=r"planned trial 1 .*orch study verify"):
            list_points(database, study.uuid)
        assert [point.point for point in list_points(database, study.uuid, [0, 2])] == [0, 2]
