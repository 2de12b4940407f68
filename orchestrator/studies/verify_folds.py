"""What a settled trial must have left of its folds: every epoch, reports that agree with it, and predictions that score the same."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from storage.metrics.epoch import auc_per_label
from storage.metrics.judging import epoch_that_counts, judge, mean_known
from storage.results.curves import tabulate_rows
from storage.results.further import judge_further
from storage.spec import PARAMETERS
from storage.states import PointOutcome
from storage.studies.trials import ALSO
from storage.wording import name_few

if TYPE_CHECKING:
    from storage.data.datasets import Dataset
    from storage.metrics.judging import Array
    from storage.results.ledger import FoldEpoch
    from storage.results.predictions import FoldPredictions
    from storage.spec import StudySpec
from storage.studies.points import PointRecord

VALUE_TOLERANCE = 1e-9
"""Values are kept as they were computed; Optuna's database may round their last bits."""
ROUNDING = 1e-3, 1e-7
"""By how much, relative and absolute, a kept prediction (float16) may differ from the one that was scored."""


class FoldCount(NamedTuple):
    """How many fold-epochs of a trial are recorded and how many are missing."""

    recorded: int
    missing: int


def count_folds(spec: StudySpec, point: PointRecord, rows: Sequence[FoldEpoch]) -> FoldCount:
    """Hold the recorded fold-epochs of a settled trial against those that its outcome needs."""
    return FoldCount(len(rows), len(_wanted(spec, point, rows) - _found(rows)))


def check_folds(spec: StudySpec, point: PointRecord, rows: Sequence[FoldEpoch]) -> Iterator[str]:
    """Find fold-epochs that are missing, that took another number of steps, or that give another value.

    Args:
        spec: of the study.
        point: a settled trial.
        rows: its fold-epochs.
    """
    name, wanted = f"Planned trial {point.point}", _wanted(spec, point, rows)
    missing = wanted - _found(rows)
    beyond = [row for row in rows if not _is_planned(spec, row)]
    if beyond:
        yield f"{name} has {len(beyond)} fold-epochs of a fold or an epoch that the study does not have."
    if missing:
        yield f"{name} lacks {len(missing)} of {len(wanted)} fold-epochs."
    params = point.params or {}
    batch_size = {**spec.fixed_beside(params), **params}["batch_size"]
    wrong = [row for row in rows if row.steps != math.ceil(row.samples / batch_size)]
    if wrong:
        yield f"{name} has {len(wrong)} fold-epochs with another number of optimizer steps."
    if point.outcome == PointOutcome.COMPLETE and not missing:
        value = judge(_tabulate(spec, rows), spec.study.objective).value
        if not is_equal(value, point.value):
            yield f"{name} has the value {point.value}, and its fold results mean {value}."


def check_further(spec: StudySpec, trial: Any, rows: Sequence[FoldEpoch]) -> Iterator[str]:
    """Hold the further objectives of a complete trial against its fold-epochs, and what Optuna was told against both.

    Args:
        spec: of the study.
        trial: Optuna's, COMPLETE.
        rows: the fold-epochs of its point.
    """
    if not spec.further or not rows:
        return
    what, noted = (
        f"Trial {trial.number} (planned trial {trial.user_attrs.get('point')})",
        trial.user_attrs.get(ALSO) or {},
    )
    parameters = (trial.user_attrs.get("details") or {}).get(PARAMETERS, noted.get(PARAMETERS, 0))
    epoch = judge(_tabulate(spec, rows), spec.study.objective).epoch
    for place, (name, value) in enumerate(judge_further(spec, rows, epoch, int(parameters)).items(), start=1):
        if not is_equal(noted.get(name), value):
            yield f"{what} has {name} {noted.get(name)}, and its fold results mean {value}."
        if len(trial.values or ()) <= place or not is_equal(trial.values[place], value):
            yield f"{what} was told to Optuna without its {name} of {value}."


def check_reports(spec: StudySpec, trial: Any, rows: Sequence[FoldEpoch]) -> Iterator[str]:
    """Hold what a finished trial told Optuna while it ran against its fold-epochs.

    Both are written at different times to different tables: a number that was changed later is changed in one of them.

    Args:
        spec: of the study.
        trial: Optuna's, COMPLETE or PRUNED.
        rows: the fold-epochs of its point.
    """
    what = f"Trial {trial.number} (planned trial {trial.user_attrs.get('point')})"
    curves = _tabulate(spec, rows)
    reports = trial.intermediate_values
    side_by_side = {step: mean_known(curves[:, step - 1]) for step in reports if 1 <= step <= curves.shape[1]}
    one_by_one = {
        step: judge(curves[:step], spec.study.objective).value for step in reports if 1 <= step <= len(curves)
    }
    if not any(_agree(reports, known) for known in (side_by_side, one_by_one)):
        yield f"{what} reported other values than its fold results have."
    judged = judge(curves, spec.study.objective)
    said = trial.user_attrs.get("fold_values")
    if said is not None and not _are_equal(np.array(said, dtype=np.float64), judged.fold_values):
        yield f"{what} says {said} of its folds, and its fold results are {judged.fold_values.tolist()}."
    epoch = trial.user_attrs.get("best_epoch")
    if epoch is not None and epoch != judged.epoch:
        yield f"{what} says that epoch {epoch} counts, and by its fold results it is epoch {judged.epoch}."


def check_predictions(
    spec: StudySpec,
    point: PointRecord,
    rows: Sequence[FoldEpoch],
    kept: Sequence[FoldPredictions],
    dataset: Dataset | None,
) -> Iterator[str]:
    """Hold the out-of-fold predictions of a complete trial against its folds, and against the labels where they are at hand.

    Args:
        spec: of the study.
        point: a complete trial.
        rows: its fold-epochs.
        kept: its predictions.
        dataset: the data of the study; None where it is not on this machine.
    """
    name, folds = f"Planned trial {point.point}", spec.fold_count
    if [fold.fold for fold in kept] != list(range(folds)):
        yield f"{name} is complete and keeps predictions of {len(kept)} of {folds} folds."
        return
    damaged = [fold.fold for fold in kept if not fold.is_whole]
    if damaged:
        yield f"{name} keeps predictions of fold {name_few(map(str, damaged))} that are not those that were written."
    for first in range(0, folds, spec.cv.folds):
        seen = np.concatenate([fold.indices for fold in kept[first : first + spec.cv.folds]])
        if len(np.unique(seen)) != len(seen):
            yield f"{name} predicts an image in more than one fold."
            break
    curves = _tabulate(spec, rows)
    scored = {(row.fold, row.epoch): row.val_auc for row in rows}
    for fold in kept:
        what = f"{name} keeps predictions of fold {fold.fold}"
        counts = epoch_that_counts(curves, fold.fold, spec.study.objective)
        if fold.epoch != counts:
            yield f"{what} after epoch {fold.epoch}, and epoch {counts} is the one that counts."
        labels = None if dataset is None else _labels_of(spec, dataset, fold)
        if dataset is not None and labels is None:
            yield f"{what} that do not fit the data set: other images or other labels."
        recorded = scored.get((fold.fold, fold.epoch), math.nan)
        if labels is None or math.isnan(recorded):
            continue
        asked = spec.task.questions(spec.data.targets, labels, fold.values.astype(np.float64))
        assert asked.values is not None
        kept_values = fold.values.astype(np.float64)
        relative, absolute = ROUNDING if kept_values.any() else (0.0, 0.0)
        errors = np.asarray(spec.task.spread(relative * np.abs(kept_values) + absolute), np.float64)
        low, high = _bound_auc(
            np.asarray(asked.labels, np.float64), np.asarray(asked.values, np.float64), errors
        )
        if not low - VALUE_TOLERANCE <= recorded <= high + VALUE_TOLERANCE:
            found = f"{low:.4f}" if high - low < 1e-4 else f"{low:.4f} to {high:.4f}"
            yield f"{what} with an AUC of {found}, and {recorded:.4f} is recorded."


def is_equal(one: float | None, other: float | None) -> bool:
    """Whether two values are the same but for rounding; two that are missing are."""
    if one is None or other is None:
        return one is other
    return abs(one - other) <= VALUE_TOLERANCE


def _is_planned(spec: StudySpec, row: FoldEpoch) -> bool:
    return 0 <= row.fold < spec.fold_count and 1 <= row.epoch <= spec.training.epochs


def _tabulate(spec: StudySpec, rows: Sequence[FoldEpoch]) -> Array:
    return tabulate_rows(spec, (row for row in rows if _is_planned(spec, row)))


def _found(rows: Sequence[FoldEpoch]) -> set[tuple[int, int]]:
    return {(row.fold, row.epoch) for row in rows}


def _wanted(spec: StudySpec, point: PointRecord, rows: Sequence[FoldEpoch]) -> set[tuple[int, int]]:
    """Every fold-epoch of a complete trial; of a pruned one the shape that it comes nearest to."""
    found = _found(rows)
    folds, epochs = spec.fold_count, spec.training.epochs
    if point.outcome == PointOutcome.COMPLETE:
        return {(fold, epoch) for fold in range(folds) for epoch in range(1, epochs + 1)}
    last = max((row.epoch for row in rows), default=0)
    side_by_side = {(fold, epoch) for fold in range(folds) for epoch in range(1, last + 1)}
    shapes = [side_by_side, _one_by_one(found, epochs)]
    return min(shapes, key=lambda shape: len(shape - found))


def _one_by_one(found: set[tuple[int, int]], epochs: int) -> set[tuple[int, int]]:
    """What a trial that was pruned fold by fold must have: whole folds, and the last one up to some epoch."""
    last_fold = max((fold for fold, _ in found), default=-1)
    last_epoch = max((epoch for fold, epoch in found if fold == last_fold), default=0)
    whole = {(fold, epoch) for fold in range(last_fold) for epoch in range(1, epochs + 1)}
    return whole | {(last_fold, epoch) for epoch in range(1, last_epoch + 1)}


def _agree(reports: dict[int, float], known: dict[int, float]) -> bool:
    return all(step in known and is_equal(value, known[step]) for step, value in reports.items())


def _are_equal(said: Array, known: Array) -> bool:
    return said.shape == known.shape and np.allclose(
        said, known, rtol=0, atol=VALUE_TOLERANCE, equal_nan=True
    )


def _labels_of(spec: StudySpec, dataset: Dataset, fold: FoldPredictions) -> Array | None:
    """The labels that belong to a fold's predictions, or None where the two do not fit."""
    targets = spec.data.targets or dataset.targets
    if not set(targets) <= set(dataset.targets) or fold.values.shape != (len(fold.indices), len(targets)):
        return None
    if len(fold.indices) and not 0 <= fold.indices.min() <= fold.indices.max() < len(dataset.labels):
        return None
    columns = [dataset.targets.index(target) for target in targets]
    return np.asarray(dataset.labels[fold.indices][:, columns], dtype=np.float64)


def _bound_auc(labels: Array, kept: Array, errors: Array) -> tuple[float, float]:
    """The least and the greatest macro AUC that the predictions can have had before they were rounded by at most `errors`.

    Rounding can only have made two predictions equal or, where another pass computed them, swapped two neighbours: every
    such pair is counted for and against. Predictions that are all zero were never a model's, and are taken as they are.
    """
    margin = np.where(labels == 1, errors, 0.0)
    low, high = (mean_known(auc_per_label(labels, kept + sign * margin)) for sign in (-1, 1))
    return low, high
