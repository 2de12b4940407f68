"""The label columns of a table.

A label column says yes, no or nothing (not assessed). One column of classes may stand in their place
(`orchestrator.importing.reading.classes`).
"""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from orchestrator.importing.reading.cells import Reading, Rules, as_number, read_cells, says_nothing
from orchestrator.importing.reading.classes import MOST_CLASSES, Labels, read_classes
from orchestrator.importing.reading.tables import Table
from storage.data.patients import clean, is_no_patient
from storage.errors import DataError
from storage.wording import name_few, say_count

NO_LABELS = re.compile(
    r"\b(age|sex|gender|male|female|follow ?up|(k ?|cv ?)?folds?|splits?|partition|subset|(is|in) (train|training|val|valid|validation|test)|geschlecht|year|jahr|index|reader|rater)\b"
)
"""Names of columns that hold 0 and 1 and are no findings; --targets takes them all the same."""

LONGEST_MARK = 8
"""Characters of a mark, such as x, that a column of a check list has in some cells."""

SIDES = {
    **dict.fromkeys(
        ("train", "training", "trn", "tr", "development", "entrenamiento", "entrainement"), "train"
    ),
    **dict.fromkeys(("treino", "addestramento", "allenamento"), "train"),
    **dict.fromkeys(
        ("valid", "val", "validate", "validation", "dev", "va", "vld", "eval", "evaluation"), "valid"
    ),
    **dict.fromkeys(("validierung", "validacion", "validazione", "validacao", "tuning", "tune"), "valid"),
    **dict.fromkeys(("test", "testing", "tst", "te", "holdout", "prueba", "teste"), "test"),
}
"""Words for the sides of a split."""

NAMED_AFTER = re.compile(
    r"(image|img|pic|picture|data|daten|set|split|folder|dir|part|dataset|subset|jpg|jpeg|png|dicom|auto)s?"
)
"""What may stand beside them in the name of a folder or in a cell: `train_images`, `Test Set`."""


def ignore(note: str) -> None:
    """Say nothing: what `note` is where the caller does not want to know."""


@dataclass(frozen=True)
class Column:
    """What one column of a table would be taken for.

    `kind` is "labels", "coded" (a label in an unknown code), "classes", "mixed" (words and numbers), "numbers", "text" or "blank"; `taken` says
    whether it is a label without being named; `reason` is for people.
    """

    name: str
    kind: str
    taken: bool
    reason: str
    reading: Reading


def read_labels(
    table: Table,
    *,
    targets: Sequence[str] | None,
    class_column: str | None,
    excluded: Sequence[str],
    rules: Rules | None = None,
    note: Callable[[str], None] = ignore,
    rows_name_findings: bool = False,
) -> Labels:
    """Read the label columns.

    Args:
        table: the labels file.
        targets: the columns to read, or with `class_column` the classes; None takes every column of yes, no and blank, or
            else one column of words as classes.
        class_column: one column whose values are classes, in place of `targets`.
        excluded: columns that are no labels: file name, groups, split.
        rules: how cells are to be taken.
        note: told what was taken for what, and what was left out.
        rows_name_findings: whether an image has several rows, each with a finding of its own.

    Raises:
        DataError: no label column, an unknown one, or a cell that is not 0, 1 or blank (names the line).
    """
    rules = rules or Rules()
    if class_column is not None:
        return read_classes(
            table,
            class_column,
            option="--class-column",
            rules=rules,
            chosen=targets,
            note=note,
            as_findings=rows_name_findings,
        )
    if rules.positive is not None and targets is None:
        # Of one column of words it names the class.
        named, rules = rules.positive, replace(rules, positive=None)
        described = [
            describe_column(name, table.column(name, option="--targets"), rules)
            for name in table.columns
            if name not in excluded
        ]
        if any(one.taken for one in described) or sum(one.kind == "classes" for one in described) != 1:
            raise DataError(
                f"--positive {named} says which value means yes, but not in which columns.",
                next_step="Name the labels, too: --targets a,b.",
            )
    chosen = _choose_columns(table, excluded, rules, note) if targets is None else list(targets)
    if not chosen or len(set(chosen)) != len(chosen):
        raise DataError("--targets names no column, or one twice.", next_step="Give --targets a,b,..")
    if len(chosen) == 1:
        column = describe_column(chosen[0], table.column(chosen[0], option="--targets"), rules)
        if column.kind in ("classes", "mixed", "text"):
            return read_classes(table, chosen[0], option="--targets", rules=rules, note=note)
    values = np.empty((len(table.rows), len(chosen)), dtype=np.float32)
    for place, name in enumerate(chosen):
        cells = table.column(name, option="--targets")
        reading = read_cells(cells, rules)
        if not reading.fits:
            raise _wrong_label(table, name, cells, reading)
        if rules.positive is not None and 1.0 not in reading.kept:
            raise DataError(
                f"{table.path}: no cell of the label {name!r} is {rules.positive!r} (--positive).",
                why=f"Its values are {name_few(sorted(set(cells) - {''}))}.",
                next_step="Name the one that means yes.",
            )
        if reading.words or rules.positive is not None:
            note(f"{name!r} is not written as 0 and 1: {_say_code(cells, reading)}.")
        if reading.unknown:
            note(
                f"{say_count(reading.unknown, 'cell')} of {name!r} say NA, unknown or the like: counted as not assessed."
            )
        values[:, place] = reading.values
    return Labels(tuple(chosen), tuple(chosen), values, "flags")


def read_split(table: Table, column: str) -> list[str]:
    """The side of each row: train, valid or test.

    Raises:
        DataError: a missing column, or another value (names the line).
    """
    cells = [clean(cell) for cell in table.column(column, option="--split")]
    sides = {cell: find_side(cell) for cell in set(cells)}
    wrong = [row for row, cell in enumerate(cells) if sides[cell] is None]
    if wrong:
        raise DataError(
            f"{table.path} {table.name_lines(wrong)}: {cells[wrong[0]] or 'blank'!r} in the split column {column!r} "
            "is not train, valid or test.",
            why=f"{say_count(len(wrong), 'row has', 'rows have')} another value.",
            next_step="Write train or valid for development and test for the hold-out.",
        )
    return [sides[cell] or "" for cell in cells]


def find_side(word: str) -> str | None:
    """The side of a split that a word means: train, valid or test; None where it means none."""
    bare = "".join(one for one in unicodedata.normalize("NFD", clean(word)) if not unicodedata.combining(one))
    if (text := bare.replace("-", "").replace("_", "").replace(" ", "")) in SIDES:
        return SIDES[text]
    # Camel case and numbers part words, too: TrainSet, test2017.
    words = [one for one in re.split(r"[\W_\d]+", bare) if one]
    kept = [one for one in words if not NAMED_AFTER.fullmatch(one)]
    if len(kept) != 1:
        return None
    stem = re.sub(rf"s?{NAMED_AFTER.pattern}$", "", kept[0])
    return SIDES.get(kept[0], SIDES.get(stem))


def describe_column(name: str, cells: Sequence[str], rules: Rules) -> Column:
    """What one column would be taken for, by its cells and its name."""
    given = [cell for cell in cells if not says_nothing(cell) or clean(cell) in ("-", "none")]
    reading = read_cells(cells, rules)

    def say(kind: str, reason: str, taken: bool = False) -> Column:
        return Column(name, kind, taken, reason, reading)

    if not reading.given:
        return say("blank", "nothing in it")
    different = {clean(cell) for cell in given}
    numbers = {as_number(cell) for cell in different}
    is_no_finding = NO_LABELS.search(re.sub(r"[\W_]+", " ", name.casefold()))
    if not reading.wrong:
        if is_no_finding:
            return say("labels", "yes and no, but by its name it is not a finding")
        if reading.words and len(reading.kept) < 2:
            if len(given) < len(cells):
                return say("coded", _ask_for_mark(given[0]))
            return say("labels", "the same word in every cell")
        if reading.uncertain and not reading.kept:
            return say("coded", "-1 throughout")
        return say("labels", "yes and no", taken=True)
    fitting = reading.given - len(reading.wrong)
    if not is_no_finding and len(reading.kept) == 2 and (fitting >= reading.given / 2 or None in numbers):
        # Leaving the column out in silence would lose a target to one slip of the hand.
        return say("labels", "yes and no with other cells among them", taken=True)
    if len(different) == 1 and len(given) < len(cells) and len(word := different.pop()) <= LONGEST_MARK:
        return say("coded", _ask_for_mark(word))
    if numbers == {1.0, 2.0}:
        return say("coded", "1 and 2: which of them means yes?")
    if None not in numbers:
        return say(
            "numbers", f"{len(numbers)} different numbers" if len(numbers) > 1 else "one number throughout"
        )
    if numbers == {None} and 2 <= len(different) <= min(MOST_CLASSES, (len(given) + 1) // 2):
        return say("classes", f"{len(different)} different words")
    if numbers != {None}:
        few = len(different) <= min(MOST_CLASSES, (len(given) + 1) // 2)
        return say("mixed" if few else "text", f"numbers and words, {len(different)} different ones")
    return say("text", f"{len(different)} different texts" if len(different) > 1 else "one text throughout")


def _ask_for_mark(word: str) -> str:
    return f"{word!r} or blank: if {word!r} means yes and blank no, --positive {word} --blank negative"


def _choose_columns(
    table: Table, excluded: Sequence[str], rules: Rules, note: Callable[[str], None]
) -> list[str]:
    columns = [
        describe_column(name, table.column(name, option="--targets"), rules)
        for name in table.columns
        if name not in excluded
    ]
    chosen = [column.name for column in columns if column.taken]
    words = [column.name for column in columns if column.kind == "classes"]
    words = words or [column.name for column in columns if column.kind == "mixed"]
    if not chosen and len(words) == 1:
        chosen = words
    if not chosen:
        coded = [column.name for column in columns if column.kind == "coded"]
        reasons = {column.name: f" ({column.reason})" for column in columns}
        raise DataError(
            f"{table.path} has no label column: none holds only 0, 1 and blank.",
            why=f"Its columns are {', '.join(name + reasons.get(name, '') for name in table.columns)}.",
            next_step=_advise(coded, words, [column.name for column in columns if column.kind == "numbers"]),
        )
    left = [f"{one.name} ({one.reason})" for one in columns if one.name not in chosen and one.kind != "text"]
    if left:
        note(f"not used as labels: {', '.join(left)}. To choose the labels, name them with --targets.")
    return chosen


def _advise(coded: Sequence[str], words: Sequence[str], numbers: Sequence[str]) -> str:
    """What to name where no column is a label by itself."""
    if coded:
        return f"If {coded[0]!r} is a label, say which value means yes: --targets {shlex.quote(coded[0])} --positive VALUE."
    if words:
        return f"If one of {name_few(map(repr, words))} is what to predict, name it: --class-column {shlex.quote(words[0])}."
    if numbers:
        name = shlex.quote(numbers[0])
        return (
            f"If {numbers[0]!r} is what to predict: --task number --targets {name}; if its numbers are grades or classes: "
            f"--class-column {name}."
        )
    return "Name 0/1 columns with --targets a,b or a column of classes with --class-column NAME."


def _say_code(cells: Sequence[str], reading: Reading) -> str:
    """Which words were taken for yes and which for no: "yes = 1, no = 0"."""
    pairs = dict.fromkeys(
        (clean(cell), value)
        for cell, value in zip(cells, reading.values, strict=True)
        if cell and value in (0, 1)
    )
    return ", ".join(
        f"{word} = {value:g}" for word, value in sorted(pairs, key=lambda one: (-one[1], one[0]))
    )


def _wrong_label(table: Table, name: str, cells: Sequence[str], reading: Reading) -> DataError:
    wrong = sorted(reading.wrong or reading.uncertain)
    what = (
        f"{table.path} {table.name_lines(wrong)}: label {name!r} is {cells[wrong[0]]!r}, not 0, 1 or blank."
    )
    if not reading.wrong:
        number = as_number(cells[wrong[0]]) is not None
        return DataError(
            what,
            why="-1 usually means 'uncertain'." if number else "It says that the finding is uncertain.",
            next_step="Choose --uncertain blank, positive or negative; or name the label columns with --targets a,b.",
        )
    values = sorted({clean(cell) for cell in cells if not is_no_patient(cell)})
    pair = f"If {' and '.join(values)} mean no and yes, say which means yes: --positive {values[-1]}. "
    return DataError(
        what,
        why=f"{len(wrong)} of {len(cells)} cells of that column are something else: "
        f"{name_few(sorted({cells[row] for row in wrong}))}.",
        next_step=(pair if len(values) == 2 else "")
        + "Correct them; or name the label columns with --targets a,b, or a column of classes with --class-column NAME.",
    )
