"""Heads on cached features with BatchNormalization and other optimizers, against plain Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from storage.spec import StudySpec, parse
from workers.device import preparation as devices
from workers.inputs.feature_set import FeatureSet
from workers.training.fold_trainer import FoldTrainer, train_together

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


@pytest.mark.main_tier("adam")
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


STEPS: list[dict[str, Any]] = [
    {"optimizer": "adam", "use_ema": True, "ema_momentum": 0.5, "clipnorm": 0.05, "rate_schedule": "cosine"},
    {"optimizer": "nadam", "use_ema": True, "ema_momentum": 0.5, "warmup_epochs": 1, "clipvalue": 0.1},
]


@pytest.mark.main_tier("settings0")
@pytest.mark.parametrize("settings", STEPS)
def test_rules_of_a_step_hold_in_folds_together_after_a_restore_and_in_the_model(
    settings: dict[str, Any],
) -> None:
    features = make_features()
    trainer = start(features, **settings)
    first = trainer.run_epoch(1)
    # Step 4 of 4 in 20 epochs, or the last of the 4 of the warm-up.
    expected_rate = 0.005 * (1 + np.cos(np.pi * 3 / 80)) if "rate_schedule" in settings else 0.01 * 4 / 5
    assert first.learning_rate == pytest.approx(expected_rate)
    state = {name: np.array(value) for name, value in trainer.state().items()}
    assert any(name.startswith("average_") for name in state)
    assert any(name.startswith("optimizer_") for name in state) == (settings["optimizer"] == "nadam")
    second = trainer.run_epoch(2)
    expected = trainer.predict_validation()
    again = start(features, **settings)
    again.restore(state)
    assert again.run_epoch(2).val_loss == second.val_loss
    predicted = trainer.model.predict(features.values[VAL, 0], verbose=0)
    np.testing.assert_allclose(predicted, expected, atol=1e-5)
    together = [start(features, **settings) for _ in range(2)]
    for epoch, wanted in ((1, first), (2, second)):
        train_together(together, epoch, [True, True])
        found = [one.run_epoch(epoch) for one in together]
        assert [one.val_loss for one in found] == pytest.approx([wanted.val_loss] * 2, rel=1e-4)
    # The next trial, with another memory, begins as if there had been none before.
    trainer.reset(features, TRAIN, VAL, {}, SEED)
    assert trainer.run_epoch(1).val_loss == start(features).run_epoch(1).val_loss


@pytest.mark.thorough
def test_each_option_changes_what_is_learnt() -> None:
    features = make_features()
    plain = start(features).run_epoch(1).val_loss
    options: list[dict[str, Any]] = [
        {"optimizer": "adamw", "weight_decay": 0.5},
        {"label_smoothing": 0.3},
        {"positive_weight": "balanced"},
        {"rate_schedule": "sgdr", "cycle_epochs": 1, "learning_rate": 0.02},
        {"rate_schedule": "cosine"},
        {"global_clipnorm": 0.01},
        {"use_ema": True},
        {"optimizer": "lion"},
    ]
    losses = [start(features, **option).run_epoch(1).val_loss for option in options]
    assert len({plain, *losses}) == len(options) + 1
    assert start(features).run_epoch(1).val_loss == plain
