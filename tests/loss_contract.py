"""What each backend's cross-entropy of labels side by side must be: Keras's own, but for blanks and for what is smoothed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

CrossEntropy = Callable[..., Any]


class LossContract:
    """A subclass has a fixture `cross_entropy`: the function of its backend, (labels, logits, positive_weight[, smoothing])."""

    def test_smoothed_labels_are_those_of_keras(self, cross_entropy: CrossEntropy) -> None:
        import keras

        generator = np.random.default_rng(0)
        logits = generator.normal(size=(20, 3)).astype(np.float32)
        labels = generator.integers(2, size=(20, 3)).astype(np.float32)
        loss = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1)
        assert float(cross_entropy(labels, logits, 1.0, 0.1)) == pytest.approx(
            float(loss(labels, logits)), abs=1e-6
        )

    def test_a_positive_weight_counts_positives_so_often_and_blanks_never(
        self, cross_entropy: CrossEntropy
    ) -> None:
        labels = np.array([[1.0], [0.0], [np.nan]], np.float32)
        logits = np.array([[0.0], [0.0], [9.0]], np.float32)
        # Both assessed losses are log 2; the positive one counts three times; two entries are assessed.
        weighted = cross_entropy(labels, logits, np.array([3.0], np.float32))
        assert float(weighted) == pytest.approx((3 + 1) * np.log(2) / 2, rel=1e-6)

    def test_a_positive_weight_leaves_smoothed_negatives_alone(self, cross_entropy: CrossEntropy) -> None:
        import keras

        generator = np.random.default_rng(3)
        logits = generator.normal(size=(200, 1)).astype(np.float32)
        labels = generator.integers(2, size=(200, 1)).astype(np.float32)
        five = np.array([5.0], np.float32)
        loss = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.2)
        weight = np.where(labels[:, 0] == 1, 5.0, 1.0)
        assert float(cross_entropy(labels, logits, five, 0.2)) == pytest.approx(
            float(loss(labels, logits, sample_weight=weight)), rel=1e-6
        )
        # The probability at which a sure negative costs least is s / 2, whatever the weight of positives is.
        places = np.linspace(0.02, 0.5, 481)
        nothing = np.zeros((1, 1), np.float32)
        costs = [
            float(cross_entropy(nothing, np.array([[logit]], np.float32), five, 0.2))
            for logit in np.log(places / (1 - places))
        ]
        assert places[np.argmin(costs)] == pytest.approx(0.1, abs=0.01)
