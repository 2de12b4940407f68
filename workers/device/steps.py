"""What a step does beside the optimizer's own rule: the rate of each step, clipped gradients, an average of the weights.

In `keras.ops`, for every backend. A step that asks for none of it is computed as if none of it were here.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from storage.spec import CLIPS, FUSED, choose_options
from workers.heads.contract import Settings, Tensor

Memory: TypeAlias = Mapping[str, Sequence[np.ndarray] | None]
"""What an optimizer remembers at the start, by kind; None: a zero for every weight."""

RATES = ("warmup_steps", "decay_steps", "lowest_rate")
MOMENTS: Memory = {"first_moment": None, "second_moment": None}
AVERAGE, OPTIMIZER = "average", "optimizer"


@dataclass(frozen=True)
class StepRules:
    """What makes one compiled step another than the next; numbers are its inputs.

    Attributes:
        optimizer: its name in `storage.spec.optimizers`.
        options: keys of an optimizer of Keras and their values.
        clip: which of `CLIPS` acts; "" for none.
        is_scheduled: whether the rate changes from step to step.
        averages: whether an average of the weights is kept, and is what is validated.
    """

    optimizer: str = "adam"
    options: tuple[tuple[str, float], ...] = ()
    clip: str = ""
    is_scheduled: bool = False
    averages: bool = False

    @property
    def is_fused(self) -> bool:
        """Whether the optimizer has a kernel of its own."""
        return self.optimizer in FUSED

    @property
    def numbers(self) -> tuple[str, ...]:
        """The settings that it takes beside those of every step, each a float32."""
        rates = RATES if self.is_scheduled else ()
        return (*rates, *([self.clip] if self.clip else []), *(["ema_momentum"] if self.averages else []))

    @property
    def weights(self) -> str:
        """What is validated and saved: "weight", or the average of the weights."""
        return AVERAGE if self.averages else "weight"


def read_rules(settings: Settings, options: Mapping[str, float]) -> StepRules:
    """The rules that hyperparameters ask for.

    Args:
        settings: every hyperparameter.
        options: `training.optimizer_options`.
    """
    clips = [name for name in CLIPS if settings[name] > 0]
    optimizer = settings["optimizer"]
    return StepRules(
        optimizer,
        () if optimizer in FUSED else choose_options(optimizer, options),
        clips[0] if clips else "",
        settings["rate_schedule"] == "cosine" or settings["warmup_epochs"] > 0,
        bool(settings["use_ema"]),
    )


def rate_of_step(settings: Settings, taken: Tensor) -> Tensor:
    """The rate of a step: it rises in `warmup_steps`, then falls by a cosine until `decay_steps`, where there are any.

    Of step n from 0, W steps of warm-up and T steps in all: peak (n + 1) / (W + 1), then
    peak ((1 - a) / 2 (1 + cos(pi (n - W) / (T - W))) + a) with a = `lowest_rate`. It is keras.optimizers.schedules.CosineDecay
    from peak / (W + 1) to peak; Keras's own warm-up from 0 would lose the first step.

    Args:
        settings: `RATES` and learning_rate.
        taken: steps taken with this one, as float32.
    """
    from keras import ops

    peak, warm, lowest = settings["learning_rate"], settings["warmup_steps"], settings["lowest_rate"]
    number = taken - 1.0
    falling = settings["decay_steps"] - warm
    done = ops.clip((number - warm) / ops.maximum(falling, 1.0), 0.0, 1.0)
    share = (1 - lowest) / 2 * (1 + ops.cos(math.pi * done)) + lowest
    share = ops.where(settings["decay_steps"] > 0, share, 1.0)
    return peak * ops.where(number < warm, taken / (warm + 1.0), share)


def clip_gradients(clip: str, gradients: Sequence[Tensor], limit: Tensor) -> list[Tensor]:
    """Clip gradients as Keras does.

    Args:
        clip: "clipnorm": the norm of each gradient; "global_clipnorm": that of all together; "clipvalue": each number.
        gradients: of all weights.
        limit: above which it is clipped.
    """
    from keras import ops

    if clip == "clipvalue":
        return [ops.clip(gradient, -limit, limit) for gradient in gradients]
    squares = [ops.sum(ops.square(gradient)) for gradient in gradients]
    if clip == "global_clipnorm":
        squares = [functools.reduce(ops.add, squares)] * len(squares)
    return [
        gradient * (limit / ops.maximum(ops.sqrt(square), limit))
        for gradient, square in zip(gradients, squares, strict=True)
    ]


def average_weights(
    averages: Sequence[Tensor], weights: Sequence[Tensor], taken: Tensor, momentum: Tensor
) -> list[Tensor]:
    """The exponential moving average after a step, as Keras's `use_ema` keeps it: a <- m a + (1 - m) w; the first w begins it.

    Args:
        averages: before the step.
        weights: after it.
        taken: steps taken with this one, as float32.
        momentum: m.
    """
    from keras import ops

    share = ops.where(taken > 1.0, momentum, 0.0)
    return [share * average + (1 - share) * weight for average, weight in zip(averages, weights, strict=True)]
