"""What one cell of a label column says: yes, no, uncertain, nothing, or something else."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from storage.data.patients import REMEMBERED, clean, is_no_patient

YES = frozenset(
    [
        "yes",
        "y",
        "true",
        "t",
        "positive",
        "pos",
        "present",
        "ja",
        "j",
        "wahr",
        "oui",
        "vrai",
        "si",
        "sí",
        "sì",
        "verdadero",
        "vero",
        "sim",
        "verdadeiro",
        "+",
        *("да", "是", "evet", "tak", "ano", "kyllä", "igen", "✓", "✔", "☑", "√"),
    ]
)
NO = frozenset(
    [
        "no",
        "n",
        "false",
        "f",
        "negative",
        "neg",
        "absent",
        "nein",
        "falsch",
        "non",
        "faux",
        "falso",
        "não",
        "nao",
        *("нет", "否", "hayır", "nie", "ne", "ei", "nem", "nej", "nee", "✗", "✘", "☐"),
        "−",
        "-",
    ]
)
DOUBT = frozenset(["uncertain", "equivocal", "indeterminate", "unsicher"])
NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d+)?")
GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}((?P<mark>[.,'’ ])\d{3}(?:(?P=mark)\d{3})*)(?P<rest>[.,]\d*)?")
"""A number whose thousands are set apart."""


@dataclass(frozen=True)
class Rules:
    """How cells are to be taken.

    Attributes:
        uncertain: what -1 (uncertain) becomes: "blank", "positive" or "negative"; None refuses it.
        blank: what a blank cell means: "not-assessed" or "negative".
        positive: the value that means yes in columns of two values.
        separator: what stands between several findings in one cell; None looks for it, "" says that there is none.
        no_finding: words in a list of findings that say that there is none.
        undecided: words in a list of findings after which nothing is known.
    """

    uncertain: str | None = None
    blank: str = "not-assessed"
    positive: str | None = None
    separator: str | None = None
    no_finding: tuple[str, ...] = ("no finding", "no findings", "normal", "healthy", "none")
    undecided: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """A column read as yes and no.

    Attributes:
        values: float, 1 yes, 0 no, NaN not assessed or wrong; one for each cell.
        wrong: the rows whose cell is none of these.
        uncertain: the rows that say uncertain, where no rule says what that becomes.
        given: how many cells are not blank.
        unknown: how many say in words (NA, unknown) that nothing is known.
        words: whether yes and no are written in words.
        kept: the different values of the cells that fit.
    """

    values: list[float]
    wrong: list[int]
    uncertain: list[int]
    given: int
    unknown: int
    words: bool
    kept: set[float] = field(default_factory=set)

    @property
    def fits(self) -> bool:
        """Whether every cell can be a label."""
        return not self.wrong and not self.uncertain


@lru_cache(REMEMBERED)
def says_nothing(cell: str) -> bool:
    """Whether a cell says that nothing is known: blank, dashes, NA, unknown. Other marks, such as a tick, say something."""
    text = clean(cell)
    silent = re.fullmatch(r"[-–—−_.?/\\…()\[\]]*", text)
    return bool(silent) or (bool(re.search(r"\w", text)) and is_no_patient(cell))


def as_number(cell: str) -> float | None:
    """The number in a cell, with a decimal point or comma; None where it is none."""
    # Spreadsheets mark text by an apostrophe, and some programs put quotation marks twice.
    text = clean(cell).strip("'\"").replace("−", "-")
    if NUMBER.fullmatch(text):
        return float(text.replace(",", "."))
    grouped = GROUPED.fullmatch(text)
    if grouped is None or (grouped["rest"] or "")[:1] == grouped["mark"]:
        return None
    rest = grouped["rest"] or ""
    whole = re.sub(r"[.,'’ ]", "", text.removesuffix(rest))
    return float(whole + rest.replace(",", "."))


def find_doubtful_number(cells: Sequence[str]) -> tuple[int, str] | None:
    """A row whose number may be read in two ways, as 1,200 may be 1200 or 1.2, and the mark in it; None where the column says which.

    A mark with any other number of digits behind it is a decimal one, and so are marks beside numbers below 1 and behind
    thousands that are set apart by another mark. A comma is in doubt unless it is decimal elsewhere in the column; a point only
    where the column has decimal commas, or points between thousands.
    """
    doubtful: dict[str, int] = {}
    decimal, thousands = set(), set()
    for row, cell in enumerate(cells):
        if "," not in cell and "." not in cell:
            continue
        text = clean(cell).strip("'\"")
        if found := re.fullmatch(r"[+-]?[1-9]\d{0,2}([.,])\d{3}", text):
            doubtful.setdefault(found[1], row)
        elif NUMBER.fullmatch(text):
            decimal |= {"," if "," in text else "."}
        elif found := GROUPED.fullmatch(text):
            thousands.add(found["mark"])
            decimal |= set((found["rest"] or "")[:1])
    in_doubt = {",": "," not in decimal, ".": "," in decimal and "." not in decimal}
    return next(
        ((row, mark) for mark, row in doubtful.items() if in_doubt[mark] or mark in thousands),
        None,
    )


def read_cells(cells: Sequence[str], rules: Rules) -> Reading:
    """Read a column as yes and no: 1 and 0 however a number is written, or one of the pairs of words.

    A column is written in numbers or in words; cells of the other kind are wrong, because a column of both was coded by
    two people in two ways.
    """
    counts = Counter(cells)
    if rules.positive is not None:
        meaning = _read_pair(counts, rules.positive)
    else:
        numbers, words = ({cell: _mean(cell, number) for cell in counts} for number in (True, False))
        plus = any(clean(cell) == "+" for cell in counts)
        if not plus:
            # A lone dash says that nothing is known; beside a plus it says no.
            words.update(
                {cell: "unknown" for cell in counts if words[cell] == 0 and clean(cell) in ("-", "−")}
            )
        fit = [
            sum(n for cell, n in counts.items() if isinstance(found[cell], float))
            for found in (numbers, words)
        ]
        meaning = words if fit[1] > fit[0] else numbers
    doubt = {"blank": np.nan, "positive": 1.0, "negative": 0.0}.get(rules.uncertain or "")
    blank = 0.0 if rules.blank == "negative" else np.nan
    values, wrong, uncertain, kept = [], [], [], set()
    for row, cell in enumerate(cells):
        found = meaning[cell]
        if found == "doubt":
            values.append(np.nan if doubt is None else doubt)
            if doubt is None:
                uncertain.append(row)
        elif isinstance(found, float):
            values.append(found)
            kept.add(found)
        elif found == "wrong":
            values.append(np.nan)
            wrong.append(row)
        else:
            values.append(blank if found == "blank" else np.nan)
    silent = sum(n for cell, n in counts.items() if meaning[cell] in ("blank", "unknown"))
    unknown = sum(n for cell, n in counts.items() if meaning[cell] == "unknown")
    in_words = rules.positive is None and meaning is not numbers
    return Reading(values, wrong, uncertain, len(cells) - silent, unknown, in_words, kept)


def _mean(cell: str, number: bool) -> float | str:
    text = clean(cell)
    if not text:
        return "blank"
    text = text.rstrip(".") or text
    if text in DOUBT:
        return "doubt"
    if number:
        value = as_number(cell)
        if value in (0.0, 1.0):
            return float(value or 0.0)
        if value == -1:
            return "doubt"
    elif text in YES or text in NO:
        return float(text in YES)
    return "unknown" if says_nothing(cell) else "wrong"


def _read_pair(counts: Counter[str], positive: str) -> dict[str, float | str]:
    """Two values, of which one is named as yes; any further value is wrong."""
    wanted = as_number(positive)
    meaning: dict[str, float | str] = {}
    other: set[float | str] = set()
    for cell, _ in counts.most_common():
        text, number = clean(cell), as_number(cell)
        if not text:
            meaning[cell] = "blank"
        elif text == clean(positive) or (wanted is not None and number == wanted):
            meaning[cell] = 1.0
        elif says_nothing(cell):
            meaning[cell] = "unknown"
        else:
            key = text if number is None else number
            other = other or {key}
            meaning[cell] = 0.0 if key in other else "wrong"
    return meaning
