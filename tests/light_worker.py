"""A real worker process whose objective is a formula that sleeps: it lives long enough to be killed often."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import threading
from pathlib import Path

from storage.database.opening import open_database
from storage.database.waiting import wait_for
from storage.files.checkpoints import Checkpoint
from storage.growth.parts import with_parts
from storage.studies.study import StudyRecord, find_study, list_studies, load_study
from tests.history import note_what_is_told
from tests.studies import PretendObjective
from workers.attempts.attempt import Attempt
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker
from workers.process.worker import draining_on_signals


def enter_namespace(path: Path) -> None:
    """Let this thread, and what it starts, live in a network namespace (Linux, root)."""
    libc = ctypes.CDLL(None, use_errno=True)
    with path.open("rb") as file:
        if libc.setns(file.fileno(), 0):
            raise OSError(ctypes.get_errno(), "setns")


def work(
    url: str,
    study: str,
    seconds: float,
    logs: str,
    artifacts: str = "",
    namespace: str = "",
    grace: float | None = None,
    eager: bool = False,
    at_once: int = 1,
) -> None:
    """Serve one study until it is settled; SIGTERM drains.

    Args:
        url: the study database.
        study: name of the study; "*" serves all of them.
        seconds: how long each fold-epoch sleeps.
        logs: folder for this process's log.
        artifacts: shared folder for checkpoints, if any.
        namespace: network namespace to live in, if any; needs root.
        grace: seconds after which the process is gone once it is told to stop; None takes the time that is needed.
        eager: whether each epoch leaves a checkpoint.
        at_once: how many trials it works on at the same time.
    """
    if eager:
        Checkpoint.is_due = property(lambda self: self.folder is not None)  # type: ignore[method-assign,assignment]
    if namespace:
        enter_namespace(Path("/run/netns") / namespace)
    note_what_is_told(Path(logs))
    logging.basicConfig(filename=Path(logs) / f"{os.getpid()}.log", level=logging.INFO, force=True)
    stop = threading.Event()

    def studies() -> list[StudyRecord]:
        if study == "*":
            return list_studies(database)
        found = find_study(database, study)
        return [found] if found else []

    with draining_on_signals(stop, grace_seconds=grace):
        database = wait_for(lambda _: open_database(url), stopped=stop.is_set, sleep=stop.wait)
        worker = Worker(
            Circumstances(database, stop, artifacts=Path(artifacts) if artifacts else None, at_once=at_once),
            lambda _: PretendObjective(seconds=seconds),
        )
        worker.run(studies)
        database.close()


def die_at(url: str, study: str, deadly: int) -> None:
    """Serve one study whose point `deadly` ends every process that takes it."""

    def before(attempt: Attempt) -> None:
        if attempt.point == deadly:
            os.kill(os.getpid(), signal.SIGKILL)

    database = open_database(url)
    worker = Worker(Circumstances(database), lambda _: PretendObjective(before=before))
    worker.run(lambda: [load_study(database, study)])
    database.close()


def die_in_a_part(url: str, study: str, place: tuple[int, int]) -> None:
    """Serve one study and its parts until a part is in front of a fold and an epoch, which end the process."""
    is_part = False

    def before(attempt: Attempt) -> None:
        nonlocal is_part
        is_part = bool(attempt.study.spec.study.part_of)

    def others(point: int, fold: int, epoch: int) -> dict[str, float]:
        if is_part and (fold, epoch) == place:
            os.kill(os.getpid(), signal.SIGKILL)
        return {}

    database = open_database(url)
    worker = Worker(Circumstances(database), lambda _: PretendObjective(before=before, others=others))
    worker.run(lambda: with_parts(database, [load_study(database, study)]))
