"""How the best trial's models judged images they had not seen: out-of-fold predictions beside the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from storage.data.datasets import Dataset, load_dataset
from storage.database.engine import Database
from storage.errors import DataError
from storage.metrics.calibration import brier_score, calibration_error, reliability
from storage.metrics.curves import auc, roc_curve
from storage.metrics.tables import Table as Confusion
from storage.metrics.tables import tabulate
from storage.results.predictions import pool_predictions, read_predictions
from storage.studies.study import StudyRecord
from storage.tasks.classes import Classes
from storage.tasks.contract import Task
from storage.tasks.kinds import LABELS, TASKS
from storage.tasks.naming import shorten_names
from storage.tasks.number_metrics import MEASURES

GRID = np.linspace(0.0, 1.0, 101)
"""False positive rates at which the curves of folds are averaged (Fawcett 2006, vertical averaging)."""


@dataclass(frozen=True)
class Outcomes:
    """Out-of-fold predictions of one trial.

    Attributes:
        targets: names, length t.
        folds: one (labels, values) per fold, each of shape (n, t); labels NaN where not assessed.
        task: what kind of label it is.
        once: the same with every image once, where folds are repeated: the mean of its values.
        groups: the patient of each image of `pooled`, shape (n,); None where it is not known.
        rows: which development image of the data set each image of `pooled` is, shape (n,); None where it is not known.
    """

    targets: tuple[str, ...]
    folds: list[tuple[NDArray, NDArray]]
    task: Task = TASKS[LABELS]
    once: tuple[NDArray, NDArray] | None = None
    groups: NDArray | None = None
    rows: NDArray[np.integer] | None = None

    @property
    def asked(self) -> Outcomes:
        """The same as questions of yes and no: each class against the others, each cut between grades."""
        parts = [self.task.questions(self.targets, labels, values) for labels, values in self.folds]
        folds = [(part.labels, part.values) for part in parts if part.values is not None]
        once = None
        if self.once is not None:
            part = self.task.questions(self.targets, *self.once)
            once = None if part.values is None else (part.labels, part.values)
        return Outcomes(parts[0].names, folds, once=once, groups=self.groups)

    @property
    def pooled(self) -> tuple[NDArray, NDArray]:
        """Labels and probabilities of all folds together, each image once."""
        if self.once is not None:
            return self.once
        return (
            np.concatenate([labels for labels, _ in self.folds]),
            np.concatenate([values for _, values in self.folds]),
        )


@dataclass(frozen=True)
class MeanRoc:
    """A ROC curve averaged over folds at the false positive rates of `GRID`; shapes (101,)."""

    rate: NDArray
    spread: NDArray
    areas: list[float]


def find_dataset(study: StudyRecord, folders: Sequence[Path] = ()) -> Dataset | None:
    """The study's data set where this machine has it: in `folders` or where it was noted; None otherwise."""
    for folder in (*folders, *study.noted_folders):
        try:
            dataset = load_dataset(folder)
        except (DataError, OSError):
            continue
        if dataset.fingerprint == study.fingerprint:
            return dataset
    return None


def read_outcomes(
    database: Database, study: StudyRecord, point: int, dataset: Dataset | None
) -> Outcomes | None:
    """The out-of-fold predictions of a point beside their labels, or None where either is not here."""
    if dataset is None:
        return None
    targets = tuple(study.spec.data.targets) or dataset.targets
    columns = [dataset.targets.index(target) for target in targets if target in dataset.targets]
    kept = [
        fold
        for fold in read_predictions(database, study.uuid, point)
        if fold.values.shape[1] == len(columns)
        and (not len(fold.indices) or fold.indices.max() < len(dataset.labels))
    ]
    if not kept or len(columns) != len(targets):
        return None
    labels = dataset.labels[:, columns].astype(np.float64)
    folds = [(labels[fold.indices], fold.values.astype(np.float64)) for fold in kept]
    once, rows = None, np.concatenate([fold.indices for fold in kept])
    if study.spec.cv.repeats > 1:
        pooled = pool_predictions(kept, len(labels))
        known = ~np.isnan(pooled).any(axis=1)
        once, rows = (labels[known], pooled[known]), np.flatnonzero(known)
    return Outcomes(targets, folds, study.spec.task, once, dataset.groups[rows], rows)


def tabulate_classes(outcomes: Outcomes) -> tuple[tuple[str, ...], NDArray]:
    """The names of the classes, and the images by class and call, shape (classes, classes), over all folds."""
    labels, values = outcomes.pooled
    known = ~np.isnan(labels).any(axis=1)
    task = outcomes.task
    assert isinstance(task, Classes)
    names = tuple(shorten_names(outcomes.targets).values())
    return names, task.table(labels[known], values[known], np.ones(int(known.sum())))


def compare_numbers(outcomes: Outcomes) -> list[tuple[str, NDArray, NDArray, str]]:
    """For each number its name, the true and the predicted ones, and how far they agree, in words."""
    labels, values = outcomes.pooled
    found = []
    for place, name in enumerate(outcomes.targets):
        known = ~np.isnan(labels[:, place])
        truth, guess = labels[known, place], values[known, place]
        if not len(truth):
            continue
        once = np.ones(len(truth))
        mae, r2, icc = (float(MEASURES[kind](truth, guess, once)) for kind in ("mae", "r2", "icc"))
        found.append((name, truth, guess, f"MAE {mae:.3g}, R2 {r2:.3f}, ICC {icc:.3f}"))
    return found


def mean_roc(outcomes: Outcomes, target: int) -> MeanRoc | None:
    """The ROC curve of one target averaged over the folds that have both classes; None where none has."""
    rates, areas = [], []
    for labels, values in outcomes.folds:
        known = _assessed(labels[:, target])
        if len(np.unique(labels[known, target])) < 2:
            continue
        curve = roc_curve(labels[known, target], values[known, target])
        rates.append(np.interp(GRID, curve.x, curve.y))
        areas.append(float(auc(labels[known, target], values[known, target])))
    if not rates:
        return None
    stacked = np.stack(rates)
    spread = stacked.std(axis=0, ddof=1) if len(rates) > 1 else np.zeros(len(GRID))
    mean = stacked.mean(axis=0)
    mean[0] = 0.0
    return MeanRoc(mean, spread, areas)


def macro_roc(outcomes: Outcomes) -> MeanRoc | None:
    """The mean over targets of their mean curves: the macro average that the objective is."""
    curves = [curve for place in range(len(outcomes.targets)) if (curve := mean_roc(outcomes, place))]
    if not curves:
        return None
    rate = np.mean([curve.rate for curve in curves], axis=0)
    spread = np.mean([curve.spread for curve in curves], axis=0)
    return MeanRoc(rate, spread, [float(np.mean(curve.areas)) for curve in curves])


def count_confusion(outcomes: Outcomes, threshold: float = 0.5) -> list[Confusion]:
    """One confusion table per target, over all folds, where the label was assessed."""
    labels, values = outcomes.pooled
    tables = []
    for place in range(len(outcomes.targets)):
        known = _assessed(labels[:, place])
        tables.append(tabulate(labels[known, place], values[known, place], threshold))
    return tables


@dataclass(frozen=True)
class Calibration:
    """Predicted and observed shares by bin, and their summary; the Brier score is None where only the bins are known."""

    predicted: list[float]
    observed: list[float]
    images: list[int]
    brier: float | None
    error: float


def calibrate(outcomes: Outcomes) -> Calibration | None:
    """Predicted against observed shares over all targets and folds; None without an assessed label."""
    labels, values = outcomes.pooled
    known = _assessed(labels)
    if not known.any():
        return None
    truth, guess = labels[known], values[known]
    bins = reliability(truth, guess)
    filled = bins.images > 0
    return Calibration(
        predicted=[float(value) for value in bins.predicted[filled]],
        observed=[float(value) for value in bins.observed[filled]],
        images=[int(value) for value in bins.images[filled]],
        brier=float(brier_score(truth, guess)),
        error=float(calibration_error(truth, guess)),
    )


def _assessed(labels: NDArray) -> NDArray[np.bool_]:
    known: NDArray[np.bool_] = ~np.isnan(labels)
    return known
