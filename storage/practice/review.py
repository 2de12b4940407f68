"""What a reviewer asks of predictions beside their metrics, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.metrics.intervals import Interval
from storage.metrics.scorecard import score
from storage.practice.abstention import abstention_curve
from storage.practice.conformal import describe_sets
from storage.practice.decisions import decision_curve
from storage.practice.prevalence import predictive_values
from storage.practice.units import POOLS, pool_units


def review(
    targets: Sequence[str],
    labels: NDArray,
    probabilities: NDArray,
    groups: NDArray,
    thresholds: Sequence[float],
    scored: Mapping[str, Any],
    *,
    folds: NDArray[np.integer] | None = None,
    prevalences: Sequence[float] = (),
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """For each label: decision curve, abstention curve, predictive values at other prevalences, and sets where there are folds.

    Args:
        targets: names of the labels.
        labels, probabilities: shape (n, targets); labels 0, 1 or NaN.
        groups: shape (n,): the patient of each image.
        thresholds: of each label.
        scored: what `storage.metrics.scorecard.score` says of the same predictions.
        folds: of out-of-fold predictions, shape (n,); None for images that no model has seen.
        prevalences: at which predictive values are asked for.
        resamples, seed: for the intervals.
    """
    document: dict[str, Any] = {}
    for place, target in enumerate(targets):
        truth, guesses = labels[:, place], probabilities[:, place]
        metrics = scored["labels"][target]["metrics"]
        document[target] = {
            "decision_curve": decision_curve(truth, guesses, groups, resamples=resamples, seed=seed),
            "abstention": abstention_curve(truth, guesses, groups, thresholds[place]),
            "at_prevalence": [
                predictive_values(
                    _measured(metrics["sensitivity"]), _measured(metrics["specificity"]), prevalence
                )
                for prevalence in prevalences
            ],
        }
        if folds is not None:
            document[target]["sets"] = describe_sets(truth, guesses, folds, groups)
    return document


def review_units(
    targets: Sequence[str],
    labels: NDArray,
    probabilities: NDArray,
    groups: NDArray,
    units: Sequence[object],
    thresholds: Sequence[float],
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """The metrics by patient or visit, for the mean and the maximum of the probabilities of its images.

    Args:
        targets, labels, probabilities, groups, thresholds, resamples, seed: as of `review`.
        units: length n: which unit each image is of; a unit has one patient.
    """
    found: dict[str, Any] = {}
    for pool in POOLS:
        truth, pooled, first = pool_units(labels, probabilities, units, pool)
        found[pool] = score(
            targets, truth, pooled, groups[first], thresholds=thresholds, resamples=resamples, seed=seed
        )
    return found


def _measured(metric: Mapping[str, Any]) -> tuple[float, Interval]:
    reason = "" if metric["low"] == metric["low"] else metric.get("note", "it has no interval")
    return metric["value"], Interval(metric["low"], metric["high"], reason.removeprefix("no interval: "))
