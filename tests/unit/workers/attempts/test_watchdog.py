"""A training that hangs is noticed, and neither a long epoch, a database that is away nor a sleeping machine is taken for one."""

import threading
import time

import pytest

from storage.errors import LeaseLostError
from workers.attempts.lease import Lease
from workers.attempts.watchdog import TIMES_AN_EPOCH, TIMES_BEFORE_AN_EPOCH, Watchdog, training_lives

SILENCE = 0.1


def wait_for(event: threading.Event, seconds: float = 20.0) -> bool:
    return event.wait(seconds)


def test_silence_before_and_after_the_first_epoch() -> None:
    hung: list[float] = []
    noticed = threading.Event()

    def hangs(seconds: float) -> None:
        hung.append(seconds)
        noticed.set()

    watchdog = Watchdog(SILENCE, hangs)
    assert watchdog.limit == TIMES_BEFORE_AN_EPOCH * SILENCE
    with watchdog:
        watchdog.hear_of_epoch()
        # On a busy machine the thread may start so late that this first epoch was long.
        assert (
            watchdog.limit == pytest.approx(SILENCE)
            or watchdog.limit == TIMES_AN_EPOCH * watchdog._longest_epoch
        )
        assert wait_for(noticed)
    assert len(hung) == 1
    assert hung[0] > SILENCE


def test_a_long_epoch_makes_it_patient() -> None:
    watchdog = Watchdog(SILENCE, lambda seconds: None)
    watchdog._computed += 30
    watchdog.hear_of_epoch()
    assert watchdog.limit == pytest.approx(TIMES_AN_EPOCH * 30, rel=0.01)
    watchdog.hear_of_epoch()
    assert watchdog.limit == pytest.approx(TIMES_AN_EPOCH * 30, rel=0.01), "the longest counts"


def test_words_from_inside_an_epoch_and_waiting_for_the_database_are_no_silence() -> None:
    noticed = threading.Event()
    with Watchdog(SILENCE, lambda seconds: noticed.set()) as watchdog:
        watchdog.hear_of_epoch()
        with watchdog.resting():
            time.sleep(3 * SILENCE)
        for _ in range(12):
            time.sleep(SILENCE / 4)
            training_lives()
        assert not noticed.is_set()
        assert wait_for(noticed), "and then it hangs"


def test_a_process_that_was_frozen_was_not_silent_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    noticed = threading.Event()
    watchdog = Watchdog(1000.0, lambda seconds: noticed.set())
    watchdog._look_seconds = 0.01
    frozen = [0.0]
    monkeypatch.setattr("workers.attempts.watchdog.time.monotonic", lambda: frozen[0])
    with watchdog:
        time.sleep(0.05)
        frozen[0] = 86_400.0
        time.sleep(0.05)
        assert watchdog._silent < 1.0
        watchdog.hear_of_epoch()
        assert watchdog.limit == 1000.0, "the sleep was no long epoch"
    assert not noticed.is_set()


def test_an_epoch_that_waited_for_the_database_was_not_long() -> None:
    watchdog = Watchdog(SILENCE, lambda seconds: None)
    watchdog._look_seconds = 0.01
    with watchdog:
        with watchdog.resting():
            time.sleep(0.3)
        watchdog.hear_of_epoch()
        assert watchdog._longest_epoch is not None
        assert watchdog._longest_epoch < 0.2


def test_a_lease_whose_training_hangs_is_renewed_no_more() -> None:
    beats: list[float] = []
    noticed = threading.Event()
    lease = Lease(beats.append, 0.04, silence_seconds=SILENCE, hangs=lambda seconds: noticed.set())
    with lease, lease.watchdog:
        lease.watchdog.hear_of_epoch()
        assert wait_for(noticed)
        assert beats, "it was renewed before"
        time.sleep(0.05)
        count = len(beats)
        time.sleep(0.1)
        assert len(beats) == count
        with pytest.raises(LeaseLostError):
            lease.check()
