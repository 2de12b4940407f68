"""Predictive values where the finding is more common, or rarer, than among these images (Deeks and Altman 2004)."""

from __future__ import annotations

import math
from typing import Any

from storage.metrics.intervals import Interval, complement, describe_ends, map_interval, ratio_interval

Measured = tuple[float, Interval]


def predictive_values(sensitivity: Measured, specificity: Measured, prevalence: float) -> dict[str, Any]:
    """PPV and NPV at a prevalence, by Bayes' rule: odds after = odds before x likelihood ratio (Deeks and Altman 2004).

    The interval is that of the likelihood ratio on the log scale, from the intervals of its two shares, which come from different
    patients ("MOVER": Zou and Donner 2008).

    Args:
        sensitivity, specificity: value and interval.
        prevalence: above 0 and below 1, held to be known.
    """
    odds = prevalence / (1 - prevalence)
    missed, alarms = ((1 - value, complement(interval)) for value, interval in (sensitivity, specificity))
    return {
        "prevalence": prevalence,
        "ppv": _describe(odds, sensitivity, alarms),
        "npv": _describe(1 / odds, specificity, missed),
    }


def _describe(odds: float, right: Measured, wrong: Measured) -> dict[str, Any]:
    value = _chance(odds, right[0], wrong[0])
    reason = right[1].reason or wrong[1].reason
    if reason or math.isnan(value):
        return {"value": value, **describe_ends(Interval.none(reason))}
    if wrong[0] == 0:
        # Without an error the ratio has no upper end.
        return {"value": value, **describe_ends(Interval(_chance(odds, right[1].low, wrong[1].high), 1.0))}
    ratio = ratio_interval(right, wrong)
    return {"value": value, **describe_ends(map_interval(ratio, lambda end: odds * end / (1 + odds * end)))}


def _chance(odds: float, right: float, wrong: float) -> float:
    total = odds * right + wrong
    return odds * right / total if total > 0 else math.nan
