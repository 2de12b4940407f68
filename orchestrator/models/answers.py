"""What a prediction says to a person, for each kind of label: columns of a table, and which output a heat map is of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.importing.reading.cells import Rules, as_number, read_cells
from orchestrator.importing.reading.kinds import bare, refuse_doubtful_numbers
from orchestrator.importing.reading.tables import Table
from storage.data.patients import clean, is_no_patient
from storage.errors import DataError
from storage.tasks.kinds import LABELS, TASKS

if TYPE_CHECKING:
    from storage.tasks.classes import Classes
    from workers.final_model.predict import Predictions

Known = Mapping[str, Sequence[float | None]]
Columns = list[tuple[str, list[Any]]]


class Answer:
    """Of labels that are yes or no: a probability each."""

    def columns(self, targets: Sequence[str], known: Known, predictions: Predictions) -> Columns:
        """The columns of a table behind the file name: for each target its label where known, and raw, mean, max and min."""
        columns: Columns = []
        for place, target in enumerate(targets):
            # The name of a single target says nothing that the reader does not know.
            prefix = f"{target} " if len(targets) > 1 else ""
            if target in known:
                columns.append((f"{prefix}label", list(known[target])))
            columns += [
                (f"{prefix}{pool}", round_all(values[:, place]))
                for pool, values in predictions.pooled.items()
            ]
        return columns

    def likeliest(self, row: np.ndarray) -> int:
        """The output of an image that a heat map is of where none was named."""
        return int(row.argmax())

    def read_label(self, table: Table, target: str, rows: Sequence[int | None]) -> list[float | None] | None:
        """The known label of each image, from a column of its name or of classes; None where the table has neither.

        Args:
            table: a labels file.
            target: the label.
            rows: the row of each image; None without one.

        Raises:
            DataError: a cell that is no label (names the line).
        """
        column, _, value = target.partition("=")
        if target in table.columns:
            cells = table.column(target, option="--targets")
            reading = read_cells(cells, Rules())
            wrong = sorted({row for row in rows if row is not None} & {*reading.wrong, *reading.uncertain})
            if wrong:
                raise DataError(
                    f"{table.path} {table.name_lines(wrong)}: label {target!r} is {cells[wrong[0]]!r}, not 0, 1 or blank.",
                    next_step="Correct it, or leave it blank.",
                )
            found = [float("nan") if row is None else reading.values[row] for row in rows]
            return [None if value != value else int(value) for value in found]
        if value and column in table.columns:
            cells = table.column(column, option="--targets")
            return [
                None if row is None or is_no_patient(cells[row]) else int(clean(cells[row]) == clean(value))
                for row in rows
            ]
        return None


class ClassAnswer(Answer):
    """Of classes: the class that is called, and the probability of each."""

    def __init__(self, task: str) -> None:
        self._task: Classes = TASKS[task]  # type: ignore[assignment]

    def columns(self, targets: Sequence[str], known: Known, predictions: Predictions) -> Columns:
        """The class where it is known, the one that is called (of the mean over augmented copies where there are some), probabilities."""
        names = [bare(target) for target in targets]
        columns: Columns = []
        if all(target in known for target in targets):
            cells = zip(*(known[target] for target in targets), strict=True)
            columns.append(("label", [names[row.index(1)] if 1 in row else None for row in cells]))
        pooled = predictions.pooled
        called = self._task.call_of(pooled.get("mean", pooled["raw"]))
        columns.append(("predicted", [names[place] for place in called]))
        for place, name in enumerate(names):
            columns += [(f"{name} {pool}", round_all(values[:, place])) for pool, values in pooled.items()]
        return columns


class NumberAnswer(Answer):
    """Of numbers: the numbers."""

    def likeliest(self, row: np.ndarray) -> int:
        """The first: numbers of different units cannot be compared."""
        return 0

    def read_label(self, table: Table, target: str, rows: Sequence[int | None]) -> list[float | None] | None:
        """The number in the column of its name."""
        if target not in table.columns:
            return None
        cells = table.column(target, option="--targets")
        refuse_doubtful_numbers(table, target, cells)
        return [None if row is None else as_number(cells[row]) for row in rows]


ANSWERS: dict[str, Answer] = {
    "labels": Answer(),
    "two-classes": Answer(),
    "classes": ClassAnswer("classes"),
    "ordered": ClassAnswer("ordered"),
    "number": NumberAnswer(),
}
"""By the names of `storage.tasks`."""


def answer_of(card: Mapping[str, Any] | None) -> Answer:
    """The answer of a model with this card; without a card, of labels side by side.

    Raises:
        DataError: the card names a kind of label that this orch does not know.
    """
    task = (card or {}).get("task", LABELS)
    if task not in ANSWERS:
        raise DataError(
            f"The model predicts labels of the kind {task!r}, which this version of orch does not know.",
            next_step="Use the version of orch that trained it, or a later one.",
        )
    return ANSWERS[task]


def round_all(values: np.ndarray) -> list[float]:
    """Six places: more are rounding of single precision."""
    return [float(np.round(value, 6)) for value in values.astype(np.float64)]
