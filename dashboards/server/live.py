"""The start page kept fresh: one poller for all readers, and streams of server-sent events that take no thread from others.

A page that nobody looks at is not read. A stream ends by itself after some minutes, and the browser asks for the next one.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import sqlalchemy as sa

from dashboards.pages.publish import describe_corrected
from dashboards.server.overview import Overview, OverviewReader
from storage.database.deadlines import answering_within
from storage.database.engine import Database
from storage.studies.study_records import StudyRecord
from storage.trust.selection import judge_selection

EVENTS = "/orch/events"
MOST_STREAMS = 24
MOST_STREAMS_EACH = 6
"""Of one reader: browsers open no more connections to one server either."""
STREAM_SECONDS = 300.0
PING_SECONDS = 10.0
"""A stream says something so often, so that nobody on the way takes it for dead."""
LOOK_SECONDS = 1.0
"""So often a stream looks whether its reader is still there."""
POLL_SECONDS = 2.0
LARGEST_SHARE, LONGEST_PAUSE_SECONDS = 0.05, 10.0
"""Polling takes at most this share of the time, unless it would be so late."""
IDLE_SECONDS = 10.0
ANSWER_SECONDS = 5.0


class Poller:
    """Reads the overview for everybody who looks, and renders it once.

    Args (of the constructor):
        database: where.
        render: from an overview, and whether the database is away, to the part of the page that changes.
    """

    def __init__(self, database: Database, render: Callable[[Overview, bool], str]) -> None:
        """Remember where; nothing is read, and no thread is started yet."""
        self._database = database
        self._render = render
        self._reader = OverviewReader(database)
        self._corrections = Corrections(database)
        self._reading = threading.Lock()
        self._changed = threading.Condition()
        self._overview = Overview(read_at=0.0)
        self._text, self._version, self._read_at, self._cost = "", 0, float("-inf"), 0.0
        self._watchers, self._is_polling, self._is_closed = 0, False, False
        self._looked_at = float("-inf")

    def look(self) -> str:
        """The part of the page that changes, at most `POLL_SECONDS` old."""
        # Who waited for another's reading takes what that one found.
        with self._reading:
            if time.monotonic() - self._read_at >= self._pause:
                self._read()
            return self._text

    def find_overview(self) -> Overview:
        """The same as data."""
        self.look()
        return self._corrections.fill_in(self._overview)

    def wait(self, version: int, seconds: float) -> tuple[int, str] | None:
        """The next version after this one and its text; None when there is none after so many seconds, or never again."""
        self._start()
        with self._changed:
            self._watchers += 1
            try:
                self._changed.wait_for(lambda: self._is_closed or self._version > version, seconds)
                return (self._version, self._text) if self._version > version else None
            finally:
                self._watchers -= 1
                self._looked_at = time.monotonic()

    def find_time(self) -> float:
        """Seconds since 1970 by the clock of the database, as far as it was asked."""
        return self._overview.read_at + time.monotonic() - self._read_at

    @property
    def is_closed(self) -> bool:
        """Whether the server ends."""
        return self._is_closed

    def close(self) -> None:
        """End every stream and the polling."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    @property
    def _pause(self) -> float:
        return max(POLL_SECONDS, min(self._cost / LARGEST_SHARE, LONGEST_PAUSE_SECONDS))

    def _start(self) -> None:
        with self._changed:
            if self._is_polling or self._is_closed:
                return
            self._is_polling, self._looked_at = True, time.monotonic()
        threading.Thread(target=self._poll, name="start-page", daemon=True).start()

    def _poll(self) -> None:
        while True:
            self.look()
            with self._changed:
                is_idle = not self._watchers and time.monotonic() - self._looked_at > IDLE_SECONDS
                if is_idle or self._is_closed:
                    self._is_polling = False
                    return
                self._changed.wait_for(lambda: self._is_closed, self._pause)

    def _read(self) -> None:
        began, is_away = time.monotonic(), False
        try:
            with answering_within(ANSWER_SECONDS):
                self._overview = self._reader.read()
        except (sa.exc.SQLAlchemyError, OSError):
            # What was read last stays, with a remark.
            is_away = True
        text = self._render(self._corrections.fill_in(self._overview), is_away)
        self._cost = time.monotonic() - began
        self._read_at = time.monotonic()
        with self._changed:
            if text != self._text:
                self._text = text
                self._version += 1
                self._changed.notify_all()


class Corrections:
    """Corrected values that no worker has kept: computed one after another, beside everything else, and remembered."""

    def __init__(self, database: Database) -> None:
        """Remember where."""
        self._database = database
        self._said: dict[tuple[str, int], str] = {}
        self._thread: threading.Thread | None = None

    def fill_in(self, overview: Overview) -> Overview:
        """The overview with what is known by now; what is not is begun."""
        sizes = {line.uuid: line.planned for line in overview.studies}
        missing = [one for one in overview.unjudged if (one.uuid, sizes[one.uuid]) not in self._said]
        if missing and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(
                target=self._compute, args=(missing[0], sizes[missing[0].uuid]), name="corrected", daemon=True
            )
            self._thread.start()
        lines = [
            replace(line, corrected=self._said.get((line.uuid, line.planned), line.corrected))
            for line in overview.studies
        ]
        return replace(overview, studies=lines)

    def _compute(self, study: StudyRecord, size: int) -> None:
        try:
            said = describe_corrected(judge_selection(self._database, study), study.spec.metric.sign)
        except Exception:
            # A page about studies must not end for one of them.
            said = "not known"
        self._said[study.uuid, size] = said


class Streams:
    """How many streams are open, in all and of each reader."""

    def __init__(self, most: int = MOST_STREAMS, most_each: int = MOST_STREAMS_EACH) -> None:
        """None is open."""
        self._most, self._most_each = most, most_each
        self._open: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take(self, reader: str) -> bool:
        """Take one of the places; False when there is none."""
        with self._lock:
            if self._open.total() >= self._most or self._open[reader] >= self._most_each:
                return False
            self._open[reader] += 1
            return True

    def give_back(self, reader: str) -> None:
        """Give a place back."""
        with self._lock:
            self._open[reader] -= 1
            self._open += Counter()


class Stream:
    """The body of one answer: server-sent events until the reader leaves, the time is over, or the server ends."""

    def __init__(
        self, poller: Poller, give_back: Callable[[], None], has_left: Callable[[], bool] = lambda: False
    ) -> None:
        """Remember what to call when it ends, however it does, and whom to ask whether the reader has left."""
        self._poller = poller
        self._has_left = has_left
        self._give_back: Callable[[], None] | None = give_back
        self._end = time.monotonic() + STREAM_SECONDS
        self._version = 0

    def __iter__(self) -> Iterator[bytes]:
        """The body, chunk by chunk."""
        return self

    def __next__(self) -> bytes:
        """The next event, or a word that keeps the connection."""
        silent_until = time.monotonic() + PING_SECONDS
        while not (self._poller.is_closed or self._has_left() or time.monotonic() >= self._end):
            found = self._poller.wait(self._version, LOOK_SECONDS)
            if found is not None:
                self._version, text = found
                return encode_event(text)
            if time.monotonic() >= silent_until:
                return b": still here\n\n"
        raise StopIteration

    def close(self) -> None:
        """Called by the server at the end, also when the reader left."""
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back()


def encode_event(text: str) -> bytes:
    """A text as one server-sent event."""
    lines = [f"data: {line}\n" for line in text.splitlines()]
    return ("".join(lines) + "\n").encode()
