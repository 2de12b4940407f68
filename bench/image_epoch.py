"""What a fold-epoch of a network on images takes beside `fit` on the same images: folds one after the other, and in turns on one network.

    python -m bench.image_epoch [--model lenet] [--size 128] [--images 348 174] [--rounds 5] [--precision float32 bfloat16]
    KERAS_BACKEND=jax python -m bench.image_epoch --size 64 --images 96 32

The second line gives a result within a minute on a processor, where XLA takes longer for convolutions.

All train the same network in one process, in turns, so that other load on the machine falls on all. Each way runs an epoch that is not counted
before one that is: the first epoch after another way took longer, by half for InceptionV3. `fit` is what a careful user writes:
under TensorFlow a `tf.data` pipeline that keeps the scaled images in memory, shuffles and reads ahead; under JAX scaled images in an
array. It computes the AUC of both parts, as orch does. `fit, bfloat16` is the same with Keras's mixed precision; the goals are held against
`fit` in float32, which may be the faster one. Beside seconds by the clock it prints seconds of processor, which tell more on a machine that does other things.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from storage.spec import StudySpec, parse
from workers.device import backend
from workers.device import preparation as devices
from workers.training.image_trainer import ImageFoldTrainer, SharedNetwork

TARGETS, SEED = 4, 1337
Spent: TypeAlias = tuple[float, float]
"""Seconds by the clock, and of processor: those of all threads of this process, which other load changes little."""
NewFold: TypeAlias = tuple[Spent, Spent, Spent]
"""What a fold takes to begin, for its first epoch, and for its second."""

MOST_OF_FIT = {"float32": 1.0, "bfloat16": 1 / 1.2}
"""What a fold-epoch may take, in those of `fit`."""
MOST_OF_A_LATER_EPOCH = 1.1
"""What the first epoch of another fold may take."""

FIT, ONE_BY_ONE, IN_TURNS = "fit", "one after the other", "in turns"


def main() -> None:
    """Print the medians of the rounds, and how many times as long as `fit` each way takes."""
    asked = read_arguments()
    devices.prepare_or_keep(asked.threads)
    pixels, labels = make_images(asked.size, sum(asked.images))
    train, validation = np.split(np.arange(sum(asked.images)), asked.images[:1])
    ways = {name: OrchFolds(asked, name, pixels, labels, train, validation) for name in asked.precision}
    # In float32 at any rate: it is what a careful user runs, and the measure of all goals.
    fits = {
        name_fit(precision): make_fit(
            SharedNetwork(make_spec(asked, precision), TARGETS),
            pixels,
            labels,
            train,
            validation,
            asked.batch,
        )
        for precision in dict.fromkeys(("float32", *asked.precision))
    }
    for fit in fits.values():
        fit()
    taken: dict[str, list[Spent]] = {}
    for number in range(asked.rounds):
        for name, fit in fits.items():
            fit()
            taken.setdefault(name, []).append(measure(fit))
        for name, way in ways.items():
            for order, seconds in way.run_epochs(number + 2).items():
                taken.setdefault(f"{name}, {order}", []).append(seconds)
    print(
        f"{asked.model} under {backend.name()} on {asked.threads} threads, {asked.images[0]} + {asked.images[1]} images of "
        f"{asked.size} x {asked.size}, batches of {asked.batch}; median of {asked.rounds} rounds, load {os.getloadavg()[0]:.1f}"
    )
    plain = np.median(taken[FIT], axis=0)
    print(f"{'a fold-epoch':31} {'seconds':>9} {'times fit':>9} {'of processor':>12} {'times fit':>9}")
    for name, measured in taken.items():
        clock, busy = np.median(measured, axis=0)
        print(f"{name:31} {clock:9.3f} {clock / plain[0]:9.2f} {busy:12.3f} {busy / plain[1]:9.2f}")
    for name, way in ways.items():
        beginning, first, second = np.median(way.new_folds, axis=0)
        print(f"{name}, the very first epoch: {way.first[0]:.3f} s, with what is compiled")
        print(
            f"{name}, another fold: new weights {beginning[0]:.3f} s, its first epoch {first[0]:.3f} s, its second {second[0]:.3f} s; "
            f"of processor {beginning[1]:.3f}, {first[1]:.3f} and {second[1]:.3f}"
        )
    print_goals(taken, {name: way.new_folds for name, way in ways.items()})


def name_fit(precision: str) -> str:
    """What `fit` in this precision is called in the table."""
    return FIT if precision == "float32" else f"{FIT}, {precision}"


def print_goals(taken: dict[str, list[Spent]], new_folds: dict[str, list[NewFold]]) -> None:
    """Say of each goal whether it was reached: ratios are medians of those within the rounds, by the clock and of processor."""
    rounds = {name: np.array(measured) for name, measured in taken.items()}
    for name, measured in rounds.items():
        if name.startswith(FIT):
            continue
        most = MOST_OF_FIT["bfloat16" if name.startswith("bfloat16") else "float32"]
        if name.startswith("bfloat16") and not multiplies_bfloat16():
            print(f"goal: {name}: none, as this processor does not multiply bfloat16 by itself")
            continue
        clock, busy = np.median(measured / rounds[FIT], axis=0)
        print(
            f"goal: {name}, at most {most:.2f} times fit: {clock:.2f} by the clock, {busy:.2f} of processor: "
            f"{'reached' if clock <= most else 'not reached'}"
        )
    for name, spent in new_folds.items():
        ratio = np.median([first[1] / second[1] for _, first, second in spent])
        print(
            f"goal: {name}, first epoch of another fold, at most {MOST_OF_A_LATER_EPOCH:.1f} times its second: {ratio:.2f} of processor: "
            f"{'reached' if ratio <= MOST_OF_A_LATER_EPOCH else 'not reached'}"
        )


def multiplies_bfloat16() -> bool:
    """Whether the processor has instructions for it (Linux); a GPU has."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return False
    return bool({"avx512_bf16", "amx_bf16"} & set(flags)) or bool(devices.describe().get("gpus"))


def read_arguments() -> argparse.Namespace:
    """What is asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--model", default="lenet", help="lenet, or a backbone that is trained from random weights"
    )
    parser.add_argument("--size", type=int, default=128, help="height and width in pixels")
    parser.add_argument(
        "--images", type=int, nargs=2, default=[348, 174], help="to train on and to validate on"
    )
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--precision", nargs="+", default=["float32", "bfloat16"], choices=["float32", "bfloat16"]
    )
    return parser.parse_args()


def make_spec(asked: argparse.Namespace, precision: str) -> StudySpec:
    """A study of this network, without augmentation."""
    size = [asked.size, asked.size]
    model: dict[str, Any] = {"kind": "lenet", "image_size": size}
    if asked.model != "lenet":
        model = {
            "backbone": asked.model,
            "weights": "none",
            "trainable": "all",
            "image_size": size,
            "head": [64],
        }
    training = {"batch_size": asked.batch, "augmentation": "none", "precision": precision}
    return parse({"study": {"name": "x"}, "model": model, "training": training}, source="the benchmark")


def make_images(size: int, count: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Bytes that nothing can be learnt from, shape (count, size, size, 3), and labels."""
    generator = np.random.default_rng(0)
    labels = generator.integers(2, size=(count, TARGETS)).astype(np.float32)
    return generator.integers(0, 256, (count, size, size, 3), dtype=np.uint8), labels


class OrchFolds:
    """Three folds on one network, as a worker trains them: one goes on by itself, two take turns.

    Attributes:
        first: what the first epoch of all takes, which compiles.
        new_folds: what a fold takes that begins when another one has been trained, of each round.
    """

    def __init__(
        self,
        asked: argparse.Namespace,
        precision: str,
        pixels: NDArray[np.uint8],
        labels: NDArray[np.float32],
        train: NDArray[np.int64],
        validation: NDArray[np.int64],
    ) -> None:
        spec = make_spec(asked, precision)
        shared = SharedNetwork(spec, TARGETS)
        images = shared.make_image_set(pixels, labels)
        folds = [ImageFoldTrainer(spec, shared) for _ in range(3)]
        self._alone, self._pair = folds[0], folds[1:]
        self._parts = images, train, validation
        self.new_folds: list[NewFold] = []
        for number, fold in enumerate(folds):
            fold.reset(images, train, validation, {}, (SEED, 0, number))
        self.first = measure(lambda: folds[1].run_epoch(1))
        folds[2].run_epoch(1)

    def run_epochs(self, epoch: int) -> dict[str, Spent]:
        """What a fold-epoch of the next epoch takes, in both orders of the folds; before it, another fold begins."""
        beginning = measure(lambda: self._alone.reset(*self._parts, {}, (SEED, epoch, 0)))
        self.new_folds.append(
            (beginning, measure(lambda: self._alone.run_epoch(1)), measure(lambda: self._alone.run_epoch(2)))
        )
        alone = measure(lambda: self._alone.run_epoch(epoch + 1))
        self._pair[-1].run_epoch(epoch)
        turns = measure(lambda: [fold.run_epoch(epoch) for fold in self._pair])
        each = turns[0] / len(self._pair), turns[1] / len(self._pair)
        return {ONE_BY_ONE: alone, IN_TURNS: each}


def make_fit(
    shared: SharedNetwork,
    pixels: NDArray[np.uint8],
    labels: NDArray[np.float32],
    train: NDArray[np.int64],
    validation: NDArray[np.int64],
    batch: int,
) -> Callable[[], Any]:
    """An epoch of `fit` of this network, which is its own from now on, with the AUC of both parts and scaled images ahead of the model."""
    import keras

    model = shared.network.model
    model.compile(
        keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=[keras.metrics.AUC(multi_label=True)]
    )
    if backend.name() == "jax":
        scaled = np.asarray(shared.network.scale(pixels.astype(np.float32)))
        known = (scaled[validation], labels[validation])
        return lambda: model.fit(
            scaled[train], labels[train], batch_size=batch, validation_data=known, verbose=0
        )
    import tensorflow as tf

    def read(index: NDArray[np.int64], *, mixed: bool) -> Any:
        rows = tf.data.Dataset.from_tensor_slices((pixels[index], labels[index]))
        rows = rows.map(
            lambda image, known: (shared.network.scale(tf.cast(image, tf.float32)), known),
            num_parallel_calls=tf.data.AUTOTUNE,
        ).cache()
        rows = rows.shuffle(len(index), seed=0) if mixed else rows
        return rows.batch(batch).prefetch(tf.data.AUTOTUNE)

    ahead, known = read(train, mixed=True), read(validation, mixed=False)
    return lambda: model.fit(ahead, validation_data=known, shuffle=False, verbose=0)


def measure(work: Callable[[], Any]) -> Spent:
    """What it takes."""
    clock, busy = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - busy


if __name__ == "__main__":
    main()
