"""Which models get padded batches under JAX, and that those that draw learn what they learn without padding.

`test_jax_backend.py` runs this in a process of its own, with KERAS_BACKEND=jax and without TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from storage.spec import StudySpec, parse
from tests.integration.workers.test_own_model import install
from tests.small_images import COUNT, SIZE, make_images
from workers.backends.jax import image_epoch
from workers.backends.jax.rows import rows_may_be_added
from workers.device import preparation as devices
from workers.models.network import Network
from workers.training.image_trainer import ImageFoldTrainer, SharedNetwork

BATCH, REST = 9, COUNT % 9
MODEL = """
import keras
from keras import layers


class OwnLayer(layers.Dense):
    pass


class OwnModel(keras.Model):
    pass


def build(settings, target_count):
    image = keras.Input((*settings.image_size, 3))
    x = layers.Conv2D(8, 5, strides=3, use_bias=False)(layers.Rescaling(1 / 255)(image))
    x = layers.SpatialDropout2D(0.3, seed=1)(layers.ReLU()(layers.BatchNormalization()(x)))
    x = layers.GaussianNoise(0.2, seed=2)(layers.GlobalAveragePooling2D()(x))
    given, model = keras.Input((8,)), keras.Model
    BODY
    inner = keras.Sequential([keras.Input((8,)), layers.Dense(8, activation="gelu"), layers.Dropout(0.3, seed=3)])
    x = layers.Add()([inner(x), x])
    return model(image, layers.Dense(target_count, dtype="float32")(x))
"""
UNKNOWN = {
    "an operation": "x = x - keras.ops.mean(x, axis=0)",
    "a function": "x = layers.Lambda(lambda x: x - keras.ops.mean(x, axis=0))(x)",
    "an activation of one's own": "x = layers.Dense(8, activation=lambda x: x - keras.ops.mean(x, axis=0))(x)",
    "a layer of one's own": "x = OwnLayer(8)(x)",
    "a model of one's own": "model = OwnModel",
    "a layer of one's own further within": "x = keras.Sequential([given, OwnLayer(8)])(x)",
    "a mask of so many rows": "x = layers.Dropout(0.3, noise_shape=(9, 8))(x)",
    "rows that are joined, counted from the back": "x = layers.Concatenate(axis=-2)([x, x])",
    "a layer that may mix rows": "x = layers.Flatten()(layers.MixUp()(layers.Reshape((2, 2, 2))(x)))",
}


@pytest.fixture(scope="module", autouse=True)
def _settle_the_device() -> None:
    devices.prepare(1)


def install_own(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str = "pass") -> StudySpec:
    install(folder, monkeypatch, MODEL.replace("BODY", body), "drawing = my_models:build")
    training = {"batch_size": BATCH, "optimizer": "sgd", "learning_rate": 0.1, "augmentation": "none"}
    model = {"kind": "drawing", "image_size": SIZE}
    return parse({"study": {"name": "x"}, "model": model, "training": training}, source="a test")


def learn(spec: StudySpec) -> tuple[float, Mapping[str, Any], int]:
    """The loss, the state and the number of compiled steps after an epoch of two batches and a shorter one, of two folds."""
    pixels, labels = make_images()
    shared = SharedNetwork(spec, labels.shape[1])
    images = shared.make_image_set(pixels, labels)
    trainer = ImageFoldTrainer(spec, shared)
    for count in (COUNT - 1, COUNT):
        trainer.reset(images, np.arange(count), np.arange(3), {}, (1, 2, 3))
        loss = trainer.run_epoch(1).train_loss
    epoch: Any = shared.epoch(trainer.rules)
    return loss, trainer.state(), epoch._step._cache_size()


def test_padded_rows_change_no_draw_of_a_model_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = install_own(tmp_path, monkeypatch)
    loss, state, steps = learn(spec)
    monkeypatch.setattr(image_epoch, "rows_may_be_added", lambda _: False)
    other_loss, other_state, other_steps = learn(spec)
    assert (steps, other_steps) == (1, 3)
    assert loss == pytest.approx(other_loss, abs=1e-5)
    seeds = 0
    for name, value in state.items():
        one, other = np.asarray(value), np.asarray(other_state[name])
        assert np.abs(one.astype(float) - other.astype(float)).max() < 1e-5, name
        seeds += one.dtype == np.uint32
    assert seeds == 3


def test_of_a_generator_that_does_not_number_what_it_draws_batches_stay_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Network(install_own(tmp_path, monkeypatch), 2)
    assert rows_may_be_added(network)
    for flag, value in (("jax_threefry_partitionable", False), ("jax_default_prng_impl", "rbg")):
        before = getattr(jax.config, flag)
        jax.config.update(flag, value)
        try:
            assert not rows_may_be_added(network), flag
        finally:
            jax.config.update(flag, before)


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_model_with_something_that_is_not_known_gets_batches_of_their_own_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert not rows_may_be_added(Network(install_own(tmp_path, monkeypatch, UNKNOWN[name]), 2))
