"""Each optimizer step and each loss against Keras's own, on the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.backends import find_cross_entropy, take_steps
from tests.loss_contract import CrossEntropy, LossContract
from tests.step_contract import StepContract, Steps
from workers.device import preparation as devices
from workers.device.steps import StepRules
from workers.training.keras_adam import round_as_keras

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


def make_of_keras(name: str) -> Any:
    import keras

    return {
        "adam": lambda: keras.optimizers.Adam(0.01),
        "adamw": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.02),
        "sgd": lambda: keras.optimizers.SGD(0.01, momentum=0.8),
    }[name]()


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_ten_steps_are_those_of_keras(name: str) -> None:
    import keras

    theirs, generator = make_of_keras(name), np.random.default_rng(0)
    begin = generator.normal(size=(5, 3)).astype(np.float32)
    gradients = [generator.normal(size=(5, 3)).astype(np.float32) for _ in range(10)]
    expected = keras.Variable(begin)
    for gradient in gradients:
        theirs.apply([keras.ops.convert_to_tensor(gradient)], [expected])
    [weight], _ = take_steps(StepRules(name), [begin], [[gradient] for gradient in gradients], SETTINGS)
    assert np.abs(weight - np.asarray(expected)).max() < 1e-6
    assert np.abs(weight - begin).max() > 0.01


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_the_length_of_a_step_is_rounded_as_keras_rounds_it(name: str) -> None:
    """Without that each weight moves too far by 6.4e-6 of a step, always in the same direction."""
    import keras

    theirs = make_of_keras(name)
    # Weights of 0 hold a change to all its digits.
    begin = np.zeros((50, 3), np.float32)
    expected = keras.Variable(begin)
    rounded = round_as_keras({**SETTINGS, "optimizer": name})
    gradient = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    theirs.apply([keras.ops.convert_to_tensor(gradient)], [expected])
    numbers = {key: rounded[key] for key in SETTINGS}
    [weight], _ = take_steps(StepRules(name), [begin], [[gradient]], numbers)
    assert np.abs(weight / np.asarray(expected) - 1).max() < 1e-6
    decay = rounded["learning_rate"] * rounded["weight_decay"]
    assert decay == pytest.approx(SETTINGS["learning_rate"] * SETTINGS["weight_decay"], rel=1e-12)


def test_rounding_leaves_other_optimizers_and_strange_betas_alone() -> None:
    assert round_as_keras({**SETTINGS, "optimizer": "sgd"}) == {**SETTINGS, "optimizer": "sgd"}
    # float32 takes it for 1, and there is nothing to divide by.
    strange = {**SETTINGS, "optimizer": "adam", "beta_1": 1 - 1e-9}
    assert round_as_keras(strange) == strange


class TestLoss(LossContract):
    """Of the backend that KERAS_BACKEND chose."""

    @pytest.fixture
    def cross_entropy(self) -> CrossEntropy:
        found: CrossEntropy = find_cross_entropy()
        return found


class TestSteps(StepContract):
    """Of the backend that KERAS_BACKEND chose."""

    @pytest.fixture
    def steps(self) -> Steps:
        return take_steps
