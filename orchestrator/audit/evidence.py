"""What an audit looks at: labels, groups, folds and everything that is known of an image without its pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.importing.reading.cells import Rules
from orchestrator.importing.reading.groups import read_groups
from orchestrator.importing.reading.kinds import Asked, read_kind, shape_kind
from orchestrator.importing.reading.labels import ignore, read_split
from orchestrator.importing.reading.tables import read_table
from storage.data.datasets import MANIFEST, number_groups, read_columns, read_document
from storage.data.folds import make_folds
from storage.data.patients import find_patient_columns
from storage.errors import DataError
from storage.metrics.objectives import AUC
from storage.tasks.contract import Task
from storage.tasks.kinds import TASKS

if TYPE_CHECKING:
    from storage.data.datasets import Dataset

ROWS_BEFORE_GUESSING = 20


@dataclass(frozen=True, eq=False)
class Evidence:
    """Rows are images.

    Attributes:
        source: where it comes from, for people.
        targets: the questions of yes and no that the labels that count are (`storage.tasks.contract.Questions`), length t.
        labels: float32, shape (n, t), 0, 1 or NaN (not assessed).
        groups: int64, shape (n,): the groups (patients) that stay together; each image its own when none is named.
        grouped: whether a group column was named.
        group_columns: the columns that name a group.
        columns: the columns that are neither label nor file name nor group, each of length n.
        identifiers: columns that look like patients and are not the group, each of length n.
        names: the file name of each image.
        sides: train / valid / test of each row where a table has such a column.
        folds: indices that train and that validate, of each fold.
        excludes: whether the kind of label has it that one question tells the others, as classes and grades do.
        classes: the names of classes, one of two that is no target among them.
        has_auc: whether a model of this kind of label has an AUC: that of a number is of the question whether it lies above the middle, which no model
            is asked.
    """

    source: str
    targets: tuple[str, ...]
    labels: np.ndarray
    groups: np.ndarray
    grouped: bool
    group_columns: tuple[str, ...]
    columns: dict[str, list[str]]
    identifiers: dict[str, list[str]]
    names: list[str]
    sides: list[str] | None
    folds: list[tuple[np.ndarray, np.ndarray]]
    excludes: bool = False
    classes: tuple[str, ...] = ()
    has_auc: bool = True

    @property
    def exclusive(self) -> bool:
        """Whether one target tells the others by its nature, as where every image has exactly one of them."""
        if self.excludes:
            return True
        several = self.labels.shape[1] > 1
        return several and not np.isnan(self.labels).any() and bool((self.labels.sum(axis=1) == 1).all())


def from_dataset(
    dataset: Dataset,
    targets: Sequence[str],
    fold_count: int,
    seed: int,
    given: Sequence[int] | None = None,
) -> Evidence:
    """Look at the development side of a data set.

    Raises:
        DataError: the folder is damaged, or has fewer groups than folds.
    """
    choices = read_document(dataset.folder / MANIFEST).get("choices", {})
    places = [dataset.targets.index(target) for target in targets or dataset.targets]
    columns = read_columns(dataset)
    names = [file.name for file in dataset.files]
    for name, cells in list(columns.items()):
        if all(PurePosixPath(cell.replace("\\", "/")).name == file for cell, file in _paired(cells, names)):
            names = columns.pop(name)
    split = choices.get("split_column")
    return _gather(
        str(dataset.folder),
        tuple(dataset.targets[place] for place in places),
        dataset.labels[:, places],
        dataset.groups,
        dataset.grouped,
        tuple(choices.get("group_columns", ())),
        {name: cells for name, cells in columns.items() if name != split},
        names,
        None,
        fold_count,
        seed,
        tuple(choices.get("not_patient", ())),
        task=dataset.task,
        classes=dataset.classes,
        given=given,
    )


def from_table(
    path: Path,
    *,
    filename_column: str,
    group_columns: Sequence[str],
    targets: Sequence[str] | None,
    class_column: str | None,
    split_column: str | None,
    fold_count: int,
    seed: int,
) -> Evidence:
    """Look at a labels file without its images; every row is taken as an image that may train.

    Raises:
        DataError: the file cannot be read as `orch data import` would, or has fewer groups than folds.
    """
    table = read_table(path)
    excluded = [filename_column, *group_columns, split_column or ""]
    asked = Asked(targets, class_column, excluded, Rules(), rows_name_findings=False, note=ignore)
    read = shape_kind(read_kind(table, asked, None), asked, None)
    keys: list[Any] = (
        list(read_groups(table, group_columns)) if group_columns else list(range(len(table.rows)))
    )
    columns = {
        name: table.column(name, option="--labels")
        for name in table.columns
        if name not in (*read.columns, filename_column, split_column)
    }
    names = table.column(filename_column, option="--filename-column")
    sides = read_split(table, split_column) if split_column else None
    return _gather(
        str(path),
        read.targets,
        read.values,
        np.array(number_groups(keys), dtype=np.int64),
        bool(group_columns),
        tuple(group_columns),
        columns,
        names,
        sides,
        fold_count,
        seed,
        task=TASKS[read.task],
        classes=read.classes,
    )


def _gather(
    source: str,
    targets: tuple[str, ...],
    labels: np.ndarray,
    groups: np.ndarray,
    grouped: bool,
    group_columns: tuple[str, ...],
    columns: dict[str, list[str]],
    names: list[str],
    sides: list[str] | None,
    fold_count: int,
    seed: int,
    declined: Sequence[str] = (),
    *,
    task: Task,
    classes: tuple[str, ...],
    given: Sequence[int] | None = None,
) -> Evidence:

    if len(labels) < fold_count:
        raise DataError(f"{source} has {len(labels)} rows, too few for {fold_count} folds.")
    free = {name: cells for name, cells in columns.items() if name not in group_columns}
    identifiers = {name: free[name] for name in find_patient_columns(free.items(), declined)}
    asked = task.questions(targets, labels)
    return Evidence(
        source=source,
        targets=asked.names,
        labels=asked.labels,
        groups=groups,
        grouped=grouped,
        group_columns=group_columns,
        columns={name: cells for name, cells in free.items() if name not in identifiers},
        identifiers=identifiers,
        names=names,
        sides=sides,
        folds=make_folds(task.strata(labels), groups, fold_count, seed, given=given),
        excludes=task.excludes,
        classes=classes,
        has_auc=AUC.name in task.metrics,
    )


def _paired(cells: Sequence[str], names: Sequence[str]) -> list[tuple[str, str]]:
    return list(zip(cells, names, strict=True))
