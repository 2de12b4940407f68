"""The learning rate of each epoch."""

from __future__ import annotations

import math

from workers.device.contract import Settings

RISING = "rising"
"""The schedule of the learning-rate finder; no spec names it."""

LOWEST, EPOCHS_PER_TENFOLD = 1e-10, 5


def rise(epoch: int) -> float:
    """1e-10 in the first epoch, tenfold every fifth (Smith 2017, section 3.3, as the second reference study did it)."""
    return LOWEST * 10 ** ((epoch - 1) / EPOCHS_PER_TENFOLD)


def learning_rate(settings: Settings, cycles: int, epoch: int) -> float:
    """The learning rate of an epoch, counted from 1.

    Args:
        settings: every hyperparameter; rate_schedule, learning_rate, cycle_epochs and cycle_growth count here.
        cycles: how many cycles of "sgdr"; 0 for as many as there are epochs.
        epoch: from 1.
    """
    if settings["rate_schedule"] == RISING:
        return rise(epoch)
    highest = float(settings["learning_rate"])
    if settings["rate_schedule"] == "constant":
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
