"""Where to cut a probability. Chosen on out-of-fold predictions, never on the data that are then reported on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from storage.metrics.curves import roc_curve

DEFAULT = 0.5
RULES = ("youden", "sensitivity")
"""Names of the rules that look at out-of-fold predictions; any other rule is a number."""


def choose_youden(labels: NDArray, scores: NDArray) -> float:
    """The threshold with the largest sensitivity + specificity - 1 (Youden 1950), the highest of equals.

    NaN unless both classes are there.
    """
    curve = roc_curve(labels, scores)
    gain = curve.y - curve.x
    # A sum of two ratios: what differs by rounding alone counts as equal.
    return float(curve.thresholds[np.argmax(np.round(gain, 12))]) if np.isfinite(gain).all() else float("nan")


def choose_sensitivity(labels: NDArray, scores: NDArray, wanted: float) -> float:
    """The highest threshold whose sensitivity is at least `wanted`, in (0, 1]: a definition; NaN without a positive."""
    curve = roc_curve(labels, scores)
    if not np.isfinite(curve.y).all():
        return float("nan")
    return float(curve.thresholds[np.argmax(curve.y >= wanted - 1e-12)])


def read_rule(rule: str) -> tuple[str, float]:
    """The name of a rule, empty for a number, and that number, or the sensitivity that is wanted.

    Raises:
        ValueError: no such rule.
    """
    name, equals, value = rule.partition("=")
    if name == "youden" and not equals:
        return name, DEFAULT
    if name == "sensitivity":
        wanted = float(value)
        valid = 0 < wanted <= 1
    else:
        name, wanted = "", float(rule)
        valid = 0 <= wanted <= 1
    if not valid:
        raise ValueError(f"{rule} is out of its range")
    return name, wanted


def choose_thresholds(rule: str, labels: NDArray, probabilities: NDArray) -> list[float]:
    """A threshold for each label by a rule.

    Args:
        rule: "youden", "sensitivity=S" with S in (0, 1], or a number in [0, 1], which is every label's threshold.
        labels: out-of-fold, shape (n, targets), NaN where not assessed; not looked at for a number.
        probabilities: out-of-fold, shape (n, targets).

    Raises:
        ValueError: no such rule.
    """
    name, wanted = read_rule(rule)
    if name not in RULES:
        return [wanted] * probabilities.shape[1]
    chosen = []
    for label, score in zip(labels.T, probabilities.astype(np.float64).T, strict=True):
        kept = ~np.isnan(label)
        truth, scores = label[kept], score[kept]
        chosen.append(
            choose_youden(truth, scores) if name == "youden" else choose_sensitivity(truth, scores, wanted)
        )
    return chosen
