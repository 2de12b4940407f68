"""Heads on cached features with BatchNormalization and other optimizers, against plain Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from storage.spec import StudySpec, parse
from workers.device import preparation as devices
from workers.inputs.feature_set import FeatureSet
from workers.training.fold_trainer import FoldTrainer

IMAGES, FEATURES, TARGETS, BATCH = 40, 10, 3, 8
SEED = (1337, 5, 2)
TRAIN, VAL = np.arange(32), np.arange(32, IMAGES)


@pytest.fixture(scope="module", autouse=True)
def _settle_the_device() -> None:
    devices.prepare(1, 2)


def make_spec() -> StudySpec:
    return parse(
        {
            "study": {"name": "x"},
            "model": {"head": [16, 8], "scale": "none", "head_normalization": True},
            "training": {"batch_size": BATCH, "augmentation": "none", "learning_rate": 0.01},
        },
        source="a test",
    )


def make_features() -> FeatureSet:
    generator = np.random.default_rng(0)
    values = generator.normal(2, 3, size=(IMAGES, 1, FEATURES)).astype(np.float32)
    return FeatureSet(values, (values[:, 0, :TARGETS] > 2).astype(np.float32))


def start(features: FeatureSet, **settings: Any) -> FoldTrainer:
    trainer = FoldTrainer(make_spec(), FEATURES, TARGETS)
    trainer.reset(features, TRAIN, VAL, settings, SEED)
    return trainer


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_an_epoch_with_normalization_is_the_one_of_keras(name: str) -> None:
    import keras

    features = make_features()
    trainer = start(features, optimizer=name)
    model = keras.models.clone_model(trainer.model)
    model.set_weights(trainer.model.get_weights())
    optimizer = {
        "adam": lambda: keras.optimizers.Adam(0.01, epsilon=1e-7),
        "sgd": lambda: keras.optimizers.SGD(0.01, momentum=0.9),
    }[name]()
    model.compile(optimizer, "binary_crossentropy")
    order = np.random.default_rng([*SEED, 1]).permutation(TRAIN)
    for first in range(0, len(order), BATCH):
        batch = order[first : first + BATCH]
        model.train_on_batch(features.values[batch, 0], features.labels[batch])
    trainer.run_epoch(1)
    for variable, theirs in zip(trainer.model.weights, model.weights, strict=True):
        assert np.abs(variable.numpy() - theirs.numpy()).max() < 1e-4, variable.path
    assert any("moving" in variable.path for variable in trainer.model.weights)
    expected = model.predict(features.values[VAL, 0], verbose=0)
    assert np.abs(trainer.predict_validation() - expected).max() < 1e-4


def test_a_restored_head_with_normalization_goes_on_bit_for_bit() -> None:
    features = make_features()
    trainer = start(features)
    trainer.run_epoch(1)
    state = trainer.state()
    expected = trainer.run_epoch(2).val_loss
    again = start(features)
    again.restore(state)
    assert again.run_epoch(2).val_loss == expected


def test_each_option_changes_what_is_learnt() -> None:
    features = make_features()
    plain = start(features).run_epoch(1).val_loss
    options: list[dict[str, Any]] = [
        {"optimizer": "adamw", "weight_decay": 0.5},
        {"label_smoothing": 0.3},
        {"positive_weight": "balanced"},
        {"rate_schedule": "sgdr", "cycle_epochs": 1, "learning_rate": 0.02},
    ]
    losses = [start(features, **option).run_epoch(1).val_loss for option in options]
    assert len({plain, *losses}) == len(options) + 1
    assert start(features).run_epoch(1).val_loss == plain
