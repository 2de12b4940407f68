"""What is wanted of a fleet, whichever scheduler runs it; checked against the study, and without any password."""

from __future__ import annotations

import hashlib
import math
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from storage.database.address import SECRET_OPTIONS, without_password
from storage.errors import UsageError
from storage.settings import artifacts_folder, cache_folder, data_folders, passed_on
from storage.states import StudyState
from storage.studies.point_records import count_points
from storage.studies.study import load_study
from storage.wording import say_command, say_count
from workers.device import backend

if TYPE_CHECKING:
    from storage.database.engine import Database

DEFAULT_WORKERS = 4
TYPE_OF_GPU = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Order:
    """N workers of one study.

    Attributes:
        study: its name.
        workers: how many; each is one `orch worker` with GPUs of its own.
        gpus: GPUs of each; 0 computes on the processor.
        gpu_type: as the scheduler names a kind of GPU or a MIG slice; empty for any.
        per_gpu: worker processes on each GPU; without a GPU, worker processes.
        at_once: trials that each process trains at the same time, under JAX.
        cpus: processors of each.
        memory: of each, in GiB.
        grace: seconds to finish the epoch in when told to stop.
        storage: the address of the database, without a password.
        variables: the environment of each, by name; holds no secret.
        program: how the machines call orch.
    """

    study: str
    workers: int
    gpus: int = 1
    gpu_type: str = ""
    per_gpu: int = 1
    at_once: int = 1
    cpus: int = 4
    memory: int = 16
    grace: int = 25
    storage: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    program: str = "orch"

    @property
    def slug(self) -> str:
        """The study's name in small letters, digits and hyphens, at most 40: what schedulers allow; with a digest where it was changed."""
        plain = re.sub(r"[^a-z0-9]+", "-", self.study.lower()).strip("-")[:40].strip("-")
        if plain == self.study:
            return plain
        digest = hashlib.sha256(self.study.encode()).hexdigest()[:6]
        return f"{plain[:33].strip('-')}-{digest}".lstrip("-")

    @property
    def worker_words(self) -> list[str]:
        """The command line of a worker, behind `orch`."""
        where = (
            ["--gpus", "all", "--per-gpu", str(self.per_gpu)]
            if self.gpus
            else ["--gpus", "none", "--processes", str(self.per_gpu)]
        )
        if self.at_once > 1:
            where += ["--at-once", str(self.at_once)]
        return ["worker", *where, "--grace", str(self.grace), "--", self.study]

    @property
    def trials_at_once(self) -> int:
        """How many trials one worker works on at the same time."""
        return max(self.gpus, 1) * self.per_gpu * self.at_once

    def export_lines(self) -> list[str]:
        """The environment as lines of a shell script."""
        return [f"export {name}={shlex.quote(value)}" for name, value in self.variables.items()]


def place_order(
    database: Database,
    study: str,
    *,
    workers: int | None,
    gpus: int = 1,
    gpu_type: str = "",
    per_gpu: int = 1,
    at_once: int = 1,
    cpus: int = 4,
    memory: int = 16,
    grace: int = 25,
    data: Sequence[Path] | None = None,
    program: str = "orch",
    on_these_folders: bool = True,
) -> Order:
    """Check what is wanted against the study.

    Args:
        database: where the study is.
        study: its name.
        workers: how many; None for 4, or fewer where fewer trials are left.
        gpus: GPUs of each.
        gpu_type: as the scheduler names a kind of GPU.
        per_gpu: worker processes on each GPU.
        at_once: trials that each process trains at the same time.
        cpus: processors of each.
        memory: of each, in GiB.
        grace: seconds to finish the epoch in.
        data: dataset folders, as the workers see them.
        program: how the machines call orch.
        on_these_folders: the workers see the folders of this machine (a shared disk); containers have their own.

    Raises:
        StudyNotFoundError: there is no such study; the nearest is named.
        UsageError: the study is finished or stopped, lies in a file that one machine alone may use, or a value makes no sense, or
            several trials at once are asked of another backend than JAX.
    """
    backend.refuse_what_only_jax_does(at_once)
    record = load_study(database, study)
    counts = count_points(database, record.uuid)
    left = counts.open + counts.running
    if counts.is_settled:
        raise UsageError(
            f"No trial of {study!r} is left, so it needs no workers.",
            next_step=f"`{say_command('study', 'show', study)}` shows its results.",
        )
    if record.state == StudyState.STOPPED:
        raise UsageError(
            f"The study {study!r} is stopped, so workers would start no trial.",
            next_step=f"Open it first: {say_command('study', 'resume', study)}",
        )
    if database.is_sqlite:
        raise UsageError(
            "A study in a SQLite file belongs to one machine, and a fleet has several.",
            next_step="Create the study in PostgreSQL (docs/many-machines.md); on this machine: "
            f"{say_command('worker', study)}",
        )
    if gpu_type and not TYPE_OF_GPU.fullmatch(gpu_type):
        raise UsageError(
            f"{gpu_type!r} is no kind of GPU: those have letters, digits, dots, hyphens and underscores."
        )
    folders = data_folders(data) or ([Path(record.data_folder)] if record.data_folder else [])
    variables = {"ORCH_STORAGE": without_password(database.url)}
    if on_these_folders:
        if folders:
            variables["ORCH_DATA"] = ":".join(str(folder.absolute()) for folder in folders)
        variables["ORCH_CACHE"] = str(cache_folder().absolute())
        artifacts = artifacts_folder()
        if artifacts is not None:
            variables["ORCH_ARTIFACTS"] = str(artifacts.absolute())
    elif data:
        variables["ORCH_DATA"] = ":".join(str(folder) for folder in data)
    return Order(
        study=study,
        workers=workers or min(DEFAULT_WORKERS, math.ceil(left / (max(gpus, 1) * per_gpu * at_once))),
        gpus=gpus,
        gpu_type=gpu_type,
        per_gpu=per_gpu,
        at_once=at_once,
        cpus=cpus,
        memory=memory,
        grace=grace,
        storage=variables["ORCH_STORAGE"],
        variables={**variables, **passed_on()},
        program=program,
    )


def holds_password(database: Database) -> bool:
    """Whether the address holds a password, which no file of a fleet does."""
    url = database.url
    return url.password is not None or any(name in url.query for name in SECRET_OPTIONS)


def describe(order: Order) -> str:
    """The order in a sentence."""
    kind = f" ({order.gpu_type})" if order.gpu_type else ""
    device = f"{say_count(order.gpus, 'GPU')}{kind}" if order.gpus else "no GPU"
    processes = max(order.gpus, 1) * order.per_gpu
    each = f" with {order.at_once} trials each" if order.at_once > 1 else ""
    return (
        f"{say_count(order.workers, 'worker')} of {order.study!r}, each with {device}, {say_count(order.cpus, 'processor')}, "
        f"{order.memory} GiB of memory and {say_count(processes, 'process', 'processes')}{each}"
    )
