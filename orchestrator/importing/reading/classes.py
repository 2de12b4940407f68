"""A column of classes: one class for each image, or a list of findings that may stand side by side.

Each class becomes a target `column=class`, 1 for its images and 0 for the others. Findings of a list are targets by their
own names, as they would be in columns of 0 and 1.
"""

from __future__ import annotations

import ast
import difflib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.importing.reading.cells import Rules, as_number, says_nothing
from orchestrator.importing.reading.tables import Table
from storage.data.patients import clean
from storage.errors import DataError
from storage.wording import name_few, say_count

MOST_CLASSES, MOST_FINDINGS = 100, 400
BAR = "|"
DOUBTFUL_SEPARATORS = (";", ",", "/", "+", "&", "\n", "\t", "、", " and ", " und ", " et ")
LIST = re.compile(r"\[.*\]|\{\s*(['\"].*)?\}|\(\s*(['\"].*)?\)", re.DOTALL)
"""A list, set or tuple as Python writes them."""

SLIP = 0.86
"""Similarity of two words (difflib) from which the rare one may be a slip of the frequent one."""


@dataclass(frozen=True)
class Labels:
    """The targets, and float32 values of shape (rows, targets), NaN where not assessed.

    `kind` says how the columns were written ("flags", "classes" or "numbers"), `task` what a study predicts of them
    (`storage.tasks`), and `classes` the names of classes, of two the negative one first. `shares` are the shares of an image's readers
    who said yes, where they are kept: float32, shape (rows, targets).
    """

    targets: tuple[str, ...]
    columns: tuple[str, ...]
    values: np.ndarray
    kind: str
    task: str = "labels"
    classes: tuple[str, ...] = ()
    shares: np.ndarray | None = None


def read_classes(
    table: Table,
    name: str,
    *,
    option: str,
    rules: Rules,
    note: Callable[[str], None],
    chosen: Sequence[str] | None = None,
    as_findings: bool = False,
) -> Labels:
    """Read a column of classes or of lists of findings.

    Args:
        table: the labels file.
        name: the column.
        option: who asked for it.
        rules: what separates findings, and which words say that there are none.
        note: told what was cleaned.
        chosen: the classes or findings that are wanted; None for all.
        as_findings: whether findings stand side by side although each cell holds one, as an image has several rows.

    Raises:
        DataError: too few or too many classes, cells that seem to name several, or spellings that may be one class.
    """
    cells = table.column(name, option=option)
    separator = _find_separator(table, name, cells, rules)
    listed = separator is not None or as_findings
    parts = [_split(cell, separator) if listed else [cell] for cell in cells]
    spelled = _spell(table, name, parts, listed, note)
    found = [list(dict.fromkeys(spelled[part] for part in some if part in spelled)) for some in parts]
    none, undecided = ({clean(word) for word in words} for words in (rules.no_finding, rules.undecided))
    # An empty list says that there is nothing, where the column has no word for that; a blank cell says nothing.
    spoken = any(clean(word) in none for word in spelled.values())
    empty = [
        separator == "[" and not spoken and not some and LIST.fullmatch(cell) is not None
        for some, cell in zip(parts, cells, strict=True)
    ]
    unknown = sum(
        not some and bool(cell) and not nothing
        for some, cell, nothing in zip(found, cells, empty, strict=True)
    )
    if any(empty):
        note(f"{say_count(sum(empty), 'empty list')} in {name!r}: counted as having none of the findings.")
    if unknown:
        note(
            f"{say_count(unknown, 'cell')} of {name!r} say NA, unknown or the like: counted as not assessed."
        )
    if listed and separator is not None and rules.separator is None:
        note(
            f"the cells of {name!r} are read as lists of findings. With --separator '' each cell is one class."
        )
    apart = none | undecided if listed else set()
    classes = sorted(
        {word for some in found for word in some}
        - {word for word in spelled.values() if clean(word) in apart}
    )
    classes = _choose(table, name, classes, chosen)
    limit = MOST_FINDINGS if listed else MOST_CLASSES
    if not (1 if listed or chosen else 2) <= len(classes) <= limit:
        raise DataError(
            f"{table.path}: the class column {name!r} has {len(classes)} different values.",
            why=f"A class column has 2 to {MOST_CLASSES} classes, or up to {MOST_FINDINGS} findings in lists.",
            next_step="Name another column with --class-column, or 0/1 columns with --targets.",
        )
    place = {word: number for number, word in enumerate(classes)}
    values = np.zeros((len(cells), len(classes)), dtype=np.float32)
    for row, words in enumerate(found):
        if not words:
            values[row] = 0 if empty[row] or (listed and rules.blank == "negative") else np.nan
        elif listed and all(clean(word) in undecided for word in words):
            values[row] = np.nan
        for word in words:
            if word in place:
                values[row, place[word]] = 1
    free = listed and not set(classes) & set(table.columns)
    targets = tuple(word if free else f"{name}={word}" for word in classes)
    return Labels(targets, (name,), values, "flags" if listed else "classes")


def _find_separator(table: Table, name: str, cells: Sequence[str], rules: Rules) -> str | None:
    """What separates findings in a cell: "[" stands for a list in brackets; None where each cell is one class."""
    if rules.separator == "":
        return None
    if any(LIST.fullmatch(cell) for cell in cells):
        return "["
    if rules.separator is not None:
        return rules.separator
    if any(BAR in _widen(cell) for cell in cells):
        return BAR
    # Line ends and tabs separate, too, and `clean` makes blanks of them.
    different = {
        "".join(one if one in ("\n", "\t") else clean(one) for one in re.split(r"([\n\t])", cell))
        for cell in cells
        if cell
    }
    for separator in DOUBTFUL_SEPARATORS:
        lists = {cell: [part.strip() for part in cell.split(separator)] for cell in sorted(different)}
        joined = [cell for cell, parts in lists.items() if len([part for part in parts if part]) > 1]
        counts = Counter(part for cell in joined for part in lists[cell])
        # In "left, upper" each word has its place; findings of a list stand in any order.
        places = {(part, place) for cell in joined for place, part in enumerate(lists[cell])}
        moving = {part for part, times in Counter(part for part, _ in places).items() if times > 1}
        if any(
            all(part in different or counts[part] > 1 for part in lists[cell])
            and any(part in different or part in moving for part in lists[cell])
            for cell in joined
        ):
            raise DataError(
                f"{table.path}: cells of the class column {name!r} seem to name several findings, with {separator!r} between "
                f"them: {name_few(repr(cell) for cell in joined)}.",
                why="Without a separator each combination would be a separate class.",
                next_step=f"Say --separator {_quote(separator)} to make each finding a target, or --separator '' if each cell is one "
                "class.",
            )
    return None


def _quote(separator: str) -> str:
    return {"\n": "$'\\n'", "\t": "$'\\t'"}.get(separator, f"'{separator}'")


def _split(cell: str, separator: str | None) -> list[str]:
    if separator == "[" and LIST.fullmatch(cell):
        # NumPy writes lists without commas, which Python would join to one word.
        spaced = re.search(r"['\"]\s+['\"]", cell) is not None and "," not in cell
        try:
            parts = re.findall(r"'([^']*)'|\"([^\"]*)\"", cell) if spaced else ast.literal_eval(cell)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            parts = None
        if isinstance(parts, list | tuple | set | dict):
            words = ["".join(part) if isinstance(part, tuple) else part for part in parts]
            return [str(part).strip() for part in words if part is not None and str(part).strip()]
        return [part.strip().strip("'\"").strip() for part in cell[1:-1].split(",") if part.strip()]
    if separator in (None, "["):
        return [cell] if cell else []
    text = cell if separator in cell else _widen(cell)
    return [part.strip() for part in text.split(separator) if part.strip()]


def _widen(cell: str) -> str:
    """A cell with the wide punctuation of East Asian scripts as ordinary one."""
    return cell if cell.isascii() else unicodedata.normalize("NFKC", cell)


def _spell(
    table: Table, name: str, parts: Sequence[Sequence[str]], listed: bool, note: Callable[[str], None]
) -> dict[str, str]:
    """Every cell or part that is a class -> the spelling that most cells of that class have."""
    counts = Counter(part for some in parts for part in some)
    spellings: dict[str, list[str]] = defaultdict(list)
    for part, _ in sorted(counts.items(), key=lambda one: (-one[1], one[0])):
        key = _key(part)
        if key and (key == "none" or not says_nothing(part)):
            spellings[key].append(part)
    if not listed and "none" in spellings:
        note(f"'none' in the column {name!r} is taken as a class. Leave cells blank that mean not assessed.")
    alike: dict[str, list[str]] = defaultdict(list)
    for key, written in spellings.items():
        alike[_bare(key)].append(written[0])
    doubtful = [sorted(words) for words in alike.values() if len(words) > 1]
    if doubtful:
        raise DataError(
            f"{table.path}: classes of the column {name!r} differ only in accents, hyphens or the like: "
            f"{name_few(' and '.join(map(repr, words)) for words in doubtful)}.",
            why="They look like one class in two spellings, and each would teach that the other is absent.",
            next_step="Write each class in one way; if they are different classes, give them names that differ more.",
        )
    several = [written for written in spellings.values() if len({one.strip() for one in written}) > 1]
    if several:
        note(
            f"spellings of one class in {name!r} (upper and lower case, blanks, a full stop) are taken as one: "
            f"{name_few(' = '.join(map(repr, sorted(written))) for written in several)}."
        )
    _note_slips(
        name, {written[0]: sum(counts[one] for one in written) for written in spellings.values()}, note
    )
    return {one: written[0] for written in spellings.values() for one in written}


def _key(part: str) -> str:
    number = as_number(part)
    return clean(part).strip("'\"`").rstrip(".").rstrip() if number is None else f"{number:g}"


def _bare(key: str) -> str:
    """A word without accents, hyphens and other marks; signs that carry a meaning (+, -, <, digits) at the end stay."""
    plain = "".join(one for one in unicodedata.normalize("NFD", key) if not unicodedata.combining(one))
    joined = re.sub(r"(?<=[^\W\d])[\s_\-.,'’]+(?=[^\W\d])", "", plain)
    # Between a word and its number a lone minus is a hyphen; after a space it is a sign.
    return re.sub(r"(?<=[^\W\d])(?:[\s_]+|[-.])(?=\d)", "", joined)


def _note_slips(name: str, counts: dict[str, int], note: Callable[[str], None]) -> None:
    # So many are no classes, which is said next; to compare each with each would take hours.
    if len(counts) > MOST_FINDINGS:
        return
    for rare, count in counts.items():
        if count > 3 or len(rare) < 6 or re.search(r"\d", rare):
            continue
        for usual, more in counts.items():
            if (
                more >= 10 * count
                and len(usual) >= 6
                and difflib.SequenceMatcher(None, clean(rare), clean(usual)).ratio() >= SLIP
            ):
                note(
                    f"the class {rare!r} of {name!r} ({say_count(count, 'image')}) may be a typing error for {usual!r}."
                )


def _choose(table: Table, name: str, classes: list[str], chosen: Sequence[str] | None) -> list[str]:
    if chosen is None:
        return classes
    known = {_key(word): word for word in classes}
    wanted = [_key(word.removeprefix(f"{name}=")) for word in chosen]
    unknown = [word for word, key in zip(chosen, wanted, strict=True) if key not in known]
    if unknown:
        near = difflib.get_close_matches(_key(unknown[0]), known, n=1)
        raise DataError(
            f"{table.path}: the class column {name!r} has no class {unknown[0]!r}.",
            why=f"Its classes are {name_few(classes, 20)}.",
            next_step=f"Did you mean {known[near[0]]!r}?" if near else "Name its classes with --targets a,b.",
        )
    return [known[key] for key in wanted]
