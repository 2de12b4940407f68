"""Pruning rules on curves of any kind, with folds that have no value, against the formulas worked out in plain Python."""

from __future__ import annotations

import math
import statistics
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from workers.pruning.forecast import ForecastPruner, forecast_final
from workers.pruning.rules import (
    FoldCurves,
    HalvingPruner,
    MedianPruner,
    PairedPruner,
    RacePruner,
    is_expendable,
    mean_over_folds,
)

QUICK = settings(max_examples=80, deadline=None, derandomize=True)
SCORES = st.floats(0, 1, width=32) | st.just(math.nan)


def table(folds: int, epochs: int) -> st.SearchStrategy[np.ndarray]:
    return arrays.arrays(np.float64, (folds, epochs), elements=SCORES)


def means_of(rows: list[list[float]]) -> list[float]:
    """The mean of the folds that have a value, by epoch; nothing where none has."""
    known = [[value for value in column if value == value] for column in zip(*rows, strict=True)]
    return [statistics.fmean(column) if column else math.nan for column in known]


def bound_of(
    own: np.ndarray, best: np.ndarray, confidence: float, remaining: float, prior: float
) -> float | None:
    """What the race compares with 0: mean difference + confidence * standard error + remaining gain of the best."""
    rows, others = own.tolist(), best.tolist()
    epochs, differences = len(rows[0]), []
    for mine, theirs in zip(rows, others, strict=False):
        mine, theirs = ([value for value in part[:epochs] if value == value] for part in (mine, theirs))
        if mine and theirs:
            differences.append(max(mine) - max(theirs))
    if not differences:
        return None
    mean, count = statistics.fmean(differences), len(differences)
    squares = sum((one - mean) ** 2 for one in differences)
    variance = (squares + 6 * prior**2) / (count - 1 + 6)
    whole = means_of(others[: len(rows)])
    now, ever = ([value for value in part if value == value] for part in (whole[:epochs], whole))
    gain = max(ever) - max(now) if now else 0.0
    return mean + confidence * math.sqrt(variance / count) + remaining * gain


@QUICK
@given(st.data())
def test_a_race_is_decided_by_its_formula(data: st.DataObject) -> None:
    folds, epochs = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    own = data.draw(table(folds, epochs))
    best = data.draw(table(folds + data.draw(st.integers(0, 2)), epochs + data.draw(st.integers(0, 3))))
    confidence, remaining = data.draw(st.floats(0, 3)), data.draw(st.floats(0, 2))
    bound = bound_of(own, best, confidence, remaining, 0.02)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        behind = RacePruner(confidence, remaining, 0.02).is_behind(own, best)
    if bound is None:
        assert not behind
    elif abs(bound) > 1e-9:
        assert behind == (bound < 0)


@pytest.mark.parametrize("step", [-1e-6, 1e-6])
def test_a_race_turns_where_its_formula_is_zero(step: float) -> None:
    """Also for unequal folds: a spread, a standard error and a gain that are each wrong by a little are seen."""
    own = np.array([[0.60, 0.66], [0.70, 0.69], [0.52, 0.61]])
    best = np.array([[0.70, 0.72, 0.80], [0.70, 0.74, 0.78], [0.71, 0.70, 0.77]])
    at_zero = 0.0
    for _ in range(60):
        at_zero -= bound_of(own + at_zero, best, 1.5, 0.1, 0.02) or 0.0
    assert RacePruner(1.5, 0.1, 0.02).is_behind(own + at_zero + step, best) == (step < 0)


@QUICK
@given(st.integers(1, 4).flatmap(lambda folds: table(folds, 3)))
def test_a_mean_over_folds_is_that_of_those_with_a_value(curves: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(mean_over_folds(curves), means_of(curves.tolist()), rtol=1e-12)


@QUICK
@given(st.lists(SCORES, min_size=1, max_size=9), st.floats(0, 1), st.integers(0, 4))
def test_the_median_rule_leaves_out_what_has_no_value(peers: list[float], value: float, startup: int) -> None:
    known = [peer for peer in peers if peer == peer]
    pruner = MedianPruner(startup, 0, last_step=5)
    others = dict(enumerate(peers, start=1))
    found = pruner.should_stop(0, 1, value, lambda _: {**others, 0: value})
    enough = len(peers) >= max(1, startup)
    assert found == (enough and bool(known) and value < statistics.median(known))


def test_the_median_rule_waits_for_a_complete_trial_whatever_was_asked_for() -> None:
    steps = {1: {1: 0.9, 2: 0.9}, 5: {1: 0.9}}
    assert MedianPruner(0, 0, 5).should_stop(0, 1, 0.5, steps.__getitem__)
    assert not MedianPruner(0, 0, 5).should_stop(0, 1, 0.5, lambda step: {} if step == 5 else {1: 0.9})
    assert not MedianPruner(2, 0, 5).should_stop(0, 1, 0.5, steps.__getitem__), "one is pruned"
    assert not MedianPruner(1, 0, 5).should_stop(0, 1, 0.9, steps.__getitem__), "as good as the median"
    assert not MedianPruner(1, 1, 5).should_stop(0, 1, 0.5, steps.__getitem__)
    assert MedianPruner(1, 1, 5).should_stop(0, 2, 0.5, lambda _: {1: 0.9})
    assert not MedianPruner(1, 0, 5).should_stop(1, 1, 0.5, lambda _: {1: 0.9}), "itself"


@QUICK
@given(st.lists(SCORES, max_size=9), st.floats(0, 1), st.integers(2, 4))
def test_a_rung_lets_the_best_part_pass(peers: list[float], value: float, factor: int) -> None:
    known = [peer for peer in peers if peer == peer]
    better = sum(peer > value for peer in known)
    passing = max(1, (len(known) + 1) // factor)
    others = dict(enumerate(peers, start=1))
    assert HalvingPruner(1, factor).should_stop(0, 1, value, lambda _: others) == (better >= passing)


@QUICK
@given(st.lists(st.sampled_from([0.1, 0.5, 0.5, 0.9]), min_size=1, max_size=5), st.sets(st.integers(0, 4)))
def test_of_those_in_training_one_is_always_kept(values: list[float], live: set[int]) -> None:
    """Whoever is judged at one moment: not all of them may be stopped by a rule of thumb."""
    at = dict(enumerate(values))
    live &= at.keys()
    spared = [
        point
        for point in live
        if not is_expendable(point, at[point], 1, lambda _: at, any_complete=False, live=live)
    ]
    assert spared == [point for point in sorted(live) if at[point] == max(at[one] for one in live)]
    assert all(is_expendable(point, at[point], 1, lambda _: at, any_complete=True, live=live) for point in at)


def test_paired_begins_after_its_warmup_and_says_nothing_of_what_is_no_number() -> None:
    behind = FoldCurves(np.full((6, 3), 0.1), lambda: np.full((6, 4), 0.9))
    pruner = PairedPruner(2, 3, RacePruner(1.0, 0.0, 0.02))
    peers = {1: 0.95, 2: 0.95, 3: 0.05}
    assert [pruner.should_stop(0, step, 0.1, lambda _: peers, behind) for step in (1, 2, 3)] == [
        False,
        False,
        True,
    ]
    assert pruner.should_stop(0, 1, math.nan, lambda _: peers, behind)
    assert not pruner.should_stop(0, 3, 0.1, lambda _: peers, None)
    assert not pruner.should_stop(0, 3, 0.1, lambda _: {1: 0.05, 2: 0.05}, behind), "the best of its step"


def forecast_by_hand(
    level: float, levels: list[float], finals: list[float], prior_sd: float
) -> tuple[float, float]:
    """The posterior of a line through (level, rise), by its normal equations in fractions of sums."""
    count, mean = len(levels), statistics.fmean(levels)
    rises = [final - start for start, final in zip(levels, finals, strict=True)]
    mean_rise = statistics.fmean(rises)
    prior = (prior_sd / 0.15) ** 2
    squares = math.fsum((one - mean) ** 2 for one in levels) + prior
    products = math.fsum((one - mean) * (rise - mean_rise) for one, rise in zip(levels, rises, strict=True))
    slope = (products + prior * -0.4) / squares
    rest = math.fsum(
        (rise - mean_rise - slope * (one - mean)) ** 2 for one, rise in zip(levels, rises, strict=True)
    )
    variance = (rest + 4 * prior_sd**2) / (count - 1 + 4)
    away = level - mean
    return level + mean_rise + slope * away, math.sqrt(variance * (1 + 1 / count + away**2 / squares))


SCORE = st.floats(0, 1, width=32)


@QUICK
@given(SCORE, st.lists(st.tuples(SCORE, SCORE), min_size=1, max_size=6), st.sampled_from([0.01, 0.1]))
def test_a_forecast_is_the_posterior_of_its_line(
    level: float, complete: list[tuple[float, float]], prior_sd: float
) -> None:
    levels, finals = ([pair[n] for pair in complete] for n in range(2))
    found = forecast_final(level, np.array(levels), np.array(finals), prior_sd)
    assert found == pytest.approx(forecast_by_hand(level, levels, finals, prior_sd), rel=1e-9, abs=1e-12)


def stops_by_hand(
    table: dict[int, list[float]],
    own: list[float],
    step: int,
    confidence: float,
    growth: float,
    keeps_best: bool,
) -> bool | None:
    """The rule of `ForecastPruner` for trial 0 with four steps in words: None where it is too close to call."""
    value, last = own[step - 1], 4
    at_step = [curve[step - 1] for curve in table.values() if len(curve) >= step]
    others = [peer for peer in at_step if peer == peer]
    if value >= sorted([*others, value], reverse=True)[max(1, (len(others) + 1) // 2) - 1]:
        return False
    z = confidence * (step / last) ** growth

    def best(curve: list[float]) -> float:
        known = [one for one in curve if one == one]
        return (max(known) if known else math.nan) if keeps_best else curve[-1]

    known = [(best(curve[:step]), best(curve)) for curve in table.values() if len(curve) == last]
    known = [pair for pair in known if pair[0] == pair[0] and pair[1] == pair[1]]
    if not known:
        gap = max(0.0, max([*others, value]) - value)
        lag, sd = (1 - 0.4) * gap, math.hypot(math.sqrt(2) * 0.01, 0.15 * gap)
        return None if abs(lag - z * sd) < 1e-9 else lag > z * sd
    level = best(own[:step]) if keeps_best else value
    forecast, sd = forecast_by_hand(level, [one for one, _ in known], [one for _, one in known], 0.01)
    reached, goal = max(forecast + z * sd, level), max(one for _, one in known)
    return None if abs(reached - goal) < 1e-9 else reached < goal


@QUICK
@given(
    st.dictionaries(st.integers(1, 9), st.lists(SCORES, min_size=1, max_size=4), max_size=6),
    st.lists(SCORE, min_size=4, max_size=4), st.integers(1, 4), st.sampled_from([0.0, 0.5, 2.0]), st.sampled_from([0.0, 0.5]), st.booleans(),
)  # fmt: skip
def test_a_trial_stops_where_its_forecast_stays_below_the_best(
    table: dict[int, list[float]],
    own: list[float],
    step: int,
    confidence: float,
    growth: float,
    keeps_best: bool,
) -> None:
    everybody = {**table, 0: own[:step]}
    pruner = ForecastPruner(1, 2, confidence, 0.01, 4, keeps_best=keeps_best, confidence_growth=growth)

    def peers_at(at: int) -> dict[int, float]:
        return {point: curve[at - 1] for point, curve in everybody.items() if len(curve) >= at}

    curves = FoldCurves(np.array([own[:step]]), lambda: None)
    found = pruner.should_stop(0, step, own[step - 1], peers_at, curves)
    expected = step > 1 and stops_by_hand(table, own, step, confidence, growth, keeps_best)
    assert expected is None or found == expected
