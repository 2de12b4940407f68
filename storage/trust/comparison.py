"""Several models on the same patients: each metric of each, the differences to the first, and what may be claimed of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.metrics.bootstrap import draw_counts, leave_out
from storage.metrics.intervals import LEVEL, Interval
from storage.metrics.objectives import METRICS, Metric
from storage.tasks.contract import Task
from storage.tasks.kinds import LABELS, TASKS
from storage.trust.bias import score_draws
from storage.trust.differences import (
    Difference,
    adjust_holm,
    fold_difference,
    paired_areas,
    patient_difference,
)

SCHEMA = "orch.comparison/1"
NO_TEST = "this metric cannot be computed from kept predictions, and the folds are not shared"
LEFT_OUT = ("precision", "recall")
"""They are PPV and sensitivity of all labels pooled."""


def compared_of(task: Task) -> list[Metric]:
    """What is compared: every metric of the kind of label that is bounded, by itself or by the data."""
    found = [METRICS[name] for name in task.metrics]
    return [one for one in found if (one.is_bounded or one.is_bounded_by_data) and one.kind not in LEFT_OUT]


@dataclass(frozen=True, eq=False)
class Judged:
    """What one model says of the images.

    Attributes:
        name: as it stands in the table.
        folds: the images of each fold, rows of the labels; one fold of all images for a model that saw none of them.
        predictions: probabilities of each fold, shape (n of the fold, targets).
        fold_values: of the study's metric, shape (folds,), as they were recorded; None for a model file.
        facts: what else is said of it.
        repeats: how many times the images were divided into folds; the folds of the first time come first.
    """

    name: str
    folds: Sequence[NDArray[np.integer]]
    predictions: Sequence[NDArray[np.floating]]
    fold_values: NDArray[np.floating] | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    repeats: int = 1


def compare(
    models: Sequence[Judged],
    targets: Sequence[str],
    labels: NDArray[np.floating],
    groups: NDArray[np.integer],
    *,
    metric: Metric | None = None,
    margin: float | None = None,
    resamples: int = 1000,
    seed: int = 0,
    task: Task = TASKS[LABELS],
) -> dict[str, Any]:
    """Compare models with the first of them, as plain data; every number is a score, of which more is better.

    A claim is tested over folds where the models share them, by the areas under the curve where one label is judged by models
    that saw no image, and over patients otherwise; its p-value is corrected for all comparisons at once.

    Args:
        models: at least two.
        targets: names of the labels.
        labels: shape (n, targets), NaN where not assessed.
        groups: shape (n,): the patient of each image.
        metric: the primary one, which claims are made of; None takes the default of the kind of label.
        margin: how much lower a model may be and still count as "not worse"; None asks nothing.
        resamples: of the patients.
        seed: of the resamples.
        task: what kind of label it is.
    """
    metric = metric or METRICS[task.default_metric(len(targets))]
    measured = [
        {one.name: _measure(one, model, labels, groups, resamples, seed, task) for one in compared_of(task)}
        for model in models
    ]
    comparisons, tests = [], []
    for model, mine in zip(models[1:], measured[1:], strict=True):
        by_patient = {
            name: patient_difference(
                mine[name].value - theirs.value,
                (theirs.drawn, mine[name].drawn),
                (theirs.left_out, mine[name].left_out),
            )
            for name, theirs in measured[0].items()
        }
        areas = _compare_areas(models[0], model, targets, labels, groups) if task.is_called else {}
        by_fold = _compare_folds(models[0], model)
        tests.append(_choose_test(metric, by_fold, areas, by_patient))
        comparisons.append(_describe(models[0], model, by_patient, by_fold, areas))
    _claim(comparisons, tests, metric, margin)
    return {
        **_head(models, metric, margin, measured),
        "images": len(labels),
        "groups": len(np.unique(groups)),
        "targets": list(targets),
        "resamples": resamples,
        "comparisons": comparisons,
    }


def compare_folds(
    models: Sequence[Judged], metric: Metric, margin: float | None = None
) -> dict[str, Any] | None:
    """What can be said where the labels are not here: the test over folds alone; None where folds are not shared.

    Args:
        models, metric, margin: as of `compare`; predictions are not read.
    """
    found = [_compare_folds(models[0], model) for model in models[1:]]
    if any(one is None for one in found):
        return None
    comparisons = [
        _describe(models[0], model, {}, one, {}) for model, one in zip(models[1:], found, strict=True)
    ]
    _claim(comparisons, [("folds", one) for one in found if one is not None], metric, margin)
    return {**_head(models, metric, margin, None), "comparisons": comparisons}


@dataclass(frozen=True, eq=False)
class _Measured:
    value: float
    drawn: NDArray[np.float64]
    left_out: NDArray[np.float64]


def _measure(
    metric: Metric,
    model: Judged,
    labels: NDArray,
    groups: NDArray,
    resamples: int,
    seed: int,
    task: Task = TASKS[LABELS],
) -> _Measured:
    def score(counts: NDArray) -> NDArray[np.float64]:
        weights = np.ascontiguousarray(counts.T, dtype=np.float32)
        return score_draws(metric, model.predictions, labels, model.folds, weights, task)

    return _Measured(
        float(score(np.ones((1, len(labels))))[0]),
        np.concatenate([score(counts) for counts in draw_counts(groups, resamples, seed)]),
        np.concatenate([score(counts) for counts in leave_out(groups)]),
    )


def _compare_folds(first: Judged, second: Judged) -> Difference | None:
    """The test over folds; None where the two do not have the same images in the same folds."""
    one, other = first.fold_values, second.fold_values
    if one is None or other is None or len(first.folds) != len(second.folds) or len(first.folds) < 2:
        return None
    if not all(np.array_equal(a, b) for a, b in zip(first.folds, second.folds, strict=True)):
        return None
    return fold_difference(one, other, repeats=first.repeats)


def _compare_areas(
    first: Judged, second: Judged, targets: Sequence[str], labels: NDArray, groups: NDArray
) -> dict[str, Difference]:
    """The difference of the area of each label; nothing for models of folds, whose scores are not of one scale."""
    if len(first.folds) != 1 or len(second.folds) != 1:
        return {}
    found = {}
    for place, target in enumerate(targets):
        kept = np.flatnonzero(~np.isnan(labels[:, place]))
        one, other = (model.predictions[0][:, place][kept] for model in (first, second))
        found[target] = paired_areas(labels[kept, place], one, other, groups[kept])
    return found


def _choose_test(
    metric: Metric,
    by_fold: Difference | None,
    areas: dict[str, Difference],
    by_patient: dict[str, Difference],
) -> tuple[str, Difference]:
    if by_fold is not None:
        return "folds", by_fold
    if metric.kind == "auc" and len(areas) == 1:
        return "areas", next(iter(areas.values()))
    none = Difference(math.nan, Interval.none(NO_TEST), math.nan, math.nan)
    return "patients", by_patient.get(metric.name, none)


def _head(
    models: Sequence[Judged],
    metric: Metric,
    margin: float | None,
    measured: Sequence[dict[str, _Measured]] | None,
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "metric": metric.name,
        "level": LEVEL,
        "margin": margin,
        "models": [
            {
                "name": model.name,
                **model.facts,
                "metrics": {name: one.value for name, one in measured[place].items()} if measured else {},
            }
            for place, model in enumerate(models)
        ],
    }


def _describe(
    first: Judged,
    second: Judged,
    by_patient: dict[str, Difference],
    by_fold: Difference | None,
    areas: dict[str, Difference],
) -> dict[str, Any]:
    return {
        "first": first.name,
        "second": second.name,
        "metrics": {name: one.as_document() for name, one in by_patient.items()},
        "folds": by_fold.as_document() if by_fold is not None else None,
        "areas": {name: one.as_document() for name, one in areas.items()},
    }


def _claim(
    comparisons: list[dict[str, Any]],
    tests: Sequence[tuple[str, Difference]],
    metric: Metric,
    margin: float | None,
) -> None:
    """Add to each comparison what may be claimed of the primary metric."""
    adjusted = adjust_holm([one.p for _, one in tests])
    worse = adjust_holm([one.exceeds(-margin) for _, one in tests]) if margin is not None else []
    for place, (comparison, (kind, one)) in enumerate(zip(comparisons, tests, strict=True)):
        comparison["claim"] = {
            "metric": metric.name,
            "test": kind,
            **one.as_document(),
            "p_holm": adjusted[place],
            "differs": bool(adjusted[place] < 1 - LEVEL),
        }
        if margin is not None:
            comparison["claim"] |= {
                "margin": margin,
                "p_not_worse": worse[place],
                # One-sided at half of 5 %: the lower end of the two-sided interval lies above the margin.
                "not_worse": bool(worse[place] < (1 - LEVEL) / 2),
            }
