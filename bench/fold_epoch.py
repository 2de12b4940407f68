"""One fold-epoch: orch against `model.fit` with a streaming AUC, and against the matrix products alone.

    python -m bench.fold_epoch [--batch 16 128 1600] [--rounds 5] [--precision float32 bfloat16]

Both train the same head on the same features, one epoch and its validation at a time, in turns, so that
other load on the machine falls on both. `fit` is measured between its own epochs, without its set-up.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time

import numpy as np

from storage.spec import ModelSection, StudySection, StudySpec, TrainingSection
from workers import devices

IMAGES, VIEWS, FEATURES, TARGETS, FOLDS = 2490, 4, 2048, 18, 6
TRAIN = np.arange(IMAGES // FOLDS, IMAGES)
VAL = np.arange(IMAGES // FOLDS)
DROPOUT = 0.2


def main() -> None:
    """Print seconds per fold-epoch and ratios, the medians over interleaved rounds."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--batch", type=int, nargs="+", default=[16, 128, 1600])
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--precision", nargs="+", default=["float32", "bfloat16"])
    arguments.add_argument("--threads", type=int, default=2)
    chosen = arguments.parse_args()
    devices.prepare(chosen.threads)

    from workers.training import FeatureSet

    generator = np.random.default_rng(0)
    values = generator.random((IMAGES, VIEWS, FEATURES), dtype=np.float32)
    labels = (generator.random((IMAGES, TARGETS)) < 0.2).astype(np.float32)
    features = FeatureSet(values, labels)
    print(
        f"{IMAGES} images x {VIEWS} views x {FEATURES} features, {TARGETS} labels, k = {FOLDS}, seconds per fold-epoch"
    )
    print(f"{'batch':>6} {'way':<22} {'median':>8} {'fastest':>8} {'fit / it':>9} {'it / products':>14}")
    for batch_size in chosen.batch:
        ways = {"model.fit, AUC": FitEpochs(values, labels, batch_size)}
        for precision in chosen.precision:
            ways[f"orch, {precision}"] = OrchEpochs(features, batch_size, precision)
        ways["matrix products alone"] = Products(batch_size)
        times = {name: [] for name in ways}
        for _ in range(chosen.rounds):
            for name, way in ways.items():
                times[name].append(way.run())
        print_rows(batch_size, times)


def print_rows(batch_size: int, times: dict[str, list[float]]) -> None:
    """Print the table of one batch size; ratios are medians of the ratios within a round."""
    fit, products = np.array(times["model.fit, AUC"]), np.array(times["matrix products alone"])
    for name, measured in times.items():
        seconds = np.array(measured)
        print(
            f"{batch_size:>6} {name:<22} {np.median(seconds):8.3f} {seconds.min():8.3f} "
            f"{np.median(fit / seconds):9.2f} {np.median(seconds / products):14.2f}",
            flush=True,
        )


def make_spec(batch_size: int, precision: str = "float32") -> StudySpec:
    """The reference study's head."""
    return StudySpec(
        study=StudySection(name="bench"),
        model=ModelSection(scale="none", dropout_rate=DROPOUT),
        training=TrainingSection(batch_size=batch_size, precision=precision),
    )


class OrchEpochs:
    """Epochs of one fold as orch trains it; says what its preparation costs."""

    def __init__(self, features, batch_size: int, precision: str) -> None:
        from workers.training import FoldTrainer

        began = time.perf_counter()
        self._trainer = FoldTrainer(make_spec(batch_size, precision), FEATURES, TARGETS)
        built = time.perf_counter()
        self._trainer.reset(features, TRAIN, VAL, {}, (0, 0, 0))
        self._trainer.run_epoch(1)
        traced = time.perf_counter()
        self._trainer.reset(features, TRAIN, VAL, {}, (0, 0, 0))
        reset = time.perf_counter()
        self._epoch = 0
        self.run()
        print(
            f"       orch, {precision}: build {built - began:.2f} s, first epoch {traced - built:.2f} s, "
            f"reset {reset - traced:.3f} s"
        )

    def run(self) -> float:
        """Seconds of one epoch with validation and all metrics."""
        self._epoch += 1
        result = self._trainer.run_epoch(self._epoch)
        if result.steps != math.ceil(len(TRAIN) / self._trainer._settings["batch_size"]):
            raise RuntimeError("the batch size was not applied")
        return result.seconds


class FitEpochs:
    """Epochs of `fit` as tutorials write it: validation data, streaming AUC, Keras's Adam."""

    def __init__(self, values: np.ndarray, labels: np.ndarray, batch_size: int) -> None:
        import keras

        from workers.models.head import build_head

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


class Products:
    """The matrix products of one fold-epoch in float32 and nothing else: forward, both gradients, validation."""

    def __init__(self, batch_size: int) -> None:
        import tensorflow as tf

        self._tf = tf
        widths = [FEATURES, 1024, 512, 256, TARGETS]
        self._layers = list(itertools.pairwise(widths))
        full, rest = divmod(len(TRAIN), min(batch_size, len(TRAIN)))
        self._batches = [min(batch_size, len(TRAIN))] * full + [rest] * bool(rest)
        self._weights = [tf.random.uniform(shape) for shape in self._layers]
        self._inputs = {
            rows: (
                [tf.random.uniform((rows, a)) for a, _ in self._layers],
                [tf.random.uniform((rows, b)) for _, b in self._layers],
            )
            for rows in {*self._batches, len(VAL)}
        }
        self.run()

    def run(self) -> float:
        """Seconds of all products."""
        multiply, began = self._tf.matmul, time.perf_counter()
        for rows in self._batches:
            inputs, outputs = self._inputs[rows]
            for number, weight in enumerate(self._weights):
                multiply(inputs[number], weight)
                multiply(inputs[number], outputs[number], transpose_a=True)
                if number:
                    multiply(outputs[number], weight, transpose_b=True)
        for number, weight in enumerate(self._weights):
            multiply(self._inputs[len(VAL)][0][number], weight).numpy()
        return time.perf_counter() - began


if __name__ == "__main__":
    main()
