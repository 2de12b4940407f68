"""The start page kept fresh: one poller for all, streams that end, and places that are given back."""

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from dashboards.server import live
from dashboards.server.live import Poller, Stream, Streams, encode_event
from dashboards.server.overview import Overview, OverviewReader


@pytest.fixture
def poller(monkeypatch: pytest.MonkeyPatch) -> Poller:
    """A poller of a page that counts how often it was read."""
    counted = iter(range(1000))
    monkeypatch.setattr(OverviewReader, "read", lambda _: Overview(read_at=float(next(counted))))
    monkeypatch.setattr(live, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(live, "LARGEST_SHARE", float("inf"))
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(live, "IDLE_SECONDS", 0.05)
    database: Any = SimpleNamespace()
    return Poller(database, lambda overview, is_away: f"read {overview.read_at:.0f} {is_away}\n")


def wait_until_idle() -> None:
    end = time.monotonic() + 20
    while any(thread.name == "start-page" for thread in threading.enumerate()):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_events_follow_one_another_and_end_with_the_server(poller: Poller) -> None:
    given_back: list[int] = []
    stream = Stream(poller, lambda: given_back.append(1))
    first, second = next(stream), next(stream)
    assert first.startswith(b"data: read 0 False\n")
    assert second > first
    poller.close()
    with pytest.raises(StopIteration):
        next(stream)
    stream.close()
    stream.close()
    assert given_back == [1]
    wait_until_idle()


def test_a_stream_ends_when_its_reader_leaves_and_when_its_time_is_over(
    poller: Poller, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StopIteration):
        next(Stream(poller, lambda: None, lambda: True))
    monkeypatch.setattr(live, "STREAM_SECONDS", 0.0)
    with pytest.raises(StopIteration):
        next(Stream(poller, lambda: None))


def test_a_silent_stream_says_that_it_lives(monkeypatch: pytest.MonkeyPatch, poller: Poller) -> None:
    monkeypatch.setattr(OverviewReader, "read", lambda _: Overview(read_at=7.0))
    monkeypatch.setattr(live, "PING_SECONDS", 0.05)
    stream = Stream(poller, lambda: None)
    assert next(stream) == b"data: read 7 False\n\n"
    assert next(stream) == b": still here\n\n"
    poller.close()
    wait_until_idle()


def test_nothing_is_read_for_nobody(poller: Poller) -> None:
    assert poller.wait(0, 1.0) is not None
    wait_until_idle()
    seen = poller.look()
    time.sleep(0.05)
    # Who asks is told what is true then.
    assert poller.look() != seen
    poller.close()
    assert poller.wait(10**6, 60.0) is None


def test_a_database_that_is_away_leaves_what_was_read_last(
    poller: Poller, monkeypatch: pytest.MonkeyPatch
) -> None:
    poller.look()

    def fail(_: OverviewReader) -> Overview:
        raise OSError("away")

    monkeypatch.setattr(OverviewReader, "read", fail)
    time.sleep(0.02)
    assert poller.look() == "read 0 True\n"


def test_places_are_few_for_all_fewer_for_one_and_given_back() -> None:
    streams = Streams(most=3, most_each=2)
    assert [streams.take("a"), streams.take("a"), streams.take("a")] == [True, True, False]
    assert [streams.take("b"), streams.take("b")] == [True, False]
    streams.give_back("a")
    assert streams.take("b")
    assert not streams.take("c")


def test_an_event_has_all_lines_of_its_text() -> None:
    assert encode_event("a\n\nb") == b"data: a\ndata: \ndata: b\n\n"
