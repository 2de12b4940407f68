"""What the steps of every backend begin with: what the optimizer remembers, and the gradients and the rate that it is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from workers.device.keras_step import KerasStep
from workers.device.steps import AVERAGE, MOMENTS, OPTIMIZER, Memory, StepRules, clip_gradients, rate_of_step
from workers.heads.contract import Settings, Tensor

if TYPE_CHECKING:
    import keras


class BaseStepper:
    """The part of a step that is the same under every backend.

    Args:
        rules: of every step.
        weights: of the model; an optimizer of Keras is built for them.

    Attributes:
        memory: what the optimizer remembers at the start.

    Raises:
        SpecError: as `workers.device.keras_step.KerasStep`.
    """

    def __init__(self, rules: StepRules, weights: Sequence[keras.Variable]) -> None:
        self._rules = rules
        self._keras = None if rules.is_fused else KerasStep(rules, weights)
        self.memory: Memory = MOMENTS if self._keras is None else {OPTIMIZER: self._keras.memory}
        if rules.averages:
            self.memory = {**self.memory, AVERAGE: None}

    def prepare(
        self, gradients: Sequence[Tensor], taken: Tensor, settings: Settings
    ) -> tuple[Sequence[Tensor], Settings]:
        """Clipped gradients, and settings with the rate of this step.

        Args:
            gradients: one per weight.
            taken: steps taken with this one, as float32.
            settings: `workers.device.backend.SETTINGS` and the numbers of the rules.
        """
        if self._rules.is_scheduled:
            settings = {**settings, "learning_rate": rate_of_step(settings, taken)}
        if self._rules.clip:
            gradients = clip_gradients(self._rules.clip, gradients, settings[self._rules.clip])
        return gradients, settings
