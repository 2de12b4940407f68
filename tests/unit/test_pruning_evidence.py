"""The default pruner is as good as docs/pruning.md says, on orch's own unpruned curves, in the order they were made."""

from pathlib import Path

import numpy as np
import pytest

from bench.replay import read_curves, replay
from storage.sections import PrunerSection

CURVES = sorted((Path(__file__).parents[2] / "bench" / "data").glob("*.csv.gz"))


def test_there_are_curves_of_both_regimes() -> None:
    assert len(CURVES) == 3


@pytest.mark.parametrize("file", CURVES, ids=lambda file: file.name)
def test_the_default_saves_more_than_half_and_keeps_the_winner(file: Path) -> None:
    saved, regret = replay(read_curves(file), PrunerSection())
    assert saved >= 0.55
    assert regret <= 0.0005


def test_without_pruning_nothing_is_saved_or_lost() -> None:
    curves = np.random.default_rng(0).random((5, 3, 4))
    assert replay(curves, PrunerSection(name="none")) == (0, 0)


def test_a_diverged_trial_is_no_saving() -> None:
    curves = np.full((2, 3, 4), 0.5)
    curves[0, :, 2:] = np.nan
    assert replay(curves, PrunerSection(name="none")) == (0, 0)
