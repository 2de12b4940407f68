"""Numbers, one or several, each of them known or not assessed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.metrics.curves import Array
from storage.metrics.epoch import Scores
from storage.metrics.intervals import LEVEL
from storage.metrics.objectives import METRICS, of_kind
from storage.metrics.scorecard import find_small
from storage.tasks.contract import Questions, Settings, Task
from storage.tasks.number_metrics import LIMITS, MEASURES, SCALES
from storage.tasks.resampled import measure_with_intervals

STRATA = 5
"""Parts of equal size that hold-out and folds spread evenly."""

IN_UNITS = ("mae", "rmse")
"""Metrics in the unit of the number; the others have none."""

Floats = NDArray[np.floating]


class Numbers(Task):
    """Each number in units of its spread about its mean, both of a fold's training part; outputs are in these units."""

    name = "number"
    title = "numbers"
    metrics = of_kind("mae", "rmse", "r2", "pearson", "icc", "loss")
    losses = ("squared", "absolute", "huber")
    has_probabilities = False
    unheeded = ("label_smoothing", "positive_weight", "oversampling", "soft_labels")
    mixes = ("mixup",)
    unmixed_because = "a part of a picture does not bring its share of a number; leave it at 0, or use mixup, which mixes whole pictures"
    kept_as = np.float32

    def default_metric(self, targets: int) -> str:
        """The mean absolute error; of several numbers, whose units differ, R2."""
        return "neg_val_mae" if targets == 1 else "val_r2"

    def values(self, outputs: NDArray[np.float32], settings: Settings) -> NDArray[np.float32]:
        """The numbers themselves."""
        return np.asarray(outputs * settings["spread"] + settings["centre"], np.float32)

    def score(
        self,
        labels: NDArray[np.float32],
        outputs: NDArray[np.float32],
        settings: Settings,
        *,
        medical: bool = False,
    ) -> Scores:
        """Metrics of each number, their mean; the loss is the mean squared error in units of the spread, whatever is trained by."""
        nan, known = float("nan"), ~np.isnan(labels)
        units = (np.asarray(labels, np.float64) - settings["centre"]) / settings["spread"]
        loss = float(((outputs - units)[known] ** 2).mean()) if known.any() else nan
        found: dict[str, float] = {}
        if medical:
            values, once = self.values(outputs, settings), np.ones(len(labels))
            found = {kind: float(self.measure(kind, labels, values, once)) for kind in MEASURES}
        return Scores(loss, nan, nan, nan, nan, int((~known.any(axis=0)).sum()), found)

    def measure_each(self, kind: str, labels: Floats, values: Floats, weights: Floats) -> Array:
        """The metric of each number."""
        parts = [_pair(labels, values, weights, place) for place in range(labels.shape[1])]
        return np.stack([_measure_one(MEASURES[kind], *part) for part in parts])

    def strata(self, labels: Floats) -> Floats:
        """In which fifth of the images each number is, a column each; NaN where it is not known."""
        return np.hstack([_divide(column) for column in np.asarray(labels, np.float64).T])

    def questions(self, targets: Sequence[str], labels: Floats, values: Floats | None = None) -> Questions:
        """Whether each number is above its median."""
        known = np.asarray(labels, np.float64)
        middles = [np.nanmedian(column) if not np.isnan(column).all() else np.nan for column in known.T]
        answers = np.where(np.isnan(known), np.nan, known > np.array(middles))
        return Questions(
            tuple(f"{name} above {middle:.4g}" for name, middle in zip(targets, middles, strict=True)),
            answers.astype(np.float32),
            values,
        )

    def card(
        self,
        targets: Sequence[str],
        labels: Floats,
        values: Floats,
        groups: NDArray[Any],
        *,
        thresholds: Sequence[float] = (),
        resamples: int = 1000,
        seed: int = 0,
    ) -> dict[str, Any]:
        """Metrics of each number, the limits of agreement, and the mean of the numbers where there are several."""
        rows: dict[str, dict[str, Any]] = {}
        for place, name in enumerate(targets):
            known = ~np.isnan(labels[:, place])
            truth, guess, patients = labels[known, place], values[known, place], np.asarray(groups)[known]
            measured = measure_with_intervals(
                {
                    kind: partial(_measure_one, measure, truth, guess)
                    for kind, measure in {**MEASURES, **LIMITS}.items()
                },
                patients,
                resamples=resamples,
                seed=seed,
                scales=SCALES,
            )
            rows[name] = {
                "assessed": int(known.sum()),
                "assessed_groups": len(np.unique(patients)),
                "metrics": {kind: measured[kind] for kind in MEASURES},
                "limits_of_agreement": {kind: measured[kind] for kind in LIMITS},
            }
        return {
            "images": len(labels),
            "groups": len(np.unique(groups)),
            "level": LEVEL,
            "resamples": resamples,
            "labels": rows,
            "warnings": find_small(rows),
        }

    def describe(self, targets: Sequence[str], labels: Floats) -> dict[str, dict[str, Any]]:
        """How many are known of each number, their mean, standard deviation and range."""
        described = {}
        for name, column in zip(targets, np.asarray(labels, np.float64).T, strict=True):
            known = column[~np.isnan(column)]
            described[name] = {
                "assessed": len(known),
                "mean": round(float(known.mean()), 6) if len(known) else None,
                "sd": round(float(known.std(ddof=1)), 6) if len(known) > 1 else None,
                "least": float(known.min()) if len(known) else None,
                "most": float(known.max()) if len(known) else None,
            }
        return described

    def mark(self, labels: Sequence[float | None]) -> str:
        """The numbers of one image as text for hashing, with a comma between them."""
        return ",".join("-" if label is None else repr(float(label)) for label in labels)

    def to_plain(self, labels: Sequence[float]) -> list[int | float | None]:
        """The numbers of one image in as few digits as single precision needs."""
        return [None if label != label else float(str(np.float32(label))) for label in labels]

    def unit(self, metric: str, labels: Floats) -> float:
        """The spread of the numbers for an error in their unit; R2 = 1 - (RMSE / spread)^2 moves twice as far where it is near 0."""
        if metric == "val_r2":
            return 2.0
        if METRICS[metric].kind not in IN_UNITS:
            return 1.0
        spreads = [column[~np.isnan(column)].std() for column in np.asarray(labels, np.float64).T]
        return float(np.mean(spreads)) or 1.0


def _pair(labels: Floats, values: Floats, weights: Floats, place: int) -> tuple[Floats, Floats, Floats]:
    known = ~np.isnan(labels[:, place])
    return labels[known, place], values[known, place], weights[..., known]


def _measure_one(measure: Any, truth: Floats, guess: Floats, counts: Floats) -> Array:
    """Both less the mean of the truth, which changes no metric: squares of years, say, would leave few digits for differences."""
    middle = float(np.mean(truth)) if len(truth) else 0.0
    found: Array = measure(
        np.asarray(truth, np.float64) - middle, np.asarray(guess, np.float64) - middle, counts
    )
    return found


def _divide(column: Array) -> Array:
    """Indicator columns of equal parts, shape (n, parts); fewer where many numbers are equal."""
    known = ~np.isnan(column)
    if not known.any():
        return np.full((len(column), 1), np.nan)
    edges = np.unique(np.quantile(column[known], np.linspace(0, 1, STRATA + 1)[1:-1]))
    part = np.searchsorted(edges, column, side="left")
    found = (part[:, None] == np.arange(len(edges) + 1)).astype(np.float64)
    found[~known] = np.nan
    kept = (found == 1).any(axis=0)
    return found[:, kept]
