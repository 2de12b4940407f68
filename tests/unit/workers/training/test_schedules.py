"""The learning rate of each epoch, against values worked by hand."""

import math

import pytest

from workers.objective.rate_finder import COUNT, RateCurve
from workers.training.learning_rates import anneal, learning_rate, rise


def test_sgdr_by_hand() -> None:
    """Cycles of 4, 8 and 16 epochs: (1 + cos(pi i / length)) / 2 at i = 0, 1, 2, 3 of 4 and 0, 4, 7 of 8."""
    rates = {epoch: anneal(1e-4, 4, 2, 0, epoch) / 1e-4 for epoch in range(1, 30)}
    worked = {1: 1, 2: 0.8535534, 3: 0.5, 4: 0.1464466, 5: 1, 9: 0.5, 12: 0.0380602, 13: 1, 21: 0.5, 29: 1}
    assert {epoch: rates[epoch] for epoch in worked} == pytest.approx(worked, abs=1e-7)


def test_the_published_setting_is_one_cycle_of_ten() -> None:
    published = [1e-4 / 2 * (math.cos(math.pi * step / 10) + 1) for step in range(10)]
    assert [anneal(1e-4, 10, 2, 1, epoch) for epoch in range(1, 11)] == pytest.approx(published, rel=1e-12)


def test_after_the_last_cycle_the_rate_stays_where_it_was() -> None:
    assert [anneal(1.0, 4, 2, 1, epoch) for epoch in (5, 6, 50)] == [anneal(1.0, 4, 2, 1, 4)] * 3
    assert anneal(1.0, 4, 2, 2, 5) == 1
    assert anneal(1.0, 4, 2, 2, 99) == anneal(1.0, 4, 2, 2, 12)


def test_cycles_that_grow_by_a_fraction_have_whole_epochs() -> None:
    restarts = [epoch for epoch in range(1, 25) if anneal(1.0, 3, 1.5, 0, epoch) == 1]
    assert restarts == [1, 4, 8, 15]  # cycles of 3, 4 (4.5), 7 (6.75) and 10 (10.1) epochs


def test_a_constant_rate_is_constant() -> None:
    settings = {"rate_schedule": "constant", "learning_rate": 0.01, "cycle_epochs": 2, "cycle_growth": 2.0}
    assert {learning_rate(settings, 0, epoch) for epoch in range(1, 9)} == {0.01}
    settings["rate_schedule"] = "sgdr"
    assert learning_rate(settings, 0, 2) == pytest.approx(0.005)


def test_the_finder_tries_fifty_rates_tenfold_every_fifth() -> None:
    rates = [rise(epoch) for epoch in range(1, COUNT + 1)]
    assert (len(rates), rates[0]) == (50, 1e-10)
    assert rates[5:] == pytest.approx([10 * rate for rate in rates[:-5]], rel=1e-12)
    assert rates[-1] == pytest.approx(10**-0.2, rel=1e-12)


def test_the_suggestion_is_a_tenth_of_the_best_rate() -> None:
    rates = (1e-4, 1e-3, 1e-2, 1e-1)
    assert RateCurve(rates, (0.7, 0.6, 0.4, math.nan)).suggestion == pytest.approx(1e-3)
    assert RateCurve(rates, (0.7, 0.7, 0.8, math.nan)).suggestion is None
