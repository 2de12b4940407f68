"""The pruner that a spec names, over epochs or over folds."""

from __future__ import annotations

from storage.spec import PrunerSection
from workers.pruning.forecast import ForecastPruner
from workers.pruning.rules import HalvingPruner, MedianPruner, NoPruner, PairedPruner, Pruner, RacePruner


def make_pruner(section: PrunerSection, last_step: int, *, keeps_best: bool = True) -> Pruner:
    """The pruner that a spec names.

    Args:
        section: names it.
        last_step: steps of a complete trial.
        keeps_best: whether a trial's value is the highest of its steps, and not that of the last.
    """
    match section.name:
        case "none":
            return NoPruner()
        case "halving":
            return HalvingPruner(section.min_resource, section.reduction_factor)
        case "forecast":
            return ForecastPruner(
                section.warmup_steps,
                section.reduction_factor,
                section.confidence,
                section.spread,
                last_step,
                keeps_best=keeps_best,
                confidence_growth=section.confidence_growth,
            )
        case "median":
            return MedianPruner(section.startup_trials, section.warmup_steps, last_step)
        case "race":
            return RacePruner(section.confidence, section.remaining_gain, section.spread)
        case "paired":
            race = RacePruner(section.confidence, section.remaining_gain, section.spread)
            return PairedPruner(section.warmup_steps, section.reduction_factor, race)


def make_pruner_of_folds(section: PrunerSection, folds: int) -> Pruner:
    """The same rule where a step is a whole fold, which is longer than any first rung or warm-up of epochs."""
    shorter = section.model_copy(update={"min_resource": 1, "warmup_steps": 0})
    return make_pruner(shorter, last_step=folds, keeps_best=False)
