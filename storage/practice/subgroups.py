"""Every metric within subgroups, and how far each subgroup lies from all others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.metrics.bootstrap import LEVEL, draw_counts, leave_out
from storage.metrics.calibration import observed_expected
from storage.metrics.curves import Array, auc
from storage.metrics.intervals import UNDEFINED, Interval, auc_interval, difference_interval, share_interval
from storage.metrics.scorecard import name_subgroups, score
from storage.metrics.tables import tabulate
from storage.trust.differences import Difference, adjust_holm, patient_difference

Measure = Callable[[NDArray, NDArray, float, NDArray], Array]
COMPARED: dict[str, Measure] = {
    "auc": lambda labels, values, _, weights: auc(labels, values, weights),
    "sensitivity": lambda labels, values, cut, weights: tabulate(labels, values, cut, weights).sensitivity,
    "specificity": lambda labels, values, cut, weights: tabulate(labels, values, cut, weights).specificity,
    "observed_expected": lambda labels, values, _, weights: observed_expected(labels, values, weights),
}
"""What a subgroup is compared with the others by: whom a model serves worse, and whether its probabilities fit there."""

SMALLEST, HALVINGS = 1e-6, 16
"""The least p-value that is looked for, and how often its range (of logarithms) is halved."""


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

    A difference is the subgroup less the others. Of AUC, sensitivity and specificity its interval is joined from those of the two sides
    (Zou and Donner 2008; with their correlation where a patient has images on both, Zou 2007), and the p-value is 1 less the level at which it would just reach 0; of
    observed / expected patients are drawn, both sides on the same draw. The p-values of one metric over all subgroups and labels are corrected together (Holm 1979).

    Args:
        cells: length n: the value of each image; many different numbers become quarters.
        targets: names of the labels.
        labels, probabilities: shape (n, targets).
        groups: shape (n,).
        thresholds: of each label.
        resamples: for the intervals and differences; 0 for none.
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
                    labels[:, place],
                    probabilities[:, place],
                    inside,
                    groups,
                    thresholds[place],
                    resamples,
                    seed,
                )
                for place, target in enumerate(targets)
            }
    _correct(document)
    return document


def compare_sides(
    labels: NDArray,
    probabilities: NDArray,
    inside: NDArray[np.bool_],
    groups: NDArray,
    threshold: float,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Each of `COMPARED` of the images inside less that of all others, with interval and p-value.

    Args:
        labels: shape (n,): 0, 1 or NaN.
        probabilities: shape (n,).
        inside: shape (n,): which images are of the subgroup.
        groups: shape (n,): the patient of each image.
        threshold: above which an image is called positive.
        resamples, seed: of the patients.
    """
    known = ~np.isnan(labels)
    truth, guesses, sides, patients = labels[known], probabilities[known], inside[known], groups[known]
    draws = [
        np.concatenate(list(rows)) for rows in (draw_counts(patients, resamples, seed), leave_out(patients))
    ]
    found = {}
    for name, measure in COMPARED.items():

        def measure_both(weights: NDArray, measure: Measure = measure) -> tuple[Array, Array]:
            others, mine = (
                measure(truth[rows], guesses[rows], threshold, weights[..., rows]) for rows in (~sides, sides)
            )
            return others, mine

        others, mine = (float(one) for one in measure_both(np.ones(len(truth))))
        left_out = measure_both(draws[1])
        if name in CLOSED:
            parts = [
                (value, partial(CLOSED[name], truth[rows], guesses[rows], threshold, patients[rows]))
                for value, rows in ((mine, sides), (others, ~sides))
            ]
            found[name] = _join(parts, _correlate(*left_out, patients, sides)).as_document()
        else:
            found[name] = patient_difference(mine - others, measure_both(draws[0]), left_out).as_document()
    return found


def _area(truth: NDArray, guesses: NDArray, cut: float, groups: NDArray, level: float) -> Interval:
    return auc_interval(truth, guesses, groups, level)


def _share(
    positive: bool, truth: NDArray, guesses: NDArray, cut: float, groups: NDArray, level: float
) -> Interval:
    among = (truth == 1) == positive
    _, members = np.unique(groups, return_inverse=True)
    count = int(members.max()) + 1 if len(members) else 0
    right = among & ((guesses > cut) == positive)
    return share_interval(np.bincount(members, right, count), np.bincount(members, among, count), level)


CLOSED: dict[str, Callable[..., Interval]] = {
    "auc": _area,
    "sensitivity": partial(_share, True),
    "specificity": partial(_share, False),
}
"""Those whose interval on each side needs no resampling."""


def _join(parts: Sequence[tuple[float, Callable[[float], Interval]]], correlation: float) -> Difference:
    """The first less the second, from the interval of each at any level."""

    def at(level: float) -> Interval:
        mine, others = ((value, make(level)) for value, make in parts)
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


def _correlate(others: Array, mine: Array, groups: NDArray, sides: NDArray[np.bool_]) -> float:
    """How the two sides vary together, from leaving out patients; 0 where no patient is on both."""
    if not np.intersect1d(groups[sides], groups[~sides]).size:
        return 0.0
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
