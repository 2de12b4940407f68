"""A SQLite file belongs to one machine: its write-ahead log lives in memory that two kernels cannot share.

The file remembers the machine that made it, so that a second one which mounts the same folder is refused instead of
damaging it. Containers of one machine share its kernel and are the same machine.
"""

from __future__ import annotations

import contextlib
import json
import socket
from pathlib import Path

import sqlalchemy as sa

from storage.database import tables
from storage.database.engine import Database
from storage.errors import StorageError
from storage.states import PointState
from storage.wording import say_count

KEY = "host"
MACHINE_ID = Path("/etc/machine-id")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

_facts = tables.facts.c


def this_host() -> dict[str, str]:
    """What tells this machine from others: its name, its id, and its present start (the same in its containers)."""
    return {"name": socket.gethostname(), "machine": _read(MACHINE_ID), "boot": _read(BOOT_ID)}


def check_host(database: Database) -> None:
    """Refuse a SQLite file that belongs to another machine; note this one where none is noted.

    Raises:
        StorageError: another machine made the file.
    """
    if not database.is_sqlite:
        return
    here = this_host()
    with database.reading() as connection:
        noted = connection.execute(sa.select(_facts.value).where(_facts.key == KEY)).scalar_one_or_none()
    if noted is None:
        if not database.is_read_only:
            _note(database, here)
        return
    there = json.loads(noted)
    if is_same(there, here):
        return
    raise StorageError(
        f"The study database {database.file.absolute()} belongs to the machine {there['name']!r}, and this is "
        f"{here['name']!r}.",
        why="A SQLite file cannot be shared between machines: its write-ahead log lives in one machine's memory.",
        next_step="Use PostgreSQL for several machines. If the file was moved here, `orch db init` takes it over.",
    )


def take_over(database: Database) -> None:
    """Let a SQLite file belong to this machine from now on.

    Raises:
        StorageError: a worker holds a point at this moment.
    """
    if not database.is_sqlite:
        return
    points = tables.points.c
    with database.transaction() as connection:
        working = connection.execute(
            sa.select(sa.func.count()).where(
                points.state == PointState.CLAIMED, points.expires_at > database.now(connection)
            )
        ).scalar_one()
    with contextlib.suppress(StorageError):
        check_host(database)
        return
    if working:
        raise StorageError(
            f"{say_count(working, 'trial')} of {database.file.absolute()} {'is' if working == 1 else 'are'} running on the other machine.",
            next_step="Stop the workers there first.",
        )
    _note(database, this_host())


def is_same(there: dict[str, str], here: dict[str, str]) -> bool:
    """Whether two notes mean one machine; after a restart its id, or else its name, is what stays."""
    if there["boot"] and there["boot"] == here["boot"]:
        return True
    if there["machine"] or here["machine"]:
        return there["machine"] == here["machine"] and there["name"] == here["name"]
    return there["name"] == here["name"]


def _note(database: Database, host: dict[str, str]) -> None:
    with database.transaction() as connection:
        connection.execute(sa.delete(tables.facts).where(_facts.key == KEY))
        connection.execute(sa.insert(tables.facts).values(key=KEY, value=json.dumps(host)))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
