"""A worker process: which studies it may serve with the data that is here, and how it is told to stop."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from storage.data.datasets import Dataset, load_dataset
from storage.errors import DataError, DeviceError, FeaturesError, ModelError, SpecError, WeightsError
from storage.growth.adoption import adopt_enqueued, find_with_enqueued
from storage.growth.parts import is_left, with_parts
from storage.settings import visible_devices
from storage.studies.points import count_points
from storage.studies.study import StudyRecord, find_study, list_studies, load_study
from storage.studies.study_records import UnreadableStudy, list_rows, only_readable
from storage.studies.sweeping import sweep
from storage.wording import say_duration
from workers.attempts.lease import Drained
from workers.attempts.watchdog import Watchdog, training_lives
from workers.device import backend
from workers.device.nvml import is_gone
from workers.device.preparation import name_gpus, prepare_for
from workers.objective.keras_objective import Objective, prepare_objective
from workers.process.blame import Fault, find_fault
from workers.process.circumstances import Circumstances
from workers.process.draining import draining_on_signals
from workers.process.loop import StudyRefused, Worker, WorkerSummary
from workers.process.preparing import describe_compiling

__all__ = ["draining_on_signals", "run_worker"]

log = logging.getLogger(__name__)


def run_worker(
    here: Circumstances,
    study_names: Sequence[str] | None,
    data_folders: Sequence[Path],
    cache: Path,
    *,
    forever: bool = False,
) -> WorkerSummary:
    """Serve studies until every point of them is done or failed.

    Args:
        here: the database, the device, how the worker is told to stop, and who hears of it.
        study_names: which to serve, first served first; None for every open study whose data is here.
        data_folders: the dataset folders of this machine; the folder noted when a study was made is tried too.
        cache: where features are kept.
        forever: wait for new points and studies instead of leaving.

    Raises:
        StudyNotFoundError: a named study does not exist.
        DataError: the data of no named study is here.
        FeaturesError: this machine's features are not those of the study.
        WeightsError: the backbone's weights are missing.
    """
    database = here.database
    registry = _StudyRegistry(here, data_folders, cache)
    if study_names:
        for name in study_names:
            registry.require(load_study(database, name))
    elif not forever and not registry.unfinished(registry.readable(list_rows(database))):
        for study in registry.serveable(list_studies(database)):
            sweep(database, study)
        here.tell("no open study whose data is on this machine; nothing to do (--data names dataset folders)")
        return WorkerSummary()

    def studies() -> list[StudyRecord]:
        if study_names:
            found = [find_study(database, name) for name in study_names]
            return with_parts(database, [study for study in found if study is not None])
        return registry.serveable(registry.readable(list_rows(database)))

    find_objective = registry.find_objective if not study_names else registry.prepare
    worker = Worker(here, find_objective, registry.forget, registry.find)
    return worker.run(studies, forever=forever)


class _StudyRegistry:
    """The data sets of this machine, and the objective of the study in work; one at a time, for memory's sake."""

    def __init__(self, here: Circumstances, folders: Sequence[Path], cache: Path) -> None:
        self._here = here
        self._folders = list(folders)
        self._cache = cache
        self._datasets: dict[str, Dataset] = {}
        for folder in self._folders:
            dataset = load_dataset(folder)
            self._datasets[dataset.fingerprint] = dataset
        self._refused: set[str] = set()
        self._told: set[str] = set()
        self._current: tuple[str, Objective] | None = None
        self._watch = ExitStack()
        self._prepares = self._is_watched = False

    def require(self, study: StudyRecord) -> Dataset:
        """The study's data set, or an error that says where it was looked for."""
        dataset = self.find(study)
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
        """The studies that this machine can serve, oldest first; finished ones too, which may need tidying up."""
        return [
            study for study in studies if study.uuid not in self._refused and self.find(study) is not None
        ]

    def readable(self, rows: Sequence[StudyRecord | UnreadableStudy]) -> list[StudyRecord]:
        """Those that this orch can read; of each other one it is said once that it is left to others."""
        for study in rows:
            if isinstance(study, UnreadableStudy) and study.uuid not in self._refused:
                self._refused.add(study.uuid)
                self._here.tell(f"{study.name}: left to other workers. {study.error()}")
        return only_readable(rows)

    def unfinished(self, studies: Sequence[StudyRecord]) -> list[StudyRecord]:
        """Those of them with points that are not settled."""
        database, served = self._here.database, self.serveable(studies)
        for study in find_with_enqueued(database, served):
            adopt_enqueued(database, study)
        return [
            study
            for study in served
            if not count_points(database, study.uuid).is_settled or is_left(database, study)
        ]

    def prepare(self, study: StudyRecord) -> Objective:
        """Make the objective of a study, or take the one in hand."""
        if self._current is None or self._current[0] != study.uuid:
            self._current = None
            dataset = self.require(study)
            compiling = describe_compiling(study)
            if compiling and study.uuid not in self._told:
                self._told.add(study.uuid)
                self._here.tell(compiling)
            with self._watched():
                prepare_for(study.spec)
                self._require_gpu()
            self._prepares, self._is_watched = True, False
            try:
                with self._watch:
                    objective = prepare_objective(
                        self._here.database,
                        study,
                        dataset,
                        self._cache,
                        partial(self._heed, "extracting features"),
                    )
            finally:
                self._prepares = False
            self._current = (study.uuid, objective)
            self._say_where()
            # A first trial may take an hour: until then a log would be empty.
            self._here.tell(f"Working on study {study.name!r} (data: {dataset.folder})")
        return self._current[1]

    def forget(self) -> None:
        """Let go of the objective in hand, so that its memory can be freed; the next claim makes it again."""
        self._current = None

    def find_objective(self, study: StudyRecord) -> Objective:
        """As `prepare`; a study that this machine cannot serve is left to the others."""
        try:
            return self.prepare(study)
        except (DataError, FeaturesError, ModelError, SpecError, WeightsError) as error:
            if find_fault(error) not in (Fault.TRIAL, Fault.MACHINE):
                raise  # a full disk, for instance: it passes
            self._refused.add(study.uuid)
            self._here.tell(f"{study.name}: this machine cannot serve it. {error}")
            raise StudyRefused from error

    def find(self, study: StudyRecord) -> Dataset | None:
        """The data of a study on this machine."""
        for folder in study.noted_folders if study.fingerprint not in self._datasets else ():
            try:
                dataset = load_dataset(folder) if folder.is_dir() else None
            except DataError:
                dataset = None
            if dataset is not None:
                self._datasets[dataset.fingerprint] = dataset
            if study.fingerprint in self._datasets:
                break
        return self._datasets.get(study.fingerprint)

    def _heed(self, what: str, done: int, total: int) -> None:
        if self._here.stop.is_set():
            raise Drained
        if self._here.report is not None:
            self._here.report(what, done, total)
        # An extraction in a trial, of a model that another one did not have, is watched there.
        training_lives()
        if done >= total:
            self._watch.close()
        elif self._prepares and not self._is_watched:
            self._watch.enter_context(self._watched())
        self._is_watched = self._prepares and done < total

    def _require_gpu(self) -> None:
        """A backend that no longer finds the GPU of this slot would compute on the processor, ever so slowly.

        Raises:
            DeviceError: the GPU was there when the slots were made, and its driver cannot reach it any more.
        """
        if self._here.device.startswith("GPU") and not name_gpus() and is_gone(visible_devices()):
            raise DeviceError(
                f"{self._here.device} is gone: its driver cannot reach it any more.",
                why="It fell off its bus, or was taken out of use.",
                next_step="`nvidia-smi` and the kernel's messages (`dmesg`) say more; restart the machine. `orch worker` begins with the GPUs that are left.",
            )

    def _say_where(self) -> None:
        """Say it where a process computes on something else than its slot is called: backends choose that without a word."""
        device, gpus = self._here.device, name_gpus()
        if device in self._told or device.startswith("GPU") == bool(gpus):
            return
        self._told.add(device)
        if gpus:
            self._here.tell(
                f"{backend.name()} computes on {', '.join(gpus)}, which NVIDIA's driver does not list, and not on the processor."
            )
        else:
            self._here.tell(
                f"{device} is not used: {backend.name()} finds no GPU that it can use and computes on the processor. `orch doctor` "
                "says more; `--gpus none` says that it is meant."
            )

    def _watched(self) -> Watchdog:
        """What ends the process where the device does not start, or an extraction hangs: others wait for its lock."""
        return Watchdog(self._here.silence_seconds, self._leave)

    def _leave(self, seconds: float) -> None:
        self._here.tell(
            f"No progress of the preparation for {say_duration(seconds)}, so the device {self._here.device} seems to hang."
        )
        if self._here.hung is not None:
            self._here.hung()
