"""How much of the best value is luck, from fold curves alone: the study is simulated again around its shrunk means.

An empirical Bayes bootstrap: the mean curve of each trial is pulled towards that of all trials by as much as its noise
tells (Efron and Morris 1973, with a noise of its own for each trial); noise curves are drawn from the residuals of trial and
fold, so that epochs keep their dependence, and stretched to the noise of the trial they are drawn for; trial and epoch are
chosen again; and the luck is what the chosen one scores above its own mean curve.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.trust.noise import find_wild

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
    curves: Array, *, objective: str = "max_of_mean", draws: int = DRAWS, seed: int = 0
) -> Luck | None:
    """Simulate the luck of the best of these trials; None from fewer than two trials or folds, and of a wild winner (`find_rivals`).

    Args:
        curves: validation scores, shape (trials, folds, epochs); folds with a NaN anywhere are left out.
        objective: what a trial is judged by, as `storage.metrics.judging.judge` knows it: "last" chooses no epoch,
            "max_of_mean" one for all folds, and "mean_of_max" one for each fold.
        draws: how many studies are simulated.
        seed: of the simulation.
    """
    table = curves[:, :, -1:] if objective == "last" else curves
    table = table[:, ~np.isnan(table).any(axis=(0, 2))]
    if objective == "mean_of_max" and table.size:
        rivals = find_rivals(table.max(axis=2))
        if rivals is None:
            return None
        table = table[rivals]
    trials, folds, epochs = table.shape
    if trials < 2 or folds < 2:
        return None
    means = table.mean(axis=1)
    residuals = table - means[:, None] - (table.mean(axis=0) - means.mean(axis=0))
    residuals *= math.sqrt(trials * folds / ((trials - 1) * (folds - 1)))
    sizes = (residuals**2).mean(axis=(1, 2))
    by_fold = objective == "mean_of_max"
    if not by_fold:
        # The maximum of each fold grows with the noise of that very trial, of which the winner has much: drawn to the others', too little is taken off.
        sizes = shrink_variances(sizes, folds - 1)
    truth = _shrink_means(means, residuals, sizes)
    pool = (residuals / np.sqrt(np.maximum((residuals**2).mean(axis=(1, 2)), 1e-300))[:, None, None]).reshape(
        -1, epochs
    )
    stretch = np.sqrt(sizes)[:, None, None]
    judged_at = table.argmax(axis=2) if by_fold else means.argmax(axis=1)[:, None].repeat(folds, axis=1)
    rows, columns = np.arange(trials)[:, None], np.arange(folds)
    expected = truth[rows, judged_at].mean(axis=1)
    generator = np.random.default_rng(seed)
    both, alone = [], []
    for _ in range(draws):
        noise = stretch * pool[generator.integers(len(pool), size=(trials, folds))]
        drawn = truth[:, None] + noise
        if by_fold:
            chosen = int(drawn.max(axis=2).mean(axis=1).argmax())
            at = drawn[chosen].argmax(axis=1)
            both.append((drawn[chosen, columns, at] - truth[chosen, at]).mean())
        else:
            mean = drawn.mean(axis=1)
            chosen, epoch = divmod(int(mean.argmax()), epochs)
            both.append(mean[chosen, epoch] - truth[chosen, epoch])
        fixed = drawn[rows, columns, judged_at].mean(axis=1)
        chosen = int(fixed.argmax())
        alone.append(fixed[chosen] - expected[chosen])
    return Luck(float(np.mean(both)), float(np.mean(both) - np.mean(alone)))


def find_rivals(fold_values: Array) -> NDArray[np.int64] | None:
    """The trials that the winner is to be held against where each fold had its own best epoch; None where no correction can be computed.

    A trial whose folds differ by far more than the others' (`storage.trust.noise.find_wild`) gains by the maximum over epochs within each fold as
    much as its noise is large, and a few folds do not tell how large that is. Where such a trial wins there is nothing to correct by; where another one wins,
    the wild ones did not, and have no part in its luck.

    Args:
        fold_values: shape (trials, folds); folds with a NaN anywhere are left out.

    Returns:
        Their places, ascending; None where the winner is wild.
    """
    known = fold_values[:, ~np.isnan(fold_values).any(axis=0)]
    if known.shape[1] < 2:
        return np.arange(len(fold_values))
    wild = find_wild(known)
    return None if wild[int(known.mean(axis=1).argmax())] else np.flatnonzero(~wild)


def shrink_variances(variances: Array, freedom: int) -> Array:
    """Pull the variances of trials towards each other by as much as chance makes them differ.

    Where all trials were equally noisy, each variance would follow chi-square with `freedom` degrees of freedom; by as much as
    their logarithms spread further, the trials differ indeed (Smyth 2004, "Linear models and empirical Bayes methods",
    section 6.2: the variances have an inverse chi-square distribution around a common one).

    Args:
        variances: shape (trials,).
        freedom: of each.

    Returns:
        Shape (trials,).
    """
    if (variances <= 0).any():
        return np.full(len(variances), max(float(variances.mean()), 0.0))
    logs = np.log(variances)
    excess = float(logs.var(ddof=1)) - _trigamma(freedom / 2)
    if excess <= 0:
        return np.full(len(variances), float(variances.mean()))
    prior = 2 * _inverse_trigamma(excess)
    common = math.exp(
        float(logs.mean())
        - _digamma(freedom / 2)
        + math.log(freedom / 2)
        + _digamma(prior / 2)
        - math.log(prior / 2)
    )
    return (prior * common + freedom * variances) / (prior + freedom)


def _shrink_means(means: Array, residuals: Array, sizes: Array) -> Array:
    """The mean curves pulled to that of all trials, each by its own noise: shape (trials, epochs)."""
    trials, folds, epochs = residuals.shape
    smooth = _smoother(epochs)
    # The noise of the smoothed mean of a trial: at each epoch its share of the trial's own variance.
    smoothed = ((residuals @ smooth) ** 2).mean(axis=(0, 1)) / max(float((residuals**2).mean()), 1e-300)
    noise = sizes[:, None] * smoothed / folds
    curves = means @ smooth
    spread = np.zeros(epochs)
    for _ in range(20):
        weights = 1 / np.maximum(spread + noise, 1e-300)
        weights /= weights.sum(axis=0)
        centre = (weights * curves).sum(axis=0)
        around = (weights * ((curves - centre) ** 2 * trials / (trials - 1) - noise)).sum(axis=0)
        spread = np.maximum(around, 0.0)
    kept = spread / np.maximum(spread + noise, 1e-300)
    # What all trials share of the jitter of an epoch is the same for every choice, and stays.
    return np.asarray(
        means.mean(axis=0) + (centre - (means @ smooth).mean(axis=0)) + kept * (curves - centre)
    )


def _smoother(epochs: int) -> Array:
    """Means over neighbouring epochs as a matrix to multiply with from the right, shape (epochs, epochs)."""
    places = np.arange(epochs)
    near = (np.abs(places[:, None] - places) <= WINDOW).astype(np.float64)
    return near / near.sum(axis=0)


def _digamma(x: float) -> float:
    """The derivative of log gamma (Abramowitz and Stegun 1964, 6.3.5 and 6.3.18)."""
    total = 0.0
    while x < 8:
        total -= 1 / x
        x += 1
    square = 1 / x**2
    return total + math.log(x) - 1 / (2 * x) - square * (1 / 12 - square * (1 / 120 - square / 252))


def _trigamma(x: float) -> float:
    """The derivative of digamma (Abramowitz and Stegun 1964, 6.4.6 and 6.4.12)."""
    total = 0.0
    while x < 8:
        total += 1 / x**2
        x += 1
    square = 1 / x**2
    return total + 1 / x + square / 2 + square / x * (1 / 6 - square * (1 / 30 - square / 42))


def _inverse_trigamma(value: float) -> float:
    """The x at which trigamma has this value, by halving; it falls from infinity to 0."""
    low, high = 1e-8, 1e8
    for _ in range(200):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if _trigamma(middle) > value else (low, middle)
    return math.sqrt(low * high)
