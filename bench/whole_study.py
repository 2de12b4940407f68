"""The whole of Regime I, extraction and all, against plain Optuna with `fit` and against the reference study's loop.

    python -m bench.whole_study [--patients 415] [--trials 100] [--pruners careful fast] [--precision float32]
                                [--extraction-precision float32] [--sample 5] [--data FOLDER]
                                [--unpruned] [--folds-csv FILE]
    python -m bench.whole_study --nested 5 [--pruners careful] [--precision bfloat16] ...

orch runs everything: drawn radiographs (or a data set that `orch data import` made), the features of their four views,
`orch study create --regime I`, one `orch worker`. The others are extrapolated: plain Optuna from `--sample` trials whose
batch sizes stand evenly for those of the plan, one `model.fit` per fold on the cached features, plus `predict` of the
backbone over one view of each image, from measured batches in float32; the reference loop from measured steps of a frozen InceptionV3.
Each of `--pruners` runs the study once on the same features. `--unpruned` runs it once more without pruning, to compare the
winners; `--folds-csv` keeps the curves of that run. `--nested` takes the time of the first pruner's study with as many outer folds, extraction
and the winner's repeats included, and of nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench import peer_ways
from bench.extraction import Forward
from bench.peer_study import PeerStudy
from bench.processes import Apart
from storage.spec import ModelSection, StudySection, StudySpec
from workers.device import preparation as devices


def main() -> None:
    """Print seconds and ratios."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument(
        "--patients", type=int, default=415, help="of drawn radiographs, about six of each"
    )
    arguments.add_argument("--size", type=int, default=299, help="pixels of the drawn radiographs")
    arguments.add_argument("--data", type=Path, help="a data set instead, made by `orch data import`")
    arguments.add_argument("--trials", type=int, default=100)
    arguments.add_argument("--pruners", nargs="+", default=["careful", "fast"])
    arguments.add_argument("--precision", default="float32", help="of training")
    arguments.add_argument("--extraction-precision", default="float32")
    arguments.add_argument("--sample", type=int, default=5)
    arguments.add_argument("--unpruned", action="store_true")
    arguments.add_argument("--folds-csv", type=Path, help="where to keep the curves of the unpruned run")
    arguments.add_argument("--nested", type=int, help="outer folds; the other ways are left out")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = chosen.data.resolve() if chosen.data else draw(folder, chosen.patients, chosen.size)
        accepted = () if chosen.data else DRAWN_ALIKE
        options = (
            *REGIME,
            *accepted,
            "--trials",
            chosen.trials,
            "--set",
            f"training.precision={chosen.precision}",
            "--set",
            f"model.extraction_precision={chosen.extraction_precision}",
        )
        if chosen.nested:
            time_nested(folder, data, chosen.pruners[0], chosen.nested, options)
            return
        for pruner in [*chosen.pruners, *(["none"] if chosen.unpruned else [])]:
            orch(folder, "study", "create", pruner, "--data", data, "--pruner", pruner, *options)
        print(f"load {os.getloadavg()[0]:.1f}", flush=True)
        with Apart(Extraction, folder, data, chosen.pruners[0]) as extraction:
            extracting, images = extraction.run()
        print(
            f"extraction of {images} images in 4 views: {extracting:.1f} s, {4 * images / extracting:.1f} views/s",
            flush=True,
        )
        with Apart(Forward, SPEC) as forward:
            predicting = images / forward.run(SAMPLE_BATCHES)
        with Apart(Fit, folder, data, chosen.pruners[0], chosen.sample) as fit:
            fitting = fit.run()
        print(
            f"optuna + fit: {predicting:.0f} s for one view of each image, {fitting / chosen.trials:.1f} s a trial, "
            f"{predicting + fitting:.0f} s in all (extrapolated)",
            flush=True,
        )
        planned = chosen.trials * 6 * 20
        with Apart(Loop, folder, data, chosen.pruners[0]) as loop:
            looping = loop.run() * planned
        print(
            f"reference loop: {looping / planned:.1f} s a fold-epoch, {looping:.0f} s in all (extrapolated)",
            flush=True,
        )
        values: dict[str, float] = {}
        for pruner in chosen.pruners:
            training, values[pruner] = run_study(folder, data, pruner, planned)
            whole = extracting + training
            print(
                f"  optuna + fit : orch, extraction included {(fitting + predicting) / whole:.1f} x\n"
                f"  reference loop : orch, extraction included {looping / whole:.0f} x",
                flush=True,
            )
        if chosen.unpruned:
            _, best = run_study(folder, data, "none", planned)
            for pruner, value in values.items():
                print(f"  {pruner}: {value - best:+.4f} against the best of all trials")
            if chosen.folds_csv:
                orch(
                    folder,
                    *("study", "export", "none", "-o", folder / "none.json"),
                    *("--folds-csv", chosen.folds_csv.resolve()),
                )
    print(f"load at the end {os.getloadavg()[0]:.1f}")


REGIME = ("--regime", "I", "--set", "model.weights=none")
SPEC = StudySpec(study=StudySection(name="peer"), model=ModelSection(weights="none"))
"""The backbone as others run it."""
SAMPLE_BATCHES = 8
DRAWN_ALIKE = ("--accept", "near-duplicates")
"""Among thousands of drawn legs some pairs are so alike that the audit takes them for copies."""


def draw(folder: Path, patients: int, size: int) -> Path:
    """Draw radiographs and import all of them for development."""
    from orchestrator.demo.radiographs import draw_radiographs

    table = draw_radiographs(folder / "raw", patients=patients, size=size)
    orch(
        folder,
        *("data", "import", folder / "raw" / "images", "--labels", table, "--group", "patient_id"),
        *("--holdout", "0", "--out", folder / "data"),
    )
    return folder / "data"


def orch(folder: Path, *arguments: object) -> str:
    """Run the installed command; what it printed."""
    program = Path(sys.executable).with_name("orch")
    done = subprocess.run(
        [program, *map(str, arguments)],
        env={
            **os.environ,
            "ORCH_CACHE": str(folder / "cache"),
            "ORCH_STORAGE": f"sqlite:///{folder / 'orch.db'}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"orch {' '.join(map(str, arguments[:2]))} failed: {done.stderr[-2000:]}")
    return done.stdout


def run_study(folder: Path, data: Path, pruner: str, planned: int) -> tuple[float, float]:
    """Work the study of a pruner off; its seconds and its best value."""
    seconds = work(folder, data, pruner)
    value = float(export(folder, pruner)["value"])
    trained = count_fold_epochs(folder, pruner)
    print(
        f"orch, pruner {pruner}: {seconds:.1f} s for {trained} of {planned} fold-epochs "
        f"({1 - trained / planned:.1%} saved), best value {value:.4f}",
        flush=True,
    )
    return seconds, value


def time_nested(folder: Path, data: Path, pruner: str, outer: int, options: Sequence[object]) -> None:
    """Create a study with outer folds, work it off with all its parts, and print the seconds and what came out."""
    orch(
        folder,
        *("study", "create", pruner, "--data", data, "--pruner", pruner, "--nested", outer, *options),
    )
    print(f"load {os.getloadavg()[0]:.1f}", flush=True)
    seconds = work(folder, data, pruner)
    nested = export(folder, pruner)["selection"]["nested"]
    print(
        f"orch, {outer} outer folds, pruner {pruner}: {seconds:.0f} s in all, extraction included; "
        f"nested value {nested['value']:.4f}; load at the end {os.getloadavg()[0]:.1f}"
    )


def work(folder: Path, data: Path, study: str) -> float:
    """Seconds of one worker until every point is settled, its start included."""
    began = time.perf_counter()
    orch(folder, "worker", study, "--data", data, "--gpus", "none")
    return time.perf_counter() - began


def export(folder: Path, study: str) -> dict[str, Any]:
    """best.json of a study."""
    orch(folder, "study", "export", study, "-o", folder / f"{study}.json")
    best: dict[str, Any] = json.loads((folder / f"{study}.json").read_text())
    return best


def count_fold_epochs(folder: Path, study: str) -> int:
    """Fold-epochs in the ledger."""
    points = json.loads(orch(folder, "study", "show", study, "--json"))["all_points"]
    return sum(point["epoch"] for point in points) * 6


def open_study(folder: Path, data: Path, study: str) -> tuple[Any, Any]:
    """A study as its worker sees it, and its data set."""
    from storage.data.datasets import load_dataset
    from storage.database.opening import open_database
    from storage.studies.study import load_study

    database = open_database(f"sqlite:///{folder / 'orch.db'}")
    try:
        return load_study(database, study), load_dataset(data)
    finally:
        database.close()


class Extraction:
    """Extracts the features of the study, as a worker does."""

    def __init__(self, folder: Path, data: Path, study: str) -> None:
        self._study, self._dataset = open_study(folder, data, study)
        self._cache = folder / "cache"
        devices.prepare_for(self._study.spec)

    def run(self) -> tuple[float, int]:
        """Seconds, and how many images."""
        from workers.inputs.extraction import ensure_features

        began = time.perf_counter()
        ensure_features(self._study.spec, self._dataset, self._cache)
        return time.perf_counter() - began, len(self._dataset.files)


class Fit:
    """Trials of plain Optuna with `model.fit`, on the identity view of the extracted features."""

    def __init__(self, folder: Path, data: Path, name: str, sample: int) -> None:
        from orchestrator.planning.plan import plan_points
        from storage.data.folds import make_folds
        from workers.inputs.extraction import ensure_features

        study, dataset = open_study(folder, data, name)
        spec = study.spec
        devices.prepare(spec.training.threads)
        self._planned = sorted(
            (point for point in plan_points(spec) if point is not None), key=lambda point: point["batch_size"]
        )
        middles = (np.arange(sample) + 0.5) / sample * len(self._planned)
        features = ensure_features(spec, dataset, folder / "cache")
        self._study = PeerStudy(
            spec=spec,
            dataset=dataset,
            features=np.array(features.values[:, 0]),
            folds=make_folds(dataset.labels, dataset.groups, spec.cv.folds, spec.study.seed),
            trials=[self._planned[int(middle)] for middle in middles],
            cache=folder / "cache",
            folder=folder,
        )

    def run(self) -> float:
        """Seconds of all trials of the plan, from those of the sample."""
        began = time.perf_counter()
        peer_ways.run_optuna(self._study)
        return (time.perf_counter() - began) / len(self._study.trials) * len(self._planned)


class Loop(Fit):
    """The reference study's loop."""

    def __init__(self, folder: Path, data: Path, name: str) -> None:
        super().__init__(folder, data, name, 1)

    def run(self) -> float:
        """Seconds of a fold-epoch."""
        return peer_ways.measure_reference_loop(self._study)


if __name__ == "__main__":
    main()
