"""Workers whose objective, device or memory fails them; in the process of the test, with an objective that trains nothing."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from storage.database.engine import Database
from storage.errors import SpentProcessError
from storage.states import WorkerState
from storage.studies import study as studies
from storage.studies.study import StudyRecord
from storage.studies.workers import note_worker
from tests.studies import PretendObjective
from workers.attempts.attempt import Attempt
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker, WorkerSummary

DEAD = "INTERNAL: CUDA error: Failed call to cuEventSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS"


def work(
    database: Database,
    study: StudyRecord,
    before: Callable[[Attempt], None] = lambda attempt: None,
    *,
    seconds: float = 0.0,
    device: str = "GPU 0",
    replaceable: bool = False,
    told: list[str] | None = None,
) -> WorkerSummary:
    """Be one worker process until the study is settled."""
    tell = (told if told is not None else []).append
    here = Circumstances(database, device=device, tell=tell, is_replaceable=replaceable)
    worker = Worker(here, lambda _: PretendObjective(before=before, seconds=seconds))
    return worker.run(lambda: [studies.load_study(database, study.name)])


def failing(text: str) -> Callable[[Attempt], None]:
    def before(attempt: Attempt) -> None:
        raise RuntimeError(text)

    return before


def be_there(
    database: Database, study: StudyRecord, state: WorkerState, name: str = "another", device: str = "GPU 1"
) -> None:
    """Be a worker on another device."""
    serves = study.uuid if state == WorkerState.WORKING else None
    note_worker(
        database, worker=name, host="h", pid=1, device=device, state=state, versions={}, study_uuid=serves
    )  # fmt: skip


def work_until_idle(database: Database, study: StudyRecord, before: Callable[[Attempt], None]) -> None:
    """Be one worker process until there is nothing for it."""
    stop = threading.Event()
    here = Circumstances(database, stop, device="GPU 0", is_replaceable=True)
    worker = Worker(here, lambda _: PretendObjective(before=before))
    asked: list[int] = []

    def find() -> list[StudyRecord]:
        asked.append(1)
        if len(asked) > 3:
            stop.set()
        return [studies.load_study(database, study.name)]

    with contextlib.suppress(SpentProcessError):
        worker.run(find)
