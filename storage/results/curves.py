"""The validation curves of a trial as one table of shape (folds, epochs), from the rows of the ledger.

A fold that stopped early has a row for every epoch all the same, so nothing is filled in here: what is not recorded is NaN.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from storage.metrics.judging import Array
from storage.metrics.objectives import Metric
from storage.results.ledger import FoldEpoch
from storage.spec import StudySpec


def empty_curves(spec: StudySpec) -> Array:
    """A table in which nothing is recorded yet."""
    return np.full((spec.fold_count, spec.training.epochs), np.nan)


def tabulate_rows(spec: StudySpec, rows: Iterable[FoldEpoch], metric: Metric | None = None) -> Array:
    """The scores of one trial's rows, by the metric of its study where none is named."""
    table, judged_by = empty_curves(spec), metric or spec.metric
    for row in rows:
        table[row.fold, row.epoch - 1] = judged_by.score(row)
    return table


def tabulate_columns(
    spec: StudySpec, fold: NDArray[np.int64], epoch: NDArray[np.int64], score: Array
) -> Array:
    """The scores of one trial from columns of shape (rows,): folds count from 0, epochs from 1."""
    table = empty_curves(spec)
    table[fold, epoch - 1] = score
    return table
