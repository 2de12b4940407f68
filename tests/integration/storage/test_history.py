"""The history that storms are judged by: kept by the database itself, and every breach of the contract is seen in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from storage.database.engine import Database
from storage.database.opening import open_database
from storage.states import PointOutcome
from storage.studies import points
from tests.history import (
    Change,
    Told,
    check_history,
    keep_history,
    note_what_is_told,
    read_history,
    read_told,
)
from tests.studies import claim, expire, make_study

OPEN = Change(0, "open", None, 0, 0, 0, None, None, None, None, 0.0)
CLAIMED = replace(OPEN, state="claimed", token="a", attempt=1, expires_at=15.0, at=10.0)
BEATEN = replace(CLAIMED, expires_at=18.0, at=13.0)
LOST = replace(BEATEN, state="open", token=None, losses=1, expires_at=None, at=18.1)
AGAIN = replace(LOST, state="claimed", token="b", attempt=2, expires_at=24.0, at=19.0)
DONE = replace(AGAIN, state="done", outcome="COMPLETE", value=0.7, trial_number=1, expires_at=None, at=20.0)
FINISHED = Told("finished", 0, "b", 0.7)
RIGHT = [OPEN, CLAIMED, BEATEN, LOST, AGAIN, DONE]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An open database that keeps the history of points."""
    opened = open_database(database_url)
    keep_history(opened)
    yield opened
    opened.close()


def test_a_right_history_has_no_breach() -> None:
    assert check_history(RIGHT, [Told("claimed", 0, "a"), Told("claimed", 0, "b"), FINISHED], lease=5) == []
    given_back = [OPEN, CLAIMED, replace(CLAIMED, state="open", expires_at=None, at=11.0), AGAIN]
    assert check_history([*given_back, replace(AGAIN, state="failed", failures=3)]) == []


@pytest.mark.parametrize(
    ("history", "told", "breach"),
    [
        ([CLAIMED], [], "did not begin open"),
        ([*RIGHT, replace(DONE, value=0.8)], [], "was done, and changed"),
        ([*RIGHT, AGAIN], [], "was done, and changed"),
        ([*RIGHT, replace(DONE, state="open")], [], "was done, and changed"),
        ([OPEN, CLAIMED, replace(AGAIN, attempt=1)], [], "given to another worker while it was claimed"),
        ([OPEN, CLAIMED, AGAIN], [], "came to another attempt without being claimed"),
        ([OPEN, CLAIMED, replace(LOST, at=14.0)], [], "taken 1.0 s before it ended"),
        ([OPEN, replace(CLAIMED, token=None)], [], "claimed without a new token"),
        ([OPEN, replace(CLAIMED, attempt=0)], [], "claimed without a new token"),
        ([OPEN, replace(CLAIMED, attempt=2)], [], "attempt 2 came after attempt 0"),
        ([OPEN, CLAIMED, replace(DONE, attempt=1)], [], "came from who did not hold it"),
        ([OPEN, replace(DONE, attempt=0)], [], "became done without being claimed"),
        ([OPEN, CLAIMED, replace(DONE, attempt=1, token=None)], [], "finished by nobody"),
        ([OPEN, CLAIMED, BEATEN, LOST, replace(AGAIN, token="a")], [], "its token was that of another attempt"),
        ([OPEN, CLAIMED, replace(DONE, attempt=1, token="a", outcome=None, value=None)], [], "done with the outcome None"),
        ([OPEN, CLAIMED, replace(CLAIMED, value=0.5)], [], "claimed with the outcome None"),
        ([OPEN, replace(OPEN, losses=1)], [], "changed while it was open"),
        (RIGHT[:-1], [FINISHED], "a finish was acknowledged and is not its last state"),
        (RIGHT, [replace(FINISHED, token="a")], "a finish was acknowledged and is not its last state"),
        (RIGHT, [replace(FINISHED, value=0.6)], "0.6 was acknowledged, and 0.7 is kept"),
        (RIGHT, [Told("claimed", 0, "c")], "a claim was acknowledged that the history does not have"),
        (RIGHT, [Told("finished", 9, "b", 0.7)], "a finish was acknowledged"),
    ],
)  # fmt: skip
def test_a_breach_is_named(history: list[Change], told: list[Told], breach: str) -> None:
    found = check_history(history, told, lease=5)
    assert any(breach in problem for problem in found), found


def test_every_prefix_is_looked_at() -> None:
    """Also one that ends right: a point that was done, open for a moment and done again."""
    assert check_history([*RIGHT, replace(DONE, state="open", outcome=None, value=None), DONE])


def test_a_lease_of_a_clock_that_was_set_back_is_over() -> None:
    ahead = replace(CLAIMED, expires_at=18_000.0)
    assert check_history([OPEN, ahead, replace(LOST, at=11.0)], lease=5) == []


def test_the_database_keeps_every_change_and_workers_what_they_were_told(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make_study(database, points=2)
    for name in ("claim_point", "finish_point"):
        monkeypatch.setattr(points, name, getattr(points, name))
    note_what_is_told(tmp_path)
    lost = claim(database, study)
    expire(database, lost)
    held = claim(database, study)
    points.beat(database, held, lease_seconds=5)
    points.finish_point(database, held, outcome=PointOutcome.COMPLETE, value=0.75, trial_id=1, trial_number=0)
    other = claim(database, study)
    points.release_point(database, other)
    history = read_history(database, study.uuid)
    assert history is not None
    states = [change.state for change in history if change.point == 0]
    assert states == ["open", "claimed", "claimed", "open", "claimed", "claimed", "done"]
    assert [change.state for change in history if change.point == 1] == ["open", "claimed", "open"]
    told = read_told(tmp_path)
    assert [(one.what, one.point) for one in told] == [
        ("claimed", 0), ("claimed", 0), ("finished", 0), ("claimed", 1)
    ]  # fmt: skip
    assert check_history(history, told, lease=5) == []
