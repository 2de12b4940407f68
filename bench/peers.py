"""orch against the ways in which the same study is run otherwise.

    python -m bench.peers [--trials 4] [--folds 6] [--epochs 20] [--images 2490] [--rounds 1] [--ways ...]

All ways get the same images, features, folds and trials, nothing is pruned, and each gives one value per trial.
Peers come with `pip install 'orch-studies[bench]'`; a way whose package is missing is left out. Ways run in turn, so
that other load falls on all, each in a process of its own, whose start is left out; ratios are to `optuna + fit` in the
same round. Set-up of every trial and fold is part of it. The reference loop is extrapolated from measured steps.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench import peer_ways
from bench.peer_study import PeerStudy, make_study
from bench.processes import Apart
from workers.device import preparation as devices

WAYS: dict[str, tuple[str, str, Callable[[PeerStudy], list[float]]]] = {
    "orch": ("orch", "optuna", peer_ways.run_orch),
    "bfloat16": ("orch, bfloat16", "optuna", peer_ways.run_orch_bfloat16),
    "optuna": ("optuna + fit", "optuna", peer_ways.run_optuna),
    "tuned": ("optuna + tuned fit", "optuna", peer_ways.run_optuna_tuned),
    "kerastuner": ("KerasTuner + fit", "keras_tuner", peer_ways.run_keras_tuner),
    "ray": ("Ray Tune + fit", "ray", peer_ways.run_ray),
}


def main() -> None:
    """Print seconds, seconds per fold-epoch, ratios and how far values lie apart."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (
        ("images", 2490), ("targets", 18), ("trials", 4), ("folds", 6), ("epochs", 20), ("rounds", 1), ("threads", 2)
    ):  # fmt: skip
        arguments.add_argument(f"--{name}", type=int, default=value)
    arguments.add_argument("--no-reference-loop", action="store_true")
    arguments.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    chosen = arguments.parse_args()
    ways = {name: WAYS[name] for name in chosen.ways if importlib.util.find_spec(WAYS[name][1])}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    values: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        study = make_study(
            Path(folder),
            images=chosen.images,
            targets=chosen.targets,
            trials=chosen.trials,
            folds=chosen.folds,
            epochs=chosen.epochs,
            threads=chosen.threads,
        )
        print(
            f"{chosen.images} images, {chosen.targets} labels, {len(study.trials)} trials x {chosen.folds} folds x "
            f"{chosen.epochs} epochs = {study.fold_epochs} fold-epochs, load {os.getloadavg()[0]:.1f}",
            flush=True,
        )
        loops = []
        for _ in range(chosen.rounds):
            loops.append(math.nan if chosen.no_reference_loop else run_apart("loop", study)[0])
            for name in ways:
                try:
                    spent, values[name] = run_apart(name, study)
                # A peer that does not run here must not cost the figures of the others.
                except Exception as error:
                    print(f"  {ways[name][0]} failed: {type(error).__name__}: {error}", file=sys.stderr)
                    values[name] = [math.nan] * len(study.trials)
                    seconds[name].append(math.nan)
                    continue
                seconds[name].append(spent)
                print(f"  {ways[name][0]}: {seconds[name][-1]:.1f} s", file=sys.stderr, flush=True)
        print_table(study, ways, seconds, values, np.array(loops))
    print(f"load at the end {os.getloadavg()[0]:.1f}")


def run_apart(name: str, study: PeerStudy) -> Any:
    """Seconds and values of one way, from a process of its own; of "loop" the seconds of a fold-epoch."""
    with Apart(Way, name, study.spec.training.threads) as way:
        return way.run(study)


class Way:
    """One way of running a study, with the backend started as its users have it."""

    def __init__(self, name: str, threads: int) -> None:
        self._name = name
        if name not in ("orch", "bfloat16", "ray"):
            devices.prepare(threads)
        devices.import_quietly()

    def run(self, study: PeerStudy) -> tuple[float, list[float]]:
        """Seconds, and the value of each trial."""
        if self._name == "loop":
            return peer_ways.measure_reference_loop(study), []
        began = time.perf_counter()
        values = WAYS[self._name][2](study)
        return time.perf_counter() - began, values


def print_table(
    study: PeerStudy,
    ways: dict[str, tuple[str, str, Callable[[PeerStudy], list[float]]]],
    seconds: dict[str, list[float]],
    values: dict[str, list[float]],
    loops: np.ndarray,
) -> None:
    """Medians over rounds; ratios are medians of the ratios within a round."""
    base = np.array(seconds.get("optuna") or next(iter(seconds.values())))
    print(f"{'way':<22}{'seconds':>10}{'per fold-epoch':>16}{'x faster':>10}{'largest |value - orch|':>26}")
    whole = loops * study.fold_epochs
    if np.isfinite(whole).all():
        print(
            f"{'reference loop':<22}{np.median(whole):>10.0f}{np.median(loops):>16.3f}"
            f"{np.median(base / whole):>10.4f}{'(extrapolated)':>26}"
        )
    for name, measured in seconds.items():
        spent = np.array(measured)
        apart = np.max(np.abs(np.array(values[name]) - np.array(values.get("orch", values[name]))))
        print(
            f"{ways[name][0]:<22}{np.median(spent):>10.1f}{np.median(spent) / study.fold_epochs:>16.3f}"
            f"{np.median(base / spent):>10.2f}{apart:>26.4f}"
        )
    if "orch" in seconds and np.isfinite(whole).all():
        ratio = np.median(whole / np.array(seconds["orch"]))
        print(f"orch against the reference loop, without pruning and extraction: {ratio:.0f} x")
    for number, params in enumerate(study.trials):
        cells = "  ".join(f"{name} {values[name][number]:.4f}" for name in values)
        print(f"  batch {params['batch_size']:>4} dropout {params['dropout_rate']:.3f}: {cells}")


if __name__ == "__main__":
    main()
