"""Processes that begin where Keras is imported already: several of one test cost one start of TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from unittest.mock import patch


@contextmanager
def begun_with_keras() -> Iterator[None]:
    """Let `tests.studies.processes` be forked from a process that has imported Keras and computed nothing."""
    server = forkserver.ForkServer()
    server.set_forkserver_preload(["tests.lean_keras", "workers.process.worker", "tests.studies"])
    try:
        with patch.object(forkserver, "connect_to_new_process", server.connect_to_new_process):
            yield
    finally:
        server._stop()  # type: ignore[attr-defined]
