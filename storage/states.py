"""The states of studies, points, attempts and workers: the only place that spells them.

Each member is its own text, which stands in the database and in the JSON that commands print.
"""

from __future__ import annotations

from enum import StrEnum


class StudyState(StrEnum):
    """Whether workers may claim points of a study."""

    OPEN = "open"
    STOPPED = "stopped"


class PointState(StrEnum):
    """Where a point is; done and failed are its ends."""

    OPEN = "open"
    CLAIMED = "claimed"
    DONE = "done"
    FAILED = "failed"

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to do for it."""
        return self in (PointState.DONE, PointState.FAILED)


class PointOutcome(StrEnum):
    """What became of a point that is done."""

    COMPLETE = "COMPLETE"
    PRUNED = "PRUNED"


class AttemptState(StrEnum):
    """The state of an attempt, by the names that Optuna gives the states of its trials."""

    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    PRUNED = "PRUNED"
    FAIL = "FAIL"


class AttemptEnd(StrEnum):
    """Why an attempt that is FAIL ended."""

    LOST = "lost"
    """Its worker vanished."""
    FAILED = "failed"
    """The objective raised."""
    STOPPED = "stopped"
    """Given back unharmed: its worker was told to stop, or the device, a disk or the database was in trouble."""


class WorkerState(StrEnum):
    """What a worker does."""

    STARTING = "starting"
    PREPARING = "preparing"
    """Its features are extracted, by itself or by another worker."""
    IDLE = "idle"
    WORKING = "working"
    GONE = "gone"
