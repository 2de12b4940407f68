"""A place to run `orch` in: a database, a data set, a cache; and what of it the GPU sees."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.on_a_gpu import Place

SPEC = """
[model]
weights = "none"
backbone = "{backbone}"
image_size = {size}
[training]
epochs = {epochs}
[cv]
folds = {folds}
schedule = "lockstep"
[pruner]
name = "none"
"""
REGIME_ONE = """
[search.batch_size]
type = "int"
low = 97
high = 112
[search.dropout_rate]
type = "float"
low = 0.0
high = 0.5
"""
"""Regime I in small. All its batch sizes are padded alike, so that a study needs few compiled programs."""
REGIME_TWO = """
[search.learning_rate]
type = "float"
low = 0.0001
high = 0.01
log = true
[search.epsilon]
type = "float"
low = 0.0000001
high = 0.1
log = true
"""
"""Regime II in small, at the default batch size."""


class Desk:
    """A database of its own for a stage; data set and caches are shared by all stages.

    Args:
        place: of the stage.
        cache: the cache folder, where it is not the shared one.
        spec: what is searched.
    """

    def __init__(self, place: Place, cache: Path | None = None, spec: str = REGIME_ONE) -> None:
        self._rehearse, self.log = place.rehearse, place.work / f"{place.stage}.log"
        self.folder = place.work / place.stage
        if cache is None:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(exist_ok=True)
        self.data, self.cache = place.work / "data", cache or place.work / "cache"
        self._environment = {
            **os.environ,
            "ORCH_STORAGE": f"sqlite:///{self.folder / 'orch.db'}",
            "ORCH_CACHE": str(self.cache),
        }
        self._spec = self.folder / "study.toml"
        size = [75, 75] if place.rehearse else [299, 299]
        counts = {"epochs": 2, "folds": 2} if place.rehearse else {"epochs": 20, "folds": 6}
        self._spec.write_text(SPEC.format(backbone=backbone_of(place), size=size, **counts) + spec)
        if not self.data.is_dir():
            # In a rehearsal a tenth of the images will do.
            images = self._few(place.data) if place.rehearse else place.data
            words = ("data", "import", images / "images", "--labels", images / "labels.csv")
            self.orch(*words, "--group", "patient_id", "--out", self.data)

    def create(self, name: str, trials: int, *more: object) -> None:
        """Make a study of so many trials."""
        self.orch(
            *("study", "create", name, "--data", self.data, "--spec", self._spec, "--trials", trials),
            *more,
        )

    def places(self, at_once: int) -> tuple[object, ...]:
        """The options that say where workers run."""
        where = ("--gpus", "none", "--processes") if self._rehearse else ("--per-gpu",)
        return (*where, at_once, "--data", self.data)

    def shown(self, name: str) -> dict[str, Any]:
        """What `orch study show --json` says."""
        shown: dict[str, Any] = json.loads(self.orch("study", "show", name, "--json"))
        return shown

    def values(self, name: str) -> list[Any]:
        """The value of each trial of a study, by number, to the last bit; None where it has none."""
        points = sorted(self.shown(name)["all_points"], key=lambda point: point["point"])
        return [point.get("value") for point in points]

    def begin(self, *words: object) -> subprocess.Popen[bytes]:
        """Start orch and leave it running; its messages go to the log of the stage."""
        return subprocess.Popen(self._command(*words), env=self._environment)

    def orch(
        self,
        *words: object,
        check: bool = True,
        more: dict[str, str] | None = None,
        address_space: int = 0,
    ) -> str:
        """Run orch as a module, because it need not be installed; what it printed.

        Args:
            words: its command line.
            check: whether it must end well.
            more: added to its environment.
            address_space: bytes that it may address, 0 for any number.

        Raises:
            RuntimeError: its exit code is not 0, and `check` is set.
        """
        began = time.perf_counter()
        print("$ orch", *words, file=sys.stderr, flush=True)
        # Messages go to the log at once: of a command that never ends they are all there is.
        done = subprocess.run(
            self._command(*words, address_space=address_space),
            env={**self._environment, **(more or {})},
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        print(
            f"exit code {done.returncode} after {time.perf_counter() - began:.1f} s",
            file=sys.stderr,
            flush=True,
        )
        if check and done.returncode:
            raise RuntimeError(f"orch {' '.join(map(str, words))[:200]}: exit code {done.returncode}")
        return done.stdout

    def messages(self, since: int) -> str:
        """What was written to the log of the stage after so many bytes."""
        return self.log.read_bytes()[since:].decode(errors="replace")

    def _command(self, *words: object, address_space: int = 0) -> list[str]:
        command = [sys.executable, "-m", "orchestrator.cli", *map(str, words)]
        limit = ["sh", "-c", f'ulimit -v {address_space // 1024}; exec "$@"', "sh"] if address_space else []
        return [*limit, *command]

    def _few(self, data: Path) -> Path:
        # Beside the data set, which says where its images are; a stage's own folder is emptied when it runs again.
        folder = self.data.parent / "few"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "images").mkdir(parents=True)
        head, *rows = (data / "labels.csv").read_text().splitlines()
        names = head.split(",")
        kept = rows[::10]
        for row in kept:
            name = row.split(",")[names.index("filename")]
            shutil.copy(data / "images" / name, folder / "images" / name)
        (folder / "labels.csv").write_text("\n".join([head, *kept]) + "\n")
        return folder


def backbone_of(place: Place) -> str:
    """InceptionV3, as in the reference study; in a rehearsal one that is compiled sooner."""
    return "MobileNetV2" if place.rehearse else "InceptionV3"


class Watch:
    """Looks twice a second at how busy the GPU is and what each process holds."""

    def __enter__(self) -> Watch:
        """Begin."""
        self._ended = threading.Event()
        self._rows: list[list[float]] = []
        self._memory: dict[int, int] = {}
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        units = "--format=csv,noheader,nounits"
        while not self._ended.wait(0.5):
            line = text_of("nvidia-smi", "--query-gpu=utilization.gpu,memory.used", units)
            with contextlib.suppress(ValueError, IndexError):
                self._rows.append([float(part) for part in line.splitlines()[0].split(",")])
            for app in text_of("nvidia-smi", "--query-compute-apps=pid,used_memory", units).splitlines():
                with contextlib.suppress(ValueError):
                    process, used = (int(part) for part in app.split(","))
                    self._memory[process] = max(used, self._memory.get(process, 0))

    def found(self) -> dict[str, Any]:
        """Mean utilisation in percent, most memory in all and of each process in MiB; nothing without a GPU."""
        if not self._rows:
            return {}
        rows = np.array(self._rows)
        return {
            "GPU busy %": float(rows[:, 0].mean()),
            "MiB at most": float(rows[:, 1].max()),
            "MiB by process": sorted(self._memory.values()),
        }


def text_of(*command: str) -> str:
    """What a program prints; empty where there is none."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""
