"""One process of `bench.fleet`: many workers as threads, each with its own database sessions and its own loop."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import optuna

import workers.process.loop
from storage.database.opening import open_database
from storage.database.waiting import wait_for
from storage.results import ledger
from storage.studies import points
from storage.studies.study import StudyRecord, find_study
from tests.studies import PretendObjective
from workers.attempts.attempt import Pruned
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker


@dataclass(frozen=True)
class Orders:
    """What a process is to do.

    Attributes:
        url: the study database, as workers reach it.
        study: which.
        epochs: of a point.
        seconds: of a point, all its epochs together.
        threads: how many workers.
        forever: whether they wait for more when the study is settled.
        spread: seconds over which the workers come, and in the end leave, as machines do.
    """

    url: str
    study: str
    epochs: int
    seconds: float
    threads: int
    forever: bool = False
    spread: float = 0.0


class WorkerThreads:
    """The workers of one process, and how long their calls took."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._hurry = threading.Event()
        self._stop = threading.Event()
        # Workers have a core of their own; threads that all start at once would starve each other in the middle of a
        # transaction until the server ends it.
        self._one_at_a_time = threading.Lock()
        self.calls: dict[str, list[tuple[float, float]]] = {"claim": [], "epoch": []}
        self.errors: list[str] = []

    def work(self, finish: Any) -> None:
        """Let every worker work; when told to finish, points end at once and idle workers leave."""
        points.claim_point = self._timed("claim", points.claim_point)  # type: ignore[assignment]
        ledger.record_epochs = self._timed("epoch", ledger.record_epochs)  # type: ignore[assignment]
        if self._orders.forever:
            # Begin where a waiting worker gets to after some minutes.
            workers.process.loop.FIRST_IDLE_SECONDS = workers.process.loop.LONGEST_IDLE_FOREVER_SECONDS
        threads = [threading.Thread(target=self._serve) for _ in range(self._orders.threads)]
        for thread in threads:
            thread.start()
        finish.wait()
        self._hurry.set()
        if self._orders.forever:
            self._stop.set()
        for thread in threads:
            thread.join()

    def _serve(self) -> None:
        orders = self._orders
        try:
            with self._one_at_a_time:
                database = wait_for(lambda _: open_database(orders.url))
                wait_for(lambda _: database.optuna)

            def studies() -> list[StudyRecord]:
                found = find_study(database, orders.study)
                return [found] if found else []

            objective = PretendObjective(auc=self._make_curve())
            time.sleep(random.uniform(0, orders.spread))
            worker = Worker(Circumstances(database, self._stop, tell=lambda text: None), lambda _: objective)
            worker.run(studies, forever=orders.forever)
            database.close()
        except Exception as error:
            self.errors.append(f"{type(error).__name__}: {error}"[:300])

    def _make_curve(self) -> Callable[[int, int, int], float]:
        """A formula that sleeps; the first point of each worker ends somewhere, as if it had begun long ago."""
        epochs, pause = self._orders.epochs, self._orders.seconds / self._orders.epochs
        first: list[int] = []
        leaving: list[bool] = []
        last_epoch = random.randint(1, epochs)

        def curve(point: int, fold: int, epoch: int) -> float:
            first[:] = first or [point]
            if fold == 0:
                self._hurry.wait(pause * random.uniform(0.9, 1.1))
            if self._hurry.is_set() and not leaving:
                leaving.append(True)
                time.sleep(random.uniform(0, self._orders.spread))
            if self._hurry.is_set() or (point == first[0] and epoch >= last_epoch):
                raise Pruned(0.5)
            return 0.5 + 1e-6 * point

        return curve

    def _timed(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        calls = self.calls[name]

        def timed(*words: Any, **options: Any) -> Any:
            began = time.time()
            try:
                return call(*words, **options)
            finally:
                calls.append((began, time.time() - began))

        return timed


def run(orders: Orders, finish: Any, answers: Any) -> None:
    """Run its workers and hand over what it measured."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    threading.stack_size(512 * 1024)
    workers = WorkerThreads(orders)
    workers.work(finish)
    answers.put((workers.calls, workers.errors))
