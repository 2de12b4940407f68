"""What kind of label the columns hold: said with --task, or guessed from the columns, and said to the user.

A table is read as columns of 0 and 1 (one column of classes as a column for each), and only then taken for what it is: so rows of
one image are merged in one way, whatever they mean. Numbers are read as numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from orchestrator.importing.reading.cells import Rules, as_number, find_doubtful_number
from orchestrator.importing.reading.classes import Labels
from orchestrator.importing.reading.labels import read_labels
from orchestrator.importing.reading.tables import Table
from storage.data.patients import clean, is_no_patient
from storage.errors import DataError
from storage.wording import name_few, say_count

FEWEST_ROWS = 20
"""With fewer rows, columns of which one is 1 in each row may be so by chance, and are taken side by side."""

NEGATIVE = re.compile(
    r"(no|non|not|without|kein|keine|ohne|sans)\b.*|normal|norm|ok|healthy|control|controls|negative|neg|absent|benign|none|0|gesund|sain"
)
"""Words for the class that is not looked for."""

LARGEST = float(np.finfo(np.float32).max)

LADDERS = (
    ("none", "absent", "no", "normal", "minimal", "doubtful", "mild", "slight", "moderate", "marked", "severe", "extreme"),
    ("very low", "low", "medium", "intermediate", "high", "very high"),
    ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x"),
    ("small", "medium", "large"),
)  # fmt: skip
"""Words that are an order wherever they stand together."""


@dataclass(frozen=True)
class Asked:
    """What an import was told of its labels, and where it says what it made of them.

    Attributes:
        targets: the columns, or with classes those that are wanted, in their order; None where nobody named them.
        class_column: one column whose values are classes.
        excluded: columns that are no labels.
        rules: how cells are to be taken; `positive` also names the class that is looked for.
        rows_name_findings: whether an image has several rows, each with a finding of its own.
        note: told what was taken for what.
    """

    targets: Sequence[str] | None
    class_column: str | None
    excluded: Sequence[str]
    rules: Rules
    rows_name_findings: bool
    note: Callable[[str], None]


@dataclass(frozen=True)
class Kind:
    """How one kind of label is imported.

    Attributes:
        read: the columns of a table.
        shape: labels of one row an image as this kind has them; raises DataError where they are not of this kind.
        sure: how likely columns are of this kind, of those that are guessed, from 0 to 1.
        merges: whether several rows of an image can be merged.
    """

    read: Callable[[Table, Asked], Labels]
    shape: Callable[[Labels, Asked], Labels]
    sure: Callable[[Labels], float]
    merges: bool = True


def read_flags(table: Table, asked: Asked) -> Labels:
    """Columns of yes and no, or one of classes."""
    rules = asked.rules
    if rules.positive in table.columns or asked.class_column is not None:
        # It names a class, not a value in a column.
        rules = replace(rules, positive=None)
    return read_labels(
        table,
        targets=asked.targets,
        class_column=asked.class_column,
        excluded=asked.excluded,
        rules=rules,
        note=asked.note,
        rows_name_findings=asked.rows_name_findings,
    )


def read_numbers(table: Table, asked: Asked) -> Labels:
    """Columns of numbers; a blank or NA is not known.

    Raises:
        DataError: no column was named, or a cell is no number (names the line).
    """
    if not asked.targets:
        found = [
            name
            for name in table.columns
            if name not in asked.excluded and _are_numbers(table.column(name, option="--targets"))
        ]
        raise DataError(
            "--task number was given, but not which column holds the number.",
            why=f"Columns of numbers are {name_few(found)}." if found else "No column holds numbers alone.",
            next_step=f"Name it: --targets {found[0] if found else 'COLUMN'}",
        )
    values = np.full((len(table.rows), len(asked.targets)), np.nan, np.float32)
    for place, name in enumerate(asked.targets):
        cells = table.column(name, option="--targets")
        wrong = []
        for row, cell in enumerate(cells):
            number = as_number(cell)
            if number is not None and abs(number) <= LARGEST:
                values[row, place] = number
            elif clean(cell) and not is_no_patient(cell):
                wrong.append(row)
        refuse_doubtful_numbers(table, name, cells)
        if wrong:
            raise DataError(
                f"{table.path} {table.name_lines(wrong)}: {name!r} is {cells[wrong[0]]!r}, which is no number.",
                why=f"{len(wrong)} of {len(cells)} cells of that column are something else.",
                next_step="Correct them, leave them blank (not known), or choose another kind of label with --task.",
            )
        known = values[~np.isnan(values[:, place]), place]
        if len(np.unique(known)) < 2:
            raise DataError(
                f"{table.path}: the column {name!r} has {say_count(len(np.unique(known)), 'different number')}.",
                next_step="Name another column with --targets.",
            )
    return Labels(tuple(asked.targets), tuple(asked.targets), values, "numbers", "number")


def refuse_doubtful_numbers(table: Table, name: str, cells: Sequence[str]) -> None:
    """Refuse a column of numbers that does not say whether a mark separates thousands or decimals.

    Raises:
        DataError: it does not (names the line, and both numbers).
    """
    doubtful = find_doubtful_number(cells)
    if doubtful is None:
        return
    row, mark = doubtful
    raise DataError(
        f"{table.path} line {table.lines[row]}: {name!r} is {cells[row]!r}, which may be "
        f"{cells[row].replace(mark, '')} or {cells[row].replace(mark, '.')}.",
        why=f"Nothing in that column shows whether its {'commas' if mark == ',' else 'points'} separate thousands or decimals.",
        next_step="Write these numbers without marks between thousands, and with a decimal point.",
    )


def keep(labels: Labels, asked: Asked) -> Labels:
    """As they were read."""
    return labels


def into_classes(labels: Labels, asked: Asked, task: str = "classes") -> Labels:
    """Columns of which one is 1 in each row; where none is, the class was not assessed.

    Raises:
        DataError: one column alone, or rows in which several are 1.
    """
    if len(labels.targets) < 2:
        raise DataError(
            f"--task {task} needs at least two classes; there is {labels.targets[0]!r} alone.",
            next_step="Name a column of classes with --class-column, or several columns with --targets.",
        )
    ones = (labels.values == 1).sum(axis=1)
    several = np.flatnonzero(ones > 1)
    if len(several):
        raise DataError(
            f"{say_count(len(several), 'image')} of {len(ones)} have several of the classes {name_few(labels.targets)}.",
            why="Classes exclude each other.",
            next_step="Leave --task out, or say --task labels, to take them side by side.",
        )
    values = (labels.values == 1).astype(np.float32)
    values[ones == 0] = np.nan
    if (without := int((ones == 0).sum())) and labels.kind == "classes":
        asked.note(f"{say_count(without, 'image')} without one of the classes: not assessed.")
    return replace(labels, values=values, task=task, classes=tuple(map(bare, labels.targets)))


def into_two(labels: Labels, asked: Asked) -> Labels:
    """Two columns or classes as one output for the positive one.

    Raises:
        DataError: not two classes, or `--positive` is neither of them.
    """
    if len(labels.targets) == 1:
        name = bare(labels.targets[0])
        return replace(labels, task="two-classes", classes=(f"not {name}", name))
    if len(labels.targets) != 2:
        raise DataError(
            f"--task two-classes needs two classes; there are {len(labels.targets)}: {name_few(labels.targets)}.",
            next_step="Say --task classes, or name two of them with --targets.",
        )
    both = into_classes(labels, asked, "two-classes")
    place = find_positive(both.classes, labels.targets, asked.rules.positive)
    other = both.classes[1 - place]
    asked.note(
        f"two classes, {both.classes[place]!r} (positive) against {other!r}: one output. --positive names the other one; "
        "with --task labels each is a separate label."
    )
    return replace(
        both,
        targets=(labels.targets[place],),
        values=both.values[:, place : place + 1],
        classes=(other, both.classes[place]),
    )


def into_ordered(labels: Labels, asked: Asked) -> Labels:
    """Classes in their order: as --targets has them, by the number in their names, or as words of a known ladder.

    Raises:
        DataError: the order is not known.
    """
    found = into_classes(labels, asked, "ordered")
    order = list(range(len(found.classes)))
    if not asked.targets:
        known = find_order(found.classes)
        if known is None:
            raise DataError(
                f"--task ordered was given, but orch does not know the order of {name_few(found.classes)}.",
                next_step="Name the classes from the lowest to the highest: --targets A,B,..",
            )
        order = known
    asked.note(
        f"classes in the order {' < '.join(found.classes[place] for place in order)} (--targets gives another order; "
        "--task classes takes them without one)."
    )
    return replace(
        found,
        targets=tuple(found.targets[place] for place in order),
        values=found.values[:, order],
        classes=tuple(found.classes[place] for place in order),
    )


def find_order(classes: Sequence[str]) -> list[int] | None:
    """The places of classes from the lowest to the highest; None where their names do not say it."""
    parts = [re.fullmatch(r"(\D*)(\d+(?:[.,]\d+)?)(\D*)", clean(name)) for name in classes]
    around = {(part[1].strip(), part[3].strip()) for part in parts if part}
    if all(parts) and len(around) == 1:
        numbers = [float(part[2].replace(",", ".")) for part in parts if part]
        return (
            sorted(range(len(numbers)), key=numbers.__getitem__)
            if len(set(numbers)) == len(numbers)
            else None
        )
    words = [clean(name) for name in classes]
    for ladder in LADDERS:
        if all(word in ladder for word in words):
            return sorted(range(len(words)), key=lambda place: ladder.index(words[place]))
    return None


def find_positive(classes: Sequence[str], targets: Sequence[str], named: str | None) -> int:
    """Which of two classes is looked for: the one that is named, or the one that is not called normal or the like.

    Raises:
        DataError: the one that is named is neither.
    """
    if named is not None:
        for place, names in enumerate(zip(classes, targets, strict=True)):
            if clean(named) in map(clean, names):
                return place
        raise DataError(
            f"--positive {named} is neither of the classes {' and '.join(map(repr, classes))}.",
            next_step="Name one of them.",
        )
    negative = [bool(NEGATIVE.fullmatch(re.sub(r"[\W_]+", " ", clean(name)).strip())) for name in classes]
    return 0 if negative == [False, True] else 1


def bare(target: str) -> str:
    """The name of a class without that of its column."""
    return target.rpartition("=")[2]


def _is_exclusive(labels: Labels) -> float:
    ones = np.nansum(labels.values, axis=1)
    several = labels.values.shape[1] > 1 and not np.isnan(labels.values).any()
    return float(several and len(ones) >= FEWEST_ROWS and bool((ones == 1).all()))


def _guess_two(labels: Labels) -> float:
    two = len(labels.targets) == 2
    return 0.9 * (two and (labels.kind == "classes" or _is_exclusive(labels)))


def _guess_classes(labels: Labels) -> float:
    return 0.7 * (len(labels.targets) > 1 and (labels.kind == "classes" or _is_exclusive(labels)))


def _guess_ordered(labels: Labels) -> float:
    is_class = len(labels.targets) > 2 and (labels.kind == "classes" or _is_exclusive(labels))
    return 0.8 * (is_class and find_order([bare(target) for target in labels.targets]) is not None)


KINDS: dict[str, Kind] = {
    "labels": Kind(read_flags, keep, lambda labels: 0.5),
    "two-classes": Kind(read_flags, into_two, _guess_two),
    "classes": Kind(read_flags, into_classes, _guess_classes),
    "ordered": Kind(read_flags, into_ordered, _guess_ordered),
    "number": Kind(read_numbers, keep, lambda labels: 0.6 * (labels.kind == "numbers"), merges=False),
}
"""By the names of `storage.tasks`."""


def read_kind(table: Table, asked: Asked, task: str | None) -> Labels:
    """Read the label columns of a table; `shape_kind` then makes of them what they are.

    Raises:
        DataError: as the reader of the kind, or `--task` names none.
    """
    if task is not None and task not in KINDS:
        raise DataError(f"--task {task} is not {', '.join(list(KINDS)[:-1])} or {list(KINDS)[-1]}.")
    return KINDS[task or "labels"].read(table, asked)


def shape_kind(labels: Labels, asked: Asked, task: str | None) -> Labels:
    """Labels with one row for each image as the kind that was asked for has them, or the likeliest kind.

    Raises:
        DataError: they are not of the kind that was asked for.
    """
    chosen = task or max(KINDS, key=lambda name: KINDS[name].sure(labels))
    shaped = KINDS[chosen].shape(labels, asked)
    if task is None and chosen == "classes":
        asked.note(
            f"one of {len(shaped.classes)} classes for each image: probabilities add up to 1. With --task labels each class is "
            "a separate label."
        )
    return shaped


def _are_numbers(cells: Sequence[str]) -> bool:
    given = [cell for cell in cells if clean(cell) and not is_no_patient(cell)]
    return bool(given) and all(as_number(cell) is not None for cell in given)
