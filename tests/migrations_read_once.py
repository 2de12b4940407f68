"""Migration scripts that a process of the tests reads once: each opened database would read all of Optuna's and of orch's again."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType

from alembic import util

VERSIONS = "versions"
"""The folder of the scripts; `env.py` beside it does something each time that it is read."""

Read = Callable[[str, str], ModuleType]


def read_migrations_once() -> None:
    """From now on a script that did not change is the module that it was."""
    util.load_python_file = remember(util.load_python_file)


def remember(read: Read) -> Read:
    """Read as `read` does, told a folder and a name, but no migration script twice."""

    @cache
    def read_once(folder: str, name: str, _changed_at: int, _size: int) -> ModuleType:
        return read(folder, name)

    def load_python_file(folder: str, name: str) -> ModuleType:
        path = Path(folder, name)
        if path.parent.name != VERSIONS or not path.is_file():
            return read(folder, name)
        found = path.stat()
        return read_once(str(folder), str(name), found.st_mtime_ns, found.st_size)

    return load_python_file
