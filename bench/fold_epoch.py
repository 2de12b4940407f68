"""One fold-epoch: orch against `model.fit` with a streaming AUC, and against the matrix products alone.

    python -m bench.fold_epoch [--batch 16 128 1600] [--rounds 5] [--precision float32 bfloat16]
    KERAS_BACKEND=jax python -m bench.fold_epoch --threads 16

Both train the same head on the same features, one epoch and its validation at a time, in turns, so that
other load on the machine falls on both. `fit` is measured between its own epochs, without its set-up.
"""

from __future__ import annotations

import argparse
import math
import time

import numpy as np

from bench.products import EagerProducts, ProductsAtRate
from storage.spec import ModelSection, StudySection, StudySpec, TrainingSection
from workers import backend, devices

IMAGES, VIEWS, FEATURES, TARGETS, FOLDS = 2490, 4, 2048, 18, 6
TRAIN = np.arange(IMAGES // FOLDS, IMAGES)
VAL = np.arange(IMAGES // FOLDS)
DROPOUT = 0.2
LIMIT = "matrix products alone"


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
    device = devices.describe()
    print(f"{backend.name()} on {', '.join(device['gpus']) or device['processor']}, threads {chosen.threads}")
    print(
        f"{IMAGES} images x {VIEWS} views x {FEATURES} features, {TARGETS} labels, k = {FOLDS}, seconds per fold-epoch"
    )
    print(
        f"{'batch':>6} {'way':<22} {'median':>8} {'fastest':>8} {'per s':>8} {'fit / it':>9} {'it / products':>14}"
    )
    for batch_size in chosen.batch:
        ways = {"model.fit, AUC": FitEpochs(values, labels, batch_size)}
        for precision in chosen.precision:
            ways[f"orch, {precision}"] = OrchEpochs(features, batch_size, precision)
        ways |= limits(batch_size, chosen.precision)
        times = {name: [] for name in ways}
        for _ in range(chosen.rounds):
            for name, way in ways.items():
                times[name].append(way.run())
        print_rows(batch_size, times)


def print_rows(batch_size: int, times: dict[str, list[float]]) -> None:
    """Print the table of one batch size; ratios are medians of the ratios within a round."""
    fit, products = np.array(times["model.fit, AUC"]), np.array(times[LIMIT])
    for name, measured in times.items():
        seconds = np.array(measured)
        print(
            f"{batch_size:>6} {name:<22} {np.median(seconds):8.4f} {seconds.min():8.4f} {1 / np.median(seconds):8.1f} "
            f"{np.median(fit / seconds):9.2f} {np.median(seconds / products):14.2f}",
            flush=True,
        )


def limits(batch_size: int, precisions: list[str]) -> dict[str, object]:
    """What the head's matrix products take; that in float32 is what the others are compared with."""
    full, rest = divmod(len(TRAIN), min(batch_size, len(TRAIN)))
    batches = [min(batch_size, len(TRAIN))] * full + [rest] * bool(rest)
    widths = [FEATURES, *make_spec(batch_size).model.head, TARGETS]
    if backend.name() == "tensorflow":
        return {LIMIT: EagerProducts(widths, batches, len(VAL))}
    return {
        LIMIT if precision == "float32" else f"products, {precision}": ProductsAtRate(
            widths, batches, len(VAL), precision
        )
        for precision in {"float32": None, **dict.fromkeys(precisions)}
    }


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


if __name__ == "__main__":
    main()
