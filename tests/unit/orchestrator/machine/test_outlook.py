"""What a worker says of the rest of its study: after a trial, during a long one, and never at the cost of the work."""

from __future__ import annotations

import contextlib

import sqlalchemy as sa

from orchestrator.machine.outlook import MEANWHILE_SECONDS, SHARE_OF_TIME, Outlook
from storage.database.opening import open_database
from storage.results.ledger import record_epochs
from storage.states import PointOutcome
from storage.studies import points
from tests.studies import claim, make_row, make_study


class Clock:
    """A clock that goes on when it is told to, and by `step` with every look at it."""

    def __init__(self) -> None:
        """Begin at some time."""
        self.now, self.step = 1000.0, 0.0

    def __call__(self) -> float:
        """The time."""
        self.now += self.step
        return self.now


def test_a_worker_says_how_much_is_left_after_a_trial_and_during_a_long_one(sqlite_url: str) -> None:
    with contextlib.closing(open_database(sqlite_url)) as database:
        study, clock = make_study(database, points=2), Clock()
        outlook = Outlook(database, clock=clock)
        held = claim(database, study)
        points.note_trial(database, held, trial_id=1, trial_number=7)
        assert outlook.meanwhile(study, held.point) == ""  # nothing tells yet how long it takes
        for epoch in (1, 2):
            rows = [make_row(held.point, fold, epoch, seconds=100.0) for fold in range(3)]
            record_epochs(database, held, "key", rows, epoch=epoch, lease_seconds=60)
        said = "trial 7 is 50% trained; 0 of 2 trials finished, about 40 min left"
        assert outlook.meanwhile(study, held.point) == said
        assert outlook.meanwhile(study, held.point) == ""  # it was said just now
        clock.now += MEANWHILE_SECONDS
        assert outlook.meanwhile(study, held.point) == said
        points.finish_point(
            database, held, outcome=PointOutcome.COMPLETE, value=0.8, trial_id=1, trial_number=7
        )
        assert outlook.after_trial(study).startswith("1 of 2 trials finished")
        last = claim(database, study)
        points.finish_point(
            database, last, outcome=PointOutcome.PRUNED, value=0.7, trial_id=2, trial_number=8
        )
        assert outlook.after_trial(study) == "2 of 2 trials finished"


def test_looking_takes_a_small_share_of_the_time_and_never_raises(sqlite_url: str) -> None:
    with contextlib.closing(open_database(sqlite_url)) as database:
        study, clock = make_study(database, points=2), Clock()
        outlook = Outlook(database, clock=clock)
        clock.step = 1.0  # a look takes a second
        assert outlook.after_trial(study)
        clock.step = 0.0
        assert outlook.after_trial(study) == ""
        clock.now += 1.0 / SHARE_OF_TIME
        assert outlook.after_trial(study)
        clock.now += 1.0
        with database.transaction() as connection:
            connection.execute(sa.text("DROP TABLE orch_points"))
        assert outlook.after_trial(study) == ""
