"""Keep one worker process per slot alive: start, restart with back-off, pass signals on, give up where it is no use.

A supervisor imports neither TensorFlow nor the database's drivers, so that what ends a worker does not end it.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType

from storage.settings import environment_with
from storage.wording import say_duration
from workers.process.messages import (
    AWAY,
    CLAIMED,
    CRASHED,
    ECHO_SECONDS,
    GRACE_SECONDS,
    PROGRESS,
    RENEWED,
    SETTLED,
    unpack_message,
)

DRAIN_SIGNALS = (signal.SIGINT, signal.SIGTERM)
EARLY_CRASHES = 4
"""Crashes in a row before the first trial was claimed: the machine is at fault, not a point."""
CRASHES = 8
"""Crashes in a row, of all processes together, without one trial settled. More than one point survives
(`storage.studies.points.MAX_LOSSES`), so that a point which kills its process becomes failed before the machine is given up;
and so few that a machine which kills every process does not fail the points of a study."""
LONG_LIFE_SECONDS = 300.0
"""Who lived so long did not crash at once."""
FIRST_DELAY, LONGEST_DELAY = 1.0, 60.0
POLL_SECONDS = 0.1
KILL_RESERVE_SECONDS = 15.0


@dataclass(frozen=True)
class Slot:
    """One place for a worker process.

    Attributes:
        label: for people, such as "GPU 0".
        environment: set for its process on top of the supervisor's.
    """

    label: str
    environment: Mapping[str, str]


@dataclass
class _Place:
    slot: Slot
    process: subprocess.Popen[bytes] | None = None
    pipe: int = -1
    text: bytes = b""
    started_at: float = 0.0
    start_at: float | None = 0.0
    starts: int = 0
    has_claimed: bool = False
    early_crashes: int = 0
    crashes: int = 0
    waits: int = 0
    renewals: int = 0
    code: int | None = None


@dataclass
class Supervisor:
    """Runs workers in slots until all have left.

    Attributes:
        slots: one process each.
        command: makes a process's command line from (slot, file descriptor to notify on, whether it is a restart).
        say: told what a person should know.
        settled: told the name of each study that ended while a worker served it; once per study.
        grace_seconds: how long workers may take to drain.
        first_delay: seconds before the first restart; it doubles with each crash in a row.
    """

    slots: Sequence[Slot]
    command: Callable[[Slot, int, bool], Sequence[str]]
    say: Callable[[str], None]
    settled: Callable[[str], None] = lambda name: None
    grace_seconds: float = GRACE_SECONDS
    first_delay: float = FIRST_DELAY
    _places: list[_Place] = field(default_factory=list)
    _received: list[int] = field(default_factory=list)
    _crashes: int = 0
    _served: set[str] = field(default_factory=set)
    _told_settled: set[str] = field(default_factory=set)
    _told_at: float = 0.0
    _gave_up: bool = False

    def run(self) -> int:
        """Run until every worker has left; returns the exit code of the whole. Main thread only."""
        self._places = [_Place(slot) for slot in self.slots]
        previous = {number: signal.signal(number, self._pass_on) for number in DRAIN_SIGNALS}
        try:
            while any(place.code is None for place in self._places):
                for place in self._places:
                    self._look_after(place)
                self._hurry()
                self._listen(POLL_SECONDS)
        finally:
            for place in self._places:
                if place.process is not None:
                    _signal(place.process, signal.SIGTERM)
            for number, handler in previous.items():
                signal.signal(number, handler)
        codes = [place.code or 0 for place in self._places]
        return 1 if self._gave_up and not self._received else sum_up(codes, self._received)

    def _look_after(self, place: _Place) -> None:
        if place.process is None:
            if place.start_at is not None and time.monotonic() >= place.start_at:
                self._start(place)
            return
        code = place.process.poll()
        if code is None:
            return
        self._read(place)
        os.close(place.pipe)
        place.process, place.pipe = None, -1
        if code == RENEWED and not self._received and not self._gave_up:
            self._renew(place)
            return
        if code == AWAY and not self._received and not self._gave_up:
            self._wait_for_better(place)
            return
        if self._received or self._gave_up or not (code < 0 or code == CRASHED):
            place.code, place.start_at = code, None
            return
        self._after_crash(place, code)

    def _start(self, place: _Place) -> None:
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        try:
            place.process = subprocess.Popen(
                list(self.command(place.slot, writing, place.starts > 0)),
                env=environment_with(place.slot.environment),
                pass_fds=(writing,),
                # A process group of its own: Ctrl-C must reach a worker once, from here, and not a second time
                # from the terminal.
                process_group=0,
            )
        finally:
            os.close(writing)
        place.pipe, place.text, place.start_at = reading, b"", None
        place.started_at, place.has_claimed = time.monotonic(), False
        place.starts += 1
        if self._received:
            # A signal between two starts reached only the processes there were.
            _signal(place.process, self._received[-1])

    def _renew(self, place: _Place) -> None:
        place.renewals += 1
        if place.renewals >= CRASHES:
            # The memory of its device is full, or too small for every trial: each further one would be charged with it.
            self.say(
                f"The worker on {place.slot.label} needed a new process {place.renewals} times in a row without finishing a "
                "trial: giving it up. Its messages are above."
            )
            place.code = 1
            return
        place.start_at = time.monotonic()

    def _wait_for_better(self, place: _Place) -> None:
        """Start again later, as often as it takes: what the worker met passes by itself, and says nothing against this machine."""
        delay = min(self.first_delay * 2**place.waits, LONGEST_DELAY)
        place.waits += 1
        self.say(f"Starting the worker on {place.slot.label} again in {say_duration(delay)}.")
        place.start_at = time.monotonic() + delay

    def _after_crash(self, place: _Place, code: int) -> None:
        if time.monotonic() - place.started_at >= LONG_LIFE_SECONDS:
            self._crashes = place.early_crashes = place.crashes = 0
        self._crashes += 1
        place.crashes += 1
        place.early_crashes = 0 if place.has_claimed else place.early_crashes + 1
        how = describe_end(code)
        if place.early_crashes >= EARLY_CRASHES:
            self.say(
                f"The worker on {place.slot.label} {how} {place.early_crashes} times in a row before its first "
                "trial: giving it up. Its messages are above; `orch doctor` checks this machine."
            )
            place.code = 1
            return
        if place.crashes >= CRASHES and self._crashes < CRASHES:
            # The others go on: their device is a healthy one.
            self.say(
                f"The worker on {place.slot.label} {how}, {place.crashes} times in a row without finishing a trial: giving it "
                "up. Its messages are above; `orch doctor` checks this machine."
            )
            place.code = 1
            return
        if self._crashes >= CRASHES:
            self.say(
                f"Worker processes on this machine crashed {self._crashes} times in a row without finishing "
                f"a trial (the last {how}): giving up. Their messages are above; `orch doctor` checks this machine."
            )
            self._gave_up = True
            place.code = 1
            for other in self._places:
                if other.process is not None:
                    _signal(other.process, signal.SIGTERM)
                elif other.code is None:
                    other.code = 1
            self._told_at = time.monotonic()
            return
        delay = min(
            self.first_delay * 2 ** (max(self._crashes, place.crashes, place.early_crashes) - 1),
            LONGEST_DELAY,
        )
        self.say(f"The worker on {place.slot.label} {how}; starting it again in {say_duration(delay)}.")
        place.start_at = time.monotonic() + delay

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._received and now - self._told_at < ECHO_SECONDS:
            return
        self._received.append(number)
        self._told_at = now
        is_urgent = len(self._received) > 1
        for place in self._places:
            if place.process is not None:
                # To a process it may be the first word, or the same once more; only here is it known which.
                _signal(place.process, signal.SIGKILL if is_urgent else number)
            elif place.code is None:
                place.code, place.start_at = 0, None
        if is_urgent:
            os._exit(128 + number)

    def _hurry(self) -> None:
        """End who does not leave within the grace period."""
        if self._told_at and time.monotonic() - self._told_at > self.grace_seconds + KILL_RESERVE_SECONDS:
            for place in self._places:
                if place.process is not None:
                    _signal(place.process, signal.SIGKILL)

    def _listen(self, seconds: float) -> None:
        pipes = {place.pipe: place for place in self._places if place.process is not None}
        readable, _, _ = select.select(list(pipes), [], [], seconds)
        for pipe in readable:
            self._read(pipes[pipe])
        if readable:
            time.sleep(seconds / 10)  # a pipe whose worker is just leaving stays readable

    def _read(self, place: _Place) -> None:
        try:
            while part := os.read(place.pipe, 65536):
                place.text += part
        except BlockingIOError:
            pass
        *lines, place.text = place.text.split(b"\n")
        for line in lines:
            self._hear(place, *unpack_message(line))

    def _hear(self, place: _Place, kind: str, name: str) -> None:
        if kind == CLAIMED:
            place.has_claimed = True
            place.waits = 0
            self._served.add(name)
        elif kind == PROGRESS:
            self._crashes = place.crashes = place.renewals = 0
        elif kind == SETTLED and name in self._served - self._told_settled:
            self._told_settled.add(name)
            self.settled(name)


def sum_up(codes: Sequence[int], received: Sequence[int]) -> int:
    """The exit code of the whole from those of its processes and the signals that were passed on."""
    if received:
        return 128 + received[0]
    if not any(codes):
        return 0
    # A usage error is the same in every process, and is one for the whole.
    return 2 if all(code == 2 for code in codes) else 1


def describe_end(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    hint = " (the kernel does that when memory runs out)" if name == "SIGKILL" else ""
    return f"was ended by {name}{hint}"


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    if process.poll() is None:
        process.send_signal(number)
