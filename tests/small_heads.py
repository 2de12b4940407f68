"""A small head on made-up features, the same under every backend of Keras."""

from __future__ import annotations

import numpy as np

from storage.spec import ModelSection, StudySection, StudySpec, TrainingSection
from workers.training.fold_trainer import FeatureSet, FoldTrainer

IMAGES, FEATURES, TARGETS = 60, 12, 3
TRAIN, VAL = np.arange(47), np.arange(47, IMAGES)


def make_trainer(batch_size: int, head: tuple[int, ...] = (16, 8)) -> FoldTrainer:
    """A trainer without dropout, at the beginning of a fold; a fifth of the labels are blank."""
    generator = np.random.default_rng(0)
    values = generator.normal(size=(IMAGES, 4, FEATURES)).astype(np.float32)
    labels = (generator.random((IMAGES, TARGETS)) < 0.4).astype(np.float32)
    labels[generator.random(labels.shape) < 0.2] = np.nan
    spec = StudySpec(
        study=StudySection(name="x"),
        model=ModelSection(head=head, dropout_rate=0.0),
        training=TrainingSection(batch_size=batch_size, label_smoothing=0.1),
    )
    trainer = FoldTrainer(spec, FEATURES, TARGETS)
    trainer.reset(FeatureSet(values, labels), TRAIN, VAL, {}, (1, 2, 3))
    return trainer
