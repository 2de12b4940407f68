"""Where to cut a probability. Chosen on out-of-fold predictions, never on the data that are then reported on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from storage.clinical.curves import roc_curve

DEFAULT = 0.5


def choose_youden(labels: NDArray, scores: NDArray) -> float:
    """The threshold with the largest sensitivity + specificity - 1 (Youden 1950), the highest of equals.

    NaN unless both classes are there.
    """
    curve = roc_curve(labels, scores)
    gain = curve.y - curve.x
    # A sum of two ratios: what differs by rounding alone counts as equal.
    return float(curve.thresholds[np.argmax(np.round(gain, 12))]) if np.isfinite(gain).all() else float("nan")


def choose_sensitivity(labels: NDArray, scores: NDArray, wanted: float) -> float:
    """The highest threshold whose sensitivity is at least `wanted`, in (0, 1]; NaN without a positive."""
    curve = roc_curve(labels, scores)
    if not np.isfinite(curve.y).all():
        return float("nan")
    return float(curve.thresholds[np.argmax(curve.y >= wanted - 1e-12)])


def choose_thresholds(rule: str, labels: NDArray, probabilities: NDArray) -> list[float]:
    """A threshold for each label by a rule.

    Args:
        rule: "youden", "sensitivity=S" with S in (0, 1], or a number in [0, 1], which is every label's threshold.
        labels: out-of-fold, shape (n, targets), NaN where not assessed; not looked at for a number.
        probabilities: out-of-fold, shape (n, targets).

    Raises:
        ValueError: no such rule.
    """
    name, _, value = rule.partition("=")
    if name not in ("youden", "sensitivity"):
        number = float(rule)
        if not 0 <= number <= 1:
            raise ValueError(f"{rule} is not between 0 and 1")
        return [number] * probabilities.shape[1]
    wanted = float(value) if name == "sensitivity" else 0.5
    if not 0 < wanted <= 1:
        raise ValueError(f"{value} is not above 0 and at most 1")
    chosen = []
    for label, score in zip(labels.T, probabilities.astype(np.float64).T, strict=True):
        kept = ~np.isnan(label)
        truth, scores = label[kept], score[kept]
        chosen.append(
            choose_youden(truth, scores) if name == "youden" else choose_sensitivity(truth, scores, wanted)
        )
    return chosen
