"""Which images show best where a study's models were right and wrong: one of each kind, of different patients."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dashboards.tables.outcomes import Outcomes
from storage.tasks.classes import Classes
from storage.tasks.naming import shorten_names

MOST_LABELS = 4
"""Labels or classes of which examples are shown: those with the most positives."""
THRESHOLD = 0.5


@dataclass(frozen=True)
class Example:
    """One image to show.

    Attributes:
        row: of the data set's development images.
        place: which output of a model it is an example of.
        kind: what it is an example of, such as "false positive".
        said: what it is, and what was predicted out of fold.
    """

    row: int
    place: int
    kind: str
    said: str


@dataclass(frozen=True)
class ShownExample:
    """An example with its pictures as JPEG: the image, and the same under a heat map where a model was at hand."""

    example: Example
    image: bytes
    heat: bytes | None = None


def choose_examples(outcomes: Outcomes) -> list[Example]:
    """The most confident images of each kind: true and false calls of each label or class, or the best and the worst numbers.

    Args:
        outcomes: with `rows`; without them there is no image to show.
    """
    if outcomes.rows is None:
        return []
    labels, values = outcomes.pooled
    if isinstance(outcomes.task, Classes):
        ordered = _list_classes(outcomes, outcomes.task, labels, values)
    elif outcomes.task.is_called:
        ordered = _list_labels(outcomes, labels, values)
    else:
        ordered = _list_numbers(outcomes, labels, values)
    patients = outcomes.groups if outcomes.groups is not None else np.arange(len(labels))
    chosen, seen = [], set()
    for place, kind, candidates, said in ordered:
        found = next((row for row in candidates if patients[row] not in seen), None)
        if found is not None:
            seen.add(patients[found])
            chosen.append(Example(int(outcomes.rows[found]), place, kind, said[found]))
    return chosen


Wanted = tuple[int, str, Iterable[int], dict[int, str]]
"""Output, kind, rows from the clearest on, and what is said of each."""


def _list_labels(outcomes: Outcomes, labels: NDArray, values: NDArray) -> list[Wanted]:
    found: list[Wanted] = []
    counts = np.nansum(labels, axis=0)
    for place in sorted(np.argsort(-counts, kind="stable")[:MOST_LABELS].tolist()):
        name, truth, guess = outcomes.targets[place], labels[:, place], values[:, place]
        for kind, is_positive, is_called in (
            ("true positive", 1, True),
            ("false positive", 0, True),
            ("false negative", 1, False),
            ("true negative", 0, False),
        ):
            rows = np.flatnonzero((truth == is_positive) & ((guess > THRESHOLD) == is_called))
            clearest = rows[np.argsort(-guess[rows] if is_called else guess[rows], kind="stable")].tolist()
            found.append(
                (place, kind, clearest, {row: f"{name}: probability {guess[row]:.2f}" for row in clearest})
            )
    return found


def _list_classes(outcomes: Outcomes, task: Classes, labels: NDArray, values: NDArray) -> list[Wanted]:
    found: list[Wanted] = []
    known = ~np.isnan(labels).any(axis=1)
    truth, called = np.nan_to_num(labels).argmax(axis=1), task.call_of(values)
    names = [*shorten_names(outcomes.targets).values()]
    for place in sorted(np.argsort(-np.nansum(labels, axis=0), kind="stable")[:MOST_LABELS].tolist()):
        for kind, is_right in (
            (f"{names[place]}, called rightly", True),
            (f"{names[place]}, called wrongly", False),
        ):
            rows = np.flatnonzero(known & (truth == place) & ((called == truth) == is_right))
            sure = values[rows, called[rows]]
            clearest = rows[np.argsort(-sure, kind="stable")].tolist()
            said = {
                row: f"called {names[called[row]]} (probability {values[row, called[row]]:.2f})"
                for row in clearest
            }
            found.append((int(place), kind, clearest, said))
    return found


def _list_numbers(outcomes: Outcomes, labels: NDArray, values: NDArray) -> list[Wanted]:
    name, gap = outcomes.targets[0], values[:, 0] - labels[:, 0]
    known = np.flatnonzero(~np.isnan(gap))
    said = {row: f"{name}: {labels[row, 0]:.3g}, predicted {values[row, 0]:.3g}" for row in known.tolist()}
    return [
        (0, kind, known[np.argsort(measure[known], kind="stable")].tolist(), said)
        for kind, measure in (("smallest error", np.abs(gap)), ("most above", -gap), ("most below", gap))
    ]
