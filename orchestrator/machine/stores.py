"""Whether a folder can hold what orch keeps there: tried by a file that is written and renamed, and by a lock that a second process must not get."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

from storage.own_processes import make_command
from storage.wording import say_duration

TRIED = b"orch doctor" * 6000
SECONDS = 30
# A process of its own asks for the lock that this one holds: "taken" is the right answer.
PROGRAM = """
import sys
from filelock import FileLock, Timeout
import fcntl
path, of_sqlite = sys.argv[1], sys.argv[2] == "sqlite"
try:
    if of_sqlite:
        with open(path, "r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    else:
        FileLock(path).acquire(timeout=0)
    print("free")
except (Timeout, BlockingIOError, PermissionError):
    print("taken")
"""


def find_write_fault(folder: Path) -> str:
    """Why no file can be kept in a folder; empty where one was written, renamed and read back."""
    path = folder / f".orch-doctor-{secrets.token_hex(8)}"
    renamed = path.with_suffix(".renamed")
    try:
        with path.open("wb") as file:
            file.write(TRIED)
            file.flush()
            os.fsync(file.fileno())
        path.replace(renamed)
        return "" if renamed.read_bytes() == TRIED else "it gives back other bytes than were written"
    except OSError as error:
        return f"it cannot be written to: {error.strerror or error}"
    finally:
        for one in (path, renamed):
            with contextlib.suppress(OSError):
                one.unlink()


def find_lock_fault(folder: Path, *, of_sqlite: bool = False) -> str:
    """Why locks do not hold in a folder; empty where a second process was kept out.

    Args:
        folder: where a file may be made.
        of_sqlite: whether the lock is of the kind that SQLite takes.
    """
    path = folder / f".orch-doctor-{secrets.token_hex(8)}.lock"
    try:
        with _held(path, of_sqlite):
            asked = subprocess.run(
                make_command(PROGRAM, str(path), "sqlite" if of_sqlite else "orch"),
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
    except subprocess.TimeoutExpired:
        return f"a lock in it was not answered in {say_duration(SECONDS)}"
    except (OSError, NotImplementedError) as error:
        return f"no lock can be taken in it: {getattr(error, 'strerror', None) or error}"
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
    answer = asked.stdout.strip()
    if answer == "taken":
        return ""
    if answer == "free":
        return "locks do not hold in it: two processes had the same one"
    return f"no lock can be taken in it: {(asked.stderr.strip().splitlines() or ['no answer'])[-1]}"


@contextlib.contextmanager
def _held(path: Path, of_sqlite: bool) -> Iterator[None]:
    if of_sqlite:
        with path.open("w+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        return
    from filelock import FileLock

    with FileLock(path, timeout=SECONDS):
        yield
