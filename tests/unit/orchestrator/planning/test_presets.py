"""Studies by purpose: each says what it searches, is sized to its data, and leaves the regimes alone."""

from __future__ import annotations

import pytest

from orchestrator.planning.plan import plan_points
from orchestrator.planning.presets import PRESETS, size_to_data
from orchestrator.planning.regimes import build_spec, regime_one
from orchestrator.terminal.choices import Preset
from storage.errors import SpecError, UsageError


def test_the_command_knows_every_preset() -> None:
    assert [preset.value for preset in Preset] == list(PRESETS)


@pytest.mark.parametrize("preset", list(PRESETS))
@pytest.mark.parametrize("full", [12, 345, 10_000])
def test_batch_sizes_end_where_a_full_batch_begins(preset: str, full: int) -> None:
    spec = size_to_data(build_spec("x", preset=preset), preset, [full + 3, full])
    points = plan_points(spec)
    assert len(points) == spec.study.trials
    searched = spec.search.get("batch_size")
    sizes = [point["batch_size"] for point in points if searched and point is not None]
    assert max(sizes, default=0) <= full
    assert searched or spec.training.batch_size <= full
    if searched is not None:
        assert searched.high == min(full, 2048)
        assert searched.low is not None
        assert searched.low <= 16


def test_what_was_chosen_stays() -> None:
    chosen = ['search.batch_size={type="int", low=8, high=900}']
    spec = size_to_data(build_spec("x", preset="quick", settings=chosen, trials=7), "quick", [345])
    assert (spec.search["batch_size"].high, spec.study.trials, spec.study.regime) == (900, 7, "custom")


def test_the_regimes_stay_as_they_are() -> None:
    assert build_spec("x", regime="I") == regime_one("x")
    assert regime_one("x").search["batch_size"].high == 2048


def test_a_preset_stands_for_itself() -> None:
    with pytest.raises(UsageError, match="--preset goes without"):
        build_spec("x", preset="quick", regime="I")
    with pytest.raises(SpecError, match="does not fit a grid of 20 cells"):
        build_spec("x", preset="backbones", trials=3)
    assert len(build_spec("x", preset="backbones", settings=["sampler.name=random"], trials=3).search) == 3
