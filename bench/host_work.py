"""What the host does around an epoch of stacked folds, in milliseconds and in compiled programs; it needs no GPU.

    KERAS_BACKEND=jax python -m bench.host_work [--images 2490] [--targets 18] [--epochs 20]

A GPU is done with an epoch in a few milliseconds, so that the host is what there is to save. The head is so small here that its
products count for nothing. Programs are those that the 100 trials of Regime I need.
"""

from __future__ import annotations

import argparse
import os
import time
from typing import Any

import numpy as np

from bench.fold_epoch import make_spec
from bench.gpu.folds import Sizes, StackedFolds, made_up, start
from workers.device import preparation

FOLDS, FEATURES = 6, 8


def main() -> None:
    """Print a line for each part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2490)
    parser.add_argument("--targets", type=int, default=18)
    parser.add_argument("--epochs", type=int, default=20)
    chosen = parser.parse_args()
    preparation.prepare(1)
    sizes = Sizes((900,), chosen.images, FEATURES, chosen.targets, FOLDS, chosen.epochs)
    features, labels = made_up(sizes)
    trainers = start(features, labels, sizes, 900, "float32", spec=make_spec(900, head=(4, 4, 4)))
    folds = StackedFolds(trainers)
    print(
        f"load {os.getloadavg()[0]:.1f}; {FOLDS} folds of {chosen.images} images, {chosen.targets} labels; ms a trial-epoch"
    )
    began = time.perf_counter()
    folds.run()
    print(f"first epoch, which compiles      {1e3 * (time.perf_counter() - began):8.1f}")
    print(f"plans: order, views, seeds       {median(lambda: [one.plan_epoch(2) for one in trainers]):8.2f}")
    stacked = trainers[0].compiled.stacked
    plans = [one.plan_epoch(2) for one in trainers]
    told = ([plan.task for plan in plans], [True] * FOLDS, 5120)
    print(f"packing what an epoch is told    {median(lambda: stacked._pack(*told)):8.2f}")
    print(f"training, validation and counts  {median(folds.train):8.2f}  (a processor counts pairs slowly)")
    counted = []

    def score() -> None:
        folds.train()
        began = time.perf_counter()
        for one in trainers:
            one.run_epoch(folds.epoch)
        counted.append(1e3 * (time.perf_counter() - began))

    median(score, chosen.epochs)
    print(f"results of scores                {np.median(counted):8.2f}")
    print(
        f"the definition on the host       {median(lambda: [definition(one, plan) for one, plan in zip(trainers, plans, strict=True)]):8.2f}"
    )
    print(
        f"compiled loops of Regime I: {count_programs(chosen.images, 4)}, on a GPU {count_programs(chosen.images, 2)}"
    )


def definition(trainer: Any, plan: Any) -> None:
    """Score a fold by `storage.metrics.epoch`."""
    from storage.metrics.epoch import score

    labels = trainer._features.labels
    training, validation = labels[plan.task.order], labels[trainer.val_index]
    score(training, np.resize(validation, training.shape))
    score(validation, np.resize(training, validation.shape), medical=True)


def count_programs(images: int, sizes_per_octave: int) -> int:
    """Compiled loops that the trials of Regime I need, with folds of equal size."""
    from orchestrator.planning.plan import plan_points
    from orchestrator.planning.regimes import regime_one
    from workers.backends.jax.sizes import padded_size

    training = images - images // FOLDS
    found = set()
    for point in plan_points(regime_one("programs")):
        batch = min(int(point["batch_size"]), training)
        found.add(padded_size(batch, sizes_per_octave))
        if training % batch:
            found.add(padded_size(training % batch, sizes_per_octave))
    return len(found)


def median(call: Any, times: int = 15) -> float:
    """Median milliseconds of a call."""
    import jax

    spent = []
    for _ in range(times):
        began = time.perf_counter()
        jax.block_until_ready(call())
        spent.append(1e3 * (time.perf_counter() - began))
    return float(np.median(spent))


if __name__ == "__main__":
    main()
