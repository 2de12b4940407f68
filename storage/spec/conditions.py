"""Ranges that hang on each other: which of them act in a trial, in what order they are drawn, and the valid cells of a grid.

`when = { optimizer = ["sgd"], head_depth = [2, 3] }`: the range acts where every named hyperparameter acts and has one of these values.
"""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from storage.wording import show_value


class Range(Protocol):
    """What a condition asks of a searched hyperparameter: see `storage.spec.ranges.SearchRange`."""

    @property
    def when(self) -> Mapping[str, Sequence[Any]] | None:
        """The values of others under which it acts; None for always."""
        ...

    def may_be(self, value: Any) -> bool:
        """Whether it can have this value."""
        ...

    @property
    def is_continuous(self) -> bool:
        """Whether it has endless values between two ends, so that none of them ever occurs twice."""
        ...


Search: TypeAlias = Mapping[str, Range]


def frozen(value: Any) -> Any:
    """A value that can be compared and hashed: a list as a tuple, true apart from 1, and 0.1 + 2 * 0.1 as 0.3.

    The third step of 0.1 is 0.30000000000000004 as samplers compute it.
    """
    if isinstance(value, list | tuple):
        return tuple(frozen(item) for item in value)
    if isinstance(value, float):
        return float(f"{value:.12g}")
    return ("switch", value) if isinstance(value, bool) else value


def has_conditions(search: Search) -> bool:
    """Whether any range hangs on another one."""
    return any(searched.when for searched in search.values())


def order_of(search: Search) -> list[str]:
    """The names, each after those that it hangs on; by name where nothing else decides.

    Raises:
        ValueError: some hang on each other in a circle; names them.
    """
    waiting = {name: set(searched.when or ()) & search.keys() for name, searched in search.items()}
    ready = [name for name, parents in waiting.items() if not parents]
    heapq.heapify(ready)
    ordered: list[str] = []
    while ready:
        done = heapq.heappop(ready)
        ordered.append(done)
        for name, parents in waiting.items():
            if done in parents:
                parents.discard(done)
                if not parents:
                    heapq.heappush(ready, name)
    if len(ordered) < len(search):
        circle = _find_circle({name: parents for name, parents in waiting.items() if parents})
        raise ValueError(
            f"search.{circle[0]}.when depends on itself: {' -> '.join([*circle, circle[0]])}; leave one of these conditions out"
        )
    return ordered


def acts(search: Search, name: str, params: Mapping[str, Any]) -> bool:
    """Whether a range acts, given the values of those that it hangs on; one that does not act itself has none."""
    return all(
        parent in params and frozen(params[parent]) in {frozen(value) for value in allowed}
        for parent, allowed in (search[name].when or {}).items()
    )


def keep_acting(search: Search, params: Mapping[str, Any]) -> dict[str, Any]:
    """Leave the values out that do not act, nor those that hang on these; sorted by name."""
    kept: dict[str, Any] = {}
    for name in order_of(search):
        if name in params and acts(search, name, kept):
            kept[name] = params[name]
    return dict(sorted(kept.items()))


def list_cells(search: Search, values: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Yield every valid combination once: the values that act, sorted by name.

    Args:
        search: the ranges; those without an entry in `values` are left out, and nothing may hang on them.
        values: of each name, all that it may take.
    """
    ordered = [name for name in order_of(search) if name in values]

    def extend(place: int, cell: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if place == len(ordered):
            yield dict(sorted(cell.items()))
            return
        name = ordered[place]
        if not acts(search, name, cell):
            yield from extend(place + 1, cell)
            return
        for value in values[name]:
            yield from extend(place + 1, {**cell, name: value})

    return extend(0, {})


def check_conditions(search: Search) -> None:
    """Make sure that every condition can hold.

    Raises:
        ValueError: a name that is not searched, a value that it never has, a range without steps, or a circle.
    """
    for name, searched in search.items():
        for parent, allowed in (searched.when or {}).items():
            if parent not in search:
                near = difflib.get_close_matches(
                    parent, [other for other in search if other != name], n=1, cutoff=0.5
                )
                hint = (
                    f"did you mean {near[0]}?" if near else "add it to [search], or leave the condition out"
                )
                raise ValueError(f"search.{name}.when names {parent}, which is not searched ({hint})")
            if search[parent].is_continuous:
                raise ValueError(
                    f"search.{name}.when asks for single values of search.{parent}, a range without steps, which hardly ever has exactly "
                    f"these; give search.{parent} a `step`, or list its values"
                )
            for value in allowed:
                if not search[parent].may_be(value):
                    raise ValueError(
                        f"search.{name}.when asks for {parent} = {show_value(value)}, which search.{parent} never is"
                    )
    order_of(search)


def _find_circle(waiting: Mapping[str, set[str]]) -> list[str]:
    """Names that hang on each other, in that order, the first of them first."""
    path = [min(waiting)]
    while True:
        following = min(parent for parent in waiting[path[-1]] if parent in waiting)
        if following in path:
            circle = path[path.index(following) :]
            start = circle.index(min(circle))
            return circle[start:] + circle[:start]
        path.append(following)
