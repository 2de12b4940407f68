"""A worker process: which studies it may serve with the data that is here, and how it is told to stop."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from storage.data.datasets import Dataset, load_dataset
from storage.database.engine import Database
from storage.errors import DataError, FeaturesError, ModelError, SpecError, WeightsError
from storage.studies.points import count_points
from storage.studies.study import StudyRecord, find_study, list_studies, load_study
from storage.studies.sweeping import sweep
from workers.attempts.lease import Drained
from workers.objective.keras_objective import Objective, prepare_objective
from workers.process.loop import StudyRefused, Worker, WorkerSummary
from workers.process.notices import GRACE_SECONDS

log = logging.getLogger(__name__)

Report = Callable[[str, int, int], None]
"""Told what is done, how much of it is done, and how much there is."""


def run_worker(
    database: Database,
    study_names: Sequence[str] | None,
    data_folders: Sequence[Path],
    cache: Path,
    *,
    forever: bool = False,
    tell: Callable[[str], None] = log.info,
    report: Report | None = None,
    stop: threading.Event | None = None,
    device: str = "",
    per_device: int = 1,
    artifacts: Path | None = None,
    notify: Callable[[str, str], None] = lambda kind, study: None,
    after_trial: Callable[[StudyRecord], None] | None = None,
    grace_seconds: float = GRACE_SECONDS,
    overdue: Callable[[], None] | None = None,
) -> WorkerSummary:
    """Serve studies until every point of them is done or failed.

    Args:
        database: where the studies are.
        study_names: which to serve, first served first; None for every open study whose data is here.
        data_folders: the dataset folders of this machine; the folder noted when a study was made is tried too.
        cache: where features are kept.
        forever: wait for new points and studies instead of leaving.
        tell: told one line of text for each study and after each trial.
        report: told of the progress of long preparations.
        stop: set it to drain the worker; SIGTERM and SIGINT do so inside `draining_on_signals`.
        device, per_device, artifacts, notify, after_trial, grace_seconds, overdue: as `workers.process.loop.Worker` has them.

    Raises:
        StudyNotFoundError: a named study does not exist.
        DataError: the data of no named study is here.
        FeaturesError: this machine's features are not those of the study.
        WeightsError: the backbone's weights are missing.
    """
    stop = stop or threading.Event()
    shelf = _Shelf(database, data_folders, cache, stop, report, tell)
    if study_names:
        for name in study_names:
            shelf.require(load_study(database, name))
    elif not forever and not shelf.unfinished(list_studies(database)):
        for study in shelf.serveable(list_studies(database)):
            sweep(database, study)
        tell("no open study whose data is on this machine; nothing to do (--data names dataset folders)")
        return WorkerSummary()

    def studies() -> list[StudyRecord]:
        if study_names:
            found = [find_study(database, name) for name in study_names]
            return [study for study in found if study is not None]
        return shelf.serveable(list_studies(database))

    find_objective = shelf.find_objective if not study_names else shelf.prepare
    worker = Worker(
        database,
        find_objective,
        stop,
        device=device or describe_device(),
        tell=tell,
        per_device=per_device,
        artifacts=artifacts,
        forget_objective=shelf.forget,
        grace_seconds=grace_seconds,
        overdue=overdue,
        notify=notify,
        after_trial=after_trial,
    )
    return worker.run(studies, forever=forever)


@contextmanager
def draining_on_signals(stop: threading.Event, tell: Callable[[str], None] = log.info) -> Iterator[list[int]]:
    """Let the first SIGTERM or SIGINT set `stop`; a second one ends the process at once. Yields what was received.

    Must be entered on the main thread.
    """
    received: list[int] = []

    def handle(number: int, _: Any) -> None:
        received.append(number)
        if len(received) > 1:
            os._exit(128 + number)
        stop.set()
        tell("told to stop: finishing the epoch and giving the point back (once more to stop at once)")

    previous = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def describe_device() -> str:
    """What this process computes on, without starting TensorFlow."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return f"GPU {visible}" if visible not in (None, "", "-1") else "CPU"


class _Shelf:
    """The data sets of this machine, and the objective of the study in work; one at a time, for memory's sake."""

    def __init__(
        self,
        database: Database,
        folders: Sequence[Path],
        cache: Path,
        stop: threading.Event,
        report: Report | None,
        tell: Callable[[str], None],
    ) -> None:
        self._database = database
        self._folders = list(folders)
        self._cache = cache
        self._stop = stop
        self._report = report
        self._tell = tell
        self._datasets: dict[str, Dataset] = {}
        for folder in self._folders:
            dataset = load_dataset(folder)
            self._datasets[dataset.fingerprint] = dataset
        self._refused: set[str] = set()
        self._current: tuple[str, Objective] | None = None

    def require(self, study: StudyRecord) -> Dataset:
        """The study's data set, or an error that says where it was looked for."""
        dataset = self._find(study)
        if dataset is None:
            looked = [str(folder) for folder in (*self._folders, study.data_folder) if str(folder)]
            raise DataError(
                f"The data of study {study.name!r} ({study.fingerprint[:19]}..) is not on this machine; "
                f"looked in {', '.join(looked)}.",
                why="A worker takes trials only of studies whose data set it has.",
                next_step="Name the dataset folder with --data DIR or ORCH_DATA.",
            )
        return dataset

    def serveable(self, studies: Sequence[StudyRecord]) -> list[StudyRecord]:
        """The studies that this machine can serve, oldest first; finished ones too, which may need mending."""
        return [
            study for study in studies if study.uuid not in self._refused and self._find(study) is not None
        ]

    def unfinished(self, studies: Sequence[StudyRecord]) -> list[StudyRecord]:
        """Those of them with points that are not settled."""
        return [
            study
            for study in self.serveable(studies)
            if not count_points(self._database, study.uuid).is_settled
        ]

    def prepare(self, study: StudyRecord) -> Objective:
        """Make the objective of a study, or take the one in hand."""
        if self._current is None or self._current[0] != study.uuid:
            self._current = None
            dataset = self.require(study)
            self._current = (
                study.uuid,
                prepare_objective(
                    self._database, study, dataset, self._cache, partial(self._heed, "extracting features")
                ),
            )
            # A first trial may take an hour: until then a log would be empty.
            self._tell(f"{study.name}: taking points, with the data of {dataset.folder}")
        return self._current[1]

    def forget(self) -> None:
        """Let go of the objective in hand, so that its memory can be freed; the next claim makes it anew."""
        self._current = None

    def find_objective(self, study: StudyRecord) -> Objective:
        """As `prepare`; a study that this machine cannot serve is left to the others."""
        try:
            return self.prepare(study)
        except (DataError, FeaturesError, ModelError, SpecError, WeightsError) as error:
            self._refused.add(study.uuid)
            self._tell(f"{study.name}: this machine cannot serve it. {error}")
            raise StudyRefused from error

    def _find(self, study: StudyRecord) -> Dataset | None:
        if study.fingerprint not in self._datasets and study.data_folder:
            noted = Path(study.data_folder)
            try:
                dataset = load_dataset(noted) if noted.is_dir() else None
            except DataError:
                dataset = None
            if dataset is not None:
                self._datasets[dataset.fingerprint] = dataset
        return self._datasets.get(study.fingerprint)

    def _heed(self, what: str, done: int, total: int) -> None:
        if self._stop.is_set():
            raise Drained
        if self._report is not None:
            self._report(what, done, total)
