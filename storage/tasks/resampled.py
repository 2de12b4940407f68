"""Metrics with their intervals: patients are drawn with replacement, and left out one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.metrics.bootstrap import Scale, corrected_interval, draw_counts, jackknife_interval, leave_out
from storage.metrics.curves import Array
from storage.metrics.intervals import FEW_BEHIND, FEWEST_OF_A_SHARE, Interval, describe_ends

Measure = Callable[[Array], Array]
"""A metric from how often each image counts, shape (.., n)."""


def measure_with_intervals(
    measures: Mapping[str, Measure],
    groups: NDArray[Any],
    *,
    resamples: int,
    seed: int,
    scales: Mapping[str, Scale] | None = None,
) -> dict[str, dict[str, Any]]:
    """Each metric as {"value", "low", "high"}, and "note" where an interval is missing and the value is not.

    Args:
        measures: by name.
        groups: shape (n,): the patient of each image; resampled as a whole.
        resamples: 0 for no intervals.
        seed: of the resamples.
        scales: of those metrics whose interval comes from leaving patients out (`jackknife_interval`); of the others they are drawn.
    """
    scales = scales or {}
    once = np.ones(len(groups))
    values = {name: float(measure(once)) for name, measure in measures.items()}
    if resamples and len(np.unique(groups)) < FEWEST_OF_A_SHARE:
        none = describe_ends(Interval.none(FEW_BEHIND))
        return {
            name: {"value": value, **(describe_ends(None) if np.isnan(value) else none)}
            for name, value in values.items()
        }
    if not resamples or not len(groups):
        return {name: {"value": value, **describe_ends(None)} for name, value in values.items()}
    left_out = _collect(measures, leave_out(groups))
    to_draw = {name: measure for name, measure in measures.items() if name not in scales}
    drawn = _collect(to_draw, draw_counts(groups, resamples, seed)) if to_draw else {}

    def find(name: str) -> Interval | None:
        if np.isnan(values[name]):
            return None
        if name in scales:
            return jackknife_interval(values[name], left_out[name], scales[name])
        return corrected_interval(values[name], drawn[name], left_out[name])

    return {name: {"value": values[name], **describe_ends(find(name))} for name in measures}


def _collect(measures: Mapping[str, Measure], draws: Any) -> dict[str, Array]:
    parts = [{name: measure(counts) for name, measure in measures.items()} for counts in draws]
    return {name: np.concatenate([part[name] for part in parts]) for name in measures}
