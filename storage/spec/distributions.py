"""The search section of a spec in Optuna's words.

Distributions are stored with each trial, so their ends should be the ends that a person would put on
the axes of a plot. A list is a text there ("[512, 256]"), because Optuna's categories are numbers, words and truth values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from storage.spec.conditions import order_of
from storage.spec.hyperparameters import TEXTS, is_whole
from storage.spec.ranges import SearchRange, axis, plain
from storage.spec.study import StudySpec

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Key = TypeVar("Key")


def distributions(spec: StudySpec) -> dict[str, BaseDistribution]:
    """Return the Optuna distribution of every searched hyperparameter, each after those that it hangs on, else by name.

    A grid that the grid sampler walks becomes a range from its smallest to its largest value, which
    dashboards draw on a proper axis; any other sampler draws from a list of values as from categories.
    """
    walked = spec.sampler.name == "grid"
    return {name: _distribution(name, spec.search[name], walked=walked) for name in order_of(spec.search)}


def grid_values(spec: StudySpec, name: str) -> list[Any]:
    """Return the values of an axis of a grid, as whole numbers where the hyperparameter counts something."""
    return axis(name, spec.search[name])


def to_optuna(params: Mapping[Key, Any]) -> dict[Key, Any]:
    """The values of a trial as Optuna keeps them."""
    return {name: json.dumps(value) if isinstance(value, list) else value for name, value in params.items()}


def from_optuna(spec: StudySpec, params: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a trial from what Optuna keeps."""
    return {name: _decode(spec.search.get(name), value) for name, value in params.items()}


def _decode(searched: SearchRange | None, value: Any) -> Any:
    if isinstance(value, str) and searched is not None and searched.type == "choice":
        for listed in map(plain, searched.values or ()):
            if isinstance(listed, list) and json.dumps(listed) == value:
                return listed
    return value


def _distribution(name: str, searched: SearchRange, *, walked: bool) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if searched.type == "choice" or (searched.type == "grid" and (not walked or _has_words(name, searched))):
        return CategoricalDistribution(list(to_optuna(dict(enumerate(axis(name, searched)))).values()))
    low, high = ends(searched)
    if is_whole(name) or searched.type == "int":
        return IntDistribution(int(low), int(high), log=searched.log, step=int(searched.step or 1))
    return FloatDistribution(low, high, log=searched.log, step=searched.step)


def _has_words(name: str, searched: SearchRange) -> bool:
    return name in TEXTS or any(isinstance(value, str) for value in searched.values or ())


def ends(searched: SearchRange) -> tuple[float, float]:
    """Return the smallest and the largest number of a search."""
    if searched.values:
        numbers = [float(value) for value in searched.values]
        return min(numbers), max(numbers)
    assert searched.low is not None
    assert searched.high is not None
    return searched.low, searched.high
