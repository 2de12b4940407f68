"""Who the patients are: the columns of a labels file as counts and means, and how far two parts of a data set differ.

Everything is counted by patient: of several images the first one stands for its patient. Nothing of a single patient is in a
description: rare values stand together, and columns that name patients are left out.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.data.patients import names_patients

MOST_VALUES = 8
"""A column of more different values that are no numbers says nothing in a table."""
FEWEST = 5
"""Values of fewer patients than these stand together as `OTHERS`."""
OTHERS = "others"
NUMBERS = 0.9
"""The share of cells that must be numbers for a column to be one of numbers."""


def describe_population(columns: Mapping[str, Sequence[str]], groups: NDArray[np.integer]) -> dict[str, Any]:
    """The columns that describe patients, as plain data: by definition counts, means and standard deviations (n - 1) over patients.

    Args:
        columns: the columns of the labels file that are no labels, each of length n.
        groups: shape (n,): the patient of each image.

    Returns:
        `images`, `groups` and `columns` by name: of numbers their count `n`, `missing`, `mean` and `sd`; of others `n`, `missing` and
        `counts` by value.
    """
    _, first = np.unique(groups, return_index=True)
    found = {}
    for name, cells in columns.items():
        described = None if names_patients(name) else _describe([cells[row].strip() for row in first])
        if described is not None:
            found[name] = described
    return {"images": len(groups), "groups": len(first), "columns": found}


def compare_columns(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[float, float]:
    """The standardised difference of two descriptions of a column, and the p-value that they are equal.

    Of numbers the difference of the means over the root of the mean variance (Austin 2009), and the t-test of Welch (1947); of other values
    the distance of Yang and Dalton (2012), and the chi-squared test of Pearson (1900). NaN where either cannot be told.
    """
    from scipy import stats

    if one["kind"] != other["kind"] or min(one["n"], other["n"]) < 2:
        return math.nan, math.nan
    if one["kind"] == "number":
        spread = math.sqrt((one["sd"] ** 2 + other["sd"] ** 2) / 2)
        if not spread:
            return math.nan, math.nan
        test = stats.ttest_ind_from_stats(
            one["mean"], one["sd"], one["n"], other["mean"], other["sd"], other["n"], equal_var=False
        )
        return abs(one["mean"] - other["mean"]) / spread, float(test.pvalue)
    values = sorted(one["counts"].keys() | other["counts"].keys())
    counts = np.array([[side["counts"].get(value, 0) for value in values] for side in (one, other)], float)
    counts = counts[:, counts.sum(axis=0) > 0]
    if counts.shape[1] < 2:
        return math.nan, math.nan
    shares = counts / counts.sum(axis=1, keepdims=True)
    gap = (shares[0] - shares[1])[1:]
    spread_of = [np.diag(side) - np.outer(side, side) for side in shares[:, 1:]]
    inverse = np.linalg.pinv((spread_of[0] + spread_of[1]) / 2)
    return math.sqrt(max(float(gap @ inverse @ gap), 0.0)), float(stats.chi2_contingency(counts).pvalue)


def _describe(cells: Sequence[str]) -> dict[str, Any] | None:
    known = [cell for cell in cells if cell]
    if not known:
        return None
    counts = Counter(known)
    common = {"n": len(known), "missing": len(cells) - len(known)}
    numbers = [value for value in map(_number, known) if value is not None]
    if len(numbers) >= NUMBERS * len(known) and len(set(numbers)) > MOST_VALUES:
        values = np.array(numbers)
        spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
        return {"kind": "number", **common, "n": len(values), "mean": float(values.mean()), "sd": spread}
    if len(counts) > MOST_VALUES:
        return None
    rare = [value for value, count in counts.items() if count < FEWEST]
    kept = {value: count for value, count in sorted(counts.items()) if value not in rare}
    if rare:
        kept[OTHERS] = sum(counts[value] for value in rare)
    return {"kind": "category", **common, "counts": kept} if len(kept) > 1 or not rare else None


def _number(cell: str) -> float | None:
    try:
        value = float(cell.replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
