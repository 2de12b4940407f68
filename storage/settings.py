"""The only reader of the environment: flag, then environment, then `orch.toml` here or above, then default."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from storage import parsing
from storage.errors import UsageError

SETTINGS_FILE = "orch.toml"
DEFAULT_STORAGE = "sqlite:///orch.db"
KEYS = ("storage", "data", "cache", "artifacts")


def storage_url(flag: str | None = None) -> str:
    """The URL of the study database, as the user wrote it.

    Raises:
        UsageError: `orch.toml` cannot be read.
    """
    if flag:
        return flag
    from_environment = os.environ.get("ORCH_STORAGE")
    if from_environment:
        return from_environment
    path, settings = read_settings_file()
    configured = settings.get("storage")
    if configured is None:
        return DEFAULT_STORAGE
    text = str(configured)
    relative = text.removeprefix("sqlite:///")
    if path is not None and relative != text and relative and not Path(relative).is_absolute():
        return f"sqlite:///{path.parent / relative}"
    return text


def data_folders(flags: Sequence[Path] | None = None) -> list[Path]:
    """The dataset folders that this machine offers; empty when none is named.

    Raises:
        UsageError: `orch.toml` cannot be read.
    """
    if flags:
        return [Path(flag) for flag in flags]
    from_environment = os.environ.get("ORCH_DATA")
    if from_environment:
        return [Path(part) for part in from_environment.split(os.pathsep) if part]
    path, settings = read_settings_file()
    configured = settings.get("data") or []
    folders = [configured] if isinstance(configured, str) else list(configured)
    base = path.parent if path is not None else Path()
    return [base / str(folder) for folder in folders]


def cache_folder() -> Path:
    """Where features are kept on this machine: ORCH_CACHE, `cache` of `orch.toml`, else the user's cache.

    Raises:
        UsageError: `orch.toml` cannot be read.
    """
    return _folder("ORCH_CACHE", "cache") or _user_cache()


def artifacts_folder() -> Path | None:
    """The folder shared by all workers for checkpoints and figures, or None.

    Raises:
        UsageError: `orch.toml` cannot be read.
    """
    return _folder("ORCH_ARTIFACTS", "artifacts")


def dashboard_password() -> str | None:
    """The password of `orch dashboard`: ORCH_DASHBOARD_PASSWORD, or None. Never in a file: those get shared."""
    return os.environ.get("ORCH_DASHBOARD_PASSWORD") or None


def read_settings_file(start: Path | None = None) -> tuple[Path | None, dict[str, Any]]:
    """Find and read `orch.toml` in `start` (default: here) or the nearest folder above it.

    Raises:
        UsageError: the file is no TOML or holds an unknown key.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        path = folder / SETTINGS_FILE
        if path.is_file():
            return path, _parse(path)
    return None, {}


def _parse(path: Path) -> dict[str, Any]:
    try:
        settings = parsing.read_toml(path)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"The settings file {path} cannot be read: {error}.",
            next_step="Correct it, or move it away and run `orch init`.",
        ) from error
    unknown = sorted(set(settings) - set(KEYS))
    if unknown:
        raise UsageError(
            f"The settings file {path} holds the unknown key {unknown[0]!r}; known are {', '.join(KEYS)}.",
        )
    for key, value in settings.items():
        listed = value if key == "data" and isinstance(value, list) else [value]
        if not all(isinstance(one, str) for one in listed):
            raise UsageError(
                f"In the settings file {path}, {key} must be a text{' or a list of texts' if key == 'data' else ''}."
            )
    return settings


def _folder(variable: str, key: str) -> Path | None:
    from_environment = os.environ.get(variable)
    if from_environment:
        return Path(from_environment)
    path, settings = read_settings_file()
    if path is not None and settings.get(key):
        return path.parent / str(settings[key])
    return None


def _user_cache() -> Path:
    from platformdirs import user_cache_path

    try:
        return user_cache_path("orch")
    except RuntimeError as error:
        # platformdirs: a number for a user, and no HOME.
        raise UsageError(
            "There is no folder for the cache: this user has no home folder.",
            why="A container or a scheduler started orch for a user without a name and without HOME.",
            next_step="Set ORCH_CACHE to a folder that may be written to, or set HOME.",
        ) from error
