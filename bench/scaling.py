"""How the time of a fold-epoch grows with images, labels and folds.

    python -m bench.scaling [--images 500 2500 10000] [--labels 2 18 100] [--folds 3 6 10] [--rounds 3]

One quantity changes at a time, the others stay at 2,500 images, 18 labels and 6 folds; batch size 128, 2,048 features,
head 1024-512-256. All settings run in turn in each round, one fold at a time on one thread; the table has medians over the rounds.
"""

from __future__ import annotations

import argparse
import os

import numpy as np

from storage.spec import ModelSection, StudySection, StudySpec, TrainingSection
from workers.device import preparation as devices

FEATURES, BATCH = 2048, 128
USUAL = {"images": 2500, "labels": 18, "folds": 6}


def main() -> None:
    """Print one row per setting."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--images", type=int, nargs="+", default=[500, 2500, 10_000])
    arguments.add_argument("--labels", type=int, nargs="+", default=[2, 18, 100])
    arguments.add_argument("--folds", type=int, nargs="+", default=[3, 6, 10])
    arguments.add_argument("--rounds", type=int, default=3)
    chosen = arguments.parse_args()
    devices.prepare(1)
    settings = [(name, value) for name in USUAL for value in getattr(chosen, name)]
    epochs = [Epochs(**{**USUAL, name: value}) for name, value in settings]
    seconds = np.array([[one.run() for one in epochs] for _ in range(chosen.rounds)])
    print(f"load {os.getloadavg()[0]:.1f}, one thread per fold")
    print(
        f"{'varied':<16}{'s per fold-epoch':>18}{'us per training image':>24}{'s per epoch of all folds':>26}"
    )
    for (name, value), one, median in zip(settings, epochs, np.median(seconds, axis=0), strict=True):
        print(
            f"{f'{name} {value}':<16}{median:>18.3f}{1e6 * median / one.train_images:>24.1f}"
            f"{median * one.folds:>26.3f}"
        )


class Epochs:
    """Epochs of one fold of a study of these sizes."""

    def __init__(self, images: int, labels: int, folds: int) -> None:
        from workers.training.fold_trainer import FeatureSet, FoldTrainer

        generator = np.random.default_rng(0)
        values = generator.random((images, 1, FEATURES), dtype=np.float32)
        targets = (generator.random((images, labels)) < 0.2).astype(np.float32)
        spec = StudySpec(
            study=StudySection(name="bench"),
            model=ModelSection(scale="none", dropout_rate=0.2),
            training=TrainingSection(batch_size=BATCH, augmentation="none"),
        )
        validation = np.arange(images // folds)
        train = np.arange(images // folds, images)
        self.folds, self.train_images = folds, len(train)
        self._trainer = FoldTrainer(spec, FEATURES, labels)
        self._trainer.reset(FeatureSet(values, targets), train, validation, {}, (0, 0, 0))
        self._epoch = 0
        self.run()

    def run(self) -> float:
        """Seconds of one epoch with validation and all metrics."""
        self._epoch += 1
        return self._trainer.run_epoch(self._epoch).seconds


if __name__ == "__main__":
    main()
