"""Which trials stop early. Every rule is a pure function of last values: the mean over folds after one step.

Best-so-far values of a whole trial, which Optuna's median and percentile pruners compare, let a lucky early epoch or
an easy first fold hide a weak trial; last values do not. docs/pruning-evidence.md says which rule saves how much, and loses what.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

PeersAt = Callable[[int], Mapping[int, float]]
"""The last values of all points, this one among them, that got to a step: point -> value."""

PRIOR_FOLDS = 6
"""How many folds the prior of the race is worth: with k = 6 it counts as much as what was measured."""


@dataclass(frozen=True)
class FoldCurves:
    """A trial beside the best one, fold by fold.

    Attributes:
        own: validation scores so far, shape (folds, epochs) of this trial; only folds and epochs that are done.
        read_best: looks up the best complete trial: shape (all folds, all epochs); None before there is one.
    """

    own: NDArray[np.float64]
    read_best: Callable[[], NDArray[np.float64] | None]


class Pruner(Protocol):
    """Decides whether a trial stops."""

    def should_stop(
        self, point: int, step: int, value: float, peers_at: PeersAt, curves: FoldCurves | None = None
    ) -> bool:
        """Judge a trial after a step.

        Args:
            point: the point it works on.
            step: epochs (lockstep) or folds (sequential) done, from 1.
            value: its last value; NaN always stops.
            peers_at: looks the others up; called only where the rule needs them.
            curves: the trial fold by fold; a rule that needs it never stops a trial without.
        """
        ...


class NoPruner:
    """Stops nothing but what is not a number."""

    def should_stop(
        self, point: int, step: int, value: float, peers_at: PeersAt, curves: FoldCurves | None = None
    ) -> bool:
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

    def should_stop(
        self, point: int, step: int, value: float, peers_at: PeersAt, curves: FoldCurves | None = None
    ) -> bool:
        """Stop a trial that is not among the best of its rung."""
        if math.isnan(value):
            return True
        return self.is_rung(step) and self.is_beaten(point, step, value, peers_at)

    def is_beaten(self, point: int, step: int, value: float, peers_at: PeersAt) -> bool:
        """Whether the value is not among the best 1/reduction_factor after the step, rung or not."""
        others = [peer for number, peer in peers_at(step).items() if number != point and not math.isnan(peer)]
        values = sorted([*others, value], reverse=True)
        passing = max(1, len(values) // self.reduction_factor)
        return value < values[passing - 1]


class MedianPruner:
    """The median rule (Golovin et al. 2017, "Google Vizier", §3.1.2), on last values.

    After `warmup_steps`, and once `startup_trials` others are complete, a trial stops when its value is below the
    median of what the complete ones had after the same step.
    """

    def __init__(self, startup_trials: int, warmup_steps: int, last_step: int) -> None:
        """Set when judging begins.

        Args:
            startup_trials: complete trials that are needed first.
            warmup_steps: steps without a judgement.
            last_step: the step that only complete trials reach.
        """
        self.startup_trials = startup_trials
        self.warmup_steps = warmup_steps
        self.last_step = last_step

    def should_stop(
        self, point: int, step: int, value: float, peers_at: PeersAt, curves: FoldCurves | None = None
    ) -> bool:
        """Stop a trial in the worse half of the complete ones."""
        if math.isnan(value):
            return True
        if step <= self.warmup_steps:
            return False
        complete = set(peers_at(self.last_step)) - {point}
        if len(complete) < max(1, self.startup_trials):
            return False
        values = [peer for number, peer in peers_at(step).items() if number in complete]
        known = [peer for peer in values if not math.isnan(peer)]
        return bool(known) and value < float(np.median(known))


class RacePruner:
    """A race against the best trial so far, paired over the folds, which all trials share.

    With d_f the difference between the best-so-far values of the same fold f after the same epoch, a trial stops when

        mean_f(d_f) + confidence * se + remaining_gain * g < 0,

    where g is what the best trial still gained from there, and se = s / sqrt(folds). A few folds estimate a spread
    badly, so s^2 is shrunk to a prior: (sum of squares + PRIOR_FOLDS * prior_sd^2) / (folds - 1 + PRIOR_FOLDS).
    """

    def __init__(self, confidence: float, remaining_gain: float, prior_sd: float) -> None:
        """Set how sure the race must be.

        Args:
            confidence: standard errors that a trial must be behind.
            remaining_gain: share of the best trial's remaining gain that the trial is allowed on top.
            prior_sd: spread of paired differences that is expected between folds, in units of the metric.
        """
        self.confidence = confidence
        self.remaining_gain = remaining_gain
        self.prior_sd = prior_sd

    def should_stop(
        self, point: int, step: int, value: float, peers_at: PeersAt, curves: FoldCurves | None = None
    ) -> bool:
        """Stop a trial that will hardly catch up with the best one."""
        if math.isnan(value):
            return True
        if curves is None:
            return False
        best = curves.read_best()
        return best is not None and self.is_behind(curves.own, best)

    def is_behind(self, own: NDArray[np.float64], best: NDArray[np.float64]) -> bool:
        """The rule itself; shapes as in `FoldCurves`."""
        folds, epochs = own.shape
        differences = _highest(own) - _highest(best[:folds, :epochs])
        differences = differences[~np.isnan(differences)]
        if not len(differences):
            return False
        squares = float(np.square(differences - differences.mean()).sum())
        variance = (squares + PRIOR_FOLDS * self.prior_sd**2) / (len(differences) - 1 + PRIOR_FOLDS)
        slack = self.confidence * math.sqrt(variance / len(differences))
        whole = mean_over_folds(best[:folds])
        gain = (
            float(np.nanmax(whole) - np.nanmax(whole[:epochs])) if not np.isnan(whole[:epochs]).all() else 0.0
        )
        return bool(differences.mean() + slack + self.remaining_gain * gain < 0)


class PairedPruner:
    """Stops what is weak by two measures at once: in the worse part of its step, and behind the best trial.

    After every step beyond `warmup_steps` a trial stops when it is not among the best 1/reduction_factor of all values
    that ever reached that step, as in halving, and is behind the best trial by the rule of `RacePruner`. Halving alone
    stops trials that differ from the better half by chance; the race alone, begun early, stops late starters.
    """

    def __init__(self, warmup_steps: int, reduction_factor: int, race: RacePruner) -> None:
        """Set when judging begins, and how.

        Args:
            warmup_steps: steps without a judgement.
            reduction_factor: how small a part is safe from the race.
            race: says whether a trial is behind the best one.
        """
        self.warmup_steps = warmup_steps
        self.every_step = HalvingPruner(1, reduction_factor)
        self.race = race

    def should_stop(
        self, point: int, step: int, value: float, peers_at: PeersAt, curves: FoldCurves | None = None
    ) -> bool:
        """Stop a trial that is in the worse part, and behind the best."""
        if math.isnan(value):
            return True
        if step <= self.warmup_steps:
            return False
        return self.every_step.is_beaten(point, step, value, peers_at) and self.race.should_stop(
            point, step, value, peers_at, curves
        )


def is_expendable(
    point: int, value: float, step: int, peers_at: PeersAt, *, any_complete: bool, live: set[int]
) -> bool:
    """Whether the study keeps a candidate when this trial stops, so that a rule of thumb may stop it.

    It does when a trial is complete, or when another one that is being trained was better after the same step: of two
    that are judged at the same moment only the weaker one stops.

    Args:
        point: the point of the trial.
        value: its last value.
        step: after which it is judged.
        peers_at: the values of others.
        any_complete: whether the study has a complete trial.
        live: points that are being worked on.
    """
    if any_complete:
        return True
    return any(peer > value for number, peer in peers_at(step).items() if number != point and number in live)


def _highest(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """The best-so-far value of each fold; NaN where it has none. Input shape (folds, epochs)."""
    highest = np.where(np.isnan(curves), -np.inf, curves).max(axis=1)
    return np.where(np.isinf(highest), np.nan, highest)


def mean_over_folds(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of the folds that have a value, by epoch; NaN where none has. Input shape (folds, epochs)."""
    known = ~np.isnan(curves)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, curves, 0).sum(axis=0) / known.sum(axis=0))
