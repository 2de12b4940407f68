"""Nested cross-validation: what the whole procedure, search and choice included, scores on patients that it never saw.

In each outer fold the whole search is made without the patients of that fold, its winner is trained on all that the search had, and
is judged once on the fold (Varma and Simon 2006, "Bias in error estimation when using cross-validation for model selection"). The mean
over the outer folds is an unbiased value of the procedure, with as many patients less as an outer fold has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.data.datasets import Dataset
from storage.database.engine import Database
from storage.growth.part_specs import Role, role_of
from storage.growth.parts import count_fold_epochs, find_follower, list_parts
from storage.metrics.bootstrap import corrected_interval, leave_out
from storage.metrics.intervals import Interval
from storage.metrics.objectives import Metric
from storage.results.curves import tabulate_rows
from storage.results.ledger import read_curves, run_key
from storage.results.predictions import read_predictions
from storage.studies.point_records import best_point, list_points
from storage.studies.study_records import StudyRecord
from storage.tasks.contract import Task
from storage.tasks.kinds import LABELS, TASKS
from storage.trust.bias import draw_weights, score_draws
from storage.trust.noise import mean_interval

DRAWS = 1000


def judge_nested(
    database: Database, study: StudyRecord, dataset: Dataset | None = None
) -> dict[str, Any] | None:
    """What the outer folds of a study say, as plain JSON data; None of a study without any.

    Args:
        database, study: which.
        dataset: its data, by whose labels patients can be drawn again; None where they are not on this machine.

    Keys: `folds`, `finished`; `outer`, of each fold `fold` (from 1), `study` (its search), `trial` and `params` of its winner, `epochs`,
    `inner_value` (by which it was chosen) and `value` (on the outer fold), None where it is not there yet; `value`, `low`, `high` (the mean
    over the folds and its 95 % interval), None until every fold is finished; `interval`, how that was made: "patients"
    (`patients_interval`), or without the data "folds" (`storage.trust.noise.mean_interval`), which is wider; `optimism`, what the winners scored above that within their searches; `fold_epochs`, what was trained for it.
    """
    count = study.spec.cv.nested
    if not count or study.spec.study.part_of:
        return None
    parts = list_parts(database, study)
    searches = sorted(
        (part for part in parts if role_of(part.spec) is Role.SEARCH), key=lambda part: part.spec.cv.outer
    )
    outer = [_judge_fold(database, search) for search in searches]
    known = [one for one in outer if one["value"] is not None]
    document: dict[str, Any] = {
        "folds": count,
        "finished": len(known),
        "outer": outer,
        "value": None,
        "low": None,
        "high": None,
        "interval": None,
        "optimism": None,
        "fold_epochs": sum(
            count_fold_epochs(database, part.uuid) for part in parts if role_of(part.spec) is not Role.REPEATS
        ),
    }
    if len(known) < count:
        return document
    values = np.array([one["value"] for one in known])
    value = float(values.mean())
    method = "folds"
    low, high = mean_interval(value, [values], limits=study.spec.metric.limits) or (None, None)
    if dataset is not None and (drawn := _draw_patients(database, study, searches, dataset, value)):
        method, low, high = "patients", drawn.low, drawn.high
    inner = float(np.mean([one["inner_value"] for one in known]))
    return document | {
        "value": value,
        "low": low,
        "high": high,
        "interval": method,
        "optimism": inner - value,
    }


def patients_interval(
    value: float,
    metric: Metric,
    predictions: Sequence[NDArray[np.floating]],
    labels: NDArray[np.floating],
    groups: NDArray[np.integer],
    folds: Sequence[NDArray[np.integer]],
    *,
    task: Task = TASKS[LABELS],
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval:
    """The interval of a mean over outer folds: patients are drawn with replacement, and the metric is taken within each fold again.

    Bias corrected and accelerated (Efron 1987; `storage.metrics.intervals.corrected_interval`). Each patient is judged by one model, so
    that the models' own noise is in the spread of what they predict.

    Args:
        value: the mean.
        metric: of each fold.
        predictions: of each fold, shape (n of the fold, targets).
        labels: shape (n, targets).
        groups: shape (n,): the patient of each image.
        folds: the images of each fold.
        task: what kind of label it is.
        draws: how many.
        seed: of the draws.
    """
    left_out = np.concatenate(list(leave_out(groups))).T.astype(np.float32)
    drawn, without = (
        score_draws(metric, predictions, labels, folds, weights, task)
        for weights in (draw_weights(groups, draws, seed), left_out)
    )
    return corrected_interval(value, drawn, without)


def describe_nested(document: dict[str, Any] | None, places: int = 3, sign: int = 1) -> str | None:
    """Say it for people, without the last full stop; None where there is nothing to say. `sign` is that of the metric."""
    if document is None:
        return None
    if document["value"] is None:
        return (
            f"Nested cross-validation: {document['finished']} of {document['folds']} outer folds are finished"
        )
    interval = ""
    if document["low"] is not None:
        low, high = sorted(sign * document[end] for end in ("low", "high"))
        interval = f", 95 % interval {low:.{places}f} to {high:.{places}f}"
    return (
        f"Nested cross-validation ({document['folds']} outer folds, the whole search in each): "
        f"{sign * document['value']:.{places}f}{interval}"
    )


def _draw_patients(
    database: Database, study: StudyRecord, searches: Sequence[StudyRecord], dataset: Dataset, value: float
) -> Interval | None:
    """The interval over patients; None where it cannot be made of what is kept."""
    spec = study.spec
    if spec.metric.kind == "loss":
        return None  # predictions are kept with fewer digits than it needs
    targets = spec.data.targets or dataset.targets
    labels = dataset.labels[:, [dataset.targets.index(target) for target in targets]]
    kept = []
    for search in searches:
        winner = best_point(list_points(database, search.uuid))
        test = winner and find_follower(database, search, winner)
        kept += read_predictions(database, test.uuid, 0) if test else []
    folds = [one.indices.astype(np.int64) for one in kept]
    if len(kept) != len(searches) or sum(map(len, folds)) != len(labels):
        return None
    found = patients_interval(
        value, spec.metric, [one.values for one in kept], labels, dataset.groups, folds, task=spec.task
    )
    return None if found.reason else found


def _judge_fold(database: Database, search: StudyRecord) -> dict[str, Any]:
    winner = best_point(list_points(database, search.uuid))
    test = None if winner is None else find_follower(database, search, winner)
    return {
        "fold": search.spec.cv.outer,
        "study": search.name,
        "trial": winner.trial_number if winner else None,
        "params": winner.params if winner else None,
        "inner_value": winner.value if winner else None,
        "epochs": test.spec.training.epochs if test else None,
        "value": None if test is None else _read_value(database, test),
    }


def _read_value(database: Database, test: StudyRecord) -> float | None:
    """The score on the outer fold after the last epoch."""
    (point,) = list_points(database, test.uuid)
    if not point.is_complete:
        return None
    rows = read_curves(database, test.uuid, point.point, run_key(test.spec_hash, point.params or {}))
    return float(tabulate_rows(test.spec, rows)[0, -1])
