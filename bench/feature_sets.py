"""What it costs a worker that its trials learn from several sets of features.

    python -m bench.feature_sets [--trials 24] [--images 300] [--rounds 3]

Two studies of the same heads: one learns from the features of one image size, the other of three. All features are in the cache when the
measured workers begin. By turns, in a process of its own, a worker does each study; compared is the time per trial in seconds
of its processor, which other load on the machine hardly changes, and by the clock, both without what came before the first trial.
The goal: three sets cost at most 5 % more than one.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.processes import Apart
from storage.spec import StudySpec, parse

SIZES = (32, 40, 48)
GOAL = 1.05


class Work:
    """One worker in a process of its own.

    Args:
        folder: with `raw` images; gets the data set, the cache and a database for each run.
    """

    def __init__(self, folder: Path) -> None:
        from orchestrator.importing.choices import Choices
        from orchestrator.importing.imports import import_dataset
        from storage.data.datasets import load_dataset

        self.folder = folder
        if not (folder / "data").exists():
            import_dataset(
                folder / "raw" / "images",
                folder / "raw" / "labels.csv",
                folder / "data",
                Choices(group_columns=("patient",), holdout=0.0),
            )
        self.dataset = load_dataset(folder / "data")
        self.runs = 0

    def run(self, sizes: tuple[int, ...], trials: int) -> tuple[float, float]:
        """Do a study; seconds of the processor and of the clock per trial."""
        from orchestrator.planning.plan import plan_points
        from storage.database.opening import open_database
        from storage.studies.study import create_study
        from workers.process.circumstances import Circumstances
        from workers.process.worker import run_worker

        self.runs += 1
        spec = make_spec(self.dataset.fingerprint, sizes, trials)
        database = open_database(f"sqlite:///{self.folder / f'{time.time_ns()}.db'}", create=True)
        create_study(database, spec, plan_points(spec), data_folder=str(self.dataset.folder), facts={})
        ends: list[tuple[float, float]] = []

        def note(line: str) -> None:
            ends.append((time.process_time(), time.perf_counter()))

        run_worker(
            Circumstances(database, tell=note), ["bench"], [self.dataset.folder], self.folder / "cache"
        )
        database.close()
        # The first line says that the study is prepared; each further one ends a trial.
        processor, clock = (ends[-1][place] - ends[0][place] for place in (0, 1))
        return processor / (len(ends) - 1), clock / (len(ends) - 1)


def make_spec(fingerprint: str, sizes: tuple[int, ...], trials: int) -> StudySpec:
    """A study of heads on MobileNet at some sizes."""
    search: dict[str, Any] = {
        "batch_size": {"type": "int", "low": 16, "high": 64},
        "dropout_rate": {"type": "float", "low": 0.0, "high": 0.5},
        "image_size": {"type": "choice", "values": list(sizes)},
    }
    return parse(
        {
            "study": {"name": "bench", "trials": trials},
            "data": {"fingerprint": fingerprint},
            "model": {"backbone": "MobileNet", "weights": "none", "head": [256, 64]},
            "training": {"epochs": 10},
            "cv": {"folds": 4},
            "pruner": {"name": "none"},
            "search": search,
        },
        source="bench",
    )


def main() -> None:
    """Print the times per trial with one set and with three, and their ratio."""
    from tests.pictures import make_data

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_data(folder / "raw", patients=chosen.images // 2)
        with Apart(Work, folder) as extraction:
            extraction.run(SIZES, 3)
        rows: dict[int, list[tuple[float, float]]] = {1: [], 3: []}
        for _ in range(chosen.rounds):
            for count, times in rows.items():
                with Apart(Work, folder) as worker:
                    times.append(worker.run(SIZES[-count:], chosen.trials))
    processor = {count: statistics.median(row[0] for row in times) for count, times in rows.items()}
    clock = {count: statistics.median(row[1] for row in times) for count, times in rows.items()}
    for count in rows:
        print(
            f"{count} set(s) of features: {processor[count]:.3f} s of the processor, {clock[count]:.3f} s by the clock per trial"
        )
    ratio = processor[3] / processor[1]
    print(f"three sets / one set: {ratio:.3f} (goal: at most {GOAL})")
    raise SystemExit(ratio > GOAL)


if __name__ == "__main__":
    main()
