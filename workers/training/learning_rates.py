"""The learning rate of each epoch, and what a schedule by steps is told."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from storage.spec import TrainingSection
from workers.device.contract import Settings

RISING = "rising"
"""The schedule of the learning-rate finder; no spec names it."""

LOWEST, EPOCHS_PER_TENFOLD = 1e-10, 5


def rise(epoch: int) -> float:
    """1e-10 in the first epoch, tenfold every fifth (Smith 2017, section 3.3, as the second reference study did it)."""
    return LOWEST * 10 ** ((epoch - 1) / EPOCHS_PER_TENFOLD)


@dataclass(frozen=True)
class Rates:
    """The learning rates of an epoch.

    Attributes:
        given: what the step is told: the rate of the epoch, or the highest of a schedule by steps.
        last: of its last step.
        numbers: what a schedule by steps is told beside it; empty for one rate in all steps of an epoch.
    """

    given: float
    last: float
    numbers: Mapping[str, float]


def plan_rates(settings: Settings, training: TrainingSection, epoch: int, steps: int) -> Rates:
    """The rates of an epoch: step by step during the warm-up and under "cosine", else one for the epoch.

    Args:
        settings: every hyperparameter.
        training: gives the epochs of a whole training, and the cycles of "sgdr".
        epoch: from 1.
        steps: of each epoch.
    """
    warm = int(settings["warmup_epochs"])
    # During the warm-up a schedule by epochs is where it begins.
    given = learning_rate(settings, training.cycles, max(1, epoch - warm))
    if settings["rate_schedule"] != "cosine" and not warm:
        return Rates(given, given, {})
    falls = settings["rate_schedule"] == "cosine"
    numbers = {
        "warmup_steps": float(warm * steps),
        "decay_steps": float(training.epochs * steps) if falls else 0.0,
        "lowest_rate": float(settings["lowest_rate"]),
    }
    return Rates(given, rate_of_last_step(given, numbers, epoch * steps), numbers)


def rate_of_last_step(peak: float, numbers: Mapping[str, float], taken: int) -> float:
    """As `workers.device.steps.rate_of_step`, as a plain number."""
    number, warm, lowest = taken - 1, numbers["warmup_steps"], numbers["lowest_rate"]
    if number < warm:
        return peak * taken / (warm + 1)
    if not numbers["decay_steps"]:
        return peak
    done = min((number - warm) / max(numbers["decay_steps"] - warm, 1), 1)
    return peak * ((1 - lowest) / 2 * (1 + math.cos(math.pi * done)) + lowest)


def learning_rate(settings: Settings, cycles: int, epoch: int) -> float:
    """The learning rate of an epoch, counted from 1; under "cosine" its highest.

    Args:
        settings: every hyperparameter; rate_schedule, learning_rate, cycle_epochs and cycle_growth count here.
        cycles: how many cycles of "sgdr"; 0 for as many as there are epochs.
        epoch: from 1.
    """
    if settings["rate_schedule"] == RISING:
        return rise(epoch)
    highest = float(settings["learning_rate"])
    if settings["rate_schedule"] in ("constant", "cosine"):
        return highest
    return anneal(highest, int(settings["cycle_epochs"]), float(settings["cycle_growth"]), cycles, epoch)


def anneal(highest: float, cycle_epochs: int, growth: float, cycles: int, epoch: int) -> float:
    """Cosine annealing with warm restarts, epoch by epoch (SGDR, Loshchilov and Hutter 2017, equation 5).

    eta = eta_max / 2 (1 + cos(pi T_cur / T_i)), with eta_min = 0; T_cur counts the epochs since the last restart from
    0, and T_i, the length of the cycle, is multiplied by `growth` at each restart (rounded to whole epochs).

    Args:
        highest: the rate right after a restart.
        cycle_epochs: epochs of the first cycle.
        growth: how many times longer each cycle is than the one before.
        cycles: how many cycles; afterwards the rate stays at that of the last epoch of the last cycle. 0: no end.
        epoch: from 1.
    """
    since, length, done = epoch - 1, float(cycle_epochs), 0
    while since >= round(length):
        done += 1
        if done == cycles:
            since = round(length) - 1
            break
        since -= round(length)
        length *= growth
    return highest / 2 * (1 + math.cos(math.pi * since / round(length)))
