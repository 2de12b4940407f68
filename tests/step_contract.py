"""What each backend's step must be: the optimizer of Keras with the same settings, its clipping, its average and its schedule."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from storage.errors import SpecError
from storage.spec import CLIPS, FUSED, KERAS_OPTIMIZERS
from workers.device.keras_step import KerasStep
from workers.device.steps import AVERAGE, StepRules
from workers.training.learning_rates import rate_of_last_step

Arrays = list[np.ndarray]
Steps = Callable[..., tuple[Arrays, dict[str, Arrays]]]
"""(rules, weights at the start, gradients of each step, settings) -> weights and memory at the end."""

SETTINGS = {
    **{"learning_rate": 0.01, "epsilon": 1e-7, "beta_1": 0.9, "beta_2": 0.999, "momentum": 0.8, "weight_decay": 0.02},
    **{"clipnorm": 0.5, "global_clipnorm": 0.7, "clipvalue": 0.3, "ema_momentum": 0.9},
}  # fmt: skip
SHAPES = [(5, 3), (3,), (3, 2)]
WEIGHTS = [np.random.default_rng(0).normal(size=shape).astype(np.float32) for shape in SHAPES]
OPTIONS: dict[str, dict[str, Any]] = {
    "rmsprop": {"rho": 0.8, "momentum": 0.5, "centered": True},
    "adafactor": {"relative_step": False},
    "muon": {"adam_lr_ratio": 0.5, "ns_steps": 4},
    "lion": {"beta_1": 0.8, "weight_decay": 0.01},
    "nadam": {"weight_decay": 0.01},
}
NOT_OFFERED = {"Optimizer", "LossScaleOptimizer", "MultiOptimizer", "OptimizerMap", "ScheduleFreeAdamW"}
OF_ALL = {
    *("self", "learning_rate", "weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "use_ema"),
    *("ema_momentum", "ema_overwrite_frequency", "loss_scale_factor", "gradient_accumulation_steps", "name"),
    *("kwargs", "exclude_layers"),
}
"""Arguments that every optimizer has, which orch has its own keys for or none, and one that is a list of patterns."""


def draw_gradients(steps: int) -> list[Arrays]:
    """Some are small, so that clipping leaves them as they are."""
    chance = np.random.default_rng(1)
    return [
        [(scale * chance.normal(size=shape)).astype(np.float32) for shape in SHAPES]
        for scale in np.linspace(0.02, 1.5, steps)
    ]


def run_keras(optimizer: Any, gradients: Sequence[Arrays]) -> list[Any]:
    """The weights after the steps of an optimizer of Keras."""
    import keras

    variables = [keras.Variable(weight) for weight in WEIGHTS]
    optimizer.build(variables)
    for step in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient) for gradient in step])
    return variables


def compare(mine: Sequence[Any], theirs: Sequence[Any]) -> None:
    """Equal but for rounding."""
    for one, other in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(one, np.asarray(other), atol=1e-6)


class StepContract:
    """A subclass has a fixture `steps` of its backend."""

    @pytest.mark.parametrize("clip", CLIPS)
    def test_gradients_are_clipped_as_by_keras(self, steps: Steps, clip: str) -> None:
        import keras

        gradients = draw_gradients(5)
        theirs = keras.optimizers.SGD(0.01, momentum=0.8, **{clip: SETTINGS[clip]})
        mine, _ = steps(StepRules("sgd", clip=clip), WEIGHTS, gradients, SETTINGS)
        compare(mine, run_keras(theirs, gradients))
        plain, _ = steps(StepRules("sgd"), WEIGHTS, gradients, SETTINGS)
        assert np.abs(mine[0] - plain[0]).max() > 1e-3

    def test_a_gradient_is_clipped_as_worked_by_hand(self, steps: Steps) -> None:
        settings = {
            **SETTINGS,
            "learning_rate": 1.0,
            "momentum": 0.0,
            "global_clipnorm": 1.0,
            "clipnorm": 1.0,
        }
        begin = [np.zeros(2, np.float32), np.zeros(1, np.float32)]
        gradients = [[np.array([3, 0], np.float32), np.array([4], np.float32)]]
        together, _ = steps(StepRules("sgd", clip="global_clipnorm"), begin, gradients, settings)
        compare(together, [[-0.6, 0], [-0.8]])
        each, _ = steps(StepRules("sgd", clip="clipnorm"), begin, gradients, settings)
        compare(each, [[-1, 0], [-1]])

    def test_the_average_of_weights_is_that_of_keras(self, steps: Steps) -> None:
        import keras

        gradients = draw_gradients(6)
        theirs = keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9)
        weights = run_keras(theirs, gradients)
        mine, memory = steps(StepRules("adam", averages=True), WEIGHTS, gradients, SETTINGS)
        compare(mine, weights)
        compare(memory[AVERAGE], theirs._model_variables_moving_average)
        # Weights of -1, -2, -3 by steps of 1, and a momentum of 1/2: -1, -1.5, -2.25.
        settings = {**SETTINGS, "learning_rate": 1.0, "momentum": 0.0, "ema_momentum": 0.5}
        ones = [[np.ones(1, np.float32)]] * 3
        _, by_hand = steps(StepRules("sgd", averages=True), [np.zeros(1, np.float32)], ones, settings)
        assert by_hand[AVERAGE][0].tolist() == [-2.25]

    @pytest.mark.parametrize(("warm", "total", "lowest"), [(4, 12, 0.1), (0, 8, 0.0), (3, 0, 0.0)])
    def test_rates_are_those_of_the_schedule_of_keras(
        self, steps: Steps, warm: int, total: int, lowest: float
    ) -> None:
        import keras

        count, peak = 14, 0.25
        numbers = {"warmup_steps": float(warm), "decay_steps": float(total), "lowest_rate": lowest}
        settings = {**SETTINGS, **numbers, "learning_rate": peak, "momentum": 0.0}
        ones = [[np.ones(1, np.float32)]]
        begin = [np.zeros(1, np.float32)]
        rules = StepRules("sgd", is_scheduled=True)
        ends = [steps(rules, begin, ones * taken, settings)[0][0][0] for taken in range(count + 1)]
        plain = [rate_of_last_step(peak, numbers, taken) for taken in range(1, count + 1)]
        np.testing.assert_allclose(-np.diff(ends), plain, atol=1e-6)
        if total:
            options = {"warmup_target": peak, "warmup_steps": warm} if warm else {}
            schedule = keras.optimizers.schedules.CosineDecay(
                peak / (warm + 1) if warm else peak, total - warm, alpha=lowest, **options
            )
            np.testing.assert_allclose(plain, [float(schedule(step)) for step in range(count)], atol=1e-6)
        else:
            assert plain == pytest.approx([peak / 4, peak / 2, peak * 3 / 4] + [peak] * (count - 3))

    @pytest.mark.parametrize("name", KERAS_OPTIMIZERS)
    def test_an_optimizer_by_its_name_is_that_of_keras(self, steps: Steps, name: str) -> None:
        import keras

        gradients, options = draw_gradients(5), OPTIONS.get(name, {})
        theirs = getattr(keras.optimizers, KERAS_OPTIMIZERS[name].name)(learning_rate=0.01, **options)
        rules = StepRules(name, tuple(sorted(options.items())))
        mine, _ = steps(rules, WEIGHTS, gradients, SETTINGS)
        compare(mine, run_keras(theirs, gradients))

    def test_a_scheduled_rate_a_clip_and_an_average_reach_an_optimizer_of_keras(self, steps: Steps) -> None:
        import keras

        gradients = draw_gradients(6)
        numbers = {"warmup_steps": 2.0, "decay_steps": 6.0, "lowest_rate": 0.0}
        schedule = keras.optimizers.schedules.CosineDecay(0.01 / 3, 4, warmup_target=0.01, warmup_steps=2)
        theirs = keras.optimizers.Nadam(schedule, global_clipnorm=0.7, use_ema=True, ema_momentum=0.9)
        weights = run_keras(theirs, gradients)
        rules = StepRules("nadam", clip="global_clipnorm", is_scheduled=True, averages=True)
        mine, memory = steps(rules, WEIGHTS, gradients, {**SETTINGS, **numbers})
        compare(mine, weights)
        compare(memory[AVERAGE], theirs._model_variables_moving_average)

    def test_every_optimizer_of_keras_is_offered_with_its_keys(self) -> None:
        import keras

        classes = {
            name: found
            for name, found in vars(keras.optimizers).items()
            if inspect.isclass(found) and issubclass(found, keras.optimizers.Optimizer)
        }
        offered = {found.name: set(found.keys) for found in KERAS_OPTIMIZERS.values()}
        assert set(offered) | {"Adam", "AdamW", "SGD"} == set(classes) - NOT_OFFERED
        assert FUSED == ("adam", "adamw", "sgd")
        for name, keys in offered.items():
            assert keys == set(inspect.signature(classes[name].__init__).parameters) - OF_ALL

    def test_what_an_optimizer_refuses_is_said_in_a_sentence(self) -> None:
        with pytest.raises(SpecError, match=r"does not fit ftrl: .*initial_accumulator_value"):
            KerasStep(StepRules("ftrl", (("initial_accumulator_value", -1.0),)), [])
