"""One object of each kind of label, by name. A further kind is one more line here."""

from __future__ import annotations

from storage.tasks.classes import Classes
from storage.tasks.contract import Task
from storage.tasks.labels import Labels, TwoClasses
from storage.tasks.numbers import Numbers
from storage.tasks.ordered import Ordered

TASKS: dict[str, Task] = {
    task.name: task for task in (Labels(), TwoClasses(), Classes(), Ordered(), Numbers())
}

LABELS = Labels.name
"""The kind of what does not say."""


def find_task(name: str) -> Task:
    """The kind of this name.

    Raises:
        ValueError: there is none.
    """
    if name not in TASKS:
        raise ValueError(f"{name!r} is no kind of label ({', '.join(TASKS)})")
    return TASKS[name]
