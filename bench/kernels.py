"""What a GPU runs in one step of a head: its kernels, and the bytes that they read and write; no GPU is needed.

    KERAS_BACKEND=jax python -m bench.kernels [--for h200] [--batch 16 128 1600] [--precision float32] [--set training.optimizer=muon]

orch's own programs are compiled for a GPU that is not there (bench/gpu/absent.py says what has to be installed), for the k folds of a
trial as one computation and for one fold alone, and the body of the loop over batches is read. `--for processor` does the same for this
machine and needs nothing. "At least" is calculated: a kernel takes `--launch` microseconds, or as long as its bytes take at `--rate` TB/s
if that is longer; what lies in a cache is not known. The steps of the short last batch have a program of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from bench.gpu.absent import GPUS, NO_PLUGIN, find_plugin, place_on, set_environment, shapes_of
from bench.gpu.folds import NORMAL, SMALL, Sizes, made_up, start
from bench.gpu.program_text import Kernel, Program, count_kinds
from storage.spec import StudySpec, parse

PROCESSOR = "processor"
WAYS = ("stacked", "alone")


class _CaughtError(Exception):
    """A program was caught before it ran."""


def main() -> int:
    """Print a table for each program; 2 where JAX cannot compile for a GPU."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--for", dest="target", choices=[*GPUS, PROCESSOR], default="h200")
    parser.add_argument("--batch", type=int, nargs="+", default=list(NORMAL.batches))
    parser.add_argument("--precision", default="float32")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="of the study, as orch takes it"
    )
    parser.add_argument("--small", action="store_true", help="few images and features")
    parser.add_argument(
        "--rows", type=int, default=12, help="kernels that are listed, those with the most bytes first"
    )
    parser.add_argument("--rate", type=float, default=2.9, help="TB/s")
    parser.add_argument("--launch", type=float, default=2.5, help="microseconds")
    parser.add_argument("--keep", type=Path, help="folder for the texts of the programs")
    chosen = parser.parse_args()
    if chosen.target != PROCESSOR:
        if find_plugin() is None:
            print(NO_PLUGIN, file=sys.stderr)
            return 2
        set_environment()
    place = start_jax(chosen.target)
    sizes = SMALL if chosen.small else NORMAL
    features, labels = made_up(sizes)
    for batch in chosen.batch:
        spent = {}
        for way in WAYS:
            spec = make_spec(batch, chosen.precision, chosen.set)
            trainers = start(features, labels, sizes, batch, chosen.precision, spec=spec)
            text = compile_step(trainers, way, place).as_text()
            if chosen.keep:
                chosen.keep.mkdir(parents=True, exist_ok=True)
                (chosen.keep / f"{way}-{batch}-{chosen.precision}.txt").write_text(text)
            program = Program(text)
            kernels = program.kernels(program.loops()[0])
            spent[way] = sum(least_ms(kernel, chosen.rate, chosen.launch) for kernel in kernels)
            print_step(
                f"batch {batch}, {chosen.precision}, {name_way(way, sizes)}", kernels, spent[way], chosen.rows
            )
        print(
            f"batch {batch}: a step of {sizes.folds} folds takes {spent[WAYS[0]] / spent[WAYS[1]]:.2f} times one of a fold\n"
        )
    return 0


def make_spec(batch: int, precision: str, changes: list[str]) -> StudySpec:
    """The study of the other benches, changed by so many "section.key=value"."""
    document: dict[str, Any] = {
        "study": {"name": "bench"},
        "model": {"scale": "none"},
        "training": {"batch_size": batch, "precision": precision},
    }
    for change in changes:
        key, _, value = change.partition("=")
        section, _, name = key.partition(".")
        try:
            document.setdefault(section, {})[name] = json.loads(value)
        except ValueError:
            document.setdefault(section, {})[name] = value
    return parse(document, source="--set")


def start_jax(target: str) -> Any:
    """Start JAX; where arrays lie for this target, None for the processor."""
    from workers.device import preparation

    preparation.prepare(min(2, os.cpu_count() or 1))
    if target == PROCESSOR:
        return None
    from workers.backends.jax import device, epoch

    place = place_on(target)
    # What the programs ask of the device that they are for.
    for room in (device, epoch):
        room.stacks_folds = lambda: True  # type: ignore[attr-defined]
    return place


def compile_step(trainers: list[Any], way: str, place: Any) -> Any:
    """Compile the loop over the batches of an epoch as it is called for these folds, or for the first of them alone."""
    from workers.training.fold_trainer import train_together

    compiled = trainers[0].compiled
    owner = compiled.stacked if way == "stacked" else compiled
    train, caught = owner._train, []

    def catch(*arrays: Any, padded: int, **named: Any) -> Any:
        caught.append((shapes_of(arrays, place), shapes_of(named, place), padded))
        raise _CaughtError

    owner._train = catch
    try:
        if way == "stacked":
            train_together(trainers, 1, [True] * len(trainers))
        else:
            trainers[0].run_epoch(1)
    except _CaughtError:
        pass
    finally:
        owner._train = train
    arrays, named, padded = caught[0]
    return train.lower(*arrays, **named, padded=padded).compile()


def name_way(way: str, sizes: Sizes) -> str:
    """As it is printed."""
    return f"{sizes.folds} folds stacked" if way == "stacked" else "one fold alone"


def least_ms(kernel: Kernel, rate: float, launch: float) -> float:
    """Milliseconds that a kernel takes at least.

    Args:
        kernel: which.
        rate: of the memory, TB/s.
        launch: microseconds.
    """
    return max(1e-3 * launch, (kernel.read + kernel.written) / rate / 1e9)


def print_step(title: str, kernels: list[Kernel], least: float, rows: int) -> None:
    """Print the sums of a step, and its largest kernels."""
    read, written = (sum(getattr(kernel, name) for kernel in kernels) / 1e6 for name in ("read", "written"))
    kinds = ", ".join(f"{count} {kind}" for kind, count in count_kinds(kernels).most_common())
    print(
        f"{title}: {len(kernels)} kernels ({kinds}), {read:.1f} MB read, {written:.1f} MB written, at least {least:.3f} ms"
    )
    for kernel in sorted(kernels, key=lambda one: -one.read - one.written)[:rows]:
        print(
            f"  {kernel.read / 1e6:9.3f} {kernel.written / 1e6:9.3f}  {kernel.kind:<10} {kernel.shape[:58]:<58} {kernel.origin[-40:]}"
        )


if __name__ == "__main__":
    sys.exit(main())
