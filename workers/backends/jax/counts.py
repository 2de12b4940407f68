"""Scores of several folds from what was counted of them on the device: `storage.metrics.epoch` is the definition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.metrics.curves import divide
from storage.metrics.epoch import Scores
from storage.metrics.medical import average_each
from storage.metrics.tables import Table

Integers = NDArray[np.int32]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Counts:
    """What was counted of one set of predictions of every fold, by label: shape (folds, targets) where nothing else is said.

    Attributes:
        true_positives: and the next three: at the threshold 0.5.
        unknown: assessed entries without a number for a score.
        doubled_wins: twice the pairs of a positive and a negative in the right order, and once those with equal scores.
        losses: sums of the binary cross-entropy.
        micro_doubled_wins: as `doubled_wins`, of all labels together, shape (folds,); it and those below for medical metrics only.
        precisions: sums, over positives, of the precision at their score.
        squared_errors: sums.
        gaps: sums of probability less label, by bin of the probability, shape (folds, targets, bins).
    """

    true_positives: Integers
    false_positives: Integers
    false_negatives: Integers
    true_negatives: Integers
    unknown: Integers
    doubled_wins: Integers
    losses: Floats
    micro_doubled_wins: Integers | None = None
    precisions: Floats | None = None
    squared_errors: Floats | None = None
    gaps: Floats | None = None


def score_counts(counts: Counts) -> list[Scores]:
    """The scores of each fold, with medical ones where they were counted."""
    true_positive, false_positive, false_negative, true_negative = (
        part.astype(np.int64)
        for part in (
            counts.true_positives,
            counts.false_positives,
            counts.false_negatives,
            counts.true_negatives,
        )
    )
    positives, negatives = true_positive + false_negative, false_positive + true_negative
    assessed, unknown = positives + negatives, counts.unknown > 0
    # An entry without a number is called negative; only the number of assessed ones is right then, and that is what counts.
    area = divide(counts.doubled_wins, 2 * positives * negatives)
    area[unknown] = np.nan
    has_both = (positives > 0) & (negatives > 0)
    total = 2 * true_positive + false_positive + false_negative
    overlap = divide(2 * true_positive, total)
    losses = divide(counts.losses.astype(np.float64).sum(axis=1), assessed.sum(axis=1))
    precision = divide(true_positive.sum(axis=1), (true_positive + false_positive).sum(axis=1))
    recall = divide(true_positive.sum(axis=1), positives.sum(axis=1))
    medical = _medical(counts, positives, negatives)
    return [
        Scores(
            loss=float(losses[fold]),
            auc=float(area[fold, has_both[fold]].mean()) if has_both[fold].any() else float("nan"),
            precision=float(precision[fold]),
            recall=float(recall[fold]),
            f1=_mean_known(overlap[fold], total[fold] > 0, is_unknown=bool(unknown[fold].any())),
            labels_left_out=int(np.count_nonzero(~has_both[fold])),
            medical=medical[fold],
        )
        for fold in range(len(losses))
    ]


def _mean_known(values: NDArray[np.float64], defined: NDArray[np.bool_], *, is_unknown: bool) -> float:
    return float("nan") if is_unknown or not defined.any() else float(np.mean(values[defined]))


def _medical(
    counts: Counts, positives: NDArray[np.int64], negatives: NDArray[np.int64]
) -> list[dict[str, float]]:
    if (
        counts.micro_doubled_wins is None
        or counts.precisions is None
        or counts.squared_errors is None
        or counts.gaps is None
    ):
        return [{} for _ in positives]
    is_unknown = np.any(counts.unknown > 0, axis=1)
    pairs = 2 * positives.sum(axis=1) * negatives.sum(axis=1)
    micro = np.where(is_unknown, np.nan, divide(counts.micro_doubled_wins, pairs))
    assessed = positives + negatives
    by_label = {
        "pr_auc": divide(counts.precisions, positives),
        "brier": divide(counts.squared_errors, assessed),
        "calibration_error": divide(np.abs(counts.gaps.astype(np.float64)).sum(axis=-1), assessed),
    }
    parts = (counts.true_positives, counts.false_positives, counts.false_negatives, counts.true_negatives)
    return average_each(
        Table(*(part.astype(np.float64) for part in parts)), by_label, micro, are_unknown=is_unknown
    )
