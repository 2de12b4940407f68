"""Classes of which an image has exactly one: softmax."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from storage.metrics.calibration import BINS, calibration_error
from storage.metrics.curves import Array, divide
from storage.metrics.epoch import Scores, macro_auc
from storage.metrics.objectives import AUC, of_kind
from storage.tasks import class_metrics
from storage.tasks.class_cards import describe_classes
from storage.tasks.contract import Questions, Settings, Task

Numbers = NDArray[np.floating]


class Classes(Task):
    """Probabilities that add up to 1; the likeliest class is the call."""

    name = "classes"
    title = "one of several classes"
    metrics = of_kind(
        "auc", "accuracy", "balanced_accuracy", "f1", "kappa", "loss", "brier", "calibration_error"
    )
    losses: ClassVar[tuple[str, ...]] = ("cross_entropy", "focal")
    unheeded: ClassVar[tuple[str, ...]] = ("focal_alpha", "soft_labels")
    excludes = True
    mixes: ClassVar[tuple[str, ...]] = ("mixup", "cutmix")

    call: Callable[[Numbers], NDArray[np.int64]] = staticmethod(class_metrics.call_likeliest)
    """The class that is called, by number, from probabilities of shape (n, classes)."""

    def default_metric(self, targets: int) -> str:
        """The AUC of each class against the others, mean of classes."""
        return AUC.name

    def values(self, outputs: NDArray[np.float32], settings: Settings) -> NDArray[np.float32]:
        """The probability of each class."""
        risen = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        return np.asarray(risen / risen.sum(axis=1, keepdims=True), np.float32)

    def log_values(self, outputs: NDArray[np.float32]) -> Array:
        """The logarithm of each probability, in double precision."""
        shifted = np.asarray(outputs, np.float64) - outputs.max(axis=1, keepdims=True)
        return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))

    def score(
        self,
        labels: NDArray[np.float32],
        outputs: NDArray[np.float32],
        settings: Settings,
        *,
        medical: bool = False,
    ) -> Scores:
        """Metrics of all classes together; of a diverged model they are NaN."""
        known = ~np.isnan(labels).any(axis=1)
        truth, logits = labels[known], outputs[known]
        nan = float("nan")
        if not len(truth):
            return Scores(nan, nan, nan, nan, nan, labels.shape[1], {})
        values = self.values(logits, settings)
        loss = float(-(truth * self.log_values(logits)).sum(axis=1).mean())
        if np.isnan(values).any():
            return Scores(loss, nan, nan, nan, nan, 0, {})
        area, left_out = self._area(truth, values)
        table = self.table(truth, values, np.ones(len(truth)))
        return Scores(
            loss,
            area,
            nan,
            nan,
            float(class_metrics.macro_f1(table)),
            left_out,
            {kind: float(value) for kind, value in self._later(table, truth, values).items()} if medical else {},
        )  # fmt: skip

    def measure_each(self, kind: str, labels: Numbers, values: Numbers, weights: Numbers) -> Array:
        """The AUC and the calibration error of each class, any other metric of all classes together."""
        truth, guesses, counts = class_metrics.keep_known(labels, values, weights)
        if kind in OF_TABLE:
            return OF_TABLE[kind](self.table(truth, guesses, counts))[None]
        return self.of_probabilities[kind](truth, guesses, counts)

    @property
    def of_probabilities(self) -> dict[str, Callable[[Numbers, Array, Array], Array]]:
        """The metrics that are no matter of calls."""
        return {
            "auc": class_metrics.one_against_rest,
            "loss": class_metrics.log_loss,
            "brier": class_metrics.brier,
            "calibration_error": _calibration,
        }

    def questions(self, targets: Sequence[str], labels: Numbers, values: Numbers | None = None) -> Questions:
        """Each class against the others."""
        return Questions(tuple(targets), labels, values)

    def call_of(self, values: Numbers) -> NDArray[np.int64]:
        """The class that is called, by number, from probabilities of shape (n, classes)."""
        return type(self).call(values)

    def table(self, labels: Numbers, values: Numbers, counts: Numbers) -> Array:
        """Images by class and call: shape (.., classes, classes)."""
        return class_metrics.confusion(labels.argmax(axis=1), self.call_of(values), labels.shape[1], counts)

    def unit(self, metric: str, labels: Numbers) -> float:
        """Kappa spreads twice as far as an area: its range is from -1 to 1, and no guess has 0 and not one half."""
        return 2.0 if "kappa" in metric else 1.0

    def card(
        self,
        targets: Sequence[str],
        labels: Numbers,
        values: Numbers,
        groups: NDArray[Any],
        *,
        thresholds: Sequence[float] = (),
        resamples: int = 1000,
        seed: int = 0,
    ) -> dict[str, Any]:
        """Metrics of all classes together, of each against the others, and the table of confusion."""
        return describe_classes(self, targets, labels, values, groups, resamples=resamples, seed=seed)

    def _area(self, labels: Numbers, values: Numbers) -> tuple[float, int]:
        return macro_auc(labels, values)

    def _later(self, table: Array, labels: Numbers, values: Numbers) -> dict[str, Array]:
        counts = np.ones(len(labels))
        return {
            "accuracy": class_metrics.accuracy(table),
            "balanced_accuracy": class_metrics.balanced_accuracy(table),
            "kappa": class_metrics.kappa(table),
            "brier": class_metrics.brier(labels, np.asarray(values, np.float64), counts)[0],
            "calibration_error": _fast_calibration(labels, np.asarray(values, np.float64)),
        }


OF_TABLE: dict[str, Callable[[Array], Array]] = {
    "accuracy": class_metrics.accuracy,
    "balanced_accuracy": class_metrics.balanced_accuracy,
    "f1": class_metrics.macro_f1,
    "kappa": class_metrics.kappa,
    "quadratic_kappa": lambda table: class_metrics.kappa(table, 2),
    "grade_error": class_metrics.grade_error,
}
"""What is read off the table of confusion."""


def _calibration(labels: Numbers, values: Array, counts: Array) -> Array:
    return np.stack([calibration_error(labels[:, t], values[:, t], counts) for t in range(labels.shape[1])])


def _fast_calibration(labels: Numbers, values: Array) -> Array:
    """The mean over classes of the calibration error, of images that count once each."""
    size = labels.shape[1]
    bins = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], values, side="left") + BINS * np.arange(size)
    gaps = np.bincount(bins.ravel(), (values - labels).ravel())
    return divide(np.abs(gaps).sum(), labels.size)
