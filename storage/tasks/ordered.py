"""Classes with an order, such as grades: what is further off is worse."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from storage.metrics.curves import Array, auc
from storage.metrics.epoch import macro_auc
from storage.metrics.objectives import of_kind
from storage.tasks import class_metrics
from storage.tasks.classes import Classes, Numbers
from storage.tasks.contract import Questions, Settings


class Ordered(Classes):
    """k - 1 outputs x_j, each the logit of "above grade j" among the images that are not below it.

    The conditional form (CORN, Shi, Cao and Raschka 2023): P(y > j) = prod_{i <= j} sigmoid(x_i), which cannot rise with j, so that
    cumulative probabilities never cross and those of grades are never negative.
    """

    name = "ordered"
    title = "one of several classes in an order"
    metrics = of_kind(
        "quadratic_kappa", "grade_error", "auc", "accuracy", "balanced_accuracy", "f1", "kappa", "loss", "brier",
        "calibration_error",
    )  # fmt: skip

    losses = ()
    unheeded = ("soft_labels",)
    mixes = ()
    unmixed_because = "an image mixed of the lowest and the highest grade is neither of them, nor one between; leave it at 0"
    call = staticmethod(class_metrics.call_median)

    def default_metric(self, targets: int) -> str:
        """The quadratic weighted kappa."""
        return "val_quadratic_kappa"

    def values(self, outputs: NDArray[np.float32], settings: Settings) -> NDArray[np.float32]:
        """The probability of each grade."""
        return np.asarray(np.exp(self.log_values(outputs)), np.float32)

    def log_values(self, outputs: NDArray[np.float32]) -> Array:
        """Log P(y = j) = sum_{i < j} log sigmoid(x_i) + log sigmoid(-x_j), the last term missing for the highest grade."""
        x, nothing = np.asarray(outputs, np.float64), np.zeros((len(outputs), 1))
        with np.errstate(invalid="ignore"):  # a diverged model, whose NaN carries on
            passed, stopped = (-np.logaddexp(0, sign * x) for sign in (-1, 1))
        reached = np.concatenate([nothing, np.cumsum(passed, axis=1)], axis=1)
        stopped = np.concatenate([stopped, nothing], axis=1)
        return np.asarray(reached + stopped)

    @property
    def of_probabilities(self) -> dict[str, Callable[[Numbers, Array, Array], Array]]:
        """As of classes; the AUC is that of each cut."""
        return {**super().of_probabilities, "auc": _auc_of_cuts}

    def questions(self, targets: Sequence[str], labels: Numbers, values: Numbers | None = None) -> Questions:
        """Each cut: whether the grade is above the lowest, above the next, and so on."""
        names = tuple(f"above {name}" for name in targets[:-1])
        return Questions(
            names, class_metrics.cut(labels), None if values is None else class_metrics.cut(values)
        )

    def spread(self, errors: Numbers) -> Numbers:
        """A cut is 1 less the probabilities below it, and each of them may be off."""
        return np.asarray(np.cumsum(errors, axis=1)[:, :-1])

    def unit(self, metric: str, labels: Numbers) -> float:
        """Grades for an error in grades."""
        if metric != "neg_val_grade_error":
            return super().unit(metric, labels)
        known = labels[~np.isnan(labels).any(axis=1)]
        return float(known.argmax(axis=1).std()) or 1.0 if len(known) else 1.0

    def _area(self, labels: Numbers, values: Numbers) -> tuple[float, int]:
        return macro_auc(class_metrics.cut(labels), class_metrics.cut(values))

    def _later(self, table: Array, labels: Numbers, values: Numbers) -> dict[str, Array]:
        return {
            **super()._later(table, labels, values),
            "quadratic_kappa": class_metrics.kappa(table, 2),
            "grade_error": class_metrics.grade_error(table),
        }


def _auc_of_cuts(labels: Numbers, values: Array, counts: Array) -> Array:
    truth, scores = class_metrics.cut(labels), class_metrics.cut(values)
    return np.stack([auc(truth[:, t], scores[:, t], counts) for t in range(truth.shape[1])])
