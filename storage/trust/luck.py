"""How much of the best value is luck, from fold curves alone: the study is simulated again around its shrunk means.

An empirical Bayes bootstrap: the mean curve of each trial is pulled towards that of all trials by as much as its noise
tells (Efron and Morris 1973); noise curves are drawn from the residuals of trial and fold, so that epochs keep their
dependence; trial and epoch are chosen anew; and the luck is what the chosen one scores above its own mean curve.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 200
WINDOW = 2
"""Epochs to each side over which a trial's own curve is smoothed: its jitter is noise, and must not pass for truth."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Luck:
    """In units of the metric: of choosing trial and epoch, and the part of it that the epochs alone add."""

    both: float
    of_epochs: float


def simulate_luck(
    curves: Array, *, among_epochs: bool = True, draws: int = DRAWS, seed: int = 0
) -> Luck | None:
    """Simulate the luck of the best of these trials; None from fewer than two trials or folds.

    Args:
        curves: validation scores, shape (trials, folds, epochs); folds with a NaN anywhere are left out.
        among_epochs: False judges every trial at its last epoch.
        draws: how many studies are simulated.
        seed: of the simulation.
    """
    table = curves if among_epochs else curves[:, :, -1:]
    table = table[:, ~np.isnan(table).any(axis=(0, 2))]
    trials, folds, epochs = table.shape
    if trials < 2 or folds < 2:
        return None
    means = table.mean(axis=1)
    centre = means.mean(axis=0)
    residuals = table - means[:, None] - (table.mean(axis=0) - centre)
    residuals *= math.sqrt(trials * folds / ((trials - 1) * (folds - 1)))
    smooth = _smoother(epochs)
    deviations = (means - centre) @ smooth
    noise = ((residuals @ smooth) ** 2).mean(axis=(0, 1)) / folds
    spread = (deviations**2).sum(axis=0) / (trials - 1)
    kept = np.maximum(0.0, 1 - noise / np.where(spread > 0, spread, 1))
    truth = centre + kept * deviations
    pool = residuals.reshape(-1, epochs)
    judged_at = means.argmax(axis=1)
    rows = np.arange(trials)
    generator = np.random.default_rng(seed)
    both, alone = [], []
    for _ in range(draws):
        drawn = truth + pool[generator.integers(len(pool), size=(trials, folds))].mean(axis=1)
        trial, epoch = np.unravel_index(int(drawn.argmax()), drawn.shape)
        both.append(drawn[trial, epoch] - truth[trial, epoch])
        fixed = drawn[rows, judged_at]
        chosen = int(fixed.argmax())
        alone.append(fixed[chosen] - truth[chosen, judged_at[chosen]])
    return Luck(float(np.mean(both)), float(np.mean(both) - np.mean(alone)))


def _smoother(epochs: int) -> Array:
    """Means over neighbouring epochs as a matrix to multiply with from the right, shape (epochs, epochs)."""
    places = np.arange(epochs)
    near = (np.abs(places[:, None] - places) <= WINDOW).astype(np.float64)
    return near / near.sum(axis=0)
