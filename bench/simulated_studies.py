"""Studies whose truth is known: what every trial would score on endless data, and what cross-validation says instead.

An image's score under a model is its label times the model's power, plus noise of three kinds: the image's own, which
all models share; the model's own, new with every training; and that of the epoch. Folds differ in power by their seed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.replay import run_trials
from storage.spec import PrunerSection

IMAGES, GROUPS, TARGETS, FOLDS, EPOCHS, TRIALS = 720, 300, 2, 6, 20, 100
PREVALENCE = 0.35
SHARED, OWN, EPOCH = 0.90, 0.38, 0.21
SEED_POWER = 0.02

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Simulated:
    """One study.

    Attributes:
        truth: AUC on endless data, shape (trials, epochs).
        curves: validation AUC, shape (trials, folds, epochs).
        scores: out-of-fold scores at every epoch, float32, shape (trials, epochs, images, targets).
        labels, groups, folds: of the images.
        power, shared: what it was drawn from, to train its trials again.
    """

    truth: Array
    curves: Array
    scores: NDArray[np.float32]
    labels: NDArray[np.float32]
    groups: NDArray[np.int64]
    folds: list[NDArray[np.int64]]
    power: Array
    shared: Array


def simulate(generator: np.random.Generator, trials: int = TRIALS) -> Simulated:
    """Draw a study; the truth of its trials spreads as one of two hyperparameters acts and the other does not."""
    groups = np.sort(generator.integers(GROUPS, size=IMAGES))
    severity = generator.standard_normal((GROUPS, TARGETS))[groups] + generator.standard_normal(
        (IMAGES, TARGETS)
    )
    labels = (severity > np.quantile(severity, 1 - PREVALENCE, axis=0)).astype(np.float32)
    dropout = generator.uniform(0, 0.5, size=trials)
    best = 1.15 - 3.0 * (dropout - 0.15) ** 2
    rise = generator.uniform(1.5, 4.0, size=trials)
    epochs = np.arange(1, EPOCHS + 1)
    power = best[:, None] * (1 - 0.6 * np.exp(-epochs / rise[:, None]))
    shared = draw_by_group(generator, groups)
    return train(generator, power, labels, groups, shared)


def draw_by_group(generator: np.random.Generator, groups: NDArray[np.int64]) -> Array:
    """Difficulty that images of a group share in part: standard normal, shape (images, targets)."""
    own = generator.standard_normal((len(groups), TARGETS))
    return math.sqrt(0.3) * generator.standard_normal((GROUPS, TARGETS))[groups] + math.sqrt(0.7) * own


def train(
    generator: np.random.Generator,
    power: Array,
    labels: NDArray[np.float32],
    groups: NDArray[np.int64],
    shared: Array,
) -> Simulated:
    """Cross-validate trials of known power, shape (trials, epochs), with new folds and new seeds."""
    trials = len(power)
    folds = make_folds(generator, groups)
    fold_of_image = np.empty(len(labels), dtype=np.int64)
    for number, images in enumerate(folds):
        fold_of_image[images] = number
    powers = power[:, None, :] + SEED_POWER * generator.standard_normal((trials, FOLDS, 1))
    own = OWN * generator.standard_normal((trials, 1, len(labels), TARGETS), dtype=np.float32)
    jitter = EPOCH * generator.standard_normal((trials, EPOCHS, len(labels), TARGETS), dtype=np.float32)
    signal = powers.transpose(0, 2, 1)[:, :, fold_of_image, None].astype(np.float32) * labels
    scores = signal + SHARED * shared.astype(np.float32) + own + jitter
    curves = np.stack([auc_of(labels[images], scores[:, :, images]) for images in folds], axis=1)
    return Simulated(truth_of(power), curves, scores, labels, groups, folds, power, shared)


def score_once(
    generator: np.random.Generator, power: float, labels: NDArray[np.float32], shared: Array
) -> NDArray[np.float32]:
    """Scores of one more training of a known power on images that it did not learn from: shape (images, targets)."""
    drawn = power + SEED_POWER * generator.standard_normal()
    own = OWN * generator.standard_normal(labels.shape) + EPOCH * generator.standard_normal(labels.shape)
    return (drawn * labels + SHARED * shared + own).astype(np.float32)


def make_folds(generator: np.random.Generator, groups: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Folds by group."""
    fold_of_group = generator.permutation(GROUPS) % FOLDS
    return [np.flatnonzero(fold_of_group[groups] == fold) for fold in range(FOLDS)]


def auc_of(labels: NDArray[np.float32], scores: NDArray[np.float32]) -> Array:
    """Macro AUC of scores of shape (trials, epochs, images, targets): shape (trials, epochs)."""
    ranks = scores.argsort(axis=2).argsort(axis=2) + 1
    positives = labels.sum(axis=0)
    wins = (ranks * (labels == 1)).sum(axis=2) - positives * (positives + 1) / 2
    return np.asarray((wins / (positives * (len(labels) - positives))).mean(axis=2), dtype=np.float64)


def truth_of(power: Array) -> Array:
    """AUC of two normal scores `power` apart, each of the variance of all noise; seeds spread the power a little."""
    variance = SHARED**2 + OWN**2 + EPOCH**2 + SEED_POWER**2 / 2
    flat = [0.5 * math.erfc(-one / math.sqrt(2 * variance) / math.sqrt(2)) for one in power.ravel().tolist()]
    return np.array(flat).reshape(power.shape)


def prune(curves: Array, section: PrunerSection) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Run trials one after the other through a rule: the epochs each ran, and whether it came to its end."""
    ran = run_trials(curves, section)
    return ran, ran == curves.shape[2]
