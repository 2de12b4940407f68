"""What a study may maximise: the validation metrics of the ledger by name, each with its column and its sign.

A metric of which less is better stands under the name of its negative, as scikit-learn's scorers do (`neg_val_loss` is
-1 times `val_loss`), so that everything that compares values may take the larger for the better. A *score* is such a value.
docs/metrics.md has the formulas.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TRAINED = ("loss", "auc", "precision", "recall", "f1")
"""What is measured of the training images, too, and stands in `storage.metrics.epoch.Scores`."""


BELOW_ZERO = ("mcc", "kappa", "quadratic_kappa", "r2", "pearson", "icc")
"""What is 1 where all is right, 0 for chance or the mean alone, and less for what is worse than these."""


@dataclass(frozen=True)
class Metric:
    """One metric that a study can be judged by.

    Attributes:
        name: as `study.metric` of a spec has it.
        column: of `storage.results.ledger.FoldEpoch`, whose value is read.
        label: what is measured, as it stands on an axis; a score of a `neg_` metric is the negative of it.
        undefined_when: how a fold comes to have no value.
        depends_on_calls: whether a fold can be without a value in one epoch and have one in another, because it depends on
            which images were called positive; otherwise the labels of the fold alone decide.
        is_bounded: whether its values lie within -1 and 1; the spread of one that does not is that of its worst trials.
        is_bounded_by_data: of one that does not, whether kept predictions give it again and the data say how far it can be off.
    """

    name: str
    column: str
    label: str
    undefined_when: str
    depends_on_calls: bool = False
    is_bounded: bool = True
    is_bounded_by_data: bool = False

    @property
    def sign(self) -> int:
        """What the column is multiplied by, 1 or -1, so that more is better."""
        return -1 if self.name.startswith("neg_") else 1

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the greatest value that there can be, as more is better."""
        bounded = 1.0 if self.is_bounded else math.inf
        if self.sign < 0:
            return -bounded, 0.0
        lowest = -bounded if self.kind in BELOW_ZERO else 0.0
        return lowest, 1.0 if self.kind in BELOW_ZERO else bounded

    @property
    def better(self) -> str:
        """Which way a measured value is better: "higher" or "lower"."""
        return "higher" if self.sign > 0 else "lower"

    @property
    def kind(self) -> str:
        """What is measured, whichever images it is measured on."""
        return self.column.removeprefix("val_")

    @property
    def long_label(self) -> str:
        """The label of a mean over folds."""
        return f"mean validation {self.label}"

    def measured(self, score: float) -> float:
        """A score as people read it: an error, where its negative was maximised."""
        return self.sign * score + 0.0  # never "-0.000"

    def measured_estimate(self, estimate: Mapping[str, Any]) -> dict[str, Any]:
        """The same of a score with its interval (`value`, `low`, `high`, whose ends change places) and of a difference of two."""
        keys = ("value", "low", "high") if self.sign > 0 else ("value", "high", "low")
        ends = [estimate.get(key) for key in keys]
        known = [None if end is None else self.measured(end) for end in ends]
        return {**estimate, **dict(zip(("value", "low", "high"), known, strict=True))}

    @property
    def train_column(self) -> str | None:
        """The column of the same metric on the training images; None where the ledger has none."""
        return f"train_{self.kind}" if self.kind in TRAINED else None

    def score(self, facts: Any) -> float:
        """The score of one epoch of one fold (anything that has the ledger's columns as attributes); NaN where undefined."""
        return self.sign * float(getattr(facts, self.column))

    def train_score(self, facts: Any) -> float:
        """The same on the training images; NaN where the ledger has none."""
        return self.sign * float(getattr(facts, self.train_column)) if self.train_column else float("nan")


_BOTH = "no label has both classes among its validation images"
_POSITIVE = "no label has a positive among its validation images"
_NEGATIVE = "no label has a negative among its validation images"
_ASSESSED = "no label of its validation images was assessed"
_ONE_CLASS = "all validation images, and all calls, are of one and the same class"
_KNOWN = "no number of its validation images is known"
_VARIES = "the numbers of its validation images are equal"

AUC = Metric("val_auc", "val_auc", "AUC", _BOTH)
"""The metric of a study that names none."""

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        AUC,
        Metric("val_micro_auc", "val_micro_auc", "micro AUC", _BOTH),
        Metric("val_pr_auc", "val_pr_auc", "PR-AUC", _POSITIVE),
        Metric("val_precision", "val_precision", "precision", "no image was predicted positive at 0.5", True),
        Metric("val_recall", "val_recall", "recall", _POSITIVE),
        Metric("val_f1", "val_f1", "F1", "no image is positive, and none was predicted positive at 0.5", True),
        Metric("val_sensitivity", "val_sensitivity", "sensitivity", _POSITIVE),
        Metric("val_specificity", "val_specificity", "specificity", _NEGATIVE),
        Metric("val_balanced_accuracy", "val_balanced_accuracy", "balanced accuracy", _BOTH),
        Metric("val_ppv", "val_ppv", "PPV", "no image was predicted positive at 0.5", True),
        Metric("val_npv", "val_npv", "NPV", "no image was predicted negative at 0.5", True),
        Metric("val_lr_positive", "val_lr_positive", "LR+", "there was no false positive at 0.5", True, False),
        Metric("neg_val_lr_negative", "val_lr_negative", "LR-", "there was no true negative at 0.5", True, False),
        Metric("val_accuracy", "val_accuracy", "accuracy", _ASSESSED),
        Metric("neg_val_loss", "val_loss", "loss", _ASSESSED, is_bounded=False),
        Metric("neg_val_brier", "val_brier", "Brier score", _ASSESSED),
        Metric("neg_val_calibration_error", "val_calibration_error", "calibration error", _ASSESSED),
        Metric("val_mcc", "val_mcc", "MCC", "all predictions at 0.5, or all labels, are of one class", True),
        Metric("val_kappa", "val_kappa", "kappa", _ONE_CLASS),
        Metric("val_quadratic_kappa", "val_quadratic_kappa", "quadratic weighted kappa", _ONE_CLASS),
        Metric("neg_val_grade_error", "val_grade_error", "error in grades", _ASSESSED, False, False, True),
        Metric("neg_val_mae", "val_mae", "mean absolute error", _KNOWN, False, False, True),
        Metric("neg_val_rmse", "val_rmse", "root mean squared error", _KNOWN, False, False, True),
        Metric("val_r2", "val_r2", "R2", _VARIES, False, False, True),
        Metric("val_pearson", "val_pearson", "Pearson correlation", "its numbers, or all predictions, are equal", True),
        Metric("val_icc", "val_icc", "ICC(2,1)", _VARIES),
    )
}  # fmt: skip
"""Every metric that is measured, by name. docs/metrics.md has the formulas."""

LATER = tuple(metric.kind for metric in METRICS.values() if metric.kind not in TRAINED)
"""What is measured of validation alone."""

OF_LABELS = tuple(METRICS)[: tuple(METRICS).index("val_mcc") + 1]
"""What is measured of labels that are yes or no. `storage.tasks` has the other kinds."""

MEDICAL = tuple(METRICS[name].kind for name in OF_LABELS if METRICS[name].kind not in TRAINED)
"""Those of validation alone: means over the labels where they are defined, micro_auc excepted."""


def of_kind(*kinds: str) -> tuple[str, ...]:
    """The names of the metrics that measure these, in this order."""
    names = {metric.kind: name for name, metric in METRICS.items()}
    return tuple(names[kind] for kind in kinds)


def name_kind(kind: str) -> str:
    """What is measured, as people read it: "mean absolute error" of "mae"."""
    named = {metric.kind: metric.label for metric in METRICS.values()}
    return named.get(kind, kind.replace("_", " "))


def find_metric(name: str) -> Metric:
    """The metric of that name.

    Raises:
        ValueError: there is none; names the nearest.
    """
    if name in METRICS:
        return METRICS[name]
    near = difflib.get_close_matches(name, METRICS, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else f"valid: {', '.join(METRICS)}"
    raise ValueError(f"{name!r} is not a metric that a study can maximise ({hint})")
