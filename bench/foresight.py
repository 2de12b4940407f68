"""How well can the end of a trial be told from its beginning, on recorded curves?

    python -m bench.foresight [--curves CSV ...]

Two tables for each set of curves:

- the share of the spread of trials' ends that a linear regression explains after some epochs, each trial left out in
  turn: on the best value so far, and on the two hyperparameters, too, with their squares and their product;
- what a forecast saves and loses, as in `bench.replay` and on the same resampled studies, if from the first trial on it may learn
  from all other trials of the study, complete, and from the hyperparameters. Copies of the trial itself are left out. That is no bound: a linear forecast errs where curves bend.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.replay import Array, draw_places, list_files, read_curves

AFTER = (1, 2, 4, 7, 13)
CONFIDENCES = (1.0, 1.5, 2.0, 2.5, 3.0)
RIDGE = 4.0
"""A hyperparameter, in standard deviations, acts by 0 give or take half the spread that is left over."""


def main() -> None:
    """Print both tables."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument(
        "--curves", type=Path, nargs="*", help="files instead of bench/data and the reference study"
    )
    for file in arguments.parse_args().curves or list_files():
        curves, hyperparameters = read_curves(file), read_hyperparameters(file)
        known = ~np.isnan(curves).any(axis=(1, 2))
        curves, hyperparameters = curves[known], hyperparameters[known]
        levels = np.maximum.accumulate(curves.mean(axis=1), axis=1)
        print(f"{file.name}: {len(curves)} trials, ends spread by {levels[:, -1].std():.4f}")
        print("  after epoch           " + "".join(f"{epoch:>8}" for epoch in AFTER))
        for name, more in (("level", hyperparameters[:, :0]), ("and hyperparameters", hyperparameters)):
            shares = [explain(np.c_[levels[:, epoch - 1], more], levels[:, -1]) for epoch in AFTER]
            print(f"  {name:<22}" + "".join(f"{100 * share:7.0f}%" for share in shares))
        print("  knowing the others, saved % / regret, at so many standard deviations:")
        for confidence, cell in zip(CONFIDENCES, foresee_all(curves, hyperparameters), strict=True):
            print(
                f"  {confidence:<22}{100 * cell.saved:6.1f} / {cell.regret:.4f} +-{cell.error:.4f}",
                flush=True,
            )


class Cell(NamedTuple):
    """Means over resampled studies, and the standard error of the regret."""

    saved: float
    regret: float
    error: float


def explain(inputs: Array, ends: Array) -> float:
    """Share of the variance of the ends that is explained where each trial is left out in turn.

    Args:
        inputs: shape (trials, any number).
        ends: shape (trials,).
    """
    columns = np.c_[np.ones(len(ends)), inputs]
    hat = columns @ np.linalg.pinv(columns)
    # The error of a trial left out is its residual over 1 - leverage (Hastie et al. 2009, "The Elements of Statistical Learning", §7.10).
    errors = (ends - hat @ ends) / (1 - np.diag(hat))
    return float(1 - np.square(errors).mean() / ends.var())


def foresee_all(curves: Array, hyperparameters: Array) -> list[Cell]:
    """Run resampled studies through the forecast, for each of `CONFIDENCES`."""
    found = []
    for trials, folds in draw_places(len(curves), curves.shape[1]):
        means = curves[trials][:, folds].mean(axis=1)
        forecasts, spreads = foresee(means, hyperparameters[trials], trials)
        found.append([stop(means, forecasts + confidence * spreads) for confidence in CONFIDENCES])
    results = np.array(found)
    errors = results[..., 1].std(axis=0, ddof=1) / math.sqrt(len(results))
    return [
        Cell(float(saved), float(regret), float(error))
        for (saved, regret), error in zip(results.mean(axis=0), errors, strict=True)
    ]


def foresee(means: Array, hyperparameters: Array, trials: NDArray[np.int64]) -> tuple[Array, Array]:
    """Forecast of every trial's end after every epoch but the last, and its standard deviation; shape (trials, epochs - 1).

    Args:
        means: over folds, shape (trials, epochs).
        hyperparameters: shape (trials, any number).
        trials: which recorded trial each of them is.
    """
    levels = np.maximum.accumulate(means, axis=1)
    forecasts, spreads = (np.empty((len(means), means.shape[1] - 1)) for _ in range(2))
    ridge = np.diag([1e-4, *[RIDGE] * hyperparameters.shape[1]])
    for trial in np.unique(trials):
        own = trials == trial
        others, place = np.flatnonzero(~own), np.flatnonzero(own)[0]
        for epoch in range(means.shape[1] - 1):
            inputs = np.c_[levels[:, epoch], hyperparameters]
            middle, ends = inputs[others].mean(axis=0), levels[others, -1]
            around = inputs[others] - middle
            inverse = np.linalg.inv(around.T @ around + ridge)
            weights = inverse @ around.T @ (ends - ends.mean())
            rest = ends - ends.mean() - around @ weights
            variance = float(rest @ rest) / (len(others) - 1 - len(weights))
            here = inputs[place] - middle
            forecasts[own, epoch] = ends.mean() + here @ weights
            spreads[own, epoch] = math.sqrt(variance * (1 + 1 / len(others) + here @ inverse @ here))
    return forecasts, spreads


def stop(means: Array, most: Array) -> tuple[float, float]:
    """Stop each trial where the most it is thought to reach is below the best so far; share saved, and regret.

    Args:
        means: over folds, shape (trials, epochs).
        most: shape (trials, epochs - 1).
    """
    levels, best, used = np.maximum.accumulate(means, axis=1), -math.inf, 0
    for level, reachable in zip(levels, most, strict=True):
        stops = np.flatnonzero(np.maximum(reachable, level[:-1]) < best)
        used += int(stops[0]) + 1 if len(stops) else len(level)
        best = best if len(stops) else max(best, float(level[-1]))
    return 1 - used / means.size, float(levels[:, -1].max() - best)


def read_hyperparameters(file: Path) -> Array:
    """Both hyperparameters of every trial, their squares and their product, shape (trials, 5), in standard deviations.

    Batch size, learning rate and epsilon by their logarithm.
    """
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        rows = {int(row["trial"]): row for row in csv.DictReader(lines)}
    names = next(
        pair for pair in (("batch_size", "dropout_rate"), ("learning_rate", "epsilon")) if pair[0] in rows[0]
    )
    values = np.array([[float(rows[trial][name]) for name in names] for trial in sorted(rows)])
    columns = [
        column if name == "dropout_rate" else np.log(column)
        for name, column in zip(names, values.T, strict=True)
    ]
    first, second = ((column - column.mean()) / column.std() for column in columns)
    return np.stack([first, second, first**2 - 1, second**2 - 1, first * second], axis=1)


if __name__ == "__main__":
    main()
