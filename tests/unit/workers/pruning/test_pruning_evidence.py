"""The default pruner is as good as docs/pruning-evidence.md says, on orch's own unpruned curves, as they were made and shuffled."""

from pathlib import Path

import numpy as np
import pytest

from bench.replay import measure, read_curves, replay, shuffle
from storage.spec import PrunerSection

CURVES = sorted((Path(__file__).parents[4] / "bench" / "data").glob("*.csv.gz"))


def test_there_are_curves_of_both_regimes() -> None:
    assert len(CURVES) == 5


@pytest.mark.parametrize("file", CURVES, ids=lambda file: file.name)
def test_the_default_saves_more_than_half_and_keeps_the_winner(file: Path) -> None:
    saved, regret = replay(read_curves(file), PrunerSection())
    assert saved >= 0.55
    assert regret <= 0.0005


@pytest.mark.thorough
@pytest.mark.parametrize("file", CURVES, ids=lambda file: file.name)
def test_it_does_so_in_other_orders_too(file: Path) -> None:
    saved, regret, _ = measure(shuffle(read_curves(file)), {}, replay)
    assert saved >= 0.55
    assert regret <= 0.0005


def test_many_workers_that_begin_together_save_as_well() -> None:
    results = [replay(read_curves(file), PrunerSection(), workers=8) for file in CURVES]
    assert np.mean([saved for saved, _ in results]) >= 0.55
    assert max(regret for _, regret in results) <= 0.0005


@pytest.mark.thorough
def test_the_fast_preset_saves_nearly_as_much_as_eager_halving_and_loses_less() -> None:
    first_regimes = [file for file in CURVES if "regime-1" in file.name]
    fast, eager = (
        np.mean([measure(shuffle(read_curves(file)), section, replay) for file in first_regimes], axis=0)
        for section in ({"name": "fast"}, {"name": "halving", "min_resource": 1})
    )
    assert fast[0] >= 0.8
    assert fast[0] >= eager[0] - 0.01
    assert fast[1] <= 0.9 * eager[1]


def test_without_pruning_nothing_is_saved_or_lost() -> None:
    curves = np.random.default_rng(0).random((5, 3, 4))
    assert replay(curves, PrunerSection(name="none")) == (0, 0)


def test_a_diverged_trial_is_no_saving() -> None:
    curves = np.full((2, 3, 4), 0.5)
    curves[0, :, 2:] = np.nan
    assert replay(curves, PrunerSection(name="none")) == (0, 0)
