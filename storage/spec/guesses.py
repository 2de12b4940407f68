"""Hyperparameters that a person chose for one trial: whether the study searches them, and what fills the gaps."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from storage.errors import SpecError
from storage.spec.conditions import acts, keep_acting, order_of
from storage.spec.distributions import distributions, ends, from_optuna, to_optuna
from storage.spec.hyperparameters import is_known
from storage.spec.study import StudySpec
from storage.wording import show_value

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


def check_values(spec: StudySpec, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a person's choice of hyperparameters as the search would have written it.

    Args:
        spec: of the study.
        values: some of the searched hyperparameters, by name. A number between the values of a grid is fine.

    Raises:
        SpecError: a name is not searched, or a value lies outside of its range.
    """
    known = distributions(spec)
    for name in values:
        if name not in known:
            raise _not_searched(spec, name)
    return {name: _check_value(spec, name, value, known[name]) for name, value in sorted(values.items())}


def find_missing(spec: StudySpec, values: Mapping[str, Any]) -> list[str]:
    """The hyperparameters that a trial with these values needs besides: conditions decide which act."""
    return [name for name in order_of(spec.search) if name not in values and acts(spec.search, name, values)]


def require_whole(spec: StudySpec, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of one trial as the search would have written them.

    Raises:
        SpecError: as `check_values`; or one is missing, or does not act beside the others.
    """
    checked = check_values(spec, values)
    missing, idle = (
        find_missing(spec, checked),
        sorted(checked.keys() - keep_acting(spec.search, checked).keys()),
    )
    if missing or idle:
        what = (
            f"{', '.join(missing)} must be named, too"
            if missing
            else f"{', '.join(idle)} does not act beside the others"
        )
        raise SpecError(f"{what}: {describe_when(spec, (missing or idle)[0])}.")
    return checked


def complete_values(spec: StudySpec, values: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Return a whole choice of hyperparameters: those that are given, the others drawn at random.

    Args:
        spec: of the study.
        values: some of the searched hyperparameters, by name.
        number: of the draw; the same one gives the same values.

    Raises:
        SpecError: a name is not searched, a value lies outside of its range, or does not act beside the others.
    """
    given = check_values(spec, values)
    if find_missing(spec, given):
        import numpy
        import optuna

        seed = int(numpy.random.SeedSequence([spec.study.seed, number, len(given)]).generate_state(1)[0])
        storage = optuna.storages.InMemoryStorage()
        made = storage.create_new_study([optuna.study.StudyDirection.MAXIMIZE])
        name, sampler = storage.get_study_name_from_id(made), optuna.samplers.RandomSampler(seed=seed)
        drawn = from_optuna(
            spec, optuna.study.Study(name, storage, sampler=sampler).ask(distributions(spec)).params
        )
        # What is given must act in any case: it is not left out below.
        acting = keep_acting(spec.search, {**drawn, **given})
        given = {**acting, **given}
    return require_whole(spec, given)


def describe_range(spec: StudySpec, name: str) -> str:
    """The values that a hyperparameter may take, for people."""
    from optuna.distributions import CategoricalDistribution

    kind = distributions(spec)[name]
    if isinstance(kind, CategoricalDistribution):
        return ", ".join(str(choice) for choice in kind.choices)
    low, high = ends(spec.search[name])
    step = spec.search[name].step
    return f"{low:g} to {high:g}{f' in steps of {step:g}' if step else ''}"


def describe_when(spec: StudySpec, name: str) -> str:
    """Under which values of others a hyperparameter acts, for people."""
    conditions = spec.search[name].when or {}
    if not conditions:
        return f"{name} is searched in every trial"
    return f"{name} acts where " + " and ".join(
        f"{parent} is {' or '.join(map(show_value, allowed))}" for parent, allowed in conditions.items()
    )


def _not_searched(spec: StudySpec, name: str) -> SpecError:
    searched = sorted(spec.search)
    why: str | None
    if is_known(name):
        fixed = spec.hyperparameters.get(name)
        value = "" if fixed is None else f" = {show_value(fixed)}"
        why = f"Every trial of it has the same {name}{value}; a trial with another value would be of another study."
    else:
        near = difflib.get_close_matches(name, searched, n=1, cutoff=0.4)
        why = f"Did you mean {near[0]}?" if near else None
    return SpecError(
        f"The study {spec.study.name!r} does not search {name}; it searches {', '.join(searched) or 'nothing'}.",
        why=why,
    )


def _check_value(spec: StudySpec, name: str, value: Any, kind: BaseDistribution) -> Any:
    from optuna.distributions import CategoricalDistribution, IntDistribution

    kept = to_optuna({name: list(value) if isinstance(value, tuple) else value})[name]
    is_number = not isinstance(kind, CategoricalDistribution)
    try:
        is_inside = kind._contains(kind.to_internal_repr(kept))
    except (ValueError, TypeError):
        is_inside = False
    if is_number and isinstance(kept, str | bool):
        is_inside = False
    if isinstance(kind, IntDistribution) and is_inside:
        is_inside = float(kept).is_integer()
    if not is_inside:
        raise SpecError(
            f"{name} = {show_value(value)} lies outside of what the study {spec.study.name!r} searches: {describe_range(spec, name)}.",
            why="Figures, importance and samplers know the study by its ranges.",
            next_step="Choose a value inside, or create another study with a wider range.",
        )
    if isinstance(kind, CategoricalDistribution):
        return from_optuna(spec, {name: kind.to_external_repr(kind.to_internal_repr(kept))})[name]
    if isinstance(kind, IntDistribution):
        return int(kept)
    step = spec.search[name].step
    if step is None or spec.sampler.name == "grid":
        return float(kept)
    # As samplers compute it, 0.1 + 2 * 0.1 and not 0.3, so that the same trial is known as the same.
    low, high = ends(spec.search[name])
    return min(low + round((float(kept) - low) / step) * step, high)
