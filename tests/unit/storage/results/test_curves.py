"""Rows of the ledger as one table of folds and epochs."""

from __future__ import annotations

import numpy as np

from storage.metrics.objectives import METRICS
from storage.results.curves import tabulate_columns, tabulate_rows
from tests.studies import make_row, make_spec


def test_rows_and_columns_make_the_same_table_and_what_is_not_recorded_is_nan() -> None:
    spec = make_spec(**{"cv.folds": 2, "training.epochs": 3})
    rows = [make_row(0, 0, 1, 0.6), make_row(0, 0, 2, 0.7), make_row(0, 1, 1, 0.8)]
    table = tabulate_rows(spec, rows)
    np.testing.assert_array_equal(table, [[0.6, 0.7, np.nan], [0.8, np.nan, np.nan]])
    columns = [np.array(values) for values in ([0, 0, 1], [1, 2, 1], [0.6, 0.7, 0.8])]
    np.testing.assert_array_equal(table, tabulate_columns(spec, *columns))
    losses = tabulate_rows(spec, rows, METRICS["neg_val_loss"])
    assert losses[0, 0] == -rows[0].val_loss
