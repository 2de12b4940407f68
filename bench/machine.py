"""What groups of processes take of a Linux machine, read from /proc."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def family(roots: Iterable[int]) -> set[int]:
    """The processes and all that descend from them."""
    children = defaultdict(list)
    for process, parent in _parents().items():
        children[parent].append(process)
    found, waiting = set(), list(roots)
    while waiting:
        process = waiting.pop()
        found.add(process)
        waiting += children[process]
    return found


def cpu_seconds(roots: Iterable[int]) -> float:
    """CPU seconds that the processes and their descendants have taken so far, those that ended among them."""
    roots = set(roots)
    ticks = 0
    for process in family(roots):
        fields = _fields(process)
        if fields:
            ticks += int(fields[11]) + int(fields[12])
            ticks += int(fields[13]) + int(fields[14]) if process in roots else 0
    return ticks / TICKS


def memory_mib(roots: Iterable[int]) -> float:
    """MiB of memory of the processes and their descendants; shared pages are counted once."""
    kibibytes = 0
    for process in family(roots):
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except (OSError, ProcessLookupError):
            continue
        kibibytes += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kibibytes / 1024


def available_mib() -> float:
    """MiB that new processes could take without swapping."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")) / 1024


def _parents() -> dict[int, int]:
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (fields := _fields(int(folder.name))):
            found[int(folder.name)] = int(fields[1])
    return found


def _fields(process: int) -> list[str]:
    """The fields of /proc/PID/stat after the name, which may hold blanks; none when the process is gone."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ProcessLookupError):
        return []
