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
