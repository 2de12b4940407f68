"""Whose fault an error is that ended a trial: the trial's own, its memory's, or the world's, which no trial pays for.

What a GPU says when it is broken or full is known by its words (`workers.device.words`).
"""

from __future__ import annotations

import enum
import errno
import logging
import socket
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass

from storage.database.engine import Database
from storage.database.trouble import find_database_error, is_passing, links_of
from storage.errors import (
    DataError,
    DeviceError,
    FeaturesError,
    LeaseLostError,
    OrchError,
    SickProcessError,
    StorageError,
    StorageNotFoundError,
    UnpreparedError,
    WeightsError,
)
from storage.studies.attempts import list_bad_ends
from storage.studies.losses import is_ended_by
from storage.studies.study import StudyRecord
from storage.studies.workers import Place, find_serving_places, list_workers
from workers.device import preparation
from workers.device.words import MISTAKES, SICK, first_words, says, words_of
from workers.objective.memory import DISK_WORDS, LIMIT_WORDS, is_out_of_memory

log = logging.getLogger(__name__)

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
    # Rather than what was made of it, or the group that it is in.
    error = next((link for link in links_of(error) if says(link, SICK) or is_out_of_memory(link)), error)
    said = first_words(error)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def broken(device: str, reason: str) -> DeviceError:
    """What ends a process whose device broke down."""
    return DeviceError(
        f"The device {device} does not work in this process any more: {reason}",
        why="After such an error every further computation of the process fails as well.",
        next_step="If it comes again: `nvidia-smi -q` shows the state of the GPU; restart its driver or the machine.",
    )


@contextmanager
def try_device(device: str) -> Iterator[None]:
    """Whatever words an error has: where a small computation does not work after it, it is the device that broke down.

    Raises:
        DeviceError: it is.
    """
    try:
        yield
    except Exception as error:
        is_unknown = any(not isinstance(link, OrchError) for link in links_of(error))
        if is_unknown and find_fault(error) in (Fault.TRIAL, Fault.MACHINE):
            try:
                preparation.try_out()
            except Exception as another:
                log.debug("The device computes no more.", exc_info=another)
                raise broken(device, describe(error)) from error
        raise


@dataclass(frozen=True)
class Witnesses:
    """Which devices have met what in a study, and which others could try: one sick device must not decide alone.

    Attributes:
        here: the device of this process.
        name: of this process.
        failed: the names of the workers that failed on each point.
        places: the device of each worker that is known.
        elsewhere: the other devices on which somebody serves the study at the moment.
        broke_down: what each device that broke down was at: the point, the epoch it had come to, and the device.
        lost: the point of each attempt that lost its worker, and the device.
    """

    here: Place
    name: str
    failed: Mapping[int, Set[str]]
    places: Mapping[str, Place]
    elsewhere: Set[Place]
    broke_down: Sequence[tuple[int, int, Place]]
    lost: Sequence[tuple[int, Place]] = ()

    def is_proven(self, point: int, *, replaceable: bool) -> bool:
        """Whether a further failure of a point in this process may settle it.

        Another process has failed on it, on another device where one serves the study at the moment; or there is nobody
        else who could try.

        Args:
            point: that fails.
            replaceable: whether a new process takes the place of this one.
        """
        others = self.failed.get(point, set()) - {self.name}
        if not others:
            return not replaceable and not self.elsewhere
        return not self.may_do_better(point) or any(self._place(name) != self.here for name in others)

    @property
    def failed_here(self) -> set[int]:
        """The points that failed on this device, in this process or before."""
        return {
            point
            for point, names in self.failed.items()
            if any(self._place(name) == self.here for name in names)
        }

    def may_do_better(self, point: int) -> bool:
        """Whether somebody serves the study on a device on which this point has not failed, and which did not end with it."""
        failed = {self._place(name) for name in self.failed.get(point, ())}
        return bool(self.elsewhere - failed - set(self._places_of_ends(point)))

    @property
    def ended_here(self) -> set[int]:
        """The points with which this device broke down, or its process ended without a word, and those with which any device broke down."""
        return {point for point, *_ in self.broke_down} | {
            point for point, place in self.lost if place == self.here
        }

    def is_for_others(self, point: int) -> bool:
        """Whether this device broke down with the point, or its process died, and another one serves the study that has not tried it.

        After the first time: a point that ends whoever works on it is then known for that after `MAX_LOSSES` ends, and not after twice as
        many, when the supervisor of its machine would have given up (`workers.process.supervisor.CRASHES`).
        """
        return self.here in self._places_of_ends(point) and self.may_do_better(point)

    def breaks_devices(self, point: int, epoch: int) -> bool:
        """Whether it is the point that breaks devices down, as it now did here.

        It did so often, on more than one of them and on all that serve the study, and has not come further than before.
        """
        places = [place for at, came_to, place in self.broke_down if at == point and came_to >= epoch]
        places.append(self.here)
        return len(set(places)) > 1 and is_ended_by(len(places), set(places), self.elsewhere)

    def _places_of_ends(self, point: int) -> list[Place]:
        broke_down = [place for at, _, place in self.broke_down if at == point]
        return broke_down + [place for at, place in self.lost if at == point]

    def _place(self, name: str) -> Place:
        return self.places.get(name, (name, ""))


def hear_witnesses(database: Database, study: StudyRecord, worker: str, device: str) -> Witnesses:
    """What is on record of a study, as the worker of this name on this device needs it."""
    here = (socket.gethostname(), device)
    places = {record.worker: (record.host, record.device) for record in list_workers(database)}
    places[worker] = here
    failed: dict[int, set[str]] = defaultdict(set)
    broke_down, lost = [], []
    for end in list_bad_ends(database, study):
        place = places.get(end.worker, (end.worker, ""))
        if end.is_loss:
            lost.append((end.point, place))
        elif end.epoch is None:
            failed[end.point].add(end.worker)
        else:
            broke_down.append((end.point, end.epoch, place))
    with database.reading() as connection:
        lease = study.spec.study.lease_seconds
        serving = find_serving_places(connection, study.uuid, database.now(connection), lease)
    return Witnesses(here, worker, failed, places, serving - {here}, broke_down, lost)


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
