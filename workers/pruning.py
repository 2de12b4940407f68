"""Which trials stop early. Every rule is a pure function of last values: the mean over folds at one epoch.

Best-so-far values, which Optuna's median and percentile pruners compare, let a lucky early epoch or an easy first
fold hide a weak trial; last values do not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Protocol

from storage.spec import PrunerSection

PeersAt = Callable[[int], Mapping[int, float]]
"""The last values of all points, this one among them, that got to a step: point -> value."""


class Pruner(Protocol):
    """Decides whether a trial stops."""

    def should_stop(self, point: int, step: int, value: float, peers_at: PeersAt) -> bool:
        """Judge a trial after a step.

        Args:
            point: the point it works on.
            step: epochs (lockstep) or folds (sequential) done, from 1.
            value: its last value; NaN always stops.
            peers_at: looks the others up; called only where the rule needs them.
        """
        ...


class NoPruner:
    """Stops nothing but what is not a number."""

    def should_stop(self, point: int, step: int, value: float, peers_at: PeersAt) -> bool:
        """Stop on NaN only."""
        return math.isnan(value)


class HalvingPruner:
    """Asynchronous successive halving (Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning", §3).

    At the rungs min_resource * reduction_factor**i a trial goes on when its value is among the best
    1/reduction_factor of all values that ever reached that rung. The attempts of a lost worker count once: values
    belong to points, not to attempts.
    """

    def __init__(self, min_resource: int, reduction_factor: int) -> None:
        """Place the rungs.

        Args:
            min_resource: the first rung, in steps.
            reduction_factor: how many times fewer trials pass each rung.
        """
        self.min_resource = min_resource
        self.reduction_factor = reduction_factor

    def is_rung(self, step: int) -> bool:
        """Whether trials are judged after this step."""
        rung = self.min_resource
        while rung < step:
            rung *= self.reduction_factor
        return rung == step

    def should_stop(self, point: int, step: int, value: float, peers_at: PeersAt) -> bool:
        """Stop a trial that is not among the best of its rung."""
        if math.isnan(value):
            return True
        if not self.is_rung(step):
            return False
        others = [peer for number, peer in peers_at(step).items() if number != point and not math.isnan(peer)]
        values = sorted([*others, value], reverse=True)
        passing = max(1, len(values) // self.reduction_factor)
        return value < values[passing - 1]


def make_pruner(section: PrunerSection) -> Pruner:
    """The pruner that a spec names."""
    if section.name == "none":
        return NoPruner()
    return HalvingPruner(section.min_resource, section.reduction_factor)
