"""Labels and columns that say left or right: a mirrored picture shows the other side.

Names and values are compared in pairs: `hip_left` beside `hip_right` says a side, whatever else the words mean; a "left" alone does so
in the name of a label only. A column of marks says a side where all that it holds are sides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from storage.wording import name_few

LEFT = frozenset({"left", "l", "lt", "links", "gauche", "izquierda", "izquierdo", "sinistra", "sinistro"})
RIGHT = frozenset({"right", "r", "rt", "rechts", "droite", "droit", "derecha", "derecho", "destra", "destro"})
NO_SIDE = frozenset(
    {"", "b", "both", "bilateral", "beidseits", "ambos", "u", "unknown", "unk", "na", "n/a", "none", "-"}
)
LONGEST_LIST = 50
"""A column with more values than this is a text, not a list of places."""

WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+|[^\W\d_]+")


@dataclass(frozen=True)
class Sides:
    """What says a side.

    Attributes:
        labels: names of labels and classes.
        columns: names of other columns.
    """

    labels: tuple[str, ...]
    columns: tuple[str, ...]

    @property
    def said(self) -> str:
        """What says a side, for people; empty where nothing does."""
        parts = [
            f"{'the label' if what == 'label' else 'the column'}{'s' if len(names) > 1 else ''} {name_few(map(repr, names))}"
            for what, names in (("label", self.labels), ("column", self.columns))
            if names
        ]
        return " and ".join(parts)

    @property
    def verb(self) -> str:
        """The verb of a sentence that begins with `said`."""
        return "says" if len(self.labels) + len(self.columns) == 1 else "say"


def find_sides(labels: Iterable[str], columns: Mapping[str, Iterable[str]]) -> Sides:
    """Find labels and columns that say left or right.

    Args:
        labels: names of the labels and of the classes.
        columns: the values of every other column.
    """
    names = list(dict.fromkeys(labels))
    paired = _find_pairs(names)
    return Sides(
        tuple(name for name in names if name in paired or _names_a_side(name)),
        tuple(name for name, values in columns.items() if _holds_sides(values)),
    )


def _holds_sides(values: Iterable[str]) -> bool:
    distinct = {str(value).strip().casefold() for value in values}
    if len(distinct) > LONGEST_LIST:
        return False
    marks = distinct - NO_SIDE
    if marks <= LEFT | RIGHT:
        return bool(marks & LEFT) and bool(marks & RIGHT)
    return bool(_find_pairs(list(distinct), letters=False))


def _names_a_side(name: str) -> bool:
    return any(len(word) > 2 and word in LEFT | RIGHT for word in _split(name))


def _find_pairs(names: list[str], *, letters: bool = True) -> set[str]:
    """Names that are equal but for their side; single letters count as one only where `letters` says so."""
    seen: dict[tuple[str, ...], dict[str, str]] = {}
    for name in names:
        words = _split(name)
        sides = [word for word in words if word in LEFT | RIGHT and (letters or len(word) > 2)]
        if len(sides) == 1:
            rest = tuple("*" if word == sides[0] else word for word in words)
            seen.setdefault(rest, {})["left" if sides[0] in LEFT else "right"] = name
    return {name for pair in seen.values() if len(pair) == 2 for name in pair.values()}


def _split(name: str) -> list[str]:
    return [word.casefold() for word in WORDS.findall(name)]
