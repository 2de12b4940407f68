"""What an evaluation says of classes: of all together, of each against the others, and the table of confusion."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from storage.metrics.bootstrap import FISHER, LOGARITHM, LOGIT, SHARE, UP_TO_TWO, leave_out, mean_interval
from storage.metrics.calibration import brier_score, describe_calibration
from storage.metrics.curves import Array, auc, average_precision, divide
from storage.metrics.intervals import BIASED, LEVEL, Interval, auc_interval, describe_ends, share_interval
from storage.metrics.objectives import METRICS
from storage.metrics.scorecard import find_small
from storage.metrics.tables import Table
from storage.tasks.contract import Questions, mean_defined
from storage.tasks.resampled import measure_with_intervals


class OfClasses(Protocol):
    """What is asked of a kind of classes; its metrics are as `storage.tasks.contract.Task` has them."""

    metrics: ClassVar[tuple[str, ...]]

    def measure(
        self,
        kind: str,
        labels: NDArray[np.floating],
        values: NDArray[np.floating],
        weights: NDArray[np.floating],
    ) -> Array:
        """As of a task."""
        ...

    def questions(
        self,
        targets: Sequence[str],
        labels: NDArray[np.floating],
        values: NDArray[np.floating] | None = None,
    ) -> Questions:
        """As of a task."""
        ...

    def call_of(self, values: NDArray[np.floating]) -> NDArray[np.int64]:
        """The class that is called, by number: shape (n,)."""
        ...

    def table(
        self, labels: NDArray[np.floating], values: NDArray[np.floating], counts: NDArray[np.floating]
    ) -> Array:
        """Images by class and call."""
        ...


SCALES = (
    dict.fromkeys(("auc", "accuracy", "balanced_accuracy", "f1"), SHARE)
    | dict.fromkeys(("kappa", "quadratic_kappa"), FISHER)
    | dict.fromkeys(("grade_error", "loss", "calibration_error"), LOGARITHM)
    | {"brier": UP_TO_TWO}
)
"""On which the errors of each metric of all classes together are nearly normal (`bench.coverage_rest`)."""
SHARES = ("sensitivity", "specificity", "ppv", "npv")


def describe_classes(
    task: OfClasses,
    targets: Sequence[str],
    labels: NDArray[np.floating],
    values: NDArray[np.floating],
    groups: NDArray[Any],
    *,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """The document of `storage.tasks.contract.Task.card` of classes; `labels` are the questions of the task.

    Beside them `overall` has the metrics of all classes together, `classes` their names, and `confusion` the images by class (row)
    and call (column).
    """
    known = ~np.isnan(labels).any(axis=1)
    truth, guesses, patients = labels[known], np.asarray(values, np.float64)[known], np.asarray(groups)[known]
    overall = describe_overall(task, truth, guesses, patients, resamples=resamples, seed=seed)
    table = task.table(truth, guesses, np.ones(len(truth)))
    called = np.eye(labels.shape[1])[task.call_of(guesses)] if len(guesses) else guesses
    asked = task.questions(targets, truth, guesses)
    answered = task.questions(targets, truth, called).values
    assert asked.values is not None
    assert answered is not None
    rows = {
        name: _describe_question(
            asked.labels[:, place], asked.values[:, place], answered[:, place] > 0.5, patients,
            resamples=resamples, seed=seed,
        )
        for place, name in enumerate(asked.names)
    }  # fmt: skip
    return {
        "images": len(labels),
        "groups": len(np.unique(groups)),
        "level": LEVEL,
        "resamples": resamples,
        "classes": list(targets),
        "overall": {"metrics": overall},
        "confusion": [[int(cell) for cell in row] for row in table],
        "labels": rows,
        "warnings": find_small(rows),
    }


def describe_overall(
    task: OfClasses,
    labels: NDArray[np.floating],
    values: Array,
    groups: NDArray[Any],
    *,
    resamples: int,
    seed: int = 0,
) -> dict[str, Any]:
    """Each metric of all classes together, with its interval.

    Args:
        task: of classes or grades.
        labels, values: shape (n, classes): known labels, and probabilities.
        groups: shape (n,): the patient of each image.
        resamples: 0 for no intervals.
        seed: of the resamples.
    """
    kinds = [METRICS[name].kind for name in task.metrics]
    overall = measure_with_intervals(
        {kind: partial(_measure, task, kind, labels, values) for kind in kinds},
        groups,
        resamples=resamples,
        seed=seed,
        scales={kind: SCALES[kind] for kind in kinds},
    )
    better: dict[str, Interval] = {}
    if resamples and len(labels):
        # Shares have an interval in closed form, which is never without length.
        _, members = np.unique(groups, return_inverse=True)
        right = task.call_of(values) == labels.argmax(axis=1)
        better["accuracy"] = share_interval(np.bincount(members, right), np.bincount(members))
        better["balanced_accuracy"] = _find_balanced(labels.argmax(axis=1), right, members)
        better["calibration_error"] = Interval.none(BIASED)
    for kind, interval in better.items():
        if kind in overall and not np.isnan(overall[kind]["value"]):
            overall[kind] = {"value": overall[kind]["value"], **describe_ends(interval)}
    return overall


def _find_balanced(
    truth: NDArray[np.int64], right: NDArray[np.bool_], members: NDArray[np.int64]
) -> Interval:
    """The interval of the mean over classes of the share of their images that are called so."""
    parts, ends, rows = [], [], []
    left_out = np.concatenate(list(leave_out(members)))
    for place in np.unique(truth):
        among = truth == place
        parts.append(right[among].mean())
        ends.append(share_interval(np.bincount(members, right & among), np.bincount(members, among)))
        rows.append(divide(left_out @ (right & among), left_out @ among))
    value, without = float(np.mean(parts)), np.stack(rows)
    return mean_interval(value, mean_defined(without), without, np.array(parts), ends)


def _measure(task: OfClasses, kind: str, labels: NDArray[np.floating], values: Array, counts: Array) -> Array:
    if not len(labels):
        return np.full(counts.shape[:-1], np.nan)
    return task.measure(kind, labels, values, counts)


def _describe_question(
    truth: NDArray[np.floating],
    values: NDArray[np.floating],
    called: NDArray[np.bool_],
    groups: NDArray[Any],
    *,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    positive = truth == 1
    table = Table(
        *(
            np.array(float(part.sum()))
            for part in (called & positive, called & ~positive, ~called & positive, ~called & ~positive)
        )
    )
    _, members = np.unique(groups, return_inverse=True)
    count = int(members.max()) + 1 if len(members) else 0
    right = called == positive
    among = {"sensitivity": positive, "specificity": ~positive, "ppv": called, "npv": ~called}
    metrics: dict[str, dict[str, Any]] = {
        "auc": {
            "value": float(auc(truth, values)),
            **describe_ends(auc_interval(truth, values, groups) if resamples and len(truth) else None),
        }
    }
    metrics |= measure_with_intervals(
        {
            "pr_auc": partial(average_precision, truth, values),
            "brier": partial(brier_score, truth, values),
        },
        groups,
        resamples=resamples,
        seed=seed,
        scales={"pr_auc": LOGIT, "brier": SHARE},
    )
    for name in SHARES:
        value = float(getattr(table, name))
        ends = None
        if resamples and value == value:
            ends = share_interval(
                np.bincount(members, right & among[name], count), np.bincount(members, among[name], count)
            )
        metrics[name] = {"value": value, **describe_ends(ends)}
    return {
        "assessed": len(truth),
        "positive": int(positive.sum()),
        "negative": int((~positive).sum()),
        "positive_groups": len(np.unique(groups[positive])),
        "negative_groups": len(np.unique(groups[~positive])),
        "table": {name: float(cell) for name, cell in vars(table).items()},
        "metrics": metrics,
        "calibration": describe_calibration(truth, values, groups, with_intervals=resamples > 0),
    }
