"""What a kind of label must say of itself: everything that differs between labels side by side, classes, grades and numbers.

Rows are images. `labels` has shape (n, targets): 0 and 1 for labels and for each class, a number for numbers, NaN where not
assessed (of classes the whole row is). `outputs` are what a model computes last, `values` what is made of them and kept:
probabilities of the targets, or the numbers themselves, both of shape (n, targets).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from storage.metrics.curves import Array, divide
from storage.metrics.epoch import Scores

Settings = Mapping[str, Any]
"""What a fold learns with; of a kind's own vectors `centre` and `spread` count here."""


class Questions(NamedTuple):
    """Labels as questions with the answers yes and no, by which metadata, folds and subgroups are judged alike for every kind.

    Attributes:
        names: of the questions, length q.
        labels: shape (n, q): 0, 1 or NaN.
        values: how sure a model is of each, shape (n, q); None where no model was asked.
    """

    names: tuple[str, ...]
    labels: NDArray[np.floating]
    values: NDArray[np.floating] | None = None


class Task(ABC):
    """A kind of label. `storage.tasks.kinds` has one object of each.

    Attributes:
        name: as `--task` and `data.task` have it.
        title: what a study of it predicts, for people.
        metrics: names in `storage.metrics.objectives.METRICS` of what is measured of it.
        losses: what `training.loss` may be beside "auto"; the first is what "auto" means.
        excludes: whether an image has one of the targets alone, so that one target tells the others by its nature.
        is_called: whether a threshold turns each value into yes or no.
        has_probabilities: whether values are probabilities, which have curves and calibration.
        unheeded: keys of [training] that mean nothing for it.
        mixes: keys of [augmentation] that mix two images, of those that make sense for it; and `unmixed_because`, why others do not.
        kept_as: in what numbers out-of-fold values are kept.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]]
    losses: ClassVar[tuple[str, ...]] = ()
    excludes: ClassVar[bool] = False
    is_called: ClassVar[bool] = False
    has_probabilities: ClassVar[bool] = True
    unheeded: ClassVar[tuple[str, ...]] = ()
    mixes: ClassVar[tuple[str, ...]] = ()
    unmixed_because: ClassVar[str] = "nothing says what two images mixed are"
    kept_as: ClassVar[DTypeLike] = np.float16

    @abstractmethod
    def default_metric(self, targets: int) -> str:
        """What a study maximises that names no metric."""

    @abstractmethod
    def values(self, outputs: NDArray[np.float32], settings: Settings) -> NDArray[np.float32]:
        """Probabilities or numbers from what a model computes last."""

    @abstractmethod
    def score(
        self,
        labels: NDArray[np.float32],
        outputs: NDArray[np.float32],
        settings: Settings,
        *,
        medical: bool = False,
    ) -> Scores:
        """Every metric of one epoch; `medical` also those that are measured of validation alone."""

    def measure(
        self,
        kind: str,
        labels: NDArray[np.floating],
        values: NDArray[np.floating],
        weights: NDArray[np.floating],
    ) -> Array:
        """A metric for many weightings of the images at once: the mean of what is defined of `measure_each`; shape (weightings,)."""
        return mean_defined(self.measure_each(kind, labels, values, weights))

    @abstractmethod
    def measure_each(
        self,
        kind: str,
        labels: NDArray[np.floating],
        values: NDArray[np.floating],
        weights: NDArray[np.floating],
    ) -> Array:
        """What a metric is a mean of, for many weightings of the images at once: of each target, or of all targets together.

        Args:
            kind: of the metric, such as "brier"; one that values can give again.
            labels: shape (n, targets).
            values: shape (n, targets).
            weights: how often each image counts, shape (weightings, n).

        Returns:
            Shape (parts, weightings); NaN where undefined.
        """

    @abstractmethod
    def questions(
        self,
        targets: Sequence[str],
        labels: NDArray[np.floating],
        values: NDArray[np.floating] | None = None,
    ) -> Questions:
        """The labels as questions of yes and no."""

    def spread(self, errors: NDArray[np.floating]) -> NDArray[np.floating]:
        """By how much the values of the questions can be off where the values themselves are off by at most `errors`."""
        return errors

    @abstractmethod
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
        """Every metric with its interval, patients resampled, as a document.

        Its keys are `images`, `groups`, `labels` by name, `macro` and `micro` or `overall`, and `warnings`; what a metric is there,
        `storage.metrics.scorecard.score` says.
        """

    def strata(self, labels: NDArray[np.floating]) -> NDArray[np.floating]:
        """What hold-out and folds spread evenly: columns of 0, 1 and NaN."""
        return labels

    def describe(self, targets: Sequence[str], labels: NDArray[np.floating]) -> dict[str, dict[str, Any]]:
        """Counts of each target, as a data set's summary has them."""
        assessed = (~np.isnan(labels)).sum(axis=0).tolist()
        positive = (labels == 1).sum(axis=0).tolist()
        return {
            name: {
                "assessed": known,
                "positive": ones,
                "prevalence": round(ones / known, 6) if known else None,
            }
            for name, known, ones in zip(targets, assessed, positive, strict=True)
        }

    def mark(self, labels: Sequence[float | None]) -> str:
        """The labels of one image as text for hashing: a character for each, `-` where not assessed."""
        return "".join("-" if label is None else str(int(label)) for label in labels)

    def to_plain(self, labels: Sequence[float]) -> list[int | float | None]:
        """The labels of one image as a data set's files hold them."""
        return [None if label != label else int(label) for label in labels]

    def unit(self, metric: str, labels: NDArray[np.floating]) -> float:
        """How much one hundredth of a metric's range is, in hundredths: what spreads of trials are told in by a pruner."""
        return 1.0

    def find_fault(self, targets: Sequence[str], known: Sequence[str]) -> str | None:
        """Why a study cannot count these targets alone of those that a data set has; None where it can."""
        left_out = [name for name in known if name not in targets]
        if not self.excludes or not left_out:
            return None
        return f"an image has one of its {len(known)} classes, and {left_out[0]!r} would be left out"


def mean_defined(rows: Sequence[Array] | Array) -> Array:
    """The mean of what is defined, over the first axis: a definition; NaN where nothing is."""
    stacked = np.asarray(rows)
    known = ~np.isnan(stacked)
    return divide(np.where(known, stacked, 0).sum(axis=0), known.sum(axis=0))
