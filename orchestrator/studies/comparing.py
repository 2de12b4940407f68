"""Studies and their trials compared on the same patients: who is meant, what they predicted, and what differs in their specs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dashboards.tables.outcomes import find_dataset
from storage.errors import DataError, NothingToExportError, UsageError
from storage.results.predictions import read_predictions
from storage.spec import differing_keys
from storage.studies.point_records import best_point, list_points
from storage.studies.study import find_study, load_study
from storage.trust.comparison import Judged, compare, compare_folds
from storage.trust.selection import judge_selection, read_judged
from storage.wording import say_command, say_count, show_params

if TYPE_CHECKING:
    from storage.data.datasets import Dataset
    from storage.database.engine import Database
    from storage.studies.point_records import PointRecord
    from storage.studies.study import StudyRecord

OWN_KEYS = ("study.name", "study.regime", "study.repeats_of")
"""In these, two studies of one model differ, too."""


@dataclass(frozen=True)
class Contender:
    """A trial of a study, and whether it was chosen as its best."""

    name: str
    study: StudyRecord
    point: PointRecord
    is_best: bool


def compare_studies(
    database: Database,
    names: Sequence[str],
    folders: Sequence[Path],
    *,
    margin: float | None = None,
    resamples: int = 1000,
) -> dict[str, Any]:
    """Compare the best trials of studies, or trials that are named, by their out-of-fold predictions.

    Args:
        database: where they are.
        names: NAME or NAME:TRIAL, at least two; the others are compared with the first.
        folders: dataset folders of this machine, for the labels.
        margin: for "not worse than the first by more than this".
        resamples: of the patients.

    Raises:
        UsageError: two names are one trial.
        DataError: they are of different data, labels or metrics, or nothing of them can be compared here.
        StudyNotFoundError: no such study.
        NothingToExportError: a trial is not complete.
    """
    contenders = [find_contender(database, name) for name in names]
    check_contenders(contenders)
    first = contenders[0].study
    metric = first.spec.metric
    dataset = find_dataset(first, folders)
    models = [_read(database, one, metric_of=first) for one in contenders]
    document = None
    if dataset is not None and all(len(model.predictions) for model in models):
        targets = tuple(first.spec.data.targets) or dataset.targets
        labels = dataset.labels[:, [dataset.targets.index(target) for target in targets]].astype(np.float64)
        models = [_in_order(model, labels.shape) for model in models]
        document = compare(
            models,
            targets,
            labels,
            dataset.groups,
            metric=metric,
            margin=margin,
            resamples=resamples,
            task=first.spec.task,
        )
    else:
        document = compare_folds(models, metric, margin)
    if document is None:
        raise DataError(
            "These studies cannot be compared here: they do not share their folds, and "
            + (
                "predictions of a trial are missing."
                if dataset is not None
                else "the data set is not on this machine."
            ),
            why="Without shared folds, models are compared patient by patient, which needs the labels and the predictions.",
            next_step="Name the dataset folder: --data DIR.",
        )
    document["kind"] = "out-of-fold"
    document["warnings"] = _warn(contenders, dataset)
    for comparison, one in zip(document["comparisons"], contenders[1:], strict=True):
        comparison["specs"] = _differences(contenders[0], one)
    return document


def find_contender(database: Database, name: str) -> Contender:
    """The trial that a name means: the best of a study, or NAME:TRIAL.

    Raises:
        StudyNotFoundError: no such study.
        NothingToExportError: the trial is not complete, or the study has no complete one.
        UsageError: the study has no trial of that number.
    """
    study_name, _, number = name.rpartition(":")
    # A study may have a colon in its name.
    if not study_name or not number.isdigit() or find_study(database, name) is not None:
        study = load_study(database, name)
        best = best_point(list_points(database, study.uuid))
        if best is None:
            raise NothingToExportError(
                f"The study {name!r} has no complete trial yet.",
                next_step=f"Let a worker finish one: {say_command('worker', name)}",
            )
        return Contender(name, study, best, is_best=True)
    study = load_study(database, study_name)
    points = list_points(database, study.uuid)
    found = next((point for point in points if point.trial_number == int(number)), None)
    if found is None:
        raise UsageError(
            f"The study {study_name!r} has no finished trial {number}.",
            next_step=f"`{say_command('study', 'show', study_name)}` lists them.",
        )
    if not found.is_complete:
        raise NothingToExportError(
            f"Trial {number} of {study_name!r} is not complete, so it has no value and no predictions.",
            why="It was pruned, failed or is still running.",
            next_step=f"`{say_command('study', 'show', study_name)}` lists the complete ones.",
        )
    return Contender(name, study, found, is_best=False)


def check_contenders(contenders: Sequence[Contender]) -> None:
    """Make sure that these trials can be compared at all.

    Raises:
        UsageError: two of them are one trial.
        DataError: other data, labels or metrics.
    """
    seen: dict[tuple[str, int], str] = {}
    for one in contenders:
        key = (one.study.uuid, one.point.point)
        if key in seen:
            raise UsageError(
                f"{seen[key]} and {one.name} are the same trial.", next_step="Name two different ones."
            )
        seen[key] = one.name
    first = contenders[0]
    for one in contenders[1:]:
        if one.study.fingerprint != first.study.fingerprint:
            raise DataError(
                f"{first.name} and {one.name} were made on different data sets.",
                why="A comparison needs the same patients. Their fingerprints are "
                f"{first.study.fingerprint[:19]}.. and {one.study.fingerprint[:19]}...",
                next_step="Make the second study again on the data set of the first one.",
            )
        if list(one.study.spec.data.targets) != list(first.study.spec.data.targets):
            raise DataError(
                f"{first.name} and {one.name} predict different labels.",
                next_step="Compare studies with the same data.targets.",
            )


def _read(database: Database, one: Contender, *, metric_of: StudyRecord) -> Judged:
    judged = read_judged(database, one.study, [one.point])
    folds = read_predictions(database, one.study.uuid, one.point.point)
    is_same = one.study.spec.metric == metric_of.spec.metric
    selection = judge_selection(database, one.study) if one.is_best else None
    facts = {
        "study": one.study.name,
        "trial": one.point.trial_number,
        "params": one.point.params or {},
        "value": one.point.value,
        "candidates": selection["candidates"] if selection else 1,
        "corrected_value": selection["corrected_value"] if selection else None,
    }
    return Judged(
        one.name,
        [fold.indices.astype(np.int64) for fold in folds],
        [fold.values for fold in folds],
        judged.fold_values[0] if judged is not None and is_same else None,
        facts,
        one.study.spec.cv.repeats,
    )


def _in_order(model: Judged, shape: tuple[int, ...]) -> Judged:
    """The model, where its predictions belong to these labels.

    Raises:
        DataError: they do not.
    """
    fits = all(
        values.shape == (len(rows), shape[1]) and (not len(rows) or rows.max() < shape[0])
        for rows, values in zip(model.folds, model.predictions, strict=True)
    )
    if not fits:
        raise DataError(
            f"The kept predictions of {model.name} do not belong to this data set.",
            why="The database was edited, or the data set was.",
            next_step=f"`{say_command('study', 'verify', model.facts['study'])}` says what does not fit.",
        )
    return replace(model, predictions=[values.astype(np.float32) for values in model.predictions])


def _differences(first: Contender, second: Contender) -> list[dict[str, Any]]:
    """What differs between two trials as they were trained, and in how they were searched for: rows of key, first and second."""
    trained = [one.study.spec.at(one.point.params or {}) for one in (first, second)]
    specs = [spec.model_dump(mode="json") for spec in trained]
    keys = [key for key in differing_keys(*trained) if key not in OWN_KEYS and not key.startswith("search.")]
    rows = [{"key": key, "first": _look_up(specs[0], key), "second": _look_up(specs[1], key)} for key in keys]
    searched = [
        {name: how.describe() for name, how in one.study.spec.search.items()} for one in (first, second)
    ]
    samplers = [one.study.spec.sampler.name for one in (first, second)]
    if samplers[0] != samplers[1]:
        rows.append({"key": "sampler.name", "first": samplers[0], "second": samplers[1]})
    return rows + [
        {"key": f"search.{name}", "first": searched[0].get(name), "second": searched[1].get(name)}
        for name in sorted(searched[0].keys() | searched[1].keys())
        if searched[0].get(name) != searched[1].get(name)
    ]


def _look_up(document: dict[str, Any], key: str) -> Any:
    found: Any = document
    for part in key.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _warn(contenders: Sequence[Contender], dataset: Dataset | None) -> list[str]:
    said = []
    counts = {one.name: one.study.spec.point_count for one in contenders if one.is_best}
    if len(set(counts.values())) > 1 or (counts and len(counts) < len(contenders)):
        chosen = ", ".join(f"{name} of {say_count(count, 'trial')}" for name, count in counts.items())
        said.append(
            f"The best trials were chosen on these very folds ({chosen}). The more trials, the more optimistic the value, so that a "
            "study with more of them has an advantage here. Compare repeats (--from best.json --repeats 5), or name trials."
        )
    if dataset is None:
        said.append(
            "The data set is not on this machine, so patients could not be drawn: only the folds are compared. Name it with --data DIR."
        )
    first = contenders[0].study.spec
    for one in contenders[1:]:
        if one.study.spec.fold_plan != first.fold_plan:
            said.append(
                f"{contenders[0].name} and {one.name} have different folds (cv.folds, cv.repeats, cv.by or study.seed), so the folds are not compared."
            )
        if one.study.spec.metric != contenders[0].study.spec.metric:
            said.append(f"{one.name} was chosen by another metric ({one.study.spec.metric.name}).")
    return said


def describe_params(model: dict[str, Any]) -> str:
    """The hyperparameters of a model in a line."""
    return show_params(model.get("params") or {})
