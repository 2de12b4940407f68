"""While a worker prepares a study: it says so, and it leaves a study alone for a while that the world keeps it from preparing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from storage.errors import DeviceError, NotEnoughMemoryError, SickProcessError
from storage.studies.study import StudyRecord
from storage.wording import say_duration
from workers.device import backend
from workers.objective.memory import describe_models_too_large, free_memory
from workers.process.blame import Fault, describe, find_fault, passes
from workers.process.circumstances import Circumstances
from workers.process.track_record import NO_ROOM_SECONDS, TrackRecord

log = logging.getLogger(__name__)

PREPARING_SECONDS = 0.5
"""What is prepared sooner, most often because it is at hand already, is not worth a word."""
SAY_AGAIN_SECONDS = 30.0


@contextmanager
def saying_so(note: Callable[[], None]) -> Iterator[None]:
    """Say now and then that this worker prepares a study: an extraction of features may take an hour."""
    ended = threading.Event()

    def say() -> None:
        delay = PREPARING_SECONDS
        while not ended.wait(delay):
            delay = SAY_AGAIN_SECONDS
            try:
                note()
            except Exception:
                log.debug(
                    "The database is away, so it cannot be told what this worker prepares.", exc_info=True
                )

    thread = threading.Thread(target=say, name="orch-preparing", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        # What it may still say must not come after what is said next.
        thread.join(timeout=1.0)


def describe_compiling(study: StudyRecord) -> str:
    """What the user is told who would else see nothing for minutes: whole networks are compiled under JAX; empty for other studies."""
    if study.spec.uses_features or backend.name() != "jax":
        return ""
    return (
        f"{study.name}: JAX compiles the network before its first step, which may take minutes; "
        "what was compiled on this machine before is read from the cache folder."
    )


def set_aside(
    record: TrackRecord,
    here: Circumstances,
    study: StudyRecord,
    error: Exception,
    forget_objective: Callable[[], None],
) -> None:
    """Leave a study alone for a while that could not be prepared because of the world; any other error is raised again.

    Raises:
        DeviceError: the device does not work.
    """
    fault = find_fault(error)
    if fault is Fault.DEVICE and not isinstance(error, SickProcessError):
        raise DeviceError(f"The device {here.device} does not work: {describe(error)}") from error
    if fault is Fault.MEMORY:
        error.__traceback__ = None
        told = describe_models_too_large(
            error, study=study.name, per_device=here.per_device, device=here.device
        )
        forget_objective()
        free_memory()
        record.set_aside(study.uuid, NO_ROOM_SECONDS, told)
        here.tell(str(told))
    elif passes(error):
        pause = record.pause()
        record.set_aside(study.uuid, pause, error)
        here.tell(
            f"{study.name}: waiting because of {fault.value}, trying again in {say_duration(pause)}: {describe(error)}"
        )
    else:
        raise error


def refuse_what_does_not_fit(record: TrackRecord, left: Sequence[StudyRecord]) -> None:
    """End a worker that waits only for memory, which nobody will give it.

    Raises:
        NotEnoughMemoryError: the models of every study that is left are too large for this machine.
    """
    reasons = [record.why_aside(study.uuid) for study in left]
    for reason in reasons[:1]:
        if isinstance(reason, NotEnoughMemoryError) and all(
            isinstance(other, NotEnoughMemoryError) for other in reasons
        ):
            raise reason
