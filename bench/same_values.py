"""Is it the same computation? orch's compiled epoch and cached features against plain Keras, in numbers.

    python -m bench.same_values [--folds 6] [--epochs 20] [--images 16]

All of it with the head of the reference study on as many features as it had, made up so that they know a little of the
labels. Without dropout, whose masks come from another generator, plain Keras is given the batches that orch draws:

- step: the largest difference of any weight after a step of Adam, both set to the same weights before each step;
- loss: the largest difference of training and validation loss over two epochs, not set to the same weights any more. Where in a
  fold a rounding difference moves a unit over the kink of its ReLU the two part company, so every fold is printed, and beside
  it what Keras makes of the same features in another order;
- AUC: the difference of the validation AUC after all epochs, its mean over the folds, and of the value of the trial; single folds
  drift apart by themselves in float32;
- features: the largest difference between stored features and the backbone run on the flipped images in one batch;
- bfloat16: the same trial in both precisions, with dropout: the difference of its value, by seed.

The last column is the goal. Leaves with 1 when one is missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.peer_study import SIGNAL
from storage.spec import ModelSection, StudySection, StudySpec, TrainingSection
from workers.device import preparation as devices
from workers.training.fold_trainer import FeatureSet, FoldTrainer

IMAGES, VIEWS, FEATURES, TARGETS = 2490, 4, 2048, 18
BATCH_SIZE, STEPS = 128, 10
EPSILONS = (1e-7, 1e-4, 1e-1)
SEED = 1337
Array = NDArray[Any]


def main() -> int:
    """Print a table; returns the exit code."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--folds", type=int, default=6)
    arguments.add_argument("--epochs", type=int, default=20)
    arguments.add_argument("--images", type=int, default=16, help="to compare features on")
    arguments.add_argument("--seeds", type=int, default=5, help="to compare precisions with")
    chosen = arguments.parse_args()
    devices.prepare(2)
    print(f"load {os.getloadavg()[0]:.1f}")
    features = make_features()
    table = Table()
    table.add("Adam's step, weights", max(compare_steps(features, epsilon) for epsilon in EPSILONS), 1e-5)
    pairs = np.array([compare_losses(features, fold, chosen.folds) for fold in range(chosen.folds)])
    for name, column in (("orch and Keras", pairs[:, 0]), ("Keras and itself", pairs[:, 1])):
        print(f"  loss, {name}, by fold: " + " ".join(f"{one:.1e}" for one in column))
    table.add("loss over two epochs, median fold", float(np.median(pairs[:, 0])), 1e-4)
    ours, theirs = train_both(features, chosen.folds, chosen.epochs)
    last = (ours - theirs)[:, -1]
    print(f"  AUC after {chosen.epochs} epochs, by fold: " + " ".join(f"{one:+.4f}" for one in last))
    table.add(f"AUC after {chosen.epochs} epochs, mean", abs(float(last.mean())), 0.002)
    table.add("value of the trial", abs(ours.mean(axis=0).max() - theirs.mean(axis=0).max()), 0.002)
    table.add("cached features, in their sd", compare_features(chosen.images), 1e-5)
    differences = [compare_precisions(features, chosen.folds, chosen.epochs, s) for s in range(chosen.seeds)]
    print("  bfloat16 - float32 by seed: " + " ".join(f"{difference:+.4f}" for difference in differences))
    table.add("value in bfloat16, mean", abs(float(np.mean(differences))), 0.002)
    return table.exit_code


@dataclass
class Table:
    """Prints rows and remembers whether a goal was missed."""

    exit_code: int = 0

    def add(self, name: str, found: float, goal: float) -> None:
        """Print one row."""
        met = found <= goal
        self.exit_code = self.exit_code if met else 1
        print(f"{name:<34}{found:>12.2e}   {'met' if met else 'MISSED'}: at most {goal:g}", flush=True)


def make_features() -> FeatureSet:
    """As many as the reference study had, in four views that differ a little."""
    generator = np.random.default_rng(1)
    labels = (generator.random((IMAGES, TARGETS)) < 0.2).astype(np.float32)
    directions = generator.standard_normal((TARGETS, FEATURES)) / np.sqrt(FEATURES) * 8 * SIGNAL
    image = generator.standard_normal((IMAGES, 1, FEATURES)) + (labels @ directions)[:, None]
    values = np.maximum(image + 0.3 * generator.standard_normal((IMAGES, VIEWS, FEATURES)), 0)
    return FeatureSet(values.astype(np.float32), labels)


def make_trainer(*, dropout: float = 0.0, precision: str = "float32", epsilon: float = 1e-7) -> FoldTrainer:
    """The head of the reference study."""
    spec = StudySpec(
        study=StudySection(name="x"),
        model=ModelSection(scale="none", dropout_rate=dropout),
        training=TrainingSection(precision=precision, epsilon=epsilon),
    )
    return FoldTrainer(spec, FEATURES, TARGETS)


def split(fold: int, folds: int) -> tuple[Array, Array]:
    """Training and validation images."""
    return np.flatnonzero(np.arange(IMAGES) % folds != fold), np.flatnonzero(
        np.arange(IMAGES) % folds == fold
    )


def draw_epoch(train: Array, seed: tuple[int, int, int], epoch: int) -> tuple[Array, Array]:
    """Order and views of an epoch, by the rule that docs/training.md states."""
    generator = np.random.default_rng(np.random.SeedSequence([*seed, epoch]))
    order = generator.permutation(train)
    return order, generator.integers(VIEWS, size=len(order))


def copy_to_keras(trainer: FoldTrainer, epsilon: float = 1e-7) -> Any:
    """The same head, compiled as Keras does it, with the weights of now."""
    import keras

    model = keras.models.clone_model(trainer.model)
    model.set_weights(trainer.model.get_weights())
    model.compile(keras.optimizers.Adam(1e-3, epsilon=epsilon), "binary_crossentropy")
    return model


def compare_steps(features: FeatureSet, epsilon: float) -> float:
    """Largest difference of a weight after a step on all training images."""
    train, validation = split(0, 6)
    trainer, seed = make_trainer(epsilon=epsilon), (SEED, 0, 0)
    trainer.reset(features, train, validation, {"batch_size": len(train)}, seed)
    model, largest = copy_to_keras(trainer, epsilon), 0.0
    for epoch in range(1, STEPS + 1):
        order, views = draw_epoch(train, seed, epoch)
        model.set_weights(trainer.model.get_weights())
        model.train_on_batch(features.values[order, views], features.labels[order])
        trainer.run_epoch(epoch)
        pairs = zip(trainer.model.get_weights(), model.get_weights(), strict=True)
        largest = max(largest, *(float(np.abs(ours - theirs).max()) for ours, theirs in pairs))
    return largest


def run_keras_epoch(model: Any, features: FeatureSet, order: Array, views: Array) -> float:
    """One epoch over orch's batches; the loss of each image when it was trained on."""
    lost = 0.0
    for first in range(0, len(order), BATCH_SIZE):
        batch = slice(first, first + BATCH_SIZE)
        images, labels = features.values[order[batch], views[batch]], features.labels[order[batch]]
        # Keras reports the running mean of the loss over an epoch unless each batch is told to start anew.
        lost += float(model.evaluate(images, labels, batch_size=BATCH_SIZE, verbose=0)) * len(labels)
        model.train_on_batch(images, labels)
    return lost / len(order)


def compare_losses(features: FeatureSet, fold: int, folds: int) -> tuple[float, float]:
    """Largest difference of a loss within two epochs: of orch from Keras, and of Keras from itself.

    The second comes from features in another order, with the rows of the first kernel in that order: the same model, whose sums
    are rounded otherwise.
    """
    train, validation = split(fold, folds)
    trainer, seed = make_trainer(), (SEED, 0, fold)
    trainer.reset(features, train, validation, {"batch_size": BATCH_SIZE}, seed)
    model, reordered = copy_to_keras(trainer), copy_to_keras(trainer)
    order = np.random.default_rng(SEED).permutation(FEATURES)
    shuffled = FeatureSet(np.ascontiguousarray(features.values[:, :, order]), features.labels)
    first, *others = reordered.get_weights()
    reordered.set_weights([first[order], *others])
    ours, itself = 0.0, 0.0
    for epoch in (1, 2):
        drawn = draw_epoch(train, seed, epoch)
        losses = [
            (run_keras_epoch(network, inputs, *drawn), validate(network, inputs, validation))
            for network, inputs in ((model, features), (reordered, shuffled))
        ]
        result = trainer.run_epoch(epoch)
        ours = max(ours, abs(result.train_loss - losses[0][0]), abs(result.val_loss - losses[0][1]))
        itself = max(itself, *(abs(one - other) for one, other in zip(*losses, strict=True)))
    return ours, itself


def validate(model: Any, features: FeatureSet, validation: Array) -> float:
    """Keras's loss of the validation images."""
    return float(model.evaluate(features.values[validation, 0], features.labels[validation], verbose=0))


def train_both(features: FeatureSet, folds: int, epochs: int) -> tuple[Array, Array]:
    """Validation AUC of orch and of plain Keras, each of shape (folds, epochs)."""
    from sklearn.metrics import roc_auc_score

    ours, theirs = np.zeros((folds, epochs)), np.zeros((folds, epochs))
    trainer = make_trainer()
    for fold in range(folds):
        train, validation = split(fold, folds)
        seed = (SEED, 0, fold)
        trainer.reset(features, train, validation, {"batch_size": BATCH_SIZE}, seed)
        model = copy_to_keras(trainer)
        for epoch in range(1, epochs + 1):
            order, views = draw_epoch(train, seed, epoch)
            for first in range(0, len(order), BATCH_SIZE):
                batch = slice(first, first + BATCH_SIZE)
                model.train_on_batch(
                    features.values[order[batch], views[batch]], features.labels[order[batch]]
                )
            ours[fold, epoch - 1] = trainer.run_epoch(epoch).val_auc
            predicted = model.predict_on_batch(features.values[validation, 0])
            theirs[fold, epoch - 1] = roc_auc_score(features.labels[validation], predicted, average="macro")
    return ours, theirs


def compare_features(count: int) -> float:
    """Largest difference of a stored feature of InceptionV3 at 299 pixels from a fresh one, in sd of the features."""
    from orchestrator.demo.radiographs import draw_radiographs
    from orchestrator.importing.choices import Choices
    from orchestrator.importing.imports import import_dataset
    from storage.data.images import read_image
    from workers.inputs.extraction import ensure_features
    from workers.models.transfer import build_backbone

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = draw_radiographs(folder / "raw", patients=count, size=299)
        choices = Choices(holdout=0.0, group_columns=("patient_id",))
        dataset = import_dataset(folder / "raw" / "images", table, folder / "data", choices)
        spec = StudySpec(study=StudySection(name="x"), model=ModelSection(weights="none"))
        stored = ensure_features(spec, dataset, folder / "cache").values[:count]
        pixels = np.stack([read_image(file, (299, 299)) for file in dataset.files[:count]])
    inputs = pixels.astype(np.float32) / 127.5 - 1
    backbone, largest = build_backbone(spec.model), 0.0
    for view, axes in enumerate([(), (2,), (1,), (1, 2)]):
        fresh = backbone.predict(np.flip(inputs, axes), batch_size=count, verbose=0)
        largest = max(largest, float(np.abs(stored[:, view] - fresh).max()))
    return largest / float(stored.std())


def compare_precisions(features: FeatureSet, folds: int, epochs: int, seed: int) -> float:
    """The value of one trial in bfloat16 less that in float32."""
    values = {}
    for precision in ("float32", "bfloat16"):
        trainer, curves = make_trainer(dropout=0.2, precision=precision), np.zeros((folds, epochs))
        for fold in range(folds):
            trainer.reset(features, *split(fold, folds), {"batch_size": BATCH_SIZE}, (SEED + seed, 0, fold))
            curves[fold] = [trainer.run_epoch(epoch).val_auc for epoch in range(1, epochs + 1)]
        values[precision] = float(curves.mean(axis=0).max())
    return values["bfloat16"] - values["float32"]


if __name__ == "__main__":
    sys.exit(main())
