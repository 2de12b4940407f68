"""What a fold-epoch of a network on images takes beside `fit` on the same images: folds one after the other, and in turns on one network.

python -m bench.image_epoch [--size 128] [--images 348 174] [--rounds 5]; KERAS_BACKEND chooses what computes both.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from storage.spec import StudySpec, parse
from workers.device import backend
from workers.device import preparation as devices
from workers.training.image_trainer import ImageFoldTrainer, SharedNetwork

TARGETS, SEED = 4, 1337


def main() -> None:
    """Measure in turns, so that what else the machine does falls on all alike."""
    asked = read_arguments()
    devices.prepare(asked.threads)
    pixels, labels = make_images(asked.size, sum(asked.images))
    train, validation = np.split(np.arange(sum(asked.images)), asked.images[:1])
    spec = make_spec(asked)
    shared = SharedNetwork(spec, TARGETS)
    images = shared.make_image_set(pixels, labels)
    folds = [ImageFoldTrainer(spec, shared) for _ in range(3)]
    for number, fold in enumerate(folds):
        fold.reset(images, train, validation, {}, (SEED, 0, number))
    fit = make_fit(shared, pixels, labels, train, validation, asked.batch)
    firsts = [measure(lambda: folds[0].run_epoch(1))]
    folds[1].run_epoch(1)
    fit()
    # A fold that begins on a network that has been trained: what a trial pays for each of its folds.
    folds[0].reset(images, train, validation, {}, (SEED, 1, 0))
    firsts.append(measure(lambda: folds[0].run_epoch(1)))
    taken: dict[str, list[float]] = {"fit": [], "one after the other": [], "in turns": []}
    for number in range(asked.rounds):
        epoch = number + 2
        taken["fit"].append(measure(fit))
        folds[0].predict_validation()  # it has the network now
        taken["one after the other"].append(measure(lambda: folds[0].run_epoch(epoch)))  # noqa: B023
        taken["in turns"].append(
            measure(lambda: [fold.run_epoch(epoch) for fold in folds[1:]]) / len(folds[1:])  # noqa: B023
        )
    print(
        f"{asked.model} under {backend.name()} on {asked.threads} threads, {asked.images[0]} + {asked.images[1]} images of "
        f"{asked.size} x {asked.size}, batches of {asked.batch}, {shared.weight_count:,} weights; median of {asked.rounds} rounds"
    )
    plain = statistics.median(taken["fit"])
    for name, seconds in taken.items():
        middle = statistics.median(seconds)
        print(f"{name:22} {middle:7.3f} s a fold-epoch  {middle / plain:5.2f} times fit")
    usual = statistics.median(taken["one after the other"])
    print(f"first epoch of all     {firsts[0]:7.3f} s, with what is compiled")
    print(f"first of another fold  {firsts[1]:7.3f} s  {firsts[1] / usual:5.2f} times the later ones")


def read_arguments() -> argparse.Namespace:
    """What is asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--model", default="lenet", help="lenet, or a backbone that is trained from random weights"
    )
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument(
        "--images", type=int, nargs=2, default=[348, 174], help="to train on and to validate on"
    )
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    return parser.parse_args()


def make_spec(asked: argparse.Namespace) -> StudySpec:
    """A study of this network, without augmentation."""
    size = [asked.size, asked.size]
    model = (
        {"kind": "lenet", "image_size": size}
        if asked.model == "lenet"
        else {
            "backbone": asked.model,
            "weights": "none",
            "trainable": "all",
            "image_size": size,
            "head": [64],
        }
    )
    training = {"batch_size": asked.batch, "augmentation": "none", "precision": asked.precision}
    return parse({"study": {"name": "x"}, "model": model, "training": training}, source="the benchmark")


def make_images(size: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Bytes that nothing can be learnt from, and labels."""
    generator = np.random.default_rng(0)
    labels = generator.integers(2, size=(count, TARGETS)).astype(np.float32)
    return generator.integers(0, 256, (count, size, size, 3), dtype=np.uint8), labels


def make_fit(
    shared: SharedNetwork,
    pixels: np.ndarray,
    labels: np.ndarray,
    train: np.ndarray,
    validation: np.ndarray,
    batch: int,
) -> Callable[[], Any]:
    """An epoch of `fit` of the same model, with the AUC of both parts, as a careful user writes it: scaled images in memory, ahead of the model."""
    import keras

    model = keras.models.clone_model(shared.network.model)
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

    def read(index: np.ndarray, *, mixed: bool) -> Any:
        rows = tf.data.Dataset.from_tensor_slices((pixels[index], labels[index]))
        rows = rows.map(
            lambda image, known: (shared.network.scale(tf.cast(image, tf.float32)), known),
            num_parallel_calls=tf.data.AUTOTUNE,
        ).cache()
        rows = rows.shuffle(len(index), seed=0) if mixed else rows
        return rows.batch(batch).prefetch(tf.data.AUTOTUNE)

    ahead, known = read(train, mixed=True), read(validation, mixed=False)
    return lambda: model.fit(ahead, validation_data=known, verbose=0)


def measure(work: Callable[[], Any]) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
