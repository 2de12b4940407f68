"""Everything that only a GPU can tell, in one call of less than nine minutes.

    KERAS_BACKEND=jax python -m bench.on_a_gpu --data FOLDER --out FOLDER [--minutes 8.7] [--only STAGE ..] [--rehearse]

FOLDER of --data holds images/ and labels.csv (filename, patient_id, targets), as `orch data import` takes them. The stages run in
order of worth, each in a process group of its own with a time limit: one that crashes or hangs costs its own time only. A stage writes each
number as soon as it has it, and --out holds all of them in on-a-gpu.json at any time, so that a call which is cut off leaves
what it measured; the log of each stage lies beside it. "prepare" imports the data set and extracts its features once, for all
stages that run studies. `--rehearse` does all of it on a processor with small numbers, to find typing errors before a GPU is rented.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TAIL = 3000
"""Characters of the log of a stage that did not end well which go into the results."""
REHEARSAL = 3.0
"""A rehearsal on two cores may take so many times as long as the stage on a GPU."""


@dataclass(frozen=True)
class Stage:
    """One stage: seconds that it may take, the module of its `run_NAME`, and what it measures."""

    limit: float
    module: str
    what: str


STAGES = {
    "facts": Stage(30, "speed", "device, versions, flags, memory bandwidth, rate of products"),
    "prepare": Stage(100, "studies", "a data set, its features by `orch worker`, one short trial; `orch doctor`"),
    "whole": Stage(200, "studies", "all of Regime I at the size of the reference study, with one and four trials at once"),
    "epoch": Stage(100, "speed", "one fold-epoch: alone, stacked, `fit`; and where the time of a stacked one goes"),
    "flags": Stage(100, "flags", "one fold-epoch of small batches with flags of XLA that orch does not set"),
    "extraction": Stage(90, "speed", "views/s of an extraction and of the forward pass alone"),
    "study": Stage(160, "studies", "a study by `orch worker`: cold and warm compilation cache, several at once"),
    "several": Stage(160, "several", "several trials in one process: whole studies, and epochs side by side and stacked"),
    "same": Stage(100, "agreement", "features and heads against the processor's, stacked against single, run against run"),
    "replay": Stage(60, "studies", "`orch trial replay`, bit for bit"),
    "chaos": Stage(100, "studies", "SIGKILL of one of two workers on the GPU"),
    "memory": Stage(100, "studies", "what a worker says and does when GPU memory is not enough"),
    "none": Stage(30, "studies", "`orch worker --gpus none` on a machine with a GPU"),
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where a stage runs.

    Attributes:
        data: images/ and labels.csv.
        work: databases, caches and logs.
        stage: its name.
        rehearse: on a processor, with small numbers.
    """

    data: Path
    work: Path
    stage: str
    rehearse: bool


class Found(dict[str, Any]):
    """What a stage has found so far, written whole after each entry."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    def __setitem__(self, name: str, value: Any) -> None:
        """Keep an entry and write all of them."""
        super().__setitem__(name, value)
        write_json(self._file, self)


def main() -> int:
    """Run the stages and print a line for each; returns 1 when one failed or was cut off."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "on-a-gpu")
    parser.add_argument("--minutes", type=float, default=8.7)
    parser.add_argument("--only", nargs="+", choices=STAGES, default=list(STAGES), metavar="STAGE")
    parser.add_argument("--rehearse", action="store_true")
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    chosen.work.mkdir(parents=True, exist_ok=True)
    if chosen.stage:
        begin_stage(Place(chosen.data, chosen.work.resolve(), chosen.stage, chosen.rehearse))
        return 0
    ends, results = time.monotonic() + 60 * chosen.minutes, Found(chosen.out / "on-a-gpu.json")
    for name in chosen.only:
        stage = STAGES[name]
        limit, left = stage.limit * (REHEARSAL if chosen.rehearse else 1), ends - time.monotonic()
        if left < limit / 3:
            results[name] = {"skipped": f"{left:.0f} s are left, and it may take {limit:.0f} s"}
        else:
            place = Place(chosen.data, chosen.work.resolve(), name, chosen.rehearse)
            results[name] = run_stage(place, min(limit, left))
            with contextlib.suppress(OSError):
                shutil.copy(chosen.work / f"{name}.log", chosen.out)
        print(f"== {name} ({stage.what}): {json.dumps(results[name])}", flush=True)
    return int(any("failed" in result or "cut off" in result for result in results.values()))


def begin_stage(place: Place) -> None:
    """Run a stage in this process."""
    module = importlib.import_module(f"bench.gpu.{STAGES[place.stage].module}")
    getattr(module, f"run_{place.stage}")(place, Found(place.work / f"{place.stage}.json"))


def run_stage(place: Place, limit: float) -> dict[str, Any]:
    """Run a stage in a process group of its own.

    Args:
        place: where.
        limit: seconds after which the group is killed.

    Returns:
        What it found; with "failed" or "cut off", and the end of its log, where it did not end well.
    """
    file, log, began = place.work / f"{place.stage}.json", place.work / f"{place.stage}.log", time.monotonic()
    file.unlink(missing_ok=True)
    # The traceback that faulthandler writes just before the end says what a stage was waiting for.
    program = (
        "import faulthandler, sys; "
        f"faulthandler.dump_traceback_later({max(limit - 2, 1)}); "
        "sys.argv[0] = 'bench.on_a_gpu'; "
        "from bench.on_a_gpu import main; sys.exit(main())"
    )
    where = ("--data", place.data, "--out", place.work, "--work", place.work, "--stage", place.stage)
    command = [sys.executable, "-c", program, *map(str, where), *["--rehearse"] * place.rehearse]
    ended = {}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, start_new_session=True, env=environment_of(place)
        )
        try:
            if process.wait(limit):
                ended = {"failed": f"exit code {process.returncode}"}
        except subprocess.TimeoutExpired:
            ended = {"cut off": f"after {limit:.0f} s"}
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if ended:
        ended["log"] = log.read_text(errors="replace")[-TAIL:]
    found = json.loads(file.read_text()) if file.is_file() else {}
    return {**found, **ended, "seconds": round(time.monotonic() - began, 1)}


def environment_of(place: Place) -> dict[str, str]:
    """The environment of a stage: a cache that all stages share, and no GPU in a rehearsal."""
    shared = {"ORCH_CACHE": str(place.work / "cache"), "KERAS_BACKEND": "jax"}
    return {**os.environ, **shared, **({"JAX_PLATFORMS": "cpu"} if place.rehearse else {})}


def write_json(file: Path, document: dict[str, Any]) -> None:
    """Write a document whole or not at all."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps(document, indent=1, default=lambda number: number.item()))
    new.replace(file)


if __name__ == "__main__":
    sys.exit(main())
