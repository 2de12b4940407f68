"""What more patients would bring: the winner trained on some of them, an inverse power law through that, and where it leads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.database.engine import Database
from storage.growth.part_specs import may_have_parts
from storage.growth.parts import count_fold_epochs, list_curve
from storage.metrics.judging import judge
from storage.results.curves import tabulate_rows
from storage.results.ledger import read_curves, run_key
from storage.studies.point_records import best_point, list_points
from storage.studies.study_records import StudyRecord
from storage.trust.noise import mean_interval
from storage.trust.power_law import (
    CLOSEST,
    FARTHEST,
    Curve,
    estimate_covariance,
    find_band,
    find_patients,
    fit_power_law,
)

FEWEST_SIZES = 4
"""A law with three constants follows from no fewer."""
BEYOND = 4.0
"""Times the patients that were trained on: the band of the figure ends there."""
BAND_PLACES = 40
NO_INTERVAL = "the sizes do not have two folds in common that all have a value"

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Size:
    """One size of the curve: its document, and its fold values by run, each of shape (folds,)."""

    document: dict[str, Any]
    runs: list[Array]


def extrapolate(curve: Curve, targets: Sequence[float]) -> list[dict[str, Any]]:
    """Say how many patients each target needs.

    Args:
        curve: what was measured.
        targets: values.

    Returns:
        Of each target `value`, `patients`, `low` and `high` (of a 95 % interval); a number is None where the law does not reach the target with
        `FARTHEST` times the patients, and `low` is 0 where a law that fits has it with hardly any.
    """
    law, farthest = fit_power_law(curve), FARTHEST * float(curve.patients.max())
    rows = []
    for target in targets:
        needed = law.patients_for(target)
        low, high = find_patients(curve, target) or (math.inf, math.inf)
        rows.append(
            {
                "value": target,
                "patients": needed if needed <= farthest else None,
                "low": low if math.isfinite(low) else None,
                "high": high if math.isfinite(high) else None,
            }
        )
    return rows


def judge_learning_curve(
    database: Database, study: StudyRecord, targets: Sequence[float] = ()
) -> dict[str, Any]:
    """The learning curve of a study's best trial, as plain JSON data.

    Args:
        database, study: which.
        targets: values whose need of patients is asked for; left out, the next two hundredths above the value on all patients.

    Returns:
        `study`, `trial`, `metric`; `sizes`, of each size `percent`, `patients` (trained on, mean over the folds), `value`, `low`, `high` (95 %), `study`,
        `is_settled`; `law` (`limit`, `factor`, `exponent`), `targets` as `extrapolate` has them and `band` (`patients`, `value`, `low`, `high`: the
        law and its 95 % band), None and empty until `FEWEST_SIZES` sizes are there; `reason`, why there is no interval of the law, else None;
        `fold_epochs` that were trained for it; `sentence`.
    """
    winner = best_point(list_points(database, study.uuid))
    parts = list_curve(database, study, winner) if winner else []
    sizes = [_read_size(database, part) for part in parts]
    known = [one for one in sizes if one.document["value"] is not None and one.document["patients"]]
    document: dict[str, Any] = {
        "study": study.name,
        "trial": winner.trial_number if winner else None,
        "metric": study.spec.metric.name,
        "sizes": [one.document for one in sizes],
        "law": None,
        "targets": [],
        "band": [],
        "reason": None,
        "fold_epochs": sum(count_fold_epochs(database, part.uuid) for part in parts),
    }
    if len(known) >= FEWEST_SIZES:
        metric = study.spec.metric
        highest = math.inf if not metric.is_bounded else metric.limits[1]
        document |= _describe_law(known, targets, highest)
    document["sentence"] = describe_learning_curve(document)
    return document


def find_learning_curve(database: Database, study: StudyRecord) -> dict[str, Any] | None:
    """The learning curve of a study's best trial; None where none was planned."""
    if study.spec.study.part_of or not may_have_parts(study):
        return None
    document = judge_learning_curve(database, study)
    return document if document["sizes"] else None


def describe_learning_curve(document: dict[str, Any]) -> str:
    """Say it for people, without the last full stop."""
    left = sum(not one["is_settled"] for one in document["sizes"])
    if document["law"] is None and left:
        return f"{left} of {len(document['sizes'])} sizes are not finished"
    if document["law"] is None:
        known = sum(one["value"] is not None for one in document["sizes"])
        return f"A law needs {FEWEST_SIZES} sizes with a value, and there are {known}; --percent names more"
    fewest = CLOSEST * min(one["patients"] for one in document["sizes"] if one["patients"])
    said = []
    for one in document["targets"]:
        low, high = one["low"], one["high"]
        begin = "fewer than " + f"{fewest:,.0f}" if low == 0 else f"{low:,.0f}" if low else ""
        if one["patients"] is None:
            text = f"{one['value']:.3g} is not reached with {FARTHEST:g} times these patients"
            text += f" (95 % interval {begin} to far more)" if begin and high is None else ""
        elif one["patients"] < fewest:
            text = f"{one['value']:.3g} is reached with the fewest patients"
        else:
            text = f"{one['value']:.3g} needs about {one['patients']:,.0f} patients"
            text += (
                f" (no interval: {document['reason']})"
                if document["reason"]
                else f" (95 % interval {begin} to {f'{high:,.0f}' if high is not None else 'far more'})"
            )
        said.append(text)
    return f"{document['metric']}: " + "; ".join(said)


def _describe_law(known: Sequence[Size], targets: Sequence[float], highest: float) -> dict[str, Any]:
    """Law, targets and band of at least `FEWEST_SIZES` sizes."""
    patients, values, errors = (
        np.array([one.document[name] for one in known], np.float64) for name in ("patients", "value", "error")
    )
    runs = _align_runs(known)
    covariance, freedom = estimate_covariance(runs) if runs is not None else (np.diag(errors**2), 1)
    curve = Curve(patients, values, covariance, freedom, highest)
    law = fit_power_law(curve)
    top = float(values[-1])
    asked = list(targets) or [
        one for one in ((math.floor(100 * top) + step) / 100 for step in (1, 2)) if one < highest
    ]
    rows, band = extrapolate(curve, asked), []
    if runs is None:
        rows = [one | {"low": None, "high": None} for one in rows]
    else:
        at = np.geomspace(patients.min(), BEYOND * patients.max(), BAND_PLACES)
        low, high = find_band(curve, at)
        band = [
            {"patients": place, "value": law.at(place), "low": below, "high": above}
            for place, below, above in zip(at.tolist(), low.tolist(), high.tolist(), strict=True)
        ]
    return {
        "law": {"limit": law.limit, "factor": law.factor, "exponent": law.exponent},
        "targets": rows,
        "band": band,
        "reason": None if runs is not None else NO_INTERVAL,
    }


def _align_runs(sizes: Sequence[Size]) -> Array | None:
    """The fold values that all sizes have, shape (runs, folds, sizes); None of fewer than two folds."""
    count = min(len(one.runs) for one in sizes)
    table = np.array([one.runs[:count] for one in sizes], np.float64)
    kept = table[:, :, ~np.isnan(table).any(axis=(0, 1))]
    return None if kept.shape[2] < 2 else np.ascontiguousarray(kept.transpose(1, 2, 0))


def judge_apart(curves: Array, objective: str) -> Array:
    """The value of each fold of one division of the patients, at an epoch that the fold had no part in choosing: a definition.

    A small size hardly learns, and the best of its epochs is then the luckiest: under "max_of_mean" each fold is therefore read at the epoch that is best
    on average over the other folds. Each fold's own best epoch ("mean_of_max") stays what the study asks for.

    Args:
        curves: validation scores, shape (folds, epochs); NaN where a fold has none.
        objective: of the study.

    Returns:
        Shape (folds,).
    """
    if objective != "max_of_mean" or len(curves) < 2:
        return judge(curves, objective).fold_values
    epochs = [judge(np.delete(curves, fold, axis=0), objective).epoch for fold in range(len(curves))]
    return np.array([curves[fold, epoch - 1] for fold, epoch in enumerate(epochs)], np.float64)


def _read_size(database: Database, part: StudyRecord) -> Size:
    groups = part.facts.get("train_groups")
    points = list_points(database, part.uuid)
    runs: list[Array] = []
    for point in points:
        if point.is_complete:
            rows = read_curves(database, part.uuid, point.point, run_key(part.spec_hash, point.params or {}))
            curves = tabulate_rows(part.spec, rows)
            runs += [
                judge_apart(run, part.spec.study.objective) for run in np.split(curves, part.spec.cv.repeats)
            ]
    known = [run[~np.isnan(run)] for run in runs]
    value = float(np.mean([run.mean() for run in known])) if runs and all(map(len, known)) else None
    low, high = (
        mean_interval(value, runs, limits=part.spec.metric.limits) if value is not None else None
    ) or (None, None)
    spread = [run.var(ddof=1) / len(run) for run in known if len(run) > 1]
    document = {
        "percent": part.spec.cv.train_percent,
        "patients": float(np.mean(groups)) if groups else None,
        "value": value,
        "low": low,
        "high": high,
        "error": math.sqrt(float(np.mean(spread))) if spread else 1.0,
        "study": part.name,
        "is_settled": all(point.state.is_settled for point in points),
    }
    return Size(document, runs)
