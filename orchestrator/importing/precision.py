"""How wide the interval of an AUC will be, from how many patients have a label and how many have not.

Standard error of the AUC by Newcombe (Statistics in Medicine 2006, 25: 559-573), as Riley and others use it to choose the
size of a validation (Statistics in Medicine 2021, 40: 4230-4251); their target is a width of 0.1.
"""

from __future__ import annotations

import math

ASSUMED_AUC = 0.8
TARGET, WIDEST = 0.10, 0.20
"""The width that Riley and others ask for, and the one from which an import warns."""

NORMAL_QUANTILE = 1.959964


def expect_width(positive: int, negative: int, auc: float = ASSUMED_AUC) -> float:
    """The expected width of the 95 % interval of an AUC, at most 1; 1 where one of the two is missing.

    Args:
        positive: patients with the label.
        negative: patients without it.
        auc: the value to expect.
    """
    if not positive or not negative:
        return 1.0
    half = (positive + negative) / 2 - 1
    spread = auc * (1 - auc) * (1 + half * (1 - auc) / (2 - auc) + half * auc / (1 + auc))
    return min(2 * NORMAL_QUANTILE * math.sqrt(spread / (positive * negative)), 1.0)


def patients_needed(share: float, width: float = TARGET, auc: float = ASSUMED_AUC) -> int:
    """How many patients give an interval of this width, where `share` of them, in (0, 1), have the label."""
    count = 2
    while expect_width(round(share * count) or 1, round((1 - share) * count) or 1, auc) > width:
        count = math.ceil(count * 1.02) + 1
    return count
