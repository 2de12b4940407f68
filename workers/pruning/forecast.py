"""Will this trial beat the best one? A forecast of its final value from how far complete trials still rose.

The rule stops a trial whose value will stay below the best one's even if its rise is unusually large. It needs no shape of
learning curves: how far trials still rise from here is read off those that came to their end. Before any did, as when many
workers begin a study together, the prior alone says how far the trial may still catch up with the one that leads.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from workers.pruning.rules import FoldCurves, HalvingPruner, PeersAt, RacePruner, mean_over_folds

SLOPE, SLOPE_SD = -0.4, 0.15
"""Prior of the slope: a trial that is lower by 1 still rises by 0.4 more, give or take. Values of a trial regress to the mean."""

PRIOR_TRIALS = 4
"""How many complete trials the prior of the spread is worth."""

FOLD_SPREAD = 2.0
"""How many times wider than the rises of trials the differences of two trials spread over single folds."""


def forecast_final(
    level: float, levels: NDArray[np.float64], finals: NDArray[np.float64], prior_sd: float
) -> tuple[float, float]:
    """Forecast where a trial ends.

    The rise from here, final - level, is regressed linearly on the level over the complete trials, with a normal prior of the
    slope (Bishop 2006, "Pattern Recognition and Machine Learning", §3.3; the variance is its eq. 3.59, with a flat prior of
    the intercept and an estimated spread).

    Args:
        level: what the trial has now.
        levels: what the complete trials had after the same step, shape (trials,), at least one.
        finals: what they ended with, shape (trials,).
        prior_sd: spread that is expected of the rise, in units of the metric; above 0.

    Returns:
        The forecast and its standard deviation.
    """
    ridge = (prior_sd / SLOPE_SD) ** 2
    around = levels - levels.mean()
    squares = float((around**2).sum()) + ridge
    rises = finals - levels
    slope = SLOPE + float((around * (rises - rises.mean() - SLOPE * around)).sum()) / squares
    rest = rises - rises.mean() - slope * around
    variance = (float((rest**2).sum()) + PRIOR_TRIALS * prior_sd**2) / (len(levels) - 1 + PRIOR_TRIALS)
    distance = level - levels.mean()
    forecast = level + rises.mean() + slope * distance
    return float(forecast), math.sqrt(variance * (1 + 1 / len(levels) + distance**2 / squares))


def forecast_lag(gap: float, prior_sd: float) -> tuple[float, float]:
    """Forecast how far a trial ends below another one, when no trial is complete that would tell how they rise.

    By the prior of `forecast_final` both rise alike, give or take `prior_sd` each, and the lower one by `SLOPE` of the gap more.

    Args:
        gap: how far it is below the other now.
        prior_sd: as for `forecast_final`.

    Returns:
        The forecast and its standard deviation.
    """
    return (1 + SLOPE) * gap, math.hypot(math.sqrt(2) * prior_sd, SLOPE_SD * gap)


class ForecastPruner:
    """Stops a trial that will hardly become the best one.

    After every step beyond `warmup_steps` a trial stops when it is not among the best 1/reduction_factor of all values that
    ever reached that step, and `forecast + z * standard deviation` is below what the best complete trial ended with:
    the predictive termination criterion of Domhan et al. 2015, "Speeding up automatic hyperparameter optimization of deep
    neural networks by extrapolation of learning curves". Like Baker et al. 2017, "Practical neural network performance
    prediction for early stopping", it regresses on trials that ended instead of fitting curves. As long as none did, it stops
    where `forecast_lag` behind the best of this step stays above z of its standard deviations.

    z is `confidence * (step / last_step) ** confidence_growth`. A mistake costs the same early and late, but an early stop
    saves more: so a rule that prunes early asks for less certainty at first and for more later.
    """

    def __init__(
        self,
        warmup_steps: int,
        reduction_factor: int,
        confidence: float,
        prior_sd: float,
        last_step: int,
        *,
        keeps_best: bool,
        confidence_growth: float = 0.0,
    ) -> None:
        """Set how sure the forecast must be.

        Args:
            warmup_steps: steps without a judgement.
            reduction_factor: how small a part is safe from the forecast.
            confidence: standard deviations by which the forecast must be below the best, after the last step.
            prior_sd: spread that is expected of trials' rises, in units of the metric.
            last_step: the step that only complete trials reach.
            keeps_best: whether a trial's value is the highest of its steps; otherwise it is that of the last.
            confidence_growth: how steeply the confidence rises to that; 0 is the same after every step.
        """
        self.warmup_steps = warmup_steps
        self.every_step = HalvingPruner(1, reduction_factor)
        self.confidence = confidence
        self.confidence_growth = confidence_growth
        self.prior_sd = prior_sd
        self.last_step = last_step
        self.keeps_best = keeps_best
        self.race = RacePruner(confidence, 0.0, FOLD_SPREAD * prior_sd)
        self._ended: set[int] = set()
        self._levels = np.empty((0, last_step))

    def should_stop(
        self, point: int, step: int, value: float, peers_at: PeersAt, curves: FoldCurves | None = None
    ) -> bool:
        """Stop a trial that is in the worse part, and will hardly become the best."""
        if math.isnan(value):
            return True
        if step <= self.warmup_steps or not self.every_step.is_beaten(point, step, value, peers_at):
            return False
        z = self.confidence * (step / self.last_step) ** self.confidence_growth
        complete = self._read_complete(point, peers_at)
        known = ~np.isnan(complete[:, step - 1]) & ~np.isnan(complete[:, -1])
        if not known.any():
            leader = max(peer for peer in peers_at(step).values() if not math.isnan(peer))
            lag, sd = forecast_lag(max(0.0, leader - value), self.prior_sd)
            return lag > z * sd
        levels, finals = complete[known, step - 1], complete[known, -1]
        level = self._level(step, value, curves)
        forecast, sd = forecast_final(level, levels, finals, self.prior_sd)
        return max(forecast + z * sd, level) < float(finals.max())

    def _level(self, step: int, value: float, curves: FoldCurves | None) -> float:
        if not self.keeps_best or curves is None:
            return value
        return float(np.nanmax([*mean_over_folds(curves.own)[:step], value]))

    def _read_complete(self, point: int, peers_at: PeersAt) -> NDArray[np.float64]:
        """The levels of the other complete trials after each step, shape (trials, last_step); looked up when there is a new one."""
        ended = peers_at(self.last_step).keys() - {point}
        if ended != self._ended:
            steps = [peers_at(step) for step in range(1, self.last_step + 1)]
            values = np.array([[at.get(number, math.nan) for number in sorted(ended)] for at in steps]).T
            self._levels = np.fmax.accumulate(values, axis=1) if self.keeps_best else values
            self._ended = ended
        return self._levels
