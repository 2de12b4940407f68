"""Whose fault an error is that ended a trial: the trial's own, its memory's, or the world's, which no trial pays for.

What a GPU says when it is broken or full is known by its words (`workers.device.words`).
"""

from __future__ import annotations

import enum
import errno

from storage.database.engine import Database
from storage.database.trouble import find_database_error, is_passing, links_of
from storage.errors import (
    DataError,
    FeaturesError,
    LeaseLostError,
    OrchError,
    SickProcessError,
    StorageError,
    StorageNotFoundError,
    UnpreparedError,
    WeightsError,
)
from storage.states import WorkerState
from storage.studies.attempts import list_failed_on
from storage.studies.study import StudyRecord
from storage.studies.workers import WorkerRecord, list_workers
from workers.device.words import MISTAKES, SICK, first_words, says, words_of
from workers.objective.memory import DISK_WORDS, LIMIT_WORDS, is_out_of_memory

DISK_ERRORS = (
    *(
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EIO,
        errno.EROFS,
        errno.ENXIO,
        errno.ENODEV,
        errno.ENOLCK,
    ),
    *(errno.ESTALE, errno.EREMOTEIO, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH),
)
"""The disk is full, over quota, failing or read-only, or a network folder went away."""
LIMITS = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOBUFS)
"""No further file, process or thread may be opened."""

LIVELY_SECONDS = 120.0
"""A worker that was heard of so lately, or within its lease, is at work."""

OF_THE_MACHINE = (UnpreparedError, DataError, FeaturesError, WeightsError)
"""The images, features or weights of this machine were changed or damaged, maybe while they were in use."""


class Fault(enum.Enum):
    """Where an error comes from."""

    TRIAL = "the trial"
    MEMORY = "the memory of the device or of the machine"
    DEVICE = "the device"
    DISK = "a disk of this machine"
    LIMIT = "a limit of this machine"
    DATABASE = "the database"
    MACHINE = "what this machine has"


def find_fault(error: BaseException) -> Fault:
    """Say whose fault an error is; whatever wraps an error of the world is of the world."""
    if find_database_error(error) is not None:
        return Fault.DATABASE
    chain = list(links_of(error))
    of_database = (StorageError, StorageNotFoundError)
    if any(isinstance(link, of_database) and not isinstance(link, LeaseLostError) for link in chain):
        return Fault.DATABASE
    if any(isinstance(link, SickProcessError) for link in chain):
        # Whatever it was raised from: a backend that found no memory at its start does not start in this process any more.
        return Fault.DEVICE
    # Before the words of a device: CUDA_ERROR_OUT_OF_MEMORY.
    if any(is_out_of_memory(link) for link in chain):
        return Fault.MEMORY
    if any(_is_worded(link, DISK_ERRORS, DISK_WORDS) for link in chain):
        return Fault.DISK
    if any(_is_worded(link, LIMITS, LIMIT_WORDS) for link in chain):
        return Fault.LIMIT
    if any(_is_of_device(link) for link in chain):
        return Fault.DEVICE
    return Fault.MACHINE if any(isinstance(link, OF_THE_MACHINE) for link in chain) else Fault.TRIAL


def passes(error: BaseException) -> bool:
    """Whether an error of the world passes by itself, or as soon as somebody helps, so that a worker waits for that."""
    return find_fault(error) in (Fault.DISK, Fault.LIMIT) or is_passing(find_database_error(error) or error)


def describe(error: BaseException) -> str:
    """An error on one line, without its parameters."""
    if isinstance(error, OrchError):
        return error.what
    said = first_words(error)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def is_proven(database: Database, study: StudyRecord, point: int, worker: str, *, replaceable: bool) -> bool:
    """Whether a further failure of this point may settle it: one sick process or device must not decide alone.

    Another process has failed on it, on another device where one serves the study at the moment; or there is nobody
    else who could try.

    Args:
        database: where.
        study: of which study.
        point: that fails in this process.
        worker: the name of this process.
        replaceable: whether a new process takes the place of this one.
    """
    everybody = {record.worker: record for record in list_workers(database)}
    mine = _place(everybody.get(worker), worker)
    others = list_failed_on(database, study, point) - {worker}
    elsewhere = {
        _place(record, name)
        for name, record in everybody.items()
        if name != worker and _serves(record, study)
    }
    if not others:
        return not replaceable and not elsewhere
    if any(_place(everybody.get(name), name) != mine for name in others):
        return True
    return elsewhere <= {mine}


def serves_anybody_else(database: Database, study: StudyRecord, worker: str) -> bool:
    """Whether another worker is at work on this study."""
    return any(record.worker != worker and _serves(record, study) for record in list_workers(database))


def _serves(record: WorkerRecord, study: StudyRecord) -> bool:
    is_lively = record.seconds_ago < max(LIVELY_SECONDS, study.spec.study.lease_seconds)
    return record.state != WorkerState.GONE and record.study_uuid == study.uuid and is_lively


def _place(record: WorkerRecord | None, name: str) -> tuple[str, str]:
    return (record.host, record.device) if record is not None else (name, "")


def _is_worded(error: BaseException, numbers: tuple[int, ...], words: tuple[str, ...]) -> bool:
    """Whether an error is of the operating system with one of these numbers, or passes on its words."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in numbers
    text = "" if isinstance(error, OrchError) else words_of(error)
    return any(part in text for part in words) and ("errno" in text or not isinstance(error, MISTAKES))


def _is_of_device(error: BaseException) -> bool:
    if isinstance(error, OrchError | OSError):
        return False
    return says(error, SICK)
