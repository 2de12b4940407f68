"""Labels and columns that say left or right: a mirrored picture shows the other side.

Names and values are compared in pairs: `hip_left` beside `hip_right` says a side, whatever else the words mean; a "left" alone does so
in the name of a label only. A column of marks says a side where all that it holds are sides, or neither of them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from storage.wording import name_few

WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+|[^\W\d_]+")
LEFT = frozenset(
    WORDS.findall(
        "left l lt lft le os links linke linker linkes linken li gauche izquierda izquierdo sinistra sinistro esquerda esquerdo"
    )
)
RIGHT = frozenset(
    WORDS.findall(
        "right r rt rgt re od rechts rechte rechter rechtes rechten droite droit derecha derecho destra destro direita direito"
    )
)
"""OD and RE are right eyes, OS and LE left ones."""
NO_SIDE = frozenset(
    {*WORDS.findall("b both bilat bilateral beide beidseits bds ambos ou u unknown unk na nan none"), "n/a"}
)
LONGEST_LIST = 50
"""A column with more values than this is a text, not a list of places."""


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
    distinct = {str(value).strip() for value in values}
    if len(distinct) > LONGEST_LIST:
        return False
    marks = {word for value in distinct if value.casefold() not in NO_SIDE for word in _split(value)}
    if marks <= LEFT | RIGHT | NO_SIDE:
        return bool(marks & LEFT) and bool(marks & RIGHT)
    return bool(_find_pairs(list(distinct), letters=False))


def _names_a_side(name: str) -> bool:
    return any(len(word) > 2 and word in LEFT | RIGHT for word in _split(name))


def _find_pairs(names: list[str], *, letters: bool = True) -> set[str]:
    """Names that are equal but for their side; one or two letters alone count as one only where `letters` says so."""
    seen: dict[tuple[str, ...], dict[str, str]] = {}
    for name in names:
        words = _split(name)
        sides = [
            word
            for word in words
            if word in LEFT | RIGHT and (letters or len(word) > 2 or _has_another(words))
        ]
        if len(sides) == 1:
            rest = tuple("*" if word == sides[0] else word for word in words)
            seen.setdefault(rest, {})["left" if sides[0] in LEFT else "right"] = name
    return {name for pair in seen.values() if len(pair) == 2 for name in pair.values()}


def _has_another(words: list[str]) -> bool:
    """Whether there are two words or more, numbers aside: the L of `CC L` is a side, and that of `L1` may be a vertebra."""
    return sum(word.isalpha() for word in words) > 1


def _split(name: str) -> list[str]:
    # Without accents, so that a word is not cut at one.
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", name) if not unicodedata.combining(sign))
    return [word.casefold() for word in WORDS.findall(plain)]
