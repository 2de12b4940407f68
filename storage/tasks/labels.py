"""Labels side by side, each of them yes, no or not assessed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.metrics import epoch, scorecard
from storage.metrics.calibration import brier_score, calibration_error
from storage.metrics.curves import Array, auc, average_precision
from storage.metrics.epoch import Scores
from storage.metrics.objectives import AUC, OF_LABELS
from storage.metrics.tables import Table, tabulate
from storage.tasks.contract import Questions, Settings, Task

OF_PROBABILITIES = {
    "auc": auc,
    "pr_auc": average_precision,
    "brier": brier_score,
    "calibration_error": calibration_error,
}
OF_ALL_TOGETHER = {"precision": "ppv", "recall": "sensitivity"}


class Labels(Task):
    """One sigmoid for each label."""

    name = "labels"
    title = "labels side by side"
    metrics = OF_LABELS
    losses = ("cross_entropy", "focal", "asymmetric")
    is_called = True
    mixes = ("mixup", "cutmix")

    def default_metric(self, targets: int) -> str:
        """The AUC, mean of labels."""
        return AUC.name

    def values(self, outputs: NDArray[np.float32], settings: Settings) -> NDArray[np.float32]:
        """The probability of each label."""
        return epoch.sigmoid(outputs)

    def score(
        self,
        labels: NDArray[np.float32],
        outputs: NDArray[np.float32],
        settings: Settings,
        *,
        medical: bool = False,
    ) -> Scores:
        """As `storage.metrics.epoch.score`."""
        return epoch.score(labels, outputs, medical=medical)

    def measure_each(
        self,
        kind: str,
        labels: NDArray[np.floating],
        values: NDArray[np.floating],
        weights: NDArray[np.floating],
    ) -> Array:
        """The metric of each label; some metrics are of all labels together."""
        if kind == "micro_auc":
            images, places = np.nonzero(~np.isnan(labels))
            return np.asarray(auc(labels[images, places], values[images, places], weights[..., images]))[None]
        known = [np.flatnonzero(~np.isnan(column)) for column in labels.T]
        parts = [(labels[rows, t], values[rows, t], weights[..., rows]) for t, rows in enumerate(known)]
        if kind in OF_PROBABILITIES:
            return np.stack([OF_PROBABILITIES[kind](*part) for part in parts])
        tables = [tabulate(label, value, weights=counts) for label, value, counts in parts]
        if kind in OF_ALL_TOGETHER:
            return np.asarray(getattr(sum(tables, Table.empty()), OF_ALL_TOGETHER[kind]))[None]
        return np.stack([getattr(table, kind) for table in tables])

    def questions(
        self,
        targets: Sequence[str],
        labels: NDArray[np.floating],
        values: NDArray[np.floating] | None = None,
    ) -> Questions:
        """The labels as they are."""
        return Questions(tuple(targets), labels, values)

    def card(
        self,
        targets: Sequence[str],
        labels: NDArray[np.floating],
        values: NDArray[np.floating],
        groups: NDArray[Any],
        *,
        thresholds: Sequence[float],
        resamples: int = 1000,
        seed: int = 0,
    ) -> dict[str, Any]:
        """As `storage.metrics.scorecard.score`."""
        return scorecard.score(
            targets, labels, values, groups, thresholds=thresholds, resamples=resamples, seed=seed
        )


class TwoClasses(Labels):
    """One label whose yes and no are two classes: one output, one AUC."""

    name = "two-classes"
    title = "two classes"
