"""The head of each kind of label, by its name in `storage.tasks`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from storage.tasks.kinds import LABELS, TASKS
from workers.heads.contract import Head
from workers.heads.linear import Linear
from workers.heads.ordered import Conditional
from workers.heads.sigmoid import Sigmoid
from workers.heads.softmax import Softmax

MAKE: dict[str, Callable[[str], Head]] = {
    "labels": Sigmoid,
    "two-classes": Sigmoid,
    "classes": Softmax,
    "ordered": lambda loss: Conditional(),
    "number": Linear,
}


def head_of(card: Mapping[str, Any] | None) -> Head:
    """The head of a model with this card; without a card, of labels side by side. The loss does not matter any more."""
    task = (card or {}).get("task", LABELS)
    return find_head(task, (*TASKS[task].losses, "")[0])


@functools.cache
def find_head(task: str, loss: str = "") -> Head:
    """The head of a kind of label; `loss` is `storage.spec.study.StudySpec.loss`."""
    return MAKE[task](loss)
