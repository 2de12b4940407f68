"""Bring the columns of a second table in, by a column that both have."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable

from orchestrator.importing.reading.tables import IMAGE_NAME, Table
from storage.data.patients import is_no_patient, patient_key
from storage.errors import DataError
from storage.wording import name_few, say_count


def join_table(table: Table, other: Table, on: str, note: Callable[[str], None]) -> Table:
    """Join two tables.

    Keys are compared as `patient_key` compares: 17 is 17.0, and a blank or NA is no key. Rows of `other` that say the same
    twice count once. Each row of `table` takes the row of `other` with the same key. Where several rows of `other` have a
    key (the images of a study), each makes a row of its own; then a key names one row of `table` only. Rows of `other`
    without a partner are left out; rows of `table` without one are left out where `other` has several rows for a key, and
    else stay with blank cells.

    Args:
        table: labels.
        other: what is looked up.
        on: the column, or columns separated by commas; `here=there` where the tables name it differently.
        note: told how many rows have no partner.

    Raises:
        DataError: a column is missing, no row has a partner, or a key stands in several rows of both tables.
    """
    pairs = [
        (here.strip(), (there or here).strip())
        for here, _, there in (one.partition("=") for one in on.split(","))
    ]
    other = _drop_repeated(other, note)
    written = list(zip(*(table.column(here, option="--on") for here, _ in pairs), strict=True))
    looked_up = list(zip(*(other.column(there, option="--on") for _, there in pairs), strict=True))
    left, right = ([tuple(map(patient_key, key)) for key in keys] for keys in (written, looked_up))
    if not set(left) & set(right):
        # One table may write the name of a file, the other its stem.
        left, right = ([tuple(map(_stem, key)) for key in keys] for keys in (written, looked_up))
    rows_of: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for row, key in enumerate(right):
        # Two cells that are blank or NA are not the same patient.
        if not all(map(is_no_patient, key)):
            rows_of[key].append(row)
    several = max(map(len, rows_of.values()), default=0) > 1
    if several and len(set(left)) < len(left):
        here = Counter(left)
        twice = sorted(key for key, count in here.items() if count > 1 and len(rows_of.get(key, ())) > 1)
        raise DataError(
            f"{table.path} and {other.path} both have several rows for one {on}"
            + (f": {name_few('/'.join(key) for key in twice)}." if twice else "."),
            why="Which row belongs to which cannot be known.",
            next_step="Join on more columns, --on a,b, or remove repeated rows.",
        )
    new = [
        name
        for name in other.columns
        if name not in table.columns and name not in {there for _, there in pairs}
    ]
    places = [other.columns.index(name) for name in new]
    rows, lines, alone = [], [], []
    for row, key in enumerate(left):
        partners = rows_of.get(key, [])
        if not partners:
            alone.append("/".join(written[row]))
        for partner in partners:
            rows.append([*table.rows[row], *(other.rows[partner][place] for place in places)])
            lines.append(table.lines[row])
        if not partners and not several:
            rows.append([*table.rows[row], *([""] * len(new))])
            lines.append(table.lines[row])
    if len(alone) == len(left):
        raise DataError(
            f"No row of {table.path} matches a row of {other.path} in {on}.",
            why=f"{on} is {name_few(alone, 2)} here and {name_few(('/'.join(key) for key in looked_up), 2)} there.",
            next_step="If another column is meant, name it in both tables: --on HERE=THERE.",
        )
    if alone:
        note(
            f"{say_count(len(alone), 'row')} of {table.path} {'has' if len(alone) == 1 else 'have'} no row in {other.path}"
            f"{', left out' if several else ''}: {name_few(alone, 3)}."
        )
    return Table(table.path, (*table.columns, *new), rows, lines)


def _drop_repeated(table: Table, note: Callable[[str], None]) -> Table:
    """A table without rows that repeat another one in every cell."""
    first = list({tuple(row): place for place, row in reversed(list(enumerate(table.rows)))}.values())
    if len(first) == len(table.rows):
        return table
    note(
        f"{say_count(len(table.rows) - len(first), 'row')} of {table.path} {'repeats' if len(table.rows) - len(first) == 1 else 'repeat'} "
        "another one: counted once."
    )
    return table.choose(sorted(first))


def _stem(cell: str) -> str:
    """The name of a file without folders and suffix."""
    return patient_key(IMAGE_NAME.sub("", cell.replace("\\", "/").rpartition("/")[2]))
