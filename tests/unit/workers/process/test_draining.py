"""What a worker says and does when it is told to stop, once or more often."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from workers.process.draining import draining_on_signals
from workers.process.messages import ECHO_SECONDS

DRAINING = """
import sys, threading, time
from workers.process.draining import draining_on_signals
say = lambda line: print(line, flush=True)
with draining_on_signals(threading.Event(), say, is_supervised="supervised" in sys.argv) as received:
    print("working", flush=True)
    while True:
        time.sleep(0.01)
"""


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


def test_the_same_word_twice_is_an_echo_and_a_later_one_ends_the_process_at_once() -> None:
    """Slurm tells every process of a task, and the task's script hands on what it was told."""
    with subprocess.Popen([sys.executable, "-c", DRAINING], stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout
        try:
            assert worker.stdout.readline() == "working\n"
            worker.send_signal(signal.SIGTERM)
            assert worker.stdout.readline().startswith("stopping")
            worker.send_signal(signal.SIGTERM)
            with pytest.raises(subprocess.TimeoutExpired):
                worker.wait(ECHO_SECONDS + 0.2)
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(10) == 128 + signal.SIGTERM
            assert worker.stdout.read() == ""
        finally:
            worker.kill()


def test_a_word_that_a_supervisor_passes_on_late_is_the_first_once_more() -> None:
    command = [sys.executable, "-c", DRAINING, "supervised"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout
        try:
            assert worker.stdout.readline() == "working\n"
            worker.send_signal(signal.SIGTERM)
            assert worker.stdout.readline().startswith("stopping")
            time.sleep(ECHO_SECONDS + 0.1)
            worker.send_signal(signal.SIGTERM)
            with pytest.raises(subprocess.TimeoutExpired):
                worker.wait(0.3)
        finally:
            worker.kill()
