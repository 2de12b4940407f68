"""What a worker says when it is told to stop."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from workers.process.draining import draining_on_signals


@pytest.mark.parametrize(
    ("at_once", "said"), [(1, "giving the trial back"), (3, "each trial, then giving all of them back")]
)
def test_a_worker_that_is_told_to_stop_says_what_becomes_of_its_trials(at_once: int, said: str) -> None:
    stop, told = threading.Event(), list[str]()
    with draining_on_signals(stop, told.append, at_once=at_once) as received:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(10)
    assert received == [signal.SIGTERM]
    assert said in " ".join(told)
