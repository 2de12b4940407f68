"""The search section of a spec in Optuna's words.

Distributions are stored with each trial, so their ends should be the ends that a person would put on
the axes of a plot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage.spec.sections import TEXTS, WHOLE_NUMBERS, SearchRange
from storage.spec.study import StudySpec

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


def distributions(spec: StudySpec) -> dict[str, BaseDistribution]:
    """Return the Optuna distribution of every searched hyperparameter, sorted by name.

    A grid that the grid sampler walks becomes a range from its smallest to its largest value, which
    dashboards draw on a proper axis; any other sampler draws from a list of values as from categories.
    """
    walked = spec.sampler.name == "grid"
    return {
        name: _distribution(name, searched, walked=walked) for name, searched in sorted(spec.search.items())
    }


def grid_values(spec: StudySpec, name: str) -> list[int | float | str]:
    """Return the values of a grid, as whole numbers where the hyperparameter counts something."""
    return [_number(name, value) for value in spec.search[name].values or ()]


def _distribution(name: str, searched: SearchRange, *, walked: bool) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if searched.type == "grid" and (not walked or name in TEXTS):
        return CategoricalDistribution([_number(name, value) for value in searched.values or ()])
    low, high = ends(searched)
    if name in WHOLE_NUMBERS or searched.type == "int":
        return IntDistribution(int(low), int(high), log=searched.log)
    return FloatDistribution(low, high, log=searched.log)


def ends(searched: SearchRange) -> tuple[float, float]:
    """Return the smallest and the largest number of a search."""
    if searched.values:
        numbers = [float(value) for value in searched.values]
        return min(numbers), max(numbers)
    assert searched.low is not None
    assert searched.high is not None
    return searched.low, searched.high


def _number(name: str, value: float | str) -> int | float | str:
    if name in TEXTS:
        return value
    return int(value) if name in WHOLE_NUMBERS else float(value)
