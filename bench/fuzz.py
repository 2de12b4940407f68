"""Files from strangers, made at random: no traceback, nothing that hangs, no more than 500 MB.

    python -m bench.fuzz [--files 10000] [--seed 0]

A fifth each of model files (weights, too), specs, best.json, labels files and images (DICOM, too): ordinary ones whose bytes, parts and
sizes are changed. A process of its own reads them as orch does, so that a crash, a hang and the peak of its memory are seen.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import random
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from bench.strangers import make_best, make_image, make_labels, make_model, make_spec

GOAL_BYTES = 500e6
SECONDS = 60.0
"""A file that takes longer hangs; reading apart (`storage.files.apart`) ends after 20 seconds of computing."""


def read_model(path: Path) -> None:
    """All that is read from a model or weights file before Keras loads it."""
    from storage.errors import OrchError
    from storage.files.hdf5 import inspect_weights
    from storage.files.model_files import inspect_model, read_record, read_whole_card

    if path.suffix == ".h5":
        with contextlib.suppress(ValueError, OSError):
            inspect_weights(path)
    refusals = []
    for read in (inspect_model, read_whole_card, read_record):
        try:
            read(path)
        except OrchError as error:
            refusals.append(error)
    if refusals:
        raise refusals[0]


def read_spec(path: Path) -> None:
    """As `orch study create --spec` does."""
    from storage.spec import parse, read_toml

    parse(read_toml(path), source=str(path))


def read_best_file(path: Path) -> None:
    """As `orch study create --from` does."""
    from orchestrator.studies.best import read_best
    from storage.spec import parse

    parse(read_best(path)["spec"], source=str(path))


def read_labels(path: Path) -> None:
    """As `orch data import --labels` does."""
    from orchestrator.importing.reading.tables import read_table

    read_table(path)


def read_picture(path: Path) -> None:
    """As every worker does."""
    from storage.data.images import inspect_image, read_grey, read_image

    # An import takes any error of a decoder for a damaged file; it must not end or fill the process.
    with contextlib.suppress(Exception):
        inspect_image(path.read_bytes())
    read_grey(path, 32)
    read_image(path, (64, 64))


KINDS: dict[str, tuple[Callable[[Path, random.Random], Path], Callable[[Path], None]]] = {
    "model files": (make_model, read_model),
    "specs": (make_spec, read_spec),
    "best.json": (make_best, read_best_file),
    "labels files": (make_labels, read_labels),
    "images": (make_image, read_picture),
}


def serve(pipe: Connection) -> None:
    """Read one file after another, and say how each ended."""
    from storage.errors import OrchError

    while True:
        kind, path = pipe.recv()
        try:
            KINDS[kind][1](path)
            ended = "taken"
        except OrchError:
            ended = "refused"
        except BaseException:
            ended = traceback.format_exc()
        pipe.send((ended, max(read_peak(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)))


def read_peak() -> int:
    """The peak of this process's memory in bytes; that of `getrusage` begins with the memory of the process that started it."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


class Reader:
    """A process that reads files, begun again where it crashed or hung."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other,), daemon=True)
        self.process.start()
        other.close()

    def read(self, kind: str, path: Path, seconds: float) -> tuple[str, int]:
        """How the reading of a file ended, and the peak of the process's memory in bytes."""
        self.pipe.send((kind, path))
        try:
            if self.pipe.poll(seconds if self.process.is_alive() else 0):
                answer: tuple[str, int] = self.pipe.recv()
                return answer
            ended = f"no answer in {seconds:.0f} seconds"
        except EOFError:
            self.process.join()
            ended = f"crash, exit code {self.process.exitcode}"
        self.close()
        return ended, 0

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


@dataclass
class Findings:
    """What became of the files.

    Attributes:
        ended: how many of each kind were taken, refused, or a fault.
        faults: what went wrong, in words.
        peak: bytes of memory of the process that read.
        slowest: seconds of the slowest file.
    """

    ended: Counter[tuple[str, str]]
    faults: list[str]
    peak: int
    slowest: float


def read_many(files: int, seed: int, seconds: float = SECONDS) -> Findings:
    """Make and read so many files, one after another."""
    found = Findings(Counter(), [], 0, 0.0)
    with tempfile.TemporaryDirectory() as folder:
        reader = Reader()
        for number in range(files):
            kind = list(KINDS)[number % len(KINDS)]
            path = KINDS[kind][0](Path(folder) / f"file{number}", random.Random(f"{seed} {number}"))
            asked = time.monotonic()
            ended, memory = reader.read(kind, path, seconds)
            # The first one waits for the imports.
            if number >= 2 * len(KINDS):
                found.slowest = max(found.slowest, time.monotonic() - asked)
            found.peak = max(found.peak, memory)
            is_fault = ended not in ("taken", "refused")
            found.ended[kind, "fault" if is_fault else ended] += 1
            if is_fault:
                found.faults.append(f"{kind}, number {number}: {ended}")
                if not memory:
                    reader = Reader()
            path.unlink(missing_ok=True)
        reader.close()
    return found


def main() -> None:
    """Print how many were taken and refused, and everything that went wrong; leave with 1 where something did."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    began = time.monotonic()
    found = read_many(arguments.files, arguments.seed)
    for kind in KINDS:
        counts = ", ".join(f"{found.ended[kind, how]:5} {how}" for how in ("taken", "refused", "fault"))
        print(f"{kind:13} {counts}")
    print(
        f"peak {found.peak / 1e6:.0f} MB (goal {GOAL_BYTES / 1e6:.0f}), slowest file {found.slowest:.1f} s, "
        f"all {time.monotonic() - began:.0f} s"
    )
    print(*found.faults[:20], sep="\n")
    sys.exit(1 if found.faults or found.peak > GOAL_BYTES else 0)


if __name__ == "__main__":
    main()
