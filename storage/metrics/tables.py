"""The confusion table at one threshold, and everything that is read off it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.metrics.curves import Array, count_once, divide


@dataclass(frozen=True)
class Table:
    """Counts of shape (..): each ratio is NaN where its denominator is 0. Altman and Bland, BMJ 1994, define them.

    Tables add up: `micro = sum(tables, Table.empty())`.
    """

    true_positives: Array
    false_positives: Array
    false_negatives: Array
    true_negatives: Array

    @classmethod
    def empty(cls) -> Table:
        """A table of nobody."""
        return cls(*(np.zeros(()) for _ in range(4)))

    def __add__(self, other: Table) -> Table:
        return Table(
            self.true_positives + other.true_positives,
            self.false_positives + other.false_positives,
            self.false_negatives + other.false_negatives,
            self.true_negatives + other.true_negatives,
        )

    @property
    def sensitivity(self) -> Array:
        """TP / (TP + FN), also called recall."""
        return divide(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def specificity(self) -> Array:
        """TN / (TN + FP)."""
        return divide(self.true_negatives, self.true_negatives + self.false_positives)

    @property
    def balanced_accuracy(self) -> Array:
        """The mean of sensitivity and specificity (Brodersen et al. 2010)."""
        return (self.sensitivity + self.specificity) / 2

    @property
    def ppv(self) -> Array:
        """Positive predictive value TP / (TP + FP), also called precision; at the prevalence of these images."""
        return divide(self.true_positives, self.true_positives + self.false_positives)

    @property
    def npv(self) -> Array:
        """Negative predictive value TN / (TN + FN); at the prevalence of these images."""
        return divide(self.true_negatives, self.true_negatives + self.false_negatives)

    @property
    def lr_positive(self) -> Array:
        """Positive likelihood ratio, sensitivity / (1 - specificity) (Deeks and Altman 2004); undefined without a false positive."""
        alarms = divide(self.false_positives, self.true_negatives + self.false_positives)
        return divide(self.sensitivity, alarms)

    @property
    def lr_negative(self) -> Array:
        """Negative likelihood ratio, (1 - sensitivity) / specificity (Deeks and Altman 2004); undefined without a true negative."""
        missed = divide(self.false_negatives, self.true_positives + self.false_negatives)
        return divide(missed, self.specificity)

    @property
    def accuracy(self) -> Array:
        """(TP + TN) / all: a definition."""
        right = self.true_positives + self.true_negatives
        return divide(right, right + self.false_positives + self.false_negatives)

    @property
    def mcc(self) -> Array:
        """Matthews correlation (TP TN - FP FN) / sqrt((TP + FP) (TP + FN) (TN + FP) (TN + FN)) (Matthews 1975)."""
        called = (self.true_positives + self.false_positives) * (self.true_negatives + self.false_negatives)
        truly = (self.true_positives + self.false_negatives) * (self.true_negatives + self.false_positives)
        agreed = self.true_positives * self.true_negatives - self.false_positives * self.false_negatives
        return divide(agreed, np.sqrt(called * truly))

    @property
    def f1(self) -> Array:
        """2 TP / (2 TP + FP + FN) (van Rijsbergen 1979)."""
        doubled = 2 * self.true_positives
        return divide(doubled, doubled + self.false_positives + self.false_negatives)


def tabulate(
    labels: NDArray, scores: NDArray, threshold: float = 0.5, weights: NDArray | None = None
) -> Table:
    """Count right and wrong calls; a score above the threshold, not at it, is called positive.

    A score or threshold that is not a number makes every count NaN.
    """
    counts = count_once(labels, weights)
    if np.isnan(threshold) or np.isnan(scores).any():
        unknown = np.full(counts.shape[:-1], np.nan)
        return Table(unknown, unknown, unknown, unknown)
    positive, called = np.asarray(labels) == 1, np.asarray(scores, np.float64) > threshold
    true, false = called & positive, called & ~positive
    return Table(
        counts @ true.astype(np.float64),
        counts @ false.astype(np.float64),
        counts @ (~called & positive).astype(np.float64),
        counts @ (~called & ~positive).astype(np.float64),
    )
