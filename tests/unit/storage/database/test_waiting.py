"""Waiting for a database that is away: what is said of it."""

import logging

import pytest

from storage.database.waiting import wait_for
from storage.errors import DatabaseAwayError


def test_waiting_says_why_and_when_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    def answer(tries: int) -> str:
        if tries < 5:
            raise DatabaseAwayError("The database does not answer: no route to host.")
        return "here"

    with caplog.at_level(logging.INFO, "storage.database.waiting"):
        assert wait_for(answer, sleep=lambda _: None) == "here"
        assert wait_for(lambda _: "at once") == "at once"
    *waiting, over = caplog.messages
    assert waiting
    assert all("no route to host. Waited" in line for line in waiting)
    assert over.startswith("The database answers again, after")


def test_giving_up_says_it_once() -> None:
    def answer(_: int) -> None:
        raise DatabaseAwayError("The database does not answer: no route to host.")

    with pytest.raises(DatabaseAwayError) as raised:
        wait_for(answer, give_up_after=0)
    assert raised.value.what == "The database does not answer: no route to host."
