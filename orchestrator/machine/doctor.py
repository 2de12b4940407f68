"""Is this machine ready to work: one check per line, ok, warn or fail."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.machine.stores import find_lock_fault, find_write_fault
from storage.errors import OrchError, SchemaError, StorageNotFoundError
from storage.own_processes import make_command
from storage.settings import environment_with
from storage.wording import say_count, say_duration
from workers.device import backend

if TYPE_CHECKING:
    from storage.database.engine import Database

OK, WARN, FAIL = "ok", "warn", "fail"
PACKAGES = ("storage", "workers", "dashboards", "orchestrator")
CLOCK_SECONDS = 5.0
FREE_BYTES = 2 * 1024**3
BACKEND_SECONDS = 180
ROUND_TRIPS = 10
SLOW_MILLISECONDS = 20.0
SESSIONS_PER_WORKER = 2
BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX"}
# Run in a process of its own: a backend takes seconds to import, and may end the process when its build does not fit.
# As a worker process imports them.
IMPORT = (
    "import json\n"
    "from workers.device.spared_imports import spare_imports, without_what_is_offered\n"
    "spare_imports()\n"
    "with without_what_is_offered('{0}'):\n"
    "    import {0}, keras\n"
)
# A GPU that is listed may be broken all the same.
TRY = (
    "fault = ''\n"
    "try:\n"
    "    {0}\n"
    "except Exception as error:\n"
    "    fault = type(error).__name__ + ': ' + ' '.join(str(error).split())[:300]\n"
)
PROGRAMS = {
    "tensorflow": (
        f"{IMPORT.format('tensorflow')}"
        "gpus = tensorflow.config.list_physical_devices('GPU'); "
        "names = [tensorflow.config.experimental.get_device_details(gpu).get('device_name', gpu.name) for gpu in gpus]\n"
        f"{TRY.format('(tensorflow.constant([1.0]) + 1).numpy()')}"
        "print('orch', json.dumps([tensorflow.__version__, keras.__version__, names, fault]))"
    ),
    "jax": (
        f"{IMPORT.format('jax')}"
        "names = [device.device_kind for device in jax.devices() if device.platform == 'gpu']\n"
        f"{TRY.format('(jax.numpy.ones(4) + 1).block_until_ready()')}"
        "print('orch', json.dumps([jax.__version__, keras.__version__, names, fault]))"
    ),
}
WITH_CUDA = {"tensorflow": "orch-studies[gpu]", "jax": "jax[cuda13], or jax[cuda12] for an older driver"}


@dataclass(frozen=True)
class Check:
    """One line of `orch doctor`."""

    name: str
    status: str
    text: str


def check_machine(storage: str | None, data: list[Path] | None) -> Iterator[Check]:
    """Yield every check as it is done; none raises."""
    yield check_installation()
    yield from _check_storage(storage)
    yield from _check_data(data)
    yield _check_cache()
    yield _check_artifacts()
    yield from _check_backend()


def check_installation() -> Check:
    """Say where orch was imported from, and whether its four packages come from one place."""
    from workers.device.versions import orch_version

    places = {name: _place_of(name) for name in PACKAGES}
    folders = {place.parent for place in places.values() if place}
    version = f"orch {orch_version()}, Python {sys.version.split()[0]}"
    if len(folders) != 1 or None in places.values():
        found = ", ".join(f"{name}: {place}" for name, place in places.items())
        return Check("orch", FAIL, f"{version}; its packages come from different places: {found}")
    return Check("orch", OK, f"{version}, imported from {folders.pop()}")


def _place_of(name: str) -> Path | None:
    found = importlib.util.find_spec(name)
    return Path(found.origin).parent if found and found.origin else None


def _check_storage(flag: str | None) -> Iterator[Check]:
    from orchestrator.terminal.opening import open_storage
    from storage.database.schema import schema_version
    from storage.studies.study import list_studies

    try:
        with open_storage(flag) as database:
            studies = list_studies(database)
            yield Check("storage", OK, f"{database.url_text}, {say_count(len(studies), 'study', 'studies')}")
            yield Check("schema", OK, f"version {schema_version(database)}")
            yield from _check_access(database)
            with database.reading() as connection:
                difference = round(database.now(connection) - time.time(), 1)
            status = OK if abs(difference) <= CLOCK_SECONDS else WARN
            yield _check_round_trips(database)
            yield from _check_sessions(database)
            differs = (
                f"differs from this machine's by {difference:+.1f} s"
                if difference
                else "agrees with this machine's"
            )
            yield Check("clocks", status, f"the database's clock {differs}")
    except StorageNotFoundError as error:
        # A new user has no file yet, which is no fault of the machine; a wrong address is one.
        yield Check("storage", WARN if _is_file_to_come(flag) else FAIL, str(error))
    except SchemaError as error:
        yield Check("schema", FAIL, str(error))
    except OrchError as error:
        yield Check("storage", FAIL, str(error))


def _check_access(database: Database) -> Iterator[Check]:
    """Whether a worker could write here, tried by a write that is taken back; and whether every name can be kept."""
    from storage.database.access import ENCODING, find_encoding, find_obstacle

    obstacle = find_obstacle(database)
    if obstacle is not None:
        yield Check("write", WARN, f"this address can only read, so that no worker can use it ({obstacle})")
    elif database.is_sqlite and (fault := find_lock_fault(database.file.absolute().parent, of_sqlite=True)):
        yield Check(
            "locks",
            FAIL,
            f"{database.file.absolute().parent}: {fault}; keep the SQLite file on a disk of this machine",
        )
    encoding = find_encoding(database)
    if encoding not in (None, ENCODING):
        yield Check("encoding", WARN, f"the database keeps text in {encoding}; names need {ENCODING}")


def _is_file_to_come(flag: str | None) -> bool:
    """Whether the storage is a SQLite file that `orch study create` would make."""
    from storage.database.address import parse_url
    from storage.database.engine import Database
    from storage.settings import storage_url

    try:
        database = Database(parse_url(storage_url(flag)))
    except OrchError:
        return False
    return database.is_sqlite and not database.file.exists() and database.file.absolute().parent.is_dir()


def _check_data(flags: list[Path] | None) -> Iterator[Check]:
    from storage.data.datasets import load_dataset
    from storage.settings import data_folders

    try:
        folders = data_folders(flags)
    except OrchError as error:
        yield Check("data", FAIL, str(error))
        return
    if not folders:
        yield Check("data", WARN, "no dataset folder is named (--data, ORCH_DATA or orch.toml)")
    for folder in folders:
        try:
            dataset = load_dataset(folder)
            dataset.check_images()
            yield Check("data", OK, f"{folder}: {len(dataset.sha256)} images, {dataset.fingerprint[:19]}")
        except OrchError as error:
            yield Check("data", FAIL, str(error))


def _check_cache() -> Check:
    from storage.settings import cache_folder

    try:
        folder = cache_folder()
        existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        free = shutil.disk_usage(existing).free
    except (OrchError, OSError) as error:
        return Check("cache", FAIL, str(error))
    text = f"{folder}, {free / 1024**3:.1f} GiB free"
    if not existing.is_dir():
        return Check("cache", FAIL, f"{text}, but {existing} is no folder")
    if fault := find_write_fault(existing):
        return Check("cache", FAIL, f"{text}, but {fault}")
    if fault := find_lock_fault(existing):
        # Two processes would then extract or decode the same, each over the other's file.
        return Check(
            "cache", FAIL, f"{text}, but {fault}; name a folder on a disk of this machine (ORCH_CACHE)"
        )
    return Check("cache", OK if free >= FREE_BYTES else WARN, text)


def _check_artifacts() -> Check:
    from storage.settings import artifacts_folder

    try:
        folder = artifacts_folder()
    except OrchError as error:
        return Check("artifacts", FAIL, str(error))
    if folder is None:
        text = "no shared folder (ORCH_ARTIFACTS): an interrupted trial starts again from its beginning, or from its first unfinished fold"
        return Check("artifacts", OK, text)
    if not folder.is_dir():
        return Check(
            "artifacts", FAIL, f"{folder} is not a folder on this machine; all workers must share one"
        )
    if fault := find_write_fault(folder):
        return Check("artifacts", FAIL, f"{folder}: {fault}")
    return Check("artifacts", OK, f"{folder}, for checkpoints")


def _check_round_trips(database: Database) -> Check:
    """How long one question to the database takes: an epoch of a trial asks about a dozen."""
    with database.reading() as connection:
        database.now(connection)
        began = time.perf_counter()
        for _ in range(ROUND_TRIPS):
            database.now(connection)
        milliseconds = (time.perf_counter() - began) / ROUND_TRIPS * 1000
    status = OK if milliseconds <= SLOW_MILLISECONDS else WARN
    return Check("round trip", status, f"{milliseconds:.1f} ms to the database")


def _check_sessions(database: Database) -> Iterator[Check]:
    """Whether the server has sessions left for another worker, which holds one and takes a second at times."""
    if database.is_sqlite:
        return
    import sqlalchemy as sa

    with database.reading() as connection:
        used, most = connection.execute(
            sa.text(
                "SELECT count(*), current_setting('max_connections')::int FROM pg_stat_activity "
                "WHERE backend_type = 'client backend'"
            )
        ).one()
    status = OK if used + SESSIONS_PER_WORKER <= most else WARN
    yield Check("sessions", status, f"{used} of {most} of the server are taken; a worker takes one or two")


def _check_backend() -> Iterator[Check]:
    """Whether the backend that KERAS_BACKEND names can be imported, and which GPUs it sees."""
    try:
        chosen = backend.name()
    except OrchError as error:
        yield Check("backend", FAIL, str(error))
        return
    title = BACKENDS[chosen]
    try:
        ran = subprocess.run(
            make_command(PROGRAMS[chosen]),
            capture_output=True,
            text=True,
            timeout=BACKEND_SECONDS,
            # JAX would else take three quarters of each GPU's memory from the workers.
            env=environment_with({"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}),
            check=False,
        )
    except subprocess.TimeoutExpired:
        yield Check(title, FAIL, f"importing it took more than {say_duration(BACKEND_SECONDS)}")
        return
    answer = next((line for line in ran.stdout.splitlines() if line.startswith("orch ")), None)
    if ran.returncode or answer is None:
        reason = (ran.stderr.strip().splitlines() or ["no message"])[-1]
        yield Check(title, FAIL, f"it cannot be imported or started: {reason}{_name_other_backend(chosen)}")
        return
    version, keras, gpus, fault = json.loads(answer.removeprefix("orch "))
    yield Check(title, OK, f"{title} {version}, Keras {keras}")
    yield _check_gpus(title, chosen, gpus, fault)


def _check_gpus(title: str, chosen: str, gpus: list[str], fault: str) -> Check:
    from orchestrator.machine.gpus import list_gpus
    from storage.settings import visible_devices
    from workers.device.nvml import find_lost_gpus, find_trouble

    names = ", ".join(gpus)
    if fault:
        return Check("GPU", FAIL, f"{names or 'the CPU'}: {title} sees it and cannot compute on it: {fault}")
    try:
        present, lost = list_gpus(), find_lost_gpus() if visible_devices() is None else []
    except OrchError as error:
        return Check("GPU", FAIL, str(error))
    if lost:
        seen = f"{title} sees {names or 'no other'}"
        return Check("GPU", WARN, f"the driver cannot reach {'; '.join(lost)}: restart the machine. {seen}")
    if present and not gpus:
        trouble = find_trouble()
        remedy = (
            f"its library says: {trouble}; restart the machine" if trouble else f"install {WITH_CUDA[chosen]}"
        )
        return Check("GPU", WARN, f"the driver lists {len(present)} GPU(s) and {title} sees none: {remedy}")
    text = f"{len(gpus)} seen by {title}: {names}" if gpus else "none; computing on the CPU"
    return Check("GPU", OK, text)


def _name_other_backend(chosen: str) -> str:
    """What to do where another backend is installed than the chosen one; empty where none is."""
    others = [name for name in BACKENDS if name != chosen and importlib.util.find_spec(name)]
    return (
        f". {BACKENDS[others[0]]} is installed: set KERAS_BACKEND={others[0]} to compute with it"
        if others
        else ""
    )
