"""How people name targets: the classes of a column without the column before each of them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from storage.tasks.contract import Task
from storage.tasks.kinds import TASKS
from storage.wording import name_few

ORDERED = TASKS["ordered"].name
OF_A_COLUMN = re.compile(r"(above )?([^=]+)=(.+)", re.DOTALL)


def find_column(names: Sequence[str]) -> str:
    """The column that all of these are classes of, or cuts between classes of; "" where there is none."""
    found = [OF_A_COLUMN.fullmatch(name) for name in names]
    columns = {one[2] if one else "" for one in found}
    return columns.pop() if len(columns) == 1 and len(found) > 1 else ""


def shorten_names(names: Sequence[str]) -> dict[str, str]:
    """Each name as it is written where its column is known: "above mild" of "above opacity=mild"."""
    column = find_column(names)
    return {
        name: re.sub(f"^(above )?{re.escape(column)}=", r"\1", name) if column else name for name in names
    }


def say_targets(task: Task, targets: Sequence[str], most: int = 4) -> str:
    """What a study predicts, in a sentence: "opacity (none < mild < severe)" of ordered classes."""
    if not task.excludes:
        return name_few(targets, most)
    column, short = find_column(targets), [*shorten_names(targets).values()]
    rest = f" and {len(short) - most} more" if len(short) > most and task.name != ORDERED else ""
    shown = short[:most] if rest else short
    classes = (" < " if task.name == ORDERED else "; ").join(shown) + rest
    return f"{column} ({classes})" if column else classes
