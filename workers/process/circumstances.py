"""What a worker process works under: the database, the device, how it is told to stop, and who hears of it."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from storage.database.engine import Database
from storage.database.waiting import Patience
from storage.settings import visible_devices
from storage.studies.study import StudyRecord
from workers.attempts.watchdog import SILENCE_SECONDS
from workers.process.messages import GRACE_SECONDS

log = logging.getLogger(__name__)

Report = Callable[[str, int, int], None]
"""Told what is done, how much of it is done, and how much there is."""


def describe_device() -> str:
    """What this process computes on, without starting TensorFlow."""
    visible = visible_devices()
    return f"GPU {visible}" if visible not in (None, "", "-1") else "CPU"


def _unique_name() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


def _say_nothing(*_: str) -> None:
    """Take a notice and leave it."""


@dataclass(frozen=True)
class Circumstances:
    """What stays the same for a worker process, whatever it serves.

    Attributes:
        database: where the studies are.
        stop: set it to drain: the point in work goes back, and the worker returns.
        tell: told one line of text for each study and after each trial.
        report: told of the progress of long preparations.
        device: what it computes on, for people.
        per_device: how many worker processes share the device.
        at_once: how many trials of a study this process works on at the same time; decides no value.
        name: unique among all workers.
        artifacts: folder shared by all workers, for checkpoints; None keeps none.
        notify: told (CLAIMED | PROGRESS | SETTLED, name of the study).
        after_trial: handed the study after each trial; must return soon and never raise.
        outlook: what is left of the study, for people, when a trial has ended; "" for nothing; returns soon and never raises.
        meanwhile: the same while a trial runs, of which the number in the plan is given.
        grace_seconds: how long finishing the epoch may take once `stop` is set.
        is_replaceable: whether a supervisor starts a new process in place of this one when it leaves with RENEWED or CRASHED.
        silence_seconds: as `workers.attempts.watchdog.SILENCE_SECONDS`.
        hung: ends the process when its training hangs; None lets only the point go.
        overdue: ends the process when the grace period is nearly over and an epoch still runs.
    """

    database: Database
    stop: threading.Event = field(default_factory=threading.Event)
    tell: Callable[[str], None] = log.info
    report: Report | None = None
    device: str = field(default_factory=describe_device)
    per_device: int = 1
    at_once: int = 1
    name: str = field(default_factory=_unique_name)
    artifacts: Path | None = None
    notify: Callable[[str, str], None] = _say_nothing
    after_trial: Callable[[StudyRecord], None] | None = None
    outlook: Callable[[StudyRecord], str] = lambda _: ""
    meanwhile: Callable[[StudyRecord, int], str] = lambda *_: ""
    grace_seconds: float = GRACE_SECONDS
    is_replaceable: bool = False
    silence_seconds: float = SILENCE_SECONDS
    hung: Callable[[], None] | None = None
    overdue: Callable[[], None] | None = None

    @property
    def patience(self) -> Patience:
        """Waits for the database until the worker is told to stop."""
        return Patience(self.stop.is_set, self.stop.wait)
