"""Temporary files of the tests in memory: a disk takes ten times as long to make a PostgreSQL database, and waits for each write of SQLite."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
ENOUGH = 4 * 1024**3
"""Free bytes; a run of all tests needs an eighth of it. In a container there are often 64 MB."""


def keep_temporary_files_in_memory(folder: Path = MEMORY) -> None:
    """Let this process, and those that it starts, make temporary files in memory, where there is room and nobody set TMPDIR."""
    if "TMPDIR" in os.environ or not _is_usable(folder):
        return
    os.environ["TMPDIR"] = str(folder)
    tempfile.tempdir = None  # as it was found before


def _is_usable(folder: Path) -> bool:
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return False
    found = os.statvfs(folder)
    # Tests write programs and run them.
    runs_programs = not found.f_flag & getattr(os, "ST_NOEXEC", 0)
    return runs_programs and found.f_bavail * found.f_frsize >= ENOUGH
