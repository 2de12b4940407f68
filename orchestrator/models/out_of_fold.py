"""`orch study evaluate`: the out-of-fold predictions of a trial as a reviewer wants to see them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dashboards.tables.outcomes import find_dataset
from orchestrator.models.evaluation import check_columns
from orchestrator.models.scores import check_subgroups, score_subgroups
from orchestrator.studies.comparing import find_contender
from storage.data.datasets import read_columns
from storage.errors import DataError
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
        resamples: of the patients.
        seed: of the resamples.
    """

    threshold: float = 0.5
    subgroups: tuple[str, ...] = ()
    visits: tuple[str, ...] = ()
    prevalences: tuple[float, ...] = ()
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
