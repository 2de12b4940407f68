"""One fold-epoch: orch against `model.fit` with a streaming AUC, and against the matrix products alone.

    python -m bench.fold_epoch [--batch 16 128 1600] [--rounds 5] [--precision float32 bfloat16]
    KERAS_BACKEND=jax python -m bench.fold_epoch --threads 16

All train the same head on the same features, each way in a process of its own, in turns, so that other load on the machine
falls on all. A turn is two epochs, each with its validation, of which the second counts: the first finds the caches of the processor
full of what another way left there, which would weigh the more the shorter an epoch is. `fit` shares every operation among the threads, as it does by
itself; orch trains all folds of a trial, as many at once as its worker does, and so do "products, folds at once". What is printed is
the time of all that ran, per fold-epoch. Under JAX, "stacked" is all folds as one computation, as a worker trains them on a GPU. `fit` runs both epochs in one call, and is measured between their ends, without its set-up.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import numpy as np

from bench.processes import Apart
from bench.products import EagerProducts, ProductsAtRate
from storage.spec import ModelSection, StudySection, StudySpec, TrainingSection
from workers.device import backend
from workers.device import preparation as devices

IMAGES, VIEWS, FEATURES, TARGETS, FOLDS = 2490, 4, 2048, 18, 6
TRAIN = np.arange(IMAGES // FOLDS, IMAGES)
VAL = np.arange(IMAGES // FOLDS)
DROPOUT = 0.2
FIT = "model.fit, AUC"
FLOAT32, BFLOAT16 = "float32", "bfloat16"


def main() -> None:
    """Print seconds per fold-epoch and ratios, the medians over interleaved rounds."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--batch", type=int, nargs="+", default=[16, 128, 1600])
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--precision", nargs="+", default=[FLOAT32, BFLOAT16])
    arguments.add_argument("--threads", type=int, default=2)
    chosen = arguments.parse_args()
    with ExitStack() as stack:
        machine = stack.enter_context(Apart(Device, chosen.threads))
        print(f"{machine.greeting}, load {os.getloadavg()[0]:.1f}")
        machine.close()
        print(
            f"{IMAGES} images x {VIEWS} views x {FEATURES} features, {TARGETS} labels, k = {FOLDS}, "
            "seconds per fold-epoch"
        )
        print(
            f"{'batch':>6} {'way':<24} {'median':>8} {'fastest':>8} {'per s':>8} {'fit / it':>9} {'it / products':>14}"
        )
        for batch_size in chosen.batch:
            with ExitStack() as ways_of_one:
                ways = {
                    name: ways_of_one.enter_context(Apart(make, chosen.threads, batch_size, *more))
                    for name, make, *more in list_ways(chosen.precision)
                }
                for name, way in ways.items():
                    if way.greeting:
                        print(f"       {name}: {way.greeting}")
                times: dict[str, list[float]] = {name: [] for name in ways}
                for _ in range(chosen.rounds):
                    for name, way in ways.items():
                        if name != FIT:
                            way.run()
                        times[name].append(way.run())
                print_rows(batch_size, times)


def list_ways(precisions: list[str]) -> list[tuple[Any, ...]]:
    """What is compared: its name, what makes it, and what that is told besides threads and batch size."""
    ways: list[tuple[Any, ...]] = [(FIT, FitEpochs)]
    ways += [(f"orch, {precision}", OrchEpochs, precision) for precision in precisions]
    if backend.name() == "jax":
        ways += [(f"orch, {precision}, stacked", OrchEpochs, precision, True) for precision in precisions]
    if backend.name() == "tensorflow":
        return [*ways, ("products alone", Products, FLOAT32, False), (limit(), Products, FLOAT32, True)]
    return [*ways, *((f"products, {name}", Products, name) for name in dict.fromkeys((FLOAT32, *precisions)))]


def limit() -> str:
    """What the last column compares with: the faster way to run nothing but the products, in float32."""
    return "products, folds at once" if backend.name() == "tensorflow" else f"products, {FLOAT32}"


class Device:
    """Names what is computed on."""

    def __init__(self, threads: int) -> None:
        devices.prepare(threads)
        device = devices.describe()
        self.greeting = (
            f"{backend.name()} on {', '.join(device['gpus']) or device['processor']}, threads {threads}"
        )


def print_rows(batch_size: int, times: dict[str, list[float]]) -> None:
    """Print the table of one batch size; ratios are medians of the ratios within a round."""
    fit, products = np.array(times[FIT]), np.array(times[limit()])
    for name, measured in times.items():
        seconds = np.array(measured)
        print(
            f"{batch_size:>6} {name:<24} {np.median(seconds):8.4f} {seconds.min():8.4f} {1 / np.median(seconds):8.1f} "
            f"{np.median(fit / seconds):9.2f} {np.median(seconds / products):14.2f}",
            flush=True,
        )


def count_rows(batch_size: int) -> tuple[list[int], list[int], int]:
    """Widths of the layers, rows of each batch, rows of the validation."""
    full, rest = divmod(len(TRAIN), min(batch_size, len(TRAIN)))
    batches = [min(batch_size, len(TRAIN))] * full + [rest] * bool(rest)
    return [FEATURES, *make_spec(batch_size).model.head, TARGETS], batches, len(VAL)


def make_data() -> tuple[np.ndarray, np.ndarray]:
    """Features, shape (images, views, features), and labels."""
    generator = np.random.default_rng(0)
    values = generator.random((IMAGES, VIEWS, FEATURES), dtype=np.float32)
    return values, (generator.random((IMAGES, TARGETS)) < 0.2).astype(np.float32)


def make_spec(batch_size: int, precision: str = FLOAT32, threads: int = 2, **model: Any) -> StudySpec:
    """The reference study's head, or with other settings of the model."""
    return StudySpec(
        study=StudySection(name="bench"),
        model=ModelSection(**{"scale": "none", "dropout_rate": DROPOUT, **model}),
        training=TrainingSection(batch_size=batch_size, precision=precision, threads=threads),
    )


class OrchEpochs:
    """An epoch of every fold, as many at once as a worker trains; says what their preparation costs.

    Stacked: the folds are one computation, and only scored each by itself, on as many threads as there are.
    """

    def __init__(self, threads: int, batch_size: int, precision: str, stacked: bool = False) -> None:
        spec = make_spec(batch_size, precision, threads)
        devices.prepare_for(spec)
        from workers.training.fold_trainer import FeatureSet, FoldTrainer, train_together

        self._at_once, self._epoch = threads if stacked else devices.count_at_once(), 0
        self._train_together = train_together if stacked else None
        self._pool = ThreadPoolExecutor(self._at_once)
        features = FeatureSet(*make_data())
        began = time.perf_counter()
        self._trainers = [FoldTrainer(spec, FEATURES, TARGETS) for _ in range(FOLDS)]
        built = time.perf_counter()
        for fold, trainer in enumerate(self._trainers):
            trainer.reset(features, TRAIN, VAL, {}, (0, 0, fold))
        traced = time.perf_counter()
        self.run()
        self.greeting = (
            f"{FOLDS} folds, {self._at_once} at once, built in {built - began:.2f} s, reset in {traced - built:.2f} s, "
            f"first epoch {time.perf_counter() - traced:.2f} s"
        )
        self.run()

    def run(self) -> float:
        """Seconds of one epoch with validation and all metrics, per fold."""
        self._epoch += 1
        began = time.perf_counter()
        if self._train_together is not None:
            self._train_together(self._trainers, self._epoch, [True] * FOLDS)
        for result in self._pool.map(lambda trainer: trainer.run_epoch(self._epoch), self._trainers):
            if result.steps != math.ceil(len(TRAIN) / self._trainers[0]._settings["batch_size"]):
                raise RuntimeError("the batch size was not applied")
        return (time.perf_counter() - began) / FOLDS


class Products:
    """The matrix products of an epoch and nothing else, one fold after the other or several at once."""

    def __init__(self, threads: int, batch_size: int, precision: str, side_by_side: bool = False) -> None:
        devices.prepare(*((1, threads) if side_by_side else (threads, 1)))
        self._at_once = threads if side_by_side else 1
        self._pool = ThreadPoolExecutor(self._at_once)
        counted = count_rows(batch_size)
        self._products = [
            EagerProducts(*counted)
            if backend.name() == "tensorflow"
            else ProductsAtRate(*counted, precision=precision)
            for _ in range(self._at_once)
        ]

    def run(self) -> float:
        """Seconds per fold."""
        began = time.perf_counter()
        spent = list(self._pool.map(lambda products: products.run(), self._products))
        is_run = backend.name() == "tensorflow"
        return (time.perf_counter() - began) / self._at_once if is_run else spent[0]


class FitEpochs:
    """Epochs of `fit` as tutorials write it: validation data, streaming AUC, Keras's Adam."""

    def __init__(self, threads: int, batch_size: int) -> None:
        devices.prepare(threads)
        import keras

        from workers.models.head import build_head

        values, labels = make_data()
        self._model = build_head(make_spec(batch_size), FEATURES, TARGETS)
        self._model.compile(
            keras.optimizers.Adam(), "binary_crossentropy", metrics=[keras.metrics.AUC(multi_label=True)]
        )
        self._data = (values[TRAIN, 0], labels[TRAIN], values[VAL, 0], labels[VAL])
        self._batch_size = batch_size
        self.run()

    def run(self) -> float:
        """Seconds of the second of two epochs in one `fit`."""
        import keras

        ends = []
        train_values, train_labels, val_values, val_labels = self._data
        self._model.fit(
            train_values,
            train_labels,
            validation_data=(val_values, val_labels),
            batch_size=self._batch_size,
            epochs=2,
            verbose=0,
            callbacks=[
                keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: ends.append(time.perf_counter()))
            ],
        )
        return ends[1] - ends[0]


if __name__ == "__main__":
    main()
