"""Unfinished files and scratch folders: how they are named, and which of them nobody will finish any more.

    .NAME.orch-MACHINE-PID-RANDOM.partial.SUFFIX

MACHINE stands for this machine, its present start and the container, so that a process number means something; RANDOM keeps
two machines apart that share a folder and happen to agree in both.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.own_processes import is_alive

PATTERN = re.compile(r"\..*\.orch-([0-9a-f]{8})-(\d{1,10})-[0-9a-f]{8}\.partial(\.[^.]*)?", re.DOTALL)
STALE_SECONDS = 2 * 24 * 3600.0
"""What another machine has not written to for so long is left over: a writer writes all the time."""
LONGEST_STEM = 40
"""Characters of the name: with the rest they stay below what file systems allow, whatever the name was."""


def name_partial(path: Path) -> Path:
    """A name beside `path`, with its suffix, that no other process on any machine uses."""
    stem = path.name.removesuffix(path.suffix).lstrip(".")[:LONGEST_STEM]
    unique = f"orch-{_this_machine()}-{os.getpid()}-{secrets.token_hex(4)}"
    return path.absolute().parent / f".{stem}.{unique}.partial{path.suffix}"


def sweep(folder: Path, *, is_over: Callable[[str], bool] = lambda _: False) -> int:
    """Remove unfinished files and folders that a killed process left in a folder.

    Safe beside living writers: on this machine the process must be gone, on any other the file must not have changed for two
    days.

    Args:
        folder: looked through, its subfolders not; a missing one has no leftovers.
        is_over: told a name; whether nothing of that name is wanted any more, whoever may still write it.

    Returns:
        How many were removed; what cannot be removed is left.
    """
    removed = 0
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if ".partial" in entry.name or entry.name.endswith(".tmp")]
    except OSError:
        return 0
    for entry in found:
        try:
            if is_over(entry.name) or _is_left(entry):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                else:
                    os.unlink(entry.path)
                removed += 1
        except OSError:
            continue
    return removed


@contextmanager
def scratch(folder: Path | None = None) -> Iterator[Path]:
    """A folder of one's own for a while. Where this process is killed meanwhile, the next one that wants such a folder removes it.

    Args:
        folder: where; by default among the temporary files of this machine.
    """
    place = Path(tempfile.gettempdir()) if folder is None else folder
    sweep(place)
    made = name_partial(place / "scratch")
    made.mkdir(mode=0o700)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _is_left(entry: os.DirEntry[str]) -> bool:
    named = PATTERN.fullmatch(entry.name)
    if named is None:
        return False
    if named[1] == _this_machine():
        return int(named[2]) != os.getpid() and not is_alive(int(named[2]))
    return time.time() - _last_change(entry) > STALE_SECONDS


def _last_change(entry: os.DirEntry[str]) -> float:
    last = entry.stat(follow_symlinks=False).st_mtime
    if entry.is_dir(follow_symlinks=False):
        with os.scandir(entry.path) as inner:
            last = max([last, *(one.stat(follow_symlinks=False).st_mtime for one in inner)])
    return last


@functools.cache
def _this_machine() -> str:
    """Equal for processes that see each other's numbers: one machine, one start of it, one container."""
    facts = [socket.gethostname()]
    try:
        facts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        facts.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    except OSError:
        facts.append("no /proc")
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:8]
