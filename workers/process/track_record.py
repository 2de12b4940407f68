"""What became of the trials of this process, what it has failed on, and for how long it leaves which study alone: it may be the process that is sick."""

from __future__ import annotations

import enum
import time
from dataclasses import dataclass, field

from storage.errors import SickProcessError, UnpreparedError

FAILURES_IN_A_ROW = 3
"""So many different trials that fail one after the other, with none in between that did not, speak against the process."""
DAMAGES_IN_A_ROW = 5
"""So many trials that end one after the other because what they read was damaged in use speak against the disk or the memory."""
LEFT_SECONDS = 60.0
"""A study in which there was nothing for this process is looked at again so much later, as long as trials of another one are in work."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds before the next try after trouble that passes by itself; twice as long each time."""
LONGEST_WAIT_SECONDS = 6 * 3600.0
"""A trial that failed here is left to other devices for so long."""
NO_ROOM_SECONDS = 600.0
"""A study whose models found no memory is tried again so much later, if there is anything to wait for."""


class End(enum.Enum):
    """What became of an attempt."""

    DONE = "complete or pruned"
    FAILED = "failed"
    FAILED_FOR_GOOD = "failed for good"
    OUT_OF_MEMORY = "failed for want of memory"
    TOO_LARGE = "failed for good for want of memory"
    LOST = "lost"
    GIVEN_BACK = "given back"
    DAMAGED = "given back, because what it read was damaged"
    CROWDED = "given back, because the memory was not enough for it beside others"


@dataclass
class WorkerSummary:
    """What one worker process did."""

    complete: int = 0
    pruned: int = 0
    failed: int = 0
    lost: int = 0
    stopped: int = 0
    seconds: float = 0.0
    drained: bool = False
    studies: list[str] = field(default_factory=list)

    def add(self, other: WorkerSummary) -> None:
        """Count what became of the trials of another summary, too."""
        for name in ("complete", "pruned", "failed", "lost", "stopped"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass
class TrackRecord:
    """What a process remembers of its own trials.

    Attributes:
        failed_on: the points of each study that failed in it.
        doubtful: those of which others' attempts ended badly before it began (`workers.process.claiming`).
        waiting_since: when it began to leave the last trials of a study to others.
    """

    failed_on: dict[str, set[int]] = field(default_factory=dict)
    doubtful: dict[str, set[int]] = field(default_factory=dict)
    waiting_since: dict[str, float] = field(default_factory=dict)
    _in_a_row: set[tuple[str, int]] = field(default_factory=set)
    _troubles: int = 0
    _damages: int = 0
    _aside: dict[str, tuple[float, Exception]] = field(default_factory=dict)
    _left: dict[str, float] = field(default_factory=dict)

    def note_success(self) -> None:
        """A trial was trained as it should."""
        self._in_a_row.clear()
        self._troubles = self._damages = 0

    def note_damage(self) -> None:
        """What a trial read was damaged while it was in use; it is made again, as long as that helps.

        Raises:
            UnpreparedError: it was damaged `DAMAGES_IN_A_ROW` times in a row, so making it again does not help.
        """
        self._damages += 1
        if self._damages >= DAMAGES_IN_A_ROW:
            raise UnpreparedError(
                f"What trials read was damaged while it was in use, {DAMAGES_IN_A_ROW} times in a row.",
                why="The disk or the memory of this machine is failing, or another program writes into the files; they are named above. "
                "No trial was charged with it.",
                next_step="Name a cache folder on another disk (ORCH_CACHE) and run `orch doctor`, then start the worker again.",
            )

    def note_failure(self, study_uuid: str, point: int) -> None:
        """A trial failed here.

        Raises:
            SickProcessError: as did `FAILURES_IN_A_ROW` different ones in a row.
        """
        self.failed_on.setdefault(study_uuid, set()).add(point)
        self._in_a_row.add((study_uuid, point))
        if len(self._in_a_row) >= FAILURES_IN_A_ROW:
            raise SickProcessError(
                f"{FAILURES_IN_A_ROW} different trials in a row failed in this process, and none succeeded.",
                why="Either this process, its device or its machine is at fault, or the study cannot be trained as it is.",
                next_step="The errors of the trials are above. Another process tries them again.",
            )

    def pause(self) -> float:
        """Seconds to wait after trouble that passes by itself."""
        self._troubles += 1
        return min(FIRST_PAUSE * 2 ** (self._troubles - 1), LONGEST_PAUSE)

    def set_aside(self, study_uuid: str, seconds: float, error: Exception) -> None:
        """Leave a study alone for a while."""
        self._aside[study_uuid] = (time.monotonic() + seconds, error)

    def waits_long_for_others(self, study_uuid: str) -> bool:
        """Whether others had time enough: who seems to serve the study may hang, or have no memory for it."""
        now = time.monotonic()
        return now - self.waiting_since.setdefault(study_uuid, now) > LONGEST_WAIT_SECONDS

    def leave_to_others(self, study_uuid: str) -> None:
        """There was nothing for this process in a study that has open trials: they are others' at the moment."""
        self._left[study_uuid] = time.monotonic() + LEFT_SECONDS

    def is_left_to_others(self, study_uuid: str) -> bool:
        """Whether that was lately."""
        return time.monotonic() < self._left.get(study_uuid, 0.0)

    def is_aside(self, study_uuid: str) -> bool:
        """Whether the study is left alone at the moment."""
        return study_uuid in self._aside and time.monotonic() < self._aside[study_uuid][0]

    def why_aside(self, study_uuid: str) -> Exception | None:
        """Why it is."""
        return self._aside[study_uuid][1] if self.is_aside(study_uuid) else None
