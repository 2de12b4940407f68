"""Pruning rules are pure: tables of last values in, a decision out."""

from __future__ import annotations

import math

import optuna
import pytest

from storage.spec import PrunerSection
from workers.cross_validation import judge
from workers.pruning import HalvingPruner, NoPruner, make_pruner


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


@pytest.mark.parametrize("pruner", [NoPruner(), HalvingPruner(4, 2)])
def test_not_a_number_always_stops(pruner: NoPruner) -> None:
    assert pruner.should_stop(0, 1, math.nan, lambda _: {})


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_decisions_are_those_of_optuna_in_the_same_order(factor: int) -> None:
    import numpy as np

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
    assert isinstance(make_pruner(PrunerSection(name="none")), NoPruner)
    assert isinstance(make_pruner(PrunerSection()), HalvingPruner)


def test_value_epoch_and_folds_of_each_objective() -> None:
    import numpy as np

    curves = np.array([[0.5, 0.9, 0.6], [0.8, 0.6, 0.7]])
    value, epoch, folds = judge(curves, "max_of_mean")
    assert (value, epoch, folds.tolist()) == (0.75, 2, [0.9, 0.6])
    value, epoch, folds = judge(curves, "mean_of_max")
    assert (value, folds.tolist()) == (pytest.approx(0.85), [0.9, 0.8])
    value, epoch, folds = judge(curves, "last")
    assert (value, epoch) == (pytest.approx(0.65), 3)
