"""Which rows belong to one patient: the cells of group columns, compared as what they are."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence

from orchestrator.importing.reading.labels import ignore
from orchestrator.importing.reading.tables import Table
from storage.data.patients import is_no_patient, is_rounded, patient_key
from storage.errors import DataError
from storage.wording import name_few, say_count

OWN_ADVICE = (
    "Fill these cells in; or --unknown-patient own, if each of these images comes from a different patient."
)


def read_groups(
    table: Table,
    columns: Sequence[str],
    *,
    unknown_is_own: bool = False,
    note: Callable[[str], None] = ignore,
) -> list[tuple[str, ...]]:
    """The group of each row: the cells of one column or of several together, in the form that `patient_key` compares.

    Args:
        table: the labels file.
        columns: the columns that together name a group.
        unknown_is_own: whether a row whose patient is not known is a group of its own.
        note: told which spellings were taken for one patient.

    Raises:
        DataError: a missing column, a cell that names no patient, or identifiers that a spreadsheet rounded (names the line).
    """
    keys = []
    for name in columns:
        cells = table.column(name, option="--group")
        rounded = [row for row, cell in enumerate(cells) if is_rounded(cell)]
        if rounded:
            raise DataError(
                f"{table.path}: the group column {name!r} holds rounded numbers in {say_count(len(rounded), 'row')} "
                f"({table.name_lines(rounded)}), such as {cells[rounded[0]]}.",
                why="A spreadsheet rounded long identifiers: different patients can have become one.",
                next_step="Export the table again from where it came, with this column as text.",
            )
        unknown = [row for row, cell in enumerate(cells) if is_no_patient(cell)]
        if unknown and not unknown_is_own:
            raise _names_nobody(table, name, cells, unknown)
        own = set(unknown)
        keys.append([f"\0{row}" if row in own else patient_key(cell) for row, cell in enumerate(cells)])
        if unknown:
            note(
                f"{say_count(len(unknown), 'row')} without a patient in {name!r}: each counts as a separate patient."
            )
        _note_spellings(name, cells, note)
    return list(zip(*keys, strict=True))


def find_in_names(
    pattern: str, option: str, names: Sequence[Sequence[str]], *, blank_where_none: bool = False
) -> list[str]:
    """What a pattern finds in the name of each image: its groups in parentheses, or all of it where it has none.

    Args:
        pattern: a regular expression (Python's).
        option: who asked for it.
        names: for each image the names to look in, in this order.
        blank_where_none: whether an image in whose names the pattern finds nothing gets a blank.

    Raises:
        DataError: the pattern is none, or `blank_where_none` is false and it finds nothing in some names.
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise DataError(
            f"{option} {pattern!r} is not a regular expression: {error}.",
            next_step=r"For example: --group-pattern '(patient\d+)'",
        ) from error
    cells, missed = [], []
    for some in names:
        found = next((match for name in some if (match := expression.search(name))), None)
        if found is None or not (text := "-".join(filter(None, found.groups())) or found[0]):
            missed.append(some[0])
            cells.append("")
        else:
            cells.append(text)
    if missed and not blank_where_none:
        raise DataError(
            f"{option} {pattern!r} finds nothing in {len(missed)} of {len(names)} names: {name_few(missed)}.",
            why="Each image needs a value: the first match in its path counts.",
            next_step="Widen the pattern; alternatives are separated by |.",
        )
    return cells


def _names_nobody(table: Table, name: str, cells: Sequence[str], rows: Sequence[int]) -> DataError:
    blank = [row for row in rows if not cells[row]]
    if len(blank) == len(rows):
        what = f"{table.path}: the group column {name!r} is blank in {say_count(len(blank), 'row')} ({table.name_lines(blank)})."
    else:
        said = sorted({cells[row] for row in rows if cells[row]})
        what = (
            f"{table.path}: the group column {name!r} names no patient in {say_count(len(rows), 'row')} ({table.name_lines(rows)}): "
            f"{name_few(map(repr, said))}."
        )
    return DataError(
        what,
        why="An image without a group could be on both sides of a split; if NA were a name, all these images would be of one patient.",
        next_step=OWN_ADVICE,
    )


def _note_spellings(name: str, cells: Sequence[str], note: Callable[[str], None]) -> None:
    spellings: dict[str, list[str]] = defaultdict(list)
    for cell in dict.fromkeys(cells):
        if not is_no_patient(cell):
            spellings[patient_key(cell)].append(cell)
    several = [written for written in spellings.values() if len(written) > 1]
    if several:
        note(
            f"{say_count(len(several), 'patient is', 'patients are')} written in more than one way in {name!r} and taken as one: "
            f"{name_few((' = '.join(map(repr, written)) for written in several), 3)}."
        )
