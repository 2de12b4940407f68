"""What a fold-epoch of each kind of label costs: training, validation and metrics, beside labels side by side.

Heads of equal widths take turns, epoch by epoch, so that whatever else the machine does hits all of them; of each the least time counts, of
the processor (all threads) and of the wall.

    python -m bench.kinds_of_label [EPOCHS] [TARGETS]          (KERAS_BACKEND=jax for JAX)
"""

from __future__ import annotations

import sys
import time

import numpy as np

from storage.spec import parse
from storage.tasks.kinds import TASKS
from workers.device import preparation as devices
from workers.inputs.feature_set import FeatureSet
from workers.training.fold_trainer import FoldTrainer

IMAGES, VALIDATION, FEATURES = 1500, 300, 1024
HEAD = [512, 256]
KINDS = ("labels", "classes", "ordered", "number")


def make_labels(kind: str, targets: int) -> np.ndarray:
    """Labels of a kind, shape (IMAGES, targets)."""
    chance = np.random.default_rng(0)
    if TASKS[kind].excludes:
        return np.eye(targets, dtype=np.float32)[chance.integers(0, targets, IMAGES)]
    if TASKS[kind].has_probabilities:
        return (chance.random((IMAGES, targets)) < 0.3).astype(np.float32)
    return chance.normal(50, 20, (IMAGES, targets)).astype(np.float32)


def start(kind: str, targets: int) -> FoldTrainer:
    """A trainer at the beginning of a fold."""
    spec = parse(
        {
            "study": {"name": "x"},
            "data": {"task": kind},
            "model": {"head": HEAD, "scale": "none", "dropout_rate": 0.2},
            "training": {"batch_size": 128, "augmentation": "none"},
        },
        source="the bench",
    )
    values = np.random.default_rng(1).random((IMAGES, 1, FEATURES), dtype=np.float32)
    trainer = FoldTrainer(spec, FEATURES, targets)
    features = FeatureSet(values, make_labels(kind, targets))
    images = np.arange(IMAGES)
    trainer.reset(features, images[VALIDATION:], images[:VALIDATION], {}, (1, 2, 3))
    return trainer


def main() -> None:
    """Print milliseconds of each kind, and how many times those of labels side by side they are."""
    epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    targets = int(sys.argv[2]) if len(sys.argv) > 2 else 6
    devices.prepare(2)
    trainers = {kind: start(kind, targets) for kind in KINDS}
    found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    for epoch in range(1, epochs + 2):
        for kind, trainer in trainers.items():
            began = time.process_time(), time.perf_counter()
            trainer.run_epoch(epoch)
            if epoch > 1:  # the first one compiles
                found[kind].append((time.process_time() - began[0], time.perf_counter() - began[1]))
    least = {kind: np.min(times, axis=0) for kind, times in found.items()}
    for kind, (processor, wall) in least.items():
        ratios = least[kind] / least["labels"]
        print(
            f"{kind:8} {1000 * processor:7.1f} ms of processor ({ratios[0]:.3f}), {1000 * wall:7.1f} ms of wall ({ratios[1]:.3f})"
        )


if __name__ == "__main__":
    main()
