"""Predictive values where the finding is more common, or rarer, than among these images (Deeks and Altman 2004)."""

from __future__ import annotations

import math
from typing import Any

from storage.metrics.intervals import Interval, describe_ends

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
    missed, alarms = _complement(sensitivity), _complement(specificity)
    return {
        "prevalence": prevalence,
        "ppv": _describe(odds, sensitivity, alarms),
        "npv": _describe(1 / odds, specificity, missed),
    }


def _complement(measured: Measured) -> Measured:
    value, interval = measured
    if interval.reason or math.isnan(interval.low):
        return 1 - value, interval
    return 1 - value, Interval(1 - interval.high, 1 - interval.low)


def _describe(odds: float, right: Measured, wrong: Measured) -> dict[str, Any]:
    value = _chance(odds, right[0], wrong[0])
    reason = right[1].reason or wrong[1].reason
    if reason or math.isnan(value):
        return {"value": value, **describe_ends(Interval.none(reason))}
    logs = [
        [_log(one) for one in (measured[1].low, measured[0], measured[1].high)] for measured in (right, wrong)
    ]
    (right_low, right_log, right_high), (wrong_low, wrong_log, wrong_high) = logs
    # A share of 0 has no logarithm: the other end of its interval stands for it.
    below = math.hypot(right_log - right_low, wrong_high - wrong_log)
    above = math.hypot(right_high - right_log, wrong_log - wrong_low)
    ratio = right_log - wrong_log
    low, high = (_sigmoid(math.log(odds) + end) for end in (ratio - below, ratio + above))
    if wrong[0] == 0:
        low, high = _chance(odds, right[1].low, wrong[1].high), 1.0
    if right[0] == 0:
        low, high = 0.0, _chance(odds, right[1].high, wrong[1].low)
    return {"value": value, **describe_ends(Interval(low, high))}


def _chance(odds: float, right: float, wrong: float) -> float:
    total = odds * right + wrong
    return odds * right / total if total > 0 else math.nan


def _log(share: float) -> float:
    return math.log(max(share, 1e-12))


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-min(max(logit, -700.0), 700.0)))
