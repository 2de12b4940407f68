"""`orch worker --track`: a process of its own that tells a tracker of finished trials, and waits for one that is away.

It reads the ledger only: no worker waits for it, and what a tracker missed is told when it answers, or later by `orch study export`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

from orchestrator.terminal import console
from orchestrator.tracking.pushing import push_study
from orchestrator.tracking.targets import open_tracker
from storage.database.opening import open_database
from storage.database.trouble import find_database_error
from storage.database.waiting import wait_for
from storage.errors import OrchError, TrackerAwayError
from storage.own_processes import make_command
from storage.settings import environment_with, storage_url
from storage.studies.study import find_study, list_studies
from storage.wording import say_command

if TYPE_CHECKING:
    from orchestrator.tracking.targets import Tracker
    from storage.database.engine import Database
    from storage.studies.study import StudyRecord

PROGRAM = "from orchestrator.tracking.follower import main; main()"
LOOK_SECONDS, LONGEST_SECONDS = 5.0, 60.0
LAST_SECONDS = 20.0
"""How long the last trials may take to be told once the workers have left."""


class Follower:
    """The process, as `orch worker` sees it."""

    def __init__(self, target: str, study: str | None, storage: str | None) -> None:
        """Start it.

        Args:
            target: where trials are told, as `open_tracker` takes it.
            study: whose trials; None for every study.
            storage: the study database, where it is not that of the environment.
        """
        # Group of its own: Ctrl-C is for the workers, whose last trials are still to be told.
        environment = environment_with({"ORCH_STORAGE": storage} if storage else {})
        words = make_command(PROGRAM, json.dumps([target, study, os.getpid()]))
        self._process = subprocess.Popen(words, env=environment, stdin=subprocess.PIPE, process_group=0)

    def finish(self) -> None:
        """Let it tell of the last trials, and wait for its end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(LAST_SECONDS + 10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def follow(
    database: Database,
    tracker: Tracker,
    target: str,
    study: str | None,
    *,
    ended: threading.Event,
    say: Callable[[str], None],
    look_seconds: float = LOOK_SECONDS,
    last_seconds: float = LAST_SECONDS,
) -> int:
    """Tell a tracker of trials as they finish, until `ended` is set and all are told; returns 1 when some are left untold, else 0.

    Args:
        database: where the studies are.
        tracker: who is told.
        target: its name.
        study: whose trials; None for every study.
        ended: set when the workers have left.
        say: told what a person should know.
        look_seconds: between two looks at the ledger; longer while the tracker is away.
        last_seconds: how long it may take after `ended`.
    """
    delay, is_away = look_seconds, False
    ended_at: list[float] = []

    def is_over() -> bool:
        if ended.is_set() and not ended_at:
            ended_at.append(time.monotonic())
        return bool(ended_at) and time.monotonic() - ended_at[0] > last_seconds

    while True:
        is_last = ended.is_set()
        try:
            for one in _studies(database, study):
                push_study(database, one, tracker, target, stopped=is_over)
            if is_away:
                say("The tracker answers again, and has what it missed.")
            delay, is_away = look_seconds, False
            if is_last:
                return 0
        except TrackerAwayError as error:
            if not is_away:
                say(f"{error} Training goes on.")
            delay, is_away = min(delay * 2, LONGEST_SECONDS), True
        except Exception as error:
            if find_database_error(error) is None:
                raise
            delay = min(delay * 2, LONGEST_SECONDS)
        if is_over():
            return 1
        ended.wait(delay) if not is_last else time.sleep(min(1.0, delay))


def _studies(database: Database, name: str | None) -> list[StudyRecord]:
    if name is None:
        return list_studies(database)
    found = find_study(database, name)
    return [found] if found is not None else []


def _leave_with(parent: int, ended: threading.Event) -> None:
    """Set `ended` when the supervisor says so or is gone: both close this process's standard input."""

    def listen() -> None:
        sys.stdin.read()
        ended.set()

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        ended.set()

    for job in (listen, look):
        threading.Thread(target=job, daemon=True).start()


def main() -> None:
    """Follow the studies of the environment's database until standard input ends."""
    target, study, parent = json.loads(sys.argv[1])
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    _leave_with(parent, ended)
    try:
        left = _follow_until(ended, target, study)
    except OrchError as error:
        # The workers meet the same and say what to do; without words here nobody would know that the tracker is not told.
        sys.exit(f"orch: {target.partition(':')[0]} is not told of trials: {error}")
    if left:
        kind, _, place = target.partition(":")
        console.say(
            f"Some trials were not told to {kind}. Nothing is lost: they are in the ledger, and "
            f"`{say_command('study', 'export', study or 'NAME', f'--{kind}', place)}` tells them."
        )


def _follow_until(ended: threading.Event, target: str, study: str | None) -> int:
    """Follow the studies until `ended` is set; returns 1 when some trials are left untold, else 0."""
    tracker = open_tracker(target)
    database = wait_for(lambda _: open_database(storage_url()), stopped=ended.is_set, sleep=ended.wait)
    with closing(database):
        return follow(database, tracker, target, study, ended=ended, say=console.say)
