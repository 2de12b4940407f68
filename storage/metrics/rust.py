"""The modified RUST score of fracture healing from graded cortices (Litrenta et al. 2015).

Four cortices of a tibia are graded 1 (no callus) to 4 (remodelled), two on the AP and two on the lateral radiograph of
one visit; the score is their sum, 4 to 16. A visit without its pair of radiographs has no score, and is named.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.metrics.agreement import intraclass_correlation, weighted_kappa
from storage.metrics.bootstrap import FISHER, LOGARITHM, Scale, jackknife_interval, leave_out

GRADES = 4
CORTICES = {"anterior": "ap", "posterior": "ap", "medial": "lateral", "lateral": "lateral"}
"""The cortices, and the radiograph that grades each in the published label table (its view_antpr and view_later)."""


def _distance(labelled: NDArray, predicted: NDArray) -> float:
    return float(np.abs(labelled - predicted).mean()) if len(labelled) else float("nan")


AGREEMENT: dict[str, tuple[Callable[[NDArray, NDArray], float], Scale]] = {
    "weighted_kappa": (weighted_kappa, FISHER),
    "icc": (lambda *scores: intraclass_correlation(np.stack(scores, axis=1)), FISHER),
    "mean_absolute_difference": (_distance, LOGARITHM),
}
"""Of labelled and predicted scores, and the scale on which the errors of each are nearly normal."""

_VIEW_NAMES = {"ap": re.compile(r"view.*(ap|ant)"), "lateral": re.compile(r"view.*lat")}


@dataclass(frozen=True)
class RustColumns:
    """Which columns of the labels hold what: the flag of each view, and the four grades of each cortex."""

    views: dict[str, int]
    grades: dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Visit:
    """One visit: the grade of each cortex as labelled and as predicted, None where it cannot be said."""

    name: str
    labelled: dict[str, int | None]
    predicted: dict[str, int | None]
    group: int
    missing: str

    @property
    def labelled_score(self) -> int | None:
        """The sum of the labelled grades, 4 to 16; None unless all four are graded."""
        return _add(self.labelled)

    @property
    def predicted_score(self) -> int | None:
        """The sum of the predicted grades, 4 to 16; None unless both views are there."""
        return _add(self.predicted)


def find_columns(targets: Sequence[str]) -> RustColumns | None:
    """Find the 18 columns by their names (`view_..`, `medial.._1` to `posterior.._4`); None unless all are there."""
    views = {
        view: place
        for view, pattern in _VIEW_NAMES.items()
        for place, name in enumerate(targets)
        if pattern.match(name.lower())
    }
    grades = {}
    for cortex in CORTICES:
        found = {
            int(name[-1]): place
            for place, name in enumerate(targets)
            if re.fullmatch(rf"{cortex}\D*[1-{GRADES}]", name.lower())
        }
        grades[cortex] = tuple(found[grade] for grade in range(1, GRADES + 1) if grade in found)
    whole = len(views) == len(_VIEW_NAMES) and all(len(places) == GRADES for places in grades.values())
    return RustColumns(views, grades) if whole else None


def score_visits(
    columns: RustColumns, visits: Sequence[str], labels: NDArray, probabilities: NDArray, groups: NDArray
) -> list[Visit]:
    """Score every visit, in the order of their names.

    The view of an image is its label where that is known, else the likelier one. A cortex is graded by the image of its
    own view: the grade labelled 1, and the likeliest grade; of several images of one view, by their mean.

    Args:
        columns: from `find_columns`.
        visits: length n: the visit of each image.
        labels: shape (n, targets), NaN where not assessed.
        probabilities: shape (n, targets).
        groups: shape (n,): the patient of each image.
    """
    names = np.array(visits)
    views = _read_views(columns, labels, probabilities)
    scored = []
    for name in sorted(set(visits)):
        here = names == name
        absent = [view for view in _VIEW_NAMES if not (here & (views == view)).any()]
        labelled, predicted = {}, {}
        for cortex, view in CORTICES.items():
            images = here & (views == view)
            places = list(columns.grades[cortex])
            labelled[cortex] = _labelled_grade(labels[images][:, places])
            predicted[cortex] = _likeliest_grade(probabilities[images][:, places])
        scored.append(
            Visit(
                name=name,
                labelled=labelled,
                predicted=predicted,
                group=int(groups[here][0]),
                missing=", ".join(f"no {view} image" for view in absent)
                or ("not graded" if _add(labelled) is None else ""),
            )
        )
    return scored


def compare_scores(visits: Sequence[Visit], *, resamples: int = 1000) -> dict[str, Any]:
    """Agreement of predicted and labelled scores: quadratically weighted kappa, ICC(2,1) and mean absolute difference.

    Visits without a pair, or not graded, are named and left out. Intervals leave patients out one by one (`jackknife_interval`), kappa and ICC on Fisher's
    scale (1921), the difference on that of its logarithm, where they hold the truth more often than with patients drawn (`bench.coverage_rest`).

    Args:
        visits: of `score_visits`.
        resamples: 0 for no intervals.
    """
    whole = [
        visit for visit in visits if visit.labelled_score is not None and visit.predicted_score is not None
    ]
    labelled = np.array([visit.labelled_score for visit in whole], np.int64)
    predicted = np.array([visit.predicted_score for visit in whole], np.int64)
    groups = np.array([visit.group for visit in whole], np.int64)
    left = [np.flatnonzero(row) for part in leave_out(groups) for row in part] if resamples else []
    agreement: dict[str, dict[str, float]] = {}
    for name, (measure, scale) in AGREEMENT.items():
        value = measure(labelled, predicted)
        without = np.array([measure(labelled[rows], predicted[rows]) for rows in left])
        interval = jackknife_interval(value, without, scale)
        agreement[name] = {"value": value, "low": interval.low, "high": interval.high}
    return {
        "visits": len(visits),
        "compared": len(whole),
        "agreement": agreement,
        "scores": [
            {"visit": visit.name, "labelled": visit.labelled_score, "predicted": visit.predicted_score}
            for visit in whole
        ],
        "without_score": {visit.name: visit.missing for visit in visits if visit.missing},
    }


def _read_views(columns: RustColumns, labels: NDArray, probabilities: NDArray) -> NDArray:
    names = list(_VIEW_NAMES)
    places = [columns.views[name] for name in names]
    flags = labels[:, places]
    known = (flags == 1).sum(axis=1) == 1
    chosen = np.where(known, (flags == 1).argmax(axis=1), probabilities[:, places].argmax(axis=1))
    return np.array(names)[chosen]


def _labelled_grade(grades: NDArray) -> int | None:
    given = grades[np.nansum(grades, axis=1) == 1]
    if not len(given):
        return None
    return int(np.nanmean(given, axis=0).argmax()) + 1


def _likeliest_grade(probabilities: NDArray) -> int | None:
    return int(probabilities.mean(axis=0).argmax()) + 1 if len(probabilities) else None


def _add(grades: Mapping[str, int | None]) -> int | None:
    given = [grade for grade in grades.values() if grade is not None]
    return sum(given) if len(given) == len(CORTICES) else None
