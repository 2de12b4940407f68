"""What a worker process tells its supervisor, and with which code it leaves. Light to import."""

from __future__ import annotations

import json

CLAIMED, PROGRESS, SETTLED = "claimed", "progress", "settled"
"""A trial was claimed; a trial was settled, or lost to another worker; every point of a study is done or failed."""
GRACE_SECONDS = 30.0
"""How long finishing the epoch may take once told to stop."""
ECHO_SECONDS = 1.0
"""A signal so soon after the first is the first once more: Slurm, systemd and containers tell every process of a job, and the
supervisor passes on what it was told. A person who means "at once" sends another one later."""
CRASHED = 70
"""Exit code of a worker that met a defect or a sick device (EX_SOFTWARE of sysexits.h): start it again, but not for ever."""
RENEWED = 71
"""Exit code of a worker whose next trial needs a new process: start it again."""
AWAY = 75
"""Exit code of a worker that met what passes by itself, a database that is away or a full disk (EX_TEMPFAIL): start it again later.
Other codes are a worker's last word."""


def pack_message(kind: str, study: str) -> bytes:
    """One line for the supervisor's pipe, whatever the name of the study holds."""
    return json.dumps([kind, study]).encode() + b"\n"


def unpack_message(line: bytes) -> tuple[str, str]:
    """The kind and the study of a line; empty ones when it is no message."""
    try:
        kind, study = json.loads(line)
    except (ValueError, TypeError):
        return "", ""
    return str(kind), str(study)
