"""The only reader of the environment: flag, then environment, then `orch.toml` here or above, then default."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from storage import parsing
from storage.errors import UsageError

SETTINGS_FILE = "orch.toml"
DEFAULT_STORAGE = "sqlite:///orch.db"
KEYS = ("storage", "data", "cache", "artifacts")
DEFAULT_BACKEND = "tensorflow"


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


def keras_backend() -> str:
    """The backend that KERAS_BACKEND names, whether there is one of that name or not; else TensorFlow."""
    return os.environ.get("KERAS_BACKEND", DEFAULT_BACKEND)


def visible_devices() -> str | None:
    """What CUDA_VISIBLE_DEVICES says, as it stands there; None where it is not set and every GPU may be used."""
    return os.environ.get("CUDA_VISIBLE_DEVICES")


def numbers_gpus_as_driver() -> bool:
    """Whether a number in CUDA_VISIBLE_DEVICES is the driver's; CUDA's own order puts the fastest GPU first."""
    return os.environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID"


def gpu_mebibytes() -> int | None:
    """How much of a GPU's memory this process may take, in MiB: its share, where `orch worker` set ORCH_GPU_MEBIBYTES.

    Raises:
        UsageError: the variable holds no whole number above 0.
    """
    text = os.environ.get("ORCH_GPU_MEBIBYTES")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text)):
        raise UsageError(
            f"ORCH_GPU_MEBIBYTES={text} is not a whole number above 0.",
            next_step="Unset it: `orch worker` sets it itself where several processes share a GPU.",
        )
    return int(text)


def xla_flags() -> str:
    """What XLA_FLAGS says, for XLA under JAX; empty where it is not set."""
    return os.environ.get("XLA_FLAGS", "")


def passed_on() -> dict[str, str]:
    """What decides how a worker computes, and is to be the same on every machine of a fleet: variables by name, where set."""
    return {name: os.environ[name] for name in ("KERAS_BACKEND", "XLA_FLAGS") if os.environ.get(name)}


def notify_target() -> str:
    """Who is told when a study ends, where `--notify` does not say; "" for no one."""
    return os.environ.get("ORCH_NOTIFY", "")


def scheduler_job() -> str | None:
    """The job that started this process, such as "slurm 17_3" or "kubernetes orch-first-0-x7k2p"; None without a scheduler."""
    told = os.environ.get("ORCH_JOB")
    if told:
        return told
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    job = f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID")
    return f"slurm {job}" if job else None


def is_set(variable: str) -> bool:
    """Whether whoever started this process settled a library's own variable; then orch leaves it alone."""
    return variable in os.environ


def wants_colours() -> bool:
    """Whether a terminal may be sent colours: not with NO_COLOR (https://no-color.org), nor on a dumb one."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def environment_with(values: Mapping[str, str] | None = None) -> dict[str, str]:
    """A copy of the environment for a process to be started, with `values` in place of what is set."""
    return {**os.environ, **(values or {})}


@contextmanager
def changed_environment(**values: str) -> Iterator[None]:
    """Set variables for a library or a child process that reads them meanwhile; afterwards all is as before."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


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


def kaggle_folder() -> Path:
    """Where Kaggle's client keeps what it fetched."""
    return Path(os.environ.get("KAGGLEHUB_CACHE") or "~/.cache/kagglehub").expanduser()


def name_user() -> str:
    """Who runs this process."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # A container may run under a number that has no name.
        return str(os.getuid())


def named_browser() -> str | None:
    """The browser that draws and prints, as BROWSER_PATH names it; kaleido reads the same."""
    return os.environ.get("BROWSER_PATH") or None


def completing_shell() -> str:
    """How a shell asks which words it may offer, such as "complete_bash"; empty where no shell asks."""
    return os.environ.get("_ORCH_COMPLETE", "")


def typed_words() -> tuple[str, str]:
    """The command line that bash asks about, and which of its words is being typed, as bash says them."""
    return os.environ.get("COMP_WORDS", ""), os.environ.get("COMP_CWORD", "0")


def retype_words(line: str, place: int) -> None:
    """Let the command line that bash asks about be another one, for this process."""
    os.environ["COMP_WORDS"], os.environ["COMP_CWORD"] = line, str(place)
