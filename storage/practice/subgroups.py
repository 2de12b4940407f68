"""Every metric within subgroups, and how far each subgroup lies from all others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.metrics.bootstrap import draw_counts, leave_out
from storage.metrics.calibration import observed_expected
from storage.metrics.curves import Array, auc
from storage.metrics.scorecard import name_subgroups, score
from storage.metrics.tables import tabulate
from storage.trust.differences import adjust_holm, patient_difference

Measure = Callable[[NDArray, NDArray, float, NDArray], Array]
COMPARED: dict[str, Measure] = {
    "auc": lambda labels, values, _, weights: auc(labels, values, weights),
    "sensitivity": lambda labels, values, cut, weights: tabulate(labels, values, cut, weights).sensitivity,
    "specificity": lambda labels, values, cut, weights: tabulate(labels, values, cut, weights).specificity,
    "observed_expected": lambda labels, values, _, weights: observed_expected(labels, values, weights),
}
"""What a subgroup is compared with the others by: whom a model serves worse, and whether its probabilities fit there."""


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

    A difference is the subgroup less the others; patients are drawn, both sides on the same draw. The p-values of one metric over
    all subgroups and labels are corrected together (Holm 1979).

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
    truth, guesses, sides = labels[known], probabilities[known], inside[known]
    draws = [
        np.concatenate(list(rows))
        for rows in (draw_counts(groups[known], resamples, seed), leave_out(groups[known]))
    ]
    found = {}
    for name, measure in COMPARED.items():

        def measure_both(weights: NDArray, measure: Measure = measure) -> tuple[Array, Array]:
            others, mine = (
                measure(truth[rows], guesses[rows], threshold, weights[..., rows]) for rows in (~sides, sides)
            )
            return others, mine

        others, mine = (float(one) for one in measure_both(np.ones(len(truth))))
        found[name] = patient_difference(
            mine - others, measure_both(draws[0]), measure_both(draws[1])
        ).as_document()
    return found


def _correct(document: dict[str, Any]) -> None:
    for metric in COMPARED:
        rows = [
            differences[metric]
            for subgroup in document.values()
            for differences in subgroup["differences"].values()
        ]
        for row, p in zip(rows, adjust_holm([row["p"] for row in rows]), strict=True):
            row["p_holm"] = p
