"""Pruning rules are pure: tables of last values in, a decision out."""

from __future__ import annotations

import functools
import math

import numpy as np
import optuna
import pytest

from storage.spec import PrunerSection, StudySection, StudySpec
from workers.pruning.forecast import ForecastPruner, forecast_final, forecast_lag
from workers.pruning.named import make_pruner, make_pruner_of_folds
from workers.pruning.rules import (
    FoldCurves,
    HalvingPruner,
    MedianPruner,
    NoPruner,
    PairedPruner,
    RacePruner,
    is_expendable,
)


def test_rungs_are_powers_of_the_factor_from_the_first() -> None:
    pruner = HalvingPruner(4, 2)
    assert [step for step in range(1, 70) if pruner.is_rung(step)] == [4, 8, 16, 32, 64]
    assert [step for step in range(1, 30) if HalvingPruner(1, 3).is_rung(step)] == [1, 3, 9, 27]


def test_the_best_half_passes_a_rung() -> None:
    pruner = HalvingPruner(1, 2)
    peers = {0: 0.9, 1: 0.8, 2: 0.7, 3: 0.6}
    assert [pruner.should_stop(point, 1, value, lambda _: peers) for point, value in peers.items()] == [
        False,
        False,
        True,
        True,
    ]


def test_the_first_trials_must_be_the_best_so_far() -> None:
    pruner = HalvingPruner(1, 3)
    assert not pruner.should_stop(0, 1, 0.5, lambda _: {})
    assert pruner.should_stop(1, 1, 0.4, lambda _: {0: 0.5})
    assert not pruner.should_stop(1, 1, 0.6, lambda _: {0: 0.5})


def test_between_rungs_nobody_is_looked_up() -> None:
    def fail(_: int) -> dict[int, float]:
        raise AssertionError

    assert not HalvingPruner(4, 2).should_stop(0, 5, 0.1, fail)


def test_own_row_in_the_ledger_counts_once() -> None:
    assert not HalvingPruner(1, 2).should_stop(1, 1, 0.6, lambda _: {0: 0.5, 1: 0.6, 2: 0.7, 3: 0.2})


@pytest.mark.parametrize(
    "pruner",
    [
        NoPruner(),
        HalvingPruner(4, 2),
        MedianPruner(5, 5, 20),
        RacePruner(1, 0.5, 0.02),
        ForecastPruner(1, 2, 2.0, 0.01, 20, keeps_best=True),
    ],
)
def test_not_a_number_always_stops(pruner: NoPruner) -> None:
    assert pruner.should_stop(0, 1, math.nan, lambda _: {})


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_decisions_are_those_of_optuna_in_the_same_order(factor: int) -> None:
    values = np.random.default_rng(factor).normal(size=40)
    mine = HalvingPruner(1, factor)
    study = optuna.create_study(
        direction="maximize",
        pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=factor),
    )
    seen: dict[int, float] = {}
    for point, value in enumerate(values):
        trial = study.ask()
        trial.report(float(value), 1)
        seen[point] = float(value)
        theirs = trial.should_prune()
        assert mine.should_stop(point, 1, float(value), lambda _: seen) == theirs
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)


def test_the_spec_names_the_pruner() -> None:
    kinds: dict = {"none": NoPruner, "halving": HalvingPruner, "median": MedianPruner, "race": RacePruner}
    kinds |= {"paired": PairedPruner, "forecast": ForecastPruner}
    for name, kind in kinds.items():
        assert isinstance(make_pruner(PrunerSection(name=name), last_step=20), kind)


def test_the_median_is_that_of_complete_trials_at_the_same_step() -> None:
    steps = {3: {0: 0.5, 1: 0.6, 2: 0.7, 3: 0.1, 4: 0.1}, 4: {0: 0.9, 1: 0.9, 2: 0.9}}
    pruner = MedianPruner(startup_trials=3, warmup_steps=2, last_step=4)
    assert pruner.should_stop(9, 3, 0.59, steps.__getitem__)
    assert not pruner.should_stop(9, 3, 0.61, steps.__getitem__)
    assert not MedianPruner(4, 2, 4).should_stop(9, 3, 0.2, steps.__getitem__), "too few complete trials"
    assert not MedianPruner(3, 3, 4).should_stop(9, 3, 0.2, steps.__getitem__), "still warming up"


def test_the_race_is_its_formula() -> None:
    own = np.array([[0.60, 0.66], [0.70, 0.69]])
    best = np.array([[0.70, 0.72, 0.80], [0.70, 0.74, 0.78]])
    differences = np.array([0.66 - 0.72, 0.70 - 0.74])
    variance = (differences.var() * 2 + 6 * 0.02**2) / (1 + 6)
    bound = differences.mean() + 1.5 * math.sqrt(variance / 2) + 0.1 * (0.79 - 0.73)
    assert bound < 0
    assert RacePruner(1.5, 0.1, 0.02).is_behind(own, best)
    tau = 0.1 - 1.01 * bound / (0.79 - 0.73)
    assert not RacePruner(1.5, tau, 0.02).is_behind(own, best)


def test_the_race_needs_a_complete_trial_and_common_folds() -> None:
    weak, blank = np.full((3, 2), 0.1), np.full((3, 2), math.nan)
    pruner = RacePruner(0, 0, 0.02)
    assert not pruner.should_stop(0, 2, 0.1, dict, FoldCurves(weak, lambda: None))
    assert pruner.should_stop(0, 2, 0.1, dict, FoldCurves(weak, lambda: np.full((3, 4), 0.9)))
    assert not pruner.is_behind(blank, np.full((3, 4), 0.9))
    assert not pruner.is_behind(weak, np.full((3, 4), math.nan))


def test_a_rule_of_epochs_counts_folds_when_folds_come_one_by_one() -> None:
    halving = make_pruner_of_folds(PrunerSection(name="halving", min_resource=4), folds=6)
    assert halving.should_stop(1, 1, 0.4, lambda _: {0: 0.5})
    median = make_pruner_of_folds(PrunerSection(name="median", startup_trials=1), folds=6)
    assert median.should_stop(1, 1, 0.4, lambda _: {0: 0.5})


def test_the_last_live_candidate_is_not_expendable() -> None:
    peers = {1: 0.5, 2: 0.4, 3: 0.9}
    assert is_expendable(1, 0.5, 1, lambda _: peers, any_complete=True, live={1})
    assert not is_expendable(1, 0.5, 1, lambda _: peers, any_complete=False, live={1}), "3 was pruned since"
    assert not is_expendable(1, 0.5, 1, lambda _: peers, any_complete=False, live={1, 2}), "2 is weaker"
    assert is_expendable(2, 0.4, 1, lambda _: peers, any_complete=False, live={1, 2})


def test_paired_stops_only_what_is_in_the_worse_half_and_behind_the_best() -> None:
    pruner = PairedPruner(1, 2, RacePruner(1.75, 0.0, 0.02))
    best = np.full((6, 4), 0.9)
    behind, close = (FoldCurves(np.full((6, 2), value), lambda: best) for value in (0.8, 0.89))
    worse, better = {1: 0.95, 2: 0.95}, {1: 0.5, 2: 0.5}
    assert pruner.should_stop(0, 2, 0.8, lambda _: worse, behind)
    assert not pruner.should_stop(0, 2, 0.8, lambda _: better, behind)
    assert not pruner.should_stop(0, 2, 0.89, lambda _: worse, close)
    assert not pruner.should_stop(0, 1, 0.8, lambda _: worse, behind), "still warming up"


def test_a_forecast_is_the_posterior_of_a_regression_on_complete_trials() -> None:
    chance = np.random.default_rng(3)
    levels = chance.uniform(0.5, 0.8, size=9)
    finals = levels + 0.3 - 0.2 * levels + chance.normal(scale=0.004, size=9)
    forecast, sd = forecast_final(0.55, levels, finals, prior_sd=0.01)

    # The same by the textbook: coefficients of (1, level) with a prior of the slope alone, noise of unit variance.
    design = np.stack([np.ones(9), levels - levels.mean()], axis=1)
    precision = design.T @ design + np.diag([0, (0.01 / 0.15) ** 2])
    target = (finals - levels) - design[:, 1] * -0.4
    weights = np.linalg.solve(precision, design.T @ target)
    at = np.array([1, 0.55 - levels.mean()])
    rest = target - design @ weights
    variance = (rest @ rest + 4 * 0.01**2) / (9 - 1 + 4)
    assert forecast == pytest.approx(0.55 + at @ weights - 0.4 * at[1])
    assert sd == pytest.approx(math.sqrt(variance * (1 + at @ np.linalg.solve(precision, at))))


def test_many_complete_trials_outvote_the_prior_of_a_forecast() -> None:
    levels = np.linspace(0.5, 0.8, 400)
    forecast, sd = forecast_final(0.6, levels, 0.9 - 0.1 * levels, prior_sd=0.01)
    assert forecast == pytest.approx(0.84, abs=1e-3)
    assert sd < 0.002


def forecasting(last_step: int = 4, **options: object) -> ForecastPruner:
    settings = {"warmup_steps": 1, "reduction_factor": 2, "confidence": 2.0, "prior_sd": 0.01}
    return ForecastPruner(**{**settings, "last_step": last_step, "keeps_best": True, **options})  # type: ignore[arg-type]


COMPLETE = {point: [0.50, 0.60, 0.68, 0.70 + point / 100] for point in range(6)}


def seen_at(step: int) -> dict[int, float]:
    """Six complete trials, and two that were pruned after two steps."""
    pruned = {8: 0.9, 9: 0.9} if step <= 2 else {}
    return {**{point: values[step - 1] for point, values in COMPLETE.items()}, **pruned}


def alone(values: list[float]) -> FoldCurves:
    return FoldCurves(np.array([values, values]), lambda: None)


def test_a_trial_stops_when_its_forecast_stays_below_the_best() -> None:
    assert forecasting().should_stop(7, 2, 0.50, seen_at, alone([0.45, 0.50]))
    assert not forecasting().should_stop(7, 2, 0.59, seen_at, alone([0.50, 0.59])), (
        "may still rise as others did"
    )
    assert not forecasting().should_stop(7, 1, 0.10, seen_at, alone([0.10])), "still warming up"
    assert not forecasting(confidence=99).should_stop(7, 2, 0.50, seen_at, alone([0.45, 0.50]))


def test_the_better_half_is_safe_from_a_forecast() -> None:
    late = {point: [0.1, 0.1, 0.1, 0.9] for point in range(3)}

    def at(step: int) -> dict[int, float]:
        return {**{point: values[step - 1] for point, values in late.items()}, 8: 0.0, 9: 0.0}

    weak = alone([0.05, 0.05])
    assert forecasting(reduction_factor=2, confidence=0).should_stop(7, 2, 0.05, at, weak)
    assert not forecasting(reduction_factor=2, confidence=0).should_stop(7, 2, 0.11, at, weak)


def test_without_a_complete_trial_a_forecast_compares_with_the_one_that_leads() -> None:
    leaders = {8: 0.60, 9: 0.50}
    stops = functools.partial(
        forecasting().should_stop, 7, 2, peers_at=lambda step: leaders if step < 3 else {}
    )
    assert not stops(0.55, curves=alone([0.1, 0.55])), "the distance may be chance"
    assert stops(0.54, curves=alone([0.1, 0.54]))
    assert stops(0.54, curves=alone([0.9, 0.54])), "the leader's last value is known, not its best one"
    assert not stops(0.61, curves=alone([0.1, 0.61])), "it leads itself"
    close = forecasting(prior_sd=0.001)
    assert not close.should_stop(7, 2, 0.596, lambda step: leaders if step < 3 else {}, alone([0.1, 0.596]))
    assert close.should_stop(7, 2, 0.594, lambda step: leaders if step < 3 else {}, alone([0.1, 0.594]))


def test_the_lag_of_a_trial_is_forecast_by_the_prior() -> None:
    lag, sd = forecast_lag(0.1, prior_sd=0.03)
    assert lag == pytest.approx(0.06)
    assert sd == pytest.approx(math.sqrt(0.03**2 + 0.03**2 + (0.15 * 0.1) ** 2))


def test_a_trial_is_not_its_own_proof_of_how_trials_rise() -> None:
    itself = {7: 0.9, 8: 0.8, 9: 0.7}
    stops = forecasting(confidence=99).should_stop
    assert not stops(7, 2, 0.1, lambda step: itself if step < 3 else {7: 0.9}, alone([0.1, 0.1]))


def test_confidence_grows_with_the_steps_that_are_done() -> None:
    quick = forecasting(last_step=4, warmup_steps=0, confidence=2.0, confidence_growth=0.5)
    leaders = {8: 0.60, 9: 0.50}

    def stops(step: int, gap: float) -> bool:
        return quick.should_stop(7, step, 0.60 - gap, lambda at: leaders if at < 4 else {}, alone([0.0]))

    for step in (1, 2, 3):
        z = 2.0 * math.sqrt(step / 4)
        gap = next(
            gap for gap in np.arange(0.001, 0.1, 0.001) if (lag := forecast_lag(gap, 0.01))[0] > z * lag[1]
        )
        assert stops(step, gap + 1e-4)
        assert not stops(step, gap - 1.1e-3)


def test_a_trial_that_was_once_better_than_the_best_is_not_stopped_later() -> None:
    lucky = alone([0.5, 0.8, 0.3])
    assert not forecasting().should_stop(7, 3, 0.3, seen_at, lucky)
    assert forecasting(keeps_best=False).should_stop(7, 3, 0.3, seen_at, lucky), "only its last value counts"


def test_what_a_trial_has_already_counts_even_where_the_forecast_is_lower() -> None:
    """Among trials that end alike wherever they are now, a high level is forecast to be lost again; it cannot be."""
    alike = {point: [0.0, point / 30, 0.69 + point % 2 / 100] for point in range(20)}

    def at(step: int) -> dict[int, float]:
        return {point: values[step - 1] for point, values in alike.items()}

    sure = forecasting(last_step=3, confidence=0)
    assert sure.should_stop(30, 2, 0.1, at, alone([0.695, 0.1])), "below the best, .70"
    assert not sure.should_stop(30, 2, 0.1, at, alone([0.705, 0.1]))


def test_a_complete_trial_whose_last_value_is_not_a_number_tells_no_end() -> None:
    def at(step: int) -> dict[int, float]:
        return {**seen_at(step), 6: [0.5, 0.6, 0.68, math.nan][step - 1]}

    for keeps_best in (False, True):
        assert forecasting(keeps_best=keeps_best).should_stop(7, 2, 0.50, at, alone([0.45, 0.50]))


def test_where_the_last_value_counts_trials_end_where_they_last_were() -> None:
    """Each had 0.95 once, and ends at 0.62."""

    def at(step: int) -> dict[int, float]:
        return dict.fromkeys(range(6), [0.50, 0.95, 0.56, 0.62][step - 1])

    weak = alone([0.50, 0.50, 0.55])
    assert not forecasting(keeps_best=False).should_stop(7, 3, 0.55, at, weak)
    assert forecasting(keeps_best=True).should_stop(7, 3, 0.55, at, weak)


def test_a_forecast_looks_complete_trials_up_once() -> None:
    looks: list[int] = []

    def counted(step: int) -> dict[int, float]:
        looks.append(step)
        return seen_at(step)

    pruner = forecasting()
    for step in (2, 3):
        pruner.should_stop(7, step, 0.40, counted, alone([0.40] * step))
    assert sorted(looks) == sorted([2, 4, 1, 2, 3, 4, 3, 4]), (
        "the values of a step, who is complete; all steps once"
    )


def test_presets_are_spelled_out_and_keys_beside_them_win() -> None:
    assert PrunerSection(name="careful") == PrunerSection()
    assert PrunerSection(name="fast") == PrunerSection(warmup_steps=0, confidence_growth=0.5)
    assert PrunerSection(name="race", confidence=3) == PrunerSection(
        name="race", confidence=3, remaining_gain=0.5
    )
    spec = StudySpec(study=StudySection(name="x"))
    assert spec.with_values({"pruner.name": "fast", "pruner.confidence": 1}).pruner == PrunerSection(
        warmup_steps=0, confidence=1, confidence_growth=0.5
    )


def test_complete_trials_count_with_their_best_epoch_in_a_forecast() -> None:
    def at(step: int) -> dict[int, float]:
        return dict.fromkeys(range(4), [0.5, 0.9, 0.3, 0.3][step - 1])

    assert forecasting().should_stop(7, 2, 0.5, at, alone([0.5, 0.5]))
