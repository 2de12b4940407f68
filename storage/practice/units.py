"""Results by patient or by visit, beside those by image: the unit of analysis decides what a number means (Maier-Hein et al. 2024)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

POOLS: dict[str, Callable[..., NDArray]] = {"mean": np.mean, "max": np.max}


def name_visits(groups: NDArray, columns: Sequence[Sequence[str]]) -> list[int]:
    """A number for the visit of each image: equal patient, and equal cells in columns that together name a visit.

    Args:
        groups: shape (n,).
        columns: each of length n.
    """
    visits = list(zip(groups.tolist(), *columns, strict=True))
    numbers = {visit: number for number, visit in enumerate(sorted(set(visits)))}
    return [numbers[visit] for visit in visits]


def pool_units(
    labels: NDArray, probabilities: NDArray, units: Sequence[object], pool: str
) -> tuple[NDArray, NDArray, NDArray[np.int64]]:
    """One row for each unit: a finding is there where any assessed image of the unit has it; probabilities are pooled: a definition.

    Args:
        labels: shape (n, targets): 0, 1 or NaN; a unit without an assessed image of a label is not assessed.
        probabilities: shape (n, targets).
        units: length n: which patient, or visit, each image is of.
        pool: "mean" or "max" of the probabilities of its images that were assessed (of all, where none was).

    Returns:
        Labels and probabilities of shape (units, targets), and the first image of each unit, shape (units,).
    """
    names, first, members = np.unique(np.asarray(units), return_index=True, return_inverse=True)
    pooled = np.full((len(names), labels.shape[1]), np.nan)
    truth = np.full((len(names), labels.shape[1]), np.nan)
    for unit in range(len(names)):
        rows = members == unit
        for target in range(labels.shape[1]):
            known = rows & ~np.isnan(labels[:, target])
            if known.any():
                truth[unit, target] = labels[known, target].max()
            used = known if known.any() else rows
            pooled[unit, target] = POOLS[pool](probabilities[used, target])
    return truth, pooled, first.astype(np.int64)
