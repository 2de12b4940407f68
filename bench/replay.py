"""What pruning rules save and lose, replayed on curves that were recorded without pruning.

    python -m bench.replay [--curves CSV ...] [--all] [--workers 8] [--fold-by-fold]

Workers take the trials one after the other, in lockstep over the folds, through the rules of `workers.pruning.rules` and
`workers.pruning.forecast` themselves; or one worker fold by fold, judged after each fold. Saved: the share of fold-epochs that were not trained. Regret: the best value of all trials minus that of
the best trial that came to its end. Three ways to go through the same curves, seeds fixed in advance:

- recorded: in their order;
- shuffled: mean of 20 random orders;
- resampled: mean of 40 studies of 100 trials and all folds, both drawn with replacement (the folds once per study).

Curves are read from bench/data/ and, where it is at hand, from the reference study.
"""

from __future__ import annotations

import argparse
import csv
import functools
import gzip
import heapq
import math
import os
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from storage.spec import PRUNER_PRESETS, PrunerSection
from workers.pruning.named import make_pruner, make_pruner_of_folds
from workers.pruning.rules import FoldCurves, is_expendable

Array = NDArray[np.float64]

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("ORCH_TEST_DATA", HERE.parents[1] / "shared" / "data"))
ORDERS, ORDER_SEED = 20, 7
STUDIES, STUDY_SEED, STUDY_TRIALS = 40, 11, 100
SPEED_SEED, SPEED_SPREAD = 3, 0.1
GOALS = {"careful": (0.55, 0.0005), "fast": (0.80, 0.002)}

RULES: dict[str, dict[str, object]] = {
    "halving (4, 2)": {"name": "halving", "min_resource": 4},
    "halving (1, 2)": {"name": "halving", "min_resource": 1},
    "halving (3, 2)": {"name": "halving", "min_resource": 3},
    "halving (1, 3)": {"name": "halving", "min_resource": 1, "reduction_factor": 3},
    "race at 2 se": {"name": "race", "confidence": 2.0, "remaining_gain": 0.0},
    "paired, half": {"name": "paired", "reduction_factor": 2},
    "paired, 1 se, at once": {"name": "paired", "confidence": 1.0, "warmup_steps": 0},
    "none": {"name": "none"},
}


def main() -> None:
    """Print one table for each set of curves."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument(
        "--curves", type=Path, nargs="*", help="files instead of bench/data and the reference study"
    )
    arguments.add_argument("--all", action="store_true", help="single rules, too, not only the presets")
    arguments.add_argument("--workers", type=int, default=1, help="that train at the same time")
    arguments.add_argument("--fold-by-fold", action="store_true", help="the sequential schedule")
    chosen = arguments.parse_args()
    run = replay_folds if chosen.fold_by_fold else functools.partial(replay, workers=chosen.workers)
    files = chosen.curves or list_files()
    rules = {f"preset {name}": section for name, section in PRUNER_PRESETS.items()}
    rules |= RULES if chosen.all else {}
    own: dict[str, list[list[Cell]]] = {name: [] for name in rules}
    for file in files:
        curves = read_curves(file)
        print_heading(
            f"{file.name}: {len(curves)} trials x {curves.shape[1]} folds x {curves.shape[2]} epochs"
        )
        if chosen.fold_by_fold:
            curves = np.where(np.isnan(curves).any(axis=(1, 2), keepdims=True), -math.inf, curves)
        else:
            bounds = [bound_saving(studies) for studies in ([curves], shuffle(curves), resample(curves))]
            print(
                f"  {'at most, knowing ends':<22}" + "".join(f"{100 * saved:6.1f}{'':20}" for saved in bounds)
            )
        for name, section in rules.items():
            cells = [
                measure(studies, section, run) for studies in ([curves], shuffle(curves), resample(curves))
            ]
            print_row(name, cells, judged=not chosen.fold_by_fold)
            if file.parent == HERE / "data":
                own[name].append(cells)
    if all(own.values()):
        print_heading(f"orch's own, mean of {len(own['preset careful'])} studies")
        for name, studies in own.items():
            cells = [average(column) for column in zip(*studies, strict=True)]
            print_row(name, cells, judged=not chosen.fold_by_fold)


def list_files() -> list[Path]:
    """Curves of the reference study, where they are at hand, and orch's own."""
    reference = DATA / "reference-study" / "regime-1-curves.csv.gz"
    return [*([reference] if reference.is_file() else []), *sorted((HERE / "data").glob("*.csv.gz"))]


class Cell(NamedTuple):
    """Means over studies, and the standard error of the regret; NaN of a single study."""

    saved: float
    regret: float
    error: float


def print_heading(text: str) -> None:
    """Begin a table."""
    print(text)
    print(f"  {'saved % / regret':<22}{'recorded':<26}{'shuffled':<26}{'resampled':<26}")


def print_row(name: str, cells: list[Cell], *, judged: bool) -> None:
    """Print what a rule did; of a preset, whether it is as good as it must be in every column, if that is judged."""
    texts = [
        f"{100 * cell.saved:6.1f} / {cell.regret:.4f}"
        + ("" if math.isnan(cell.error) else f" +-{cell.error:.4f}")
        for cell in cells
    ]
    goal = GOALS.get(name.removeprefix("preset ")) if judged else None
    verdict = ""
    if goal is not None:
        met = all(cell.saved >= goal[0] and cell.regret <= goal[1] for cell in cells)
        verdict = f"{'met' if met else 'MISSED'}: {100 * goal[0]:.0f} % at {goal[1]:.4f}"
    print(f"  {name:<22}" + "".join(f"{text:<26}" for text in texts) + verdict, flush=True)


def measure(
    studies: Iterable[Array],
    section: dict[str, object],
    run: Callable[[Array, PrunerSection], tuple[float, float]],
) -> Cell:
    """Run studies through a rule."""
    results = np.array([run(curves, PrunerSection.model_validate(section)) for curves in studies])
    saved, regret = results.mean(axis=0)
    error = results[:, 1].std(ddof=1) / math.sqrt(len(results)) if len(results) > 1 else math.nan
    return Cell(float(saved), float(regret), float(error))


def average(cells: Sequence[Cell]) -> Cell:
    """The mean over sets of curves, whose errors are independent."""
    saved, regret, _ = np.mean(cells, axis=0)
    error = math.sqrt(sum(cell.error**2 for cell in cells)) / len(cells)
    return Cell(float(saved), float(regret), error)


def bound_saving(studies: Iterable[Array]) -> float:
    """What is saved by who knows how every trial ends: each new best runs whole, the others one epoch."""
    shares = []
    for curves in studies:
        means = curves.mean(axis=1)
        values = find_values(curves)
        is_new_best = values > np.maximum.accumulate([-math.inf, *values[:-1]])
        planned = [run_alone(mean) for mean in means]
        shares.append(1 - float(np.where(is_new_best, planned, 1).sum()) / sum(planned))
    return float(np.mean(shares))


def replay(curves: Array, section: PrunerSection, workers: int = 1) -> tuple[float, float]:
    """What a rule saves and loses.

    Args:
        curves, section, workers: as of `run_trials`.

    Returns:
        The share of fold-epochs saved, and the regret.
    """
    ran, values = run_trials(curves, section, workers), find_values(curves)
    ended = values[(ran == curves.shape[2]) & np.isfinite(values)]
    planned = sum(run_alone(mean) for mean in curves.mean(axis=1))
    return 1 - int(ran.sum()) / planned, float(values.max() - ended.max() if len(ended) else math.nan)


def find_values(curves: Array) -> Array:
    """The value of each trial: the maximum over epochs of the mean over folds; -inf of one that diverged."""
    means = curves.mean(axis=1)
    return np.where(np.isnan(means).any(axis=1), -math.inf, np.nan_to_num(means, nan=-math.inf).max(axis=1))


def run_trials(curves: Array, section: PrunerSection, workers: int = 1) -> NDArray[np.int64]:
    """Run trials through a rule, each on the next worker that is free.

    Args:
        curves: validation AUC, shape (trials, folds, epochs); NaN from where a trial diverged.
        section: the rule.
        workers: how many train at the same time; their epochs take equally long, give or take `SPEED_SPREAD`.

    Returns:
        How many epochs each trial ran.
    """
    epochs = curves.shape[2]
    pruner = make_pruner(section, epochs)
    means, values = curves.mean(axis=1), find_values(curves)
    ran = np.zeros(len(curves), np.int64)
    reached: list[dict[int, float]] = [{} for _ in range(epochs + 1)]
    speeds, waiting = random.Random(SPEED_SEED), iter(range(len(curves)))
    running: dict[int, int] = {}
    steps: list[tuple[float, int, int]] = []
    best: int | None = None

    def plan(now: float, worker: int, epoch: int) -> None:
        if epoch == 1:
            running[worker] = next(waiting, -1)
        if running[worker] < 0:
            del running[worker]
        else:
            lasts = speeds.uniform(1 - SPEED_SPREAD, 1 + SPEED_SPREAD)
            heapq.heappush(steps, (now + lasts, worker, epoch))

    def is_stopped(point: int, epoch: int, value: float) -> bool:
        beside = FoldCurves(curves[point, :, :epoch], lambda: None if best is None else curves[best])
        return pruner.should_stop(point, epoch, value, reached.__getitem__, beside) and is_expendable(
            point,
            value,
            epoch,
            reached.__getitem__,
            any_complete=best is not None,
            live=set(running.values()),
        )

    for worker in range(workers):
        plan(0.0, worker, 1)
    while steps:
        now, worker, epoch = heapq.heappop(steps)
        point = running[worker]
        reached[epoch][point] = value = float(means[point, epoch - 1])
        ran[point] = epoch
        ends = math.isnan(value)
        # A worker does not ask after the last epoch.
        if not ends and epoch == epochs:
            ends = True
            best = point if best is None or values[point] > values[best] else best
        elif not ends:
            ends = is_stopped(point, epoch, value)
        plan(now, worker, 1 if ends else epoch + 1)
    return ran


def replay_folds(curves: Array, section: PrunerSection) -> tuple[float, float]:
    """The same where folds are trained one after the other and a trial is judged after each of them only.

    Args:
        curves: as for `replay`, -inf for all of a trial that diverged.
        section: the rule.
    """
    trials, folds, _ = curves.shape
    pruner = make_pruner_of_folds(section, folds)
    values = np.stack([curves[:, :done].mean(axis=1).max(axis=1) for done in range(1, folds + 1)], axis=1)
    reached: list[dict[int, float]] = [{} for _ in range(folds + 1)]
    best: int | None = None
    used = 0
    for point in range(trials):
        for done in range(1, folds + 1):
            used += 1
            reached[done][point] = value = float(values[point, done - 1])
            if best is None or done == folds:
                continue
            beside = FoldCurves(curves[point, :done], functools.partial(curves.__getitem__, best))
            if pruner.should_stop(point, done, value, reached.__getitem__, beside):
                break
        else:
            if best is None or values[point, -1] > values[best, -1]:
                best = point
    return 1 - used / (trials * folds), float(values[:, -1].max() - values[best, -1])


def run_alone(mean: Array) -> int:
    """Epochs that a trial runs when nothing but NaN stops it."""
    gone = np.flatnonzero(np.isnan(mean))
    return int(gone[0]) + 1 if len(gone) else len(mean)


def shuffle(curves: Array) -> Iterator[Array]:
    """The same trials in random orders."""
    for number in range(ORDERS):
        yield curves[np.random.default_rng([ORDER_SEED, number]).permutation(len(curves))]


def resample(curves: Array) -> Iterator[Array]:
    """Studies of trials and folds drawn with replacement."""
    for trials, folds in draw_places(len(curves), curves.shape[1]):
        yield curves[trials][:, folds]


def draw_places(trials: int, folds: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Which trials, and which folds, each resampled study consists of."""
    for number in range(STUDIES):
        generator = np.random.default_rng([STUDY_SEED, number])
        yield generator.integers(trials, size=STUDY_TRIALS), generator.integers(folds, size=folds)


def read_curves(file: Path, column: str = "val_auc") -> Array:
    """A metric, shape (trials, folds, epochs), from columns trial, fold, epoch (0-based) and its own."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        rows = [
            (int(row["trial"]), int(row["fold"]), int(row["epoch"]), float(row[column] or "nan"))
            for row in csv.DictReader(lines)
        ]
    trials = {trial: place for place, trial in enumerate(sorted({row[0] for row in rows}))}
    folds, epochs = max(row[1] for row in rows) + 1, max(row[2] for row in rows) + 1
    curves = np.full((len(trials), folds, epochs), math.nan)
    for trial, fold, epoch, value in rows:
        curves[trials[trial], fold, epoch] = value
    return curves


if __name__ == "__main__":
    main()
