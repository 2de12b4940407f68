"""Each optimizer step and each loss against Keras's own, on the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.loss_contract import CrossEntropy, LossContract
from tests.step_contract import StepContract, Steps
from workers.device import preparation as devices

SETTINGS = {
    "learning_rate": 0.01,
    "epsilon": 1e-7,
    "beta_1": 0.9,
    "beta_2": 0.999,
    "momentum": 0.8,
    "weight_decay": 0.02,
}


@pytest.fixture(scope="module", autouse=True)
def _settle_the_device() -> None:
    devices.prepare(1, 2)


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_ten_steps_are_those_of_keras(name: str) -> None:
    import keras
    import tensorflow as tf

    from workers.backends.tensorflow.optimizers import apply_step

    theirs = {
        "adam": lambda: keras.optimizers.Adam(0.01),
        "adamw": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.02),
        "sgd": lambda: keras.optimizers.SGD(0.01, momentum=0.8),
    }[name]()
    generator = np.random.default_rng(0)
    begin = generator.normal(size=(5, 3)).astype(np.float32)
    expected = keras.Variable(begin)
    weight, first, second = tf.Variable(begin), tf.Variable(begin * 0), tf.Variable(begin * 0)
    settings = {key: tf.constant(value, tf.float32) for key, value in SETTINGS.items()}
    for step in range(1, 11):
        gradient = tf.constant(generator.normal(size=(5, 3)), tf.float32)
        theirs.apply([gradient], [expected])
        handles = [[variable.handle] for variable in (weight, first, second)]
        apply_step(name, *handles, [gradient], tf.constant(step, tf.int64), settings)
    assert np.abs(weight.numpy() - expected.numpy()).max() < 1e-6
    assert np.abs(weight.numpy() - begin).max() > 0.01


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_the_length_of_a_step_is_rounded_as_keras_rounds_it(name: str) -> None:
    """Without that each weight moves too far by 6.4e-6 of a step, always in the same direction."""
    import keras
    import tensorflow as tf

    from workers.backends.tensorflow.optimizers import apply_step
    from workers.training.keras_adam import round_as_keras

    theirs = {
        "adam": lambda: keras.optimizers.Adam(0.01),
        "adamw": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.02),
    }[name]()
    # Weights of 0 hold a change to all its digits.
    begin = np.zeros((50, 3), np.float32)
    expected = keras.Variable(begin)
    weight, first, second = tf.Variable(begin), tf.Variable(begin), tf.Variable(begin)
    rounded = round_as_keras({**SETTINGS, "optimizer": name})
    settings = {key: tf.constant(rounded[key], tf.float32) for key in SETTINGS}
    gradient = tf.constant(np.random.default_rng(0).normal(size=(50, 3)), tf.float32)
    theirs.apply([gradient], [expected])
    apply_step(
        name, [weight.handle], [first.handle], [second.handle], [gradient], tf.constant(1, tf.int64), settings
    )
    assert np.abs(weight.numpy() / expected.numpy() - 1).max() < 1e-6
    decay = rounded["learning_rate"] * rounded["weight_decay"]
    assert decay == pytest.approx(SETTINGS["learning_rate"] * SETTINGS["weight_decay"], rel=1e-12)


def test_rounding_leaves_other_optimizers_and_strange_betas_alone() -> None:
    from workers.training.keras_adam import round_as_keras

    assert round_as_keras({**SETTINGS, "optimizer": "sgd"}) == {**SETTINGS, "optimizer": "sgd"}
    # float32 takes it for 1, and there is nothing to divide by.
    strange = {**SETTINGS, "optimizer": "adam", "beta_1": 1 - 1e-9}
    assert round_as_keras(strange) == strange


class TestLoss(LossContract):
    """Of TensorFlow."""

    @pytest.fixture
    def cross_entropy(self) -> CrossEntropy:
        from workers.backends.tensorflow.optimizers import masked_cross_entropy

        return masked_cross_entropy


class TestSteps(StepContract):
    """Of TensorFlow."""

    @pytest.fixture
    def steps(self) -> Steps:
        import keras
        import tensorflow as tf

        from workers.backends.tensorflow.optimizers import Stepper

        def run(rules: Any, begin: Any, gradients: Any, settings: Any) -> Any:
            weights = [keras.Variable(weight) for weight in begin]
            stepper = Stepper(rules, weights)
            memory = {
                name: [tf.Variable(value) for value in ([w * 0 for w in begin] if values is None else values)]
                for name, values in stepper.memory.items()
            }
            handles = {name: [one.handle for one in variables] for name, variables in memory.items()}
            numbers = {name: tf.constant(value, tf.float32) for name, value in settings.items()}
            for taken, step in enumerate(gradients, start=1):
                slopes = [tf.constant(gradient) for gradient in step]
                places = [weight.value.handle for weight in weights]
                stepper.take(places, handles, slopes, tf.constant(taken, tf.int64), numbers)
            kept = {name: [one.numpy() for one in variables] for name, variables in memory.items()}
            return [weight.numpy() for weight in weights], kept

        return run
