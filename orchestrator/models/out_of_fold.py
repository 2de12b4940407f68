"""`orch study evaluate`: the out-of-fold predictions of a trial as a reviewer wants to see them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dashboards.tables.outcomes import find_dataset
from orchestrator.importing.reading.cells import Rules, read_cells
from orchestrator.models.evaluation import check_columns
from orchestrator.models.scores import check_subgroups, score_subgroups
from orchestrator.studies.comparing import find_contender
from storage.data.datasets import read_columns
from storage.errors import DataError, UsageError
from storage.metrics.intervals import ABOUT_INTERVALS
from storage.practice.readers import compare_readers
from storage.practice.review import review, review_units
from storage.practice.units import name_visits
from storage.results.predictions import pool_predictions, read_predictions
from storage.wording import say_command

if TYPE_CHECKING:
    from storage.database.engine import Database

SCHEMA = "orch.study-evaluation/1"


@dataclass(frozen=True)
class StudyQuestions:
    """What is asked of a trial's predictions.

    Attributes:
        threshold: above it a probability is called positive.
        subgroups: columns of the labels file.
        visits: columns that together name a visit.
        prevalences: at which predictive values are asked for.
        readers: columns of the labels file that hold the readings of one label by several readers, as "LABEL=COLUMN,COLUMN,..".
        resamples: of the patients.
        seed: of the resamples.
    """

    threshold: float = 0.5
    subgroups: tuple[str, ...] = ()
    visits: tuple[str, ...] = ()
    prevalences: tuple[float, ...] = ()
    readers: tuple[str, ...] = ()
    resamples: int = 1000
    seed: int = 0


def evaluate_study(
    database: Database,
    name: str,
    folders: Sequence[Path],
    asked: StudyQuestions,
    *,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Evaluate the best trial of a study, or NAME:TRIAL, on the images that its fold did not train on.

    Args:
        database: where the study is.
        name: of the study, or NAME:TRIAL.
        folders: dataset folders of this machine.
        asked: what is asked.
        say: told remarks.

    Raises:
        DataError: the data set or the predictions are not here, or a column is missing.
        StudyNotFoundError, NothingToExportError, UsageError: as of `find_contender`.
    """
    trial = find_contender(database, name)
    dataset = find_dataset(trial.study, folders)
    if dataset is None:
        raise DataError(
            f"The data set of {trial.study.name!r} is not on this machine, and its labels are needed.",
            next_step="Name its folder: --data DIR.",
        )
    folds = read_predictions(database, trial.study.uuid, trial.point.point)
    targets = tuple(trial.study.spec.data.targets) or dataset.targets
    places = [dataset.targets.index(target) for target in targets]
    fits = folds and all(
        fold.values.shape == (len(fold.indices), len(targets))
        and fold.indices.max(initial=0) < len(dataset.labels)
        for fold in folds
    )
    if not fits:
        raise DataError(
            f"There are no predictions of {name} that belong to this data set.",
            why="They were made before predictions were kept, or the database was edited.",
            next_step=f"`{say_command('study', 'verify', trial.study.name)}` says what does not fit.",
        )
    columns = read_columns(dataset)
    check_columns(dataset.folder, asked.subgroups, asked.visits, list(columns))
    check_subgroups({column: columns[column] for column in asked.subgroups})
    readers = find_readers(asked.readers, targets, columns, is_called=dataset.task.is_called)
    predicted = np.concatenate([fold.indices.astype(np.int64) for fold in folds])
    numbers = np.concatenate([np.full(len(fold.indices), fold.fold) for fold in folds])
    # Of repeated folds each image once: in the fold of the first repeat, with the mean of its probabilities.
    first = np.sort(np.unique(predicted, return_index=True)[1])
    rows, numbers = predicted[first], numbers[first]
    labels = dataset.labels[rows][:, places].astype(np.float64)
    probabilities = pool_predictions(folds, len(dataset.labels))[rows]
    groups, thresholds = dataset.groups[rows], [asked.threshold] * len(targets)
    drawn: dict[str, Any] = {"resamples": asked.resamples, "seed": asked.seed}
    task = dataset.task
    scored = task.card(targets, labels, probabilities, groups, thresholds=thresholds, **drawn)
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "study": trial.study.name,
        "trial": trial.point.trial_number,
        "data": {
            "fingerprint": dataset.fingerprint,
            "part": "development, out of fold",
            "images": len(rows),
            "groups": len(np.unique(groups)),
        },
        "targets": list(targets),
        "task": task.name,
        "threshold": asked.threshold,
        "results": scored,
        "practice": review(
            targets,
            labels,
            probabilities,
            groups,
            thresholds,
            scored,
            folds=numbers,
            prevalences=asked.prevalences,
            **drawn,
        )
        if task.is_called
        else {},
        "warnings": list(scored["warnings"]),
        "about_intervals": ABOUT_INTERVALS,
    }
    if trial.is_best and trial.study.spec.point_count > 1:
        document["warnings"].append(
            "The trial was chosen by its value on these very images, so all results are somewhat optimistic; its models are those of the folds, "
            "whose probabilities are pooled here."
        )
    if task.is_called and len(np.unique(groups)) < len(groups):
        document["by_patient"] = review_units(
            targets, labels, probabilities, groups, groups.tolist(), thresholds, **drawn
        )
    if asked.visits and task.is_called:
        cells = [[columns[column][row] for row in rows.tolist()] for column in asked.visits]
        document["by_visit"] = review_units(
            targets, labels, probabilities, groups, name_visits(groups, cells), thresholds, **drawn
        )
    if readers:
        document["readers"] = {
            target: compare_readers(
                list(found),
                np.column_stack([values[rows] for values in found.values()]),
                probabilities[:, targets.index(target)].astype(np.float64),
                groups,
                threshold=asked.threshold,
                **drawn,
            )
            for target, found in readers.items()
        }
    if asked.subgroups:
        document["subgroups"] = {
            column: score_subgroups(
                task,
                [columns[column][row] for row in rows.tolist()],
                targets,
                labels,
                probabilities,
                groups,
                thresholds,
                **drawn,
            )
            for column in asked.subgroups
        }
    return document


def find_readers(
    asked: Sequence[str], targets: Sequence[str], columns: Mapping[str, Sequence[str]], *, is_called: bool
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """The readings of each label, by label and reader: 0, 1, or NaN where a cell is blank.

    Args:
        asked: "LABEL=COLUMN,COLUMN,..", or of a single label the columns alone.
        targets: the labels of the study.
        columns: of the labels file, those that are no labels.
        is_called: whether the labels are yes or no.

    Raises:
        UsageError: the option names no label or fewer than two columns, or the labels are of another kind.
        DataError: a column is missing, or a cell is no 0 or 1.
    """
    found: dict[str, dict[str, NDArray[np.float64]]] = {}
    for text in asked:
        label, _, listed = text.rpartition("=")
        label = label or (targets[0] if len(targets) == 1 else "")
        names = list(dict.fromkeys(name.strip() for name in listed.split(",") if name.strip()))
        if label not in targets or len(names) < 2 or not is_called:
            raise UsageError(
                f"--readers {text!r} does not name a label of the study and the columns of two readers.",
                why=f"Its labels are {', '.join(targets)}; readings are 0 and 1."
                if is_called
                else "The study predicts no labels that are yes or no.",
                next_step=f"For instance --readers '{targets[0]}=reader_a,reader_b'. The columns must be in the labels file that was imported.",
            )
        absent = [name for name in names if name not in columns]
        if absent:
            raise DataError(
                f"The data set has no column {absent[0]!r} besides its labels, for --readers.",
                why=f"There are {', '.join(columns) or 'none'}.",
                next_step="Import the images again with a labels file that has it, or name another column.",
            )
        found[label] = {name: _read_readings(name, columns[name]) for name in names}
    return found


def _read_readings(name: str, cells: Sequence[str]) -> NDArray[np.float64]:
    reading = read_cells(list(cells), Rules())
    wrong = sorted({*reading.wrong, *reading.uncertain})
    if wrong:
        raise DataError(
            f"The column {name!r} holds {cells[wrong[0]]!r}, which is no reading.",
            why="A reading is 0, 1, yes, no or blank.",
            next_step="Correct the labels file, and import the images again.",
        )
    return np.array(reading.values, np.float64)
