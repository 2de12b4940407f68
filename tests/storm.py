"""Kill, freeze and restart: a fleet of light workers in bad weather, and the account of what it left."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy
import sqlalchemy.exc

from orchestrator.studies.verify import verify_study
from storage.database.opening import open_database
from storage.errors import OrchError
from storage.studies.points import count_points, list_points
from storage.studies.study import StudyRecord, load_study
from tests.history import check_history, keep_history, read_history, read_told
from tests.light_worker import work
from tests.postgres import PostgresServer
from tests.studies import processes, rising_auc


@dataclass
class Storm:
    """Runs workers on a study until every point is settled.

    Attributes:
        url: the study database.
        study: name of the study.
        folder: where workers write their logs.
        workers: how many are kept running.
        seconds: how long each fold-epoch takes.
        kill_every: least and greatest seconds between two SIGKILLs; None kills nobody.
        server: stopped with "immediate" and started again `restarts` times, spread over the study.
        freezes: how many workers are stopped past their lease and continued.
        waits_for_progress: kill only when some epoch was finished since the last kill: on a busy machine workers that
            are killed before they can work at all would make points fail, as they should.
        serves: what workers are told to serve in place of the study, "*" for all.
        eager: whether each epoch leaves a checkpoint.
    """

    url: str
    study: str
    folder: Path
    workers: int = 4
    seconds: float = 0.01
    kill_every: tuple[float, float] | None = None
    server: PostgresServer | None = None
    restarts: int = 0
    freezes: int = 0
    seed: int = 0
    limit: float = 600.0
    artifacts: str = ""
    waits_for_progress: bool = False
    serves: str = ""
    eager: bool = False
    _running: list[Any] = field(default_factory=list)
    _frozen: dict[int, float] = field(default_factory=dict)
    _rows: int = 0

    def run(self) -> dict[str, Any]:
        """Return what happened: kills, restarts, freezes, seconds."""
        chance = random.Random(self.seed)
        self.folder.mkdir(parents=True, exist_ok=True)
        database = open_database(self.url)
        keep_history(database)
        database.close()
        happened: dict[str, Any] = {"kills": 0, "restarts": 0, "freezes": 0}
        planned, settled = self._progress() or (0, 0)
        began = time.monotonic()
        next_kill = began + chance.uniform(*self.kill_every) if self.kill_every else float("inf")
        next_look = 0.0
        try:
            while settled < planned:
                now = time.monotonic()
                assert now - began < self.limit, f"{settled} of {planned} points after {self.limit:.0f} s"
                self._keep_running()
                self._continue_frozen(now)
                if now >= next_kill and (not self.waits_for_progress or self._has_progressed()):
                    happened["kills"] += self._kill_one(chance)
                    next_kill = now + chance.uniform(*self.kill_every)  # type: ignore[misc]
                share = settled / planned
                restarts = happened["restarts"]
                if self.server and restarts < self.restarts and share > (restarts + 1) / (self.restarts + 2):
                    self.server.stop("immediate")
                    time.sleep(chance.uniform(0.5, 3))
                    self.server.start()
                    happened["restarts"] += 1
                if happened["freezes"] < self.freezes and share > 0.3 + 0.2 * happened["freezes"]:
                    happened["freezes"] += self._freeze_one(chance)
                if now >= next_look:
                    planned, settled = self._progress() or (planned, settled)
                    next_look = now + 0.5
                time.sleep(0.05)
            happened["seconds"] = round(time.monotonic() - began, 1)
            happened["left_by_themselves"] = self._let_leave()
        finally:
            for process in self._running:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
                process.join()
        return happened

    def _keep_running(self) -> None:
        self._running = [process for process in self._running if process.is_alive()]
        while len(self._running) < self.workers:
            served = self.serves or self.study
            arguments = (self.url, served, self.seconds, str(self.folder), self.artifacts)
            process = processes.Process(target=work, args=arguments, kwargs={"eager": self.eager})
            process.start()
            self._running.append(process)

    def _kill_one(self, chance: random.Random) -> int:
        alive = [p for p in self._running if p.is_alive() and p.pid not in self._frozen]
        if not alive:
            return 0
        process = chance.choice(alive)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        # The study may be found settled in this very round: who was killed must not count among those that leave.
        self._running.remove(process)
        return 1

    def _freeze_one(self, chance: random.Random) -> int:
        alive = [p for p in self._running if p.is_alive() and p.pid not in self._frozen]
        if not alive:
            return 0
        pid = chance.choice(alive).pid
        os.kill(pid, signal.SIGSTOP)
        database = open_database(self.url)
        lease = load_study(database, self.study).spec.study.lease_seconds
        database.close()
        self._frozen[pid] = time.monotonic() + 1.5 * lease
        return 1

    def _continue_frozen(self, now: float) -> None:
        for pid, end in list(self._frozen.items()):
            if now >= end:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
                del self._frozen[pid]

    def _let_leave(self) -> bool:
        for pid in list(self._frozen):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        end = time.monotonic() + 60
        for process in self._running:
            process.join(max(0.1, end - time.monotonic()))
        return all(process.exitcode == 0 for process in self._running)

    def _has_progressed(self) -> bool:
        try:
            database = open_database(self.url)
            with database.reading() as connection:
                rows = connection.execute(sqlalchemy.text("SELECT count(*) FROM orch_epochs")).scalar_one()
            database.close()
        except (OrchError, sqlalchemy.exc.DBAPIError):
            return False
        progressed = rows > self._rows
        self._rows = max(rows, self._rows)
        return bool(progressed)

    def _progress(self) -> tuple[int, int] | None:
        try:
            database = open_database(self.url)
            try:
                counts = count_points(database, load_study(database, self.study).uuid)
            finally:
                database.close()
        except (OrchError, sqlalchemy.exc.DBAPIError):
            return None
        return counts.planned, counts.complete + counts.pruned + counts.failed


def account_for(url: str, name: str, logs: Path, *, keeps_history: bool = True) -> dict[str, Any]:
    """`orch study verify`, that every value is the formula's whoever computed it, and that no prefix of the history is wrong.

    Args:
        url: the study database.
        name: of the study.
        logs: the folder of the workers' logs, with what they were told.
        keeps_history: whether the database kept one: it cannot be right where the study was made again and again.
    """
    database = open_database(url)
    try:
        study = load_study(database, name)
        points = list_points(database, study.uuid)
        document = verify_study(
            database, study, [{"batch_size": 16 + n} for n in range(study.spec.point_count)]
        )
        wrong = [point.point for point in points if not is_expected(study, point.point, point.value)]
        history = read_history(database, study.uuid) if keeps_history else []
        told = read_told(logs) if keeps_history else []
        assert history is not None, "no history was kept"
        breaches = check_history(history, told, study.spec.study.lease_seconds)
    finally:
        database.close()
    return {
        **document,
        "wrong_values": wrong,
        "changes": len(history),
        "acknowledged": sum(one.what == "finished" for one in told),
        "problems": [*document["problems"], *breaches],
    }


def is_expected(study: StudyRecord, point: int, value: float | None) -> bool:
    """Whether a complete point has the value that the formula gives."""
    folds, epochs = study.spec.cv.folds, study.spec.training.epochs
    means = [
        sum(rising_auc(point, fold, epoch) for fold in range(folds)) / folds for epoch in range(1, epochs + 1)
    ]
    return value is not None and abs(value - max(means)) < 1e-9
