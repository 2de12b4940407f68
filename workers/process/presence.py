"""What a worker process says of itself in the database: that it is there, on which device, and what it works on."""

from __future__ import annotations

import logging
import os
import socket

from storage.database.waiting import wait_for
from storage.errors import DatabaseAwayError
from storage.own_processes import is_alive
from storage.settings import scheduler_job
from storage.states import WorkerState
from storage.studies import workers as fleet
from workers.device.nvml import GpuWatch
from workers.device.versions import library_versions
from workers.process.circumstances import Circumstances

log = logging.getLogger(__name__)

GOODBYE_SECONDS = 2.0
"""A process that leaves waits so long for a database that is away."""


class Presence:
    """Says it for one process; may be used by several threads."""

    def __init__(self, here: Circumstances) -> None:
        self._here, self._gpu = here, GpuWatch()

    def begin(self) -> None:
        """Be there, before anything slow is imported: somebody may look for this worker already."""
        database, patience = self._here.database, self._here.patience
        patience.wait(lambda: self.note(WorkerState.STARTING))
        patience.wait(lambda: fleet.forget_old_workers(database))
        # A process that crashed here said no goodbye: its successor says it.
        patience.wait(lambda: fleet.note_the_dead(database, socket.gethostname(), is_alive))

    def note(self, state: WorkerState, study_uuid: str | None = None, point: int | None = None) -> None:
        """Say what it does.

        Args:
            state: as it is now.
            study_uuid: the study that it serves.
            point: the point that it works on; one of them, where it works on several.
        """
        reading = self._gpu.latest()
        fleet.note_worker(
            self._here.database,
            worker=self._here.name,
            host=socket.gethostname(),
            pid=os.getpid(),
            device=self._here.device,
            state=state,
            versions=library_versions(),
            job=scheduler_job(),
            gpu=reading.to_document() if reading else None,
            study_uuid=study_uuid,
            point=point,
        )

    def end(self) -> None:
        """Say goodbye, if the database is there."""
        try:
            wait_for(lambda _: self.note(WorkerState.GONE), give_up_after=GOODBYE_SECONDS)
        except DatabaseAwayError:
            log.debug("The database is away, so it cannot be told that this worker ends.")
