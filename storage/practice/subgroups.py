"""Every metric within subgroups, and how far each subgroup lies from all others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.metrics.bootstrap import leave_out
from storage.metrics.calibration import observed_expected, observed_expected_interval
from storage.metrics.curves import Array, auc
from storage.metrics.intervals import (
    LEVEL,
    UNDEFINED,
    Interval,
    auc_interval,
    difference_interval,
    share_interval,
)
from storage.metrics.scorecard import score
from storage.metrics.tables import tabulate
from storage.trust.differences import Difference, adjust_holm

AtLevel = Callable[..., Interval]
"""An interval from its level."""
Measure = Callable[[NDArray, NDArray, float, NDArray], Array]
COMPARED: dict[str, Measure] = {
    "auc": lambda labels, values, _, weights: auc(labels, values, weights),
    "sensitivity": lambda labels, values, cut, weights: tabulate(labels, values, cut, weights).sensitivity,
    "specificity": lambda labels, values, cut, weights: tabulate(labels, values, cut, weights).specificity,
    "observed_expected": lambda labels, values, _, weights: observed_expected(labels, values, weights),
}
"""What a subgroup is compared with the others by: whom a model serves worse, and whether its probabilities fit there."""

MOST_SUBGROUPS = 12

SMALLEST, HALVINGS = 1e-6, 16
"""The least p-value that is looked for, and how often its range (of logarithms) is halved."""


def name_subgroups(column: Sequence[str]) -> list[str]:
    """The subgroup of each cell: its value, or the quarter that its number falls in.

    Raises:
        ValueError: too many different values, and they are no numbers.
    """
    cells = [cell.strip() or "(blank)" for cell in column]
    if len(set(cells)) <= MOST_SUBGROUPS:
        return cells
    numbers = np.array([np.nan if cell == "(blank)" else float(cell) for cell in cells])
    edges = np.quantile(numbers[~np.isnan(numbers)], [0, 0.25, 0.5, 0.75, 1])
    quarters = np.searchsorted(edges[1:-1], numbers, side="left")
    return [
        cell if cell == "(blank)" else f"{'[' if place == 0 else '('}{edges[place]:g}, {edges[place + 1]:g}]"
        for cell, place in zip(cells, quarters, strict=True)
    ]


def review_subgroups(
    cells: Sequence[str],
    targets: Sequence[str],
    labels: NDArray,
    probabilities: NDArray,
    groups: NDArray,
    thresholds: Sequence[float],
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Score each subgroup of a column, and compare it with all other images.

    A difference is the subgroup less the others. Its interval is joined from those of the two sides (Zou and Donner 2008; with their correlation
    where a patient has images on both, Zou 2007), and the p-value is 1 less the level at which it would just reach 0. The p-values of one metric over all subgroups and labels are corrected together (Holm 1979).

    Args:
        cells: length n: the value of each image; many different numbers become quarters.
        targets: names of the labels.
        labels, probabilities: shape (n, targets).
        groups: shape (n,).
        thresholds: of each label.
        resamples: for the intervals without a closed form; 0 for no intervals and no differences.
        seed: of the resamples.

    Raises:
        ValueError: too many different values, and they are no numbers.
    """
    names = np.array(name_subgroups(cells))
    document: dict[str, Any] = {}
    for name in sorted(set(names.tolist())):
        inside = names == name
        document[name] = score(
            targets,
            labels[inside],
            probabilities[inside],
            groups[inside],
            thresholds=thresholds,
            resamples=resamples,
            seed=seed,
        ) | {"differences": {}}
        if resamples and not inside.all():
            document[name]["differences"] = {
                target: compare_sides(
                    labels[:, place], probabilities[:, place], inside, groups, thresholds[place]
                )
                for place, target in enumerate(targets)
            }
    _correct(document)
    return document


def compare_sides(
    labels: NDArray, probabilities: NDArray, inside: NDArray[np.bool_], groups: NDArray, threshold: float
) -> dict[str, Any]:
    """Each of `COMPARED` of the images inside less that of all others, with interval and p-value.

    Args:
        labels: shape (n,): 0, 1 or NaN.
        probabilities: shape (n,).
        inside: shape (n,): which images are of the subgroup.
        groups: shape (n,): the patient of each image.
        threshold: above which an image is called positive.
    """
    known = ~np.isnan(labels)
    truth, guesses, sides, patients = labels[known], probabilities[known], inside[known], groups[known]
    are_apart = not np.intersect1d(patients[sides], patients[~sides]).size
    left = None if are_apart else np.concatenate(list(leave_out(patients)))
    found = {}
    for name, measure in COMPARED.items():
        parts, without = [], []
        for rows in (sides, ~sides):
            value = float(measure(truth[rows], guesses[rows], threshold, np.ones(int(rows.sum()))))
            make = INTERVALS[name](truth[rows], guesses[rows], threshold, patients[rows])
            parts.append((value, make))
            if left is not None:
                without.append(measure(truth[rows], guesses[rows], threshold, left[:, rows]))
        found[name] = _join(parts, _correlate(*without) if without else 0.0).as_document()
    return found


def _area(truth: NDArray, guesses: NDArray, _: float, groups: NDArray) -> AtLevel:
    return partial(auc_interval, truth, guesses, groups)


def _share(positive: bool, truth: NDArray, guesses: NDArray, cut: float, groups: NDArray) -> AtLevel:
    among = (truth == 1) == positive
    _, members = np.unique(groups, return_inverse=True)
    count = int(members.max()) + 1 if len(members) else 0
    right = among & ((guesses > cut) == positive)
    return partial(share_interval, np.bincount(members, right, count), np.bincount(members, among, count))


def _ratio(truth: NDArray, guesses: NDArray, _: float, groups: NDArray) -> AtLevel:
    return partial(observed_expected_interval, truth, guesses, groups)


INTERVALS: dict[str, Callable[..., AtLevel]] = {
    "auc": _area,
    "sensitivity": partial(_share, True),
    "specificity": partial(_share, False),
    "observed_expected": _ratio,
}
"""The interval of each on one side."""


def _join(parts: Sequence[tuple[float, AtLevel]], correlation: float) -> Difference:
    """The first less the second, from the interval of each at any level."""

    def at(level: float) -> Interval:
        mine, others = ((value, make(level=level)) for value, make in parts)
        return difference_interval((mine, others), (1.0, -1.0), correlation)

    value, interval = parts[0][0] - parts[1][0], at(LEVEL)
    if np.isnan(value) or interval.reason:
        return Difference(value, interval if interval.reason else Interval.none(UNDEFINED), np.nan, np.nan)
    # 1 less the level at which the interval would just reach 0, found by halving its logarithm.
    low, high = np.log(SMALLEST), 0.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        reaching = at(1 - float(np.exp(middle)))
        is_apart = reaching.low > 0 or reaching.high < 0
        low, high = (low, middle) if is_apart else (middle, high)
    return Difference(value, interval, float(np.exp(high)), np.nan)


def _correlate(mine: Array, others: Array) -> float:
    """How two sides with patients in common vary together, from leaving out patients."""
    known = ~(np.isnan(others) | np.isnan(mine))
    if not known.any() or not (np.ptp(others[known]) and np.ptp(mine[known])):
        return 0.0
    return float(np.corrcoef(others[known], mine[known])[0, 1])


def _correct(document: dict[str, Any]) -> None:
    for metric in COMPARED:
        rows = [
            differences[metric]
            for subgroup in document.values()
            for differences in subgroup["differences"].values()
        ]
        for row, p in zip(rows, adjust_holm([row["p"] for row in rows]), strict=True):
            row["p_holm"] = p
