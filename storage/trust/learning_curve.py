"""What more patients would bring: the winner trained on some of them, an inverse power law through that, and where it leads.

The law is value = limit - factor * patients ^ -exponent (Mukherjee et al. 2003, "Estimating dataset size requirements for classifying DNA
microarray data"; Viering and Loog 2023, "The shape of learning curves", on how far it may be trusted). It is fitted by least squares, each
size weighted by its standard error; intervals come from fits to values that are drawn again around those that were measured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.database.engine import Database
from storage.growth.parts import count_fold_epochs, list_curve
from storage.metrics.judging import judge
from storage.results.curves import tabulate_rows
from storage.results.ledger import read_curves, run_key
from storage.studies.point_records import best_point, list_points
from storage.studies.study_records import StudyRecord
from storage.trust.noise import mean_interval, split_runs

DRAWS = 500
FEWEST_SIZES = 4
"""A law with three constants follows from no fewer."""
EXPONENTS = np.linspace(0.1, 2.0, 77)
FARTHEST = 10.0
"""Times the patients that were trained on: further out the law says nothing."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PowerLaw:
    """value = limit - factor * patients ** -exponent."""

    limit: float
    factor: float
    exponent: float

    def at(self, patients: float) -> float:
        """The value with this number of patients."""
        return float(self.limit - self.factor * patients**-self.exponent)

    def patients_for(self, value: float) -> float:
        """How many patients a value needs; infinite where the law never reaches it."""
        if value >= self.limit:
            return math.inf
        return float((self.factor / (self.limit - value)) ** (1 / self.exponent)) if self.factor else 0.0


def fit_power_law(patients: Array, values: Array, errors: Array, highest: float = math.inf) -> PowerLaw:
    """The law nearest to the values, each weighted by its standard error; it never falls with more patients.

    Args:
        patients: shape (sizes,), that were trained on.
        values: shape (sizes,), more is better.
        errors: shape (sizes,): standard errors of the values.
        highest: the limit is no higher.
    """
    weights = 1 / np.maximum(errors, 1e-6) ** 2
    best, found = math.inf, PowerLaw(float(np.average(values, weights=weights)), 0.0, 1.0)
    for exponent in EXPONENTS.tolist():
        falling = patients**-exponent
        middle = np.average(falling, weights=weights)
        slope = np.sum(weights * (falling - middle) * values) / np.sum(weights * (falling - middle) ** 2)
        factor = max(-float(slope), 0.0)
        limit = float(np.average(values + factor * falling, weights=weights))
        if limit > highest:
            limit = highest
            factor = max(
                float(np.sum(weights * falling * (limit - values)) / np.sum(weights * falling**2)), 0.0
            )
        missed = float(np.sum(weights * (values - limit + factor * falling) ** 2))
        if missed < best:
            best, found = missed, PowerLaw(limit, factor, exponent)
    return found


def extrapolate(
    patients: Array,
    values: Array,
    errors: Array,
    targets: Sequence[float],
    *,
    highest: float = math.inf,
    seed: int = 0,
) -> tuple[PowerLaw, list[dict[str, Any]]]:
    """Fit the law, and say how many patients each target needs.

    Args:
        patients, values, errors, highest: as of `fit_power_law`.
        targets: values.
        seed: of the draws.

    Returns:
        The law, and of each target `value`, `patients`, `low` and `high` (of a 95 % interval); a number is None where the law does not
        reach the target with `FARTHEST` times the patients.
    """
    law = fit_power_law(patients, values, errors, highest)
    generator = np.random.default_rng(seed)
    laws = [
        fit_power_law(patients, values + errors * generator.standard_normal(len(values)), errors, highest)
        for _ in range(DRAWS)
    ]
    farthest = FARTHEST * float(patients.max())

    def shown(needed: float) -> float | None:
        return None if needed > farthest else needed

    rows = []
    for target in targets:
        needed = np.sort([one.patients_for(target) for one in laws])
        low, high = needed[int(0.025 * DRAWS)], needed[min(int(0.975 * DRAWS), DRAWS - 1)]
        rows.append(
            {
                "value": target,
                "patients": shown(law.patients_for(target)),
                "low": shown(float(low)),
                "high": shown(float(high)),
            }
        )
    return law, rows


def judge_learning_curve(
    database: Database, study: StudyRecord, targets: Sequence[float] = ()
) -> dict[str, Any]:
    """The learning curve of a study's best trial, as plain JSON data.

    Args:
        database, study: which.
        targets: values whose need of patients is asked for; left out, the next two hundredths above the value on all patients.

    Returns:
        `study`, `trial`, `metric`; `sizes`, of each size `percent`, `patients` (trained on, mean over the folds), `value`, `low`, `high` (95 %), `study`,
        `is_settled`; `law` (`limit`, `factor`, `exponent`) and `targets` as `extrapolate` has them, None and empty until
        `FEWEST_SIZES` sizes are there; `fold_epochs` that were trained for it; `sentence`.
    """
    winner = best_point(list_points(database, study.uuid))
    parts = list_curve(database, study, winner) if winner else []
    sizes = [_read_size(database, part) for part in parts]
    known = [one for one in sizes if one["value"] is not None and one["patients"]]
    document: dict[str, Any] = {
        "study": study.name,
        "trial": winner.trial_number if winner else None,
        "metric": study.spec.metric.name,
        "sizes": sizes,
        "law": None,
        "targets": [],
        "fold_epochs": sum(count_fold_epochs(database, part.uuid) for part in parts),
    }
    if len(known) >= FEWEST_SIZES:
        metric = study.spec.metric
        highest = math.inf if not metric.is_bounded else 1.0 if metric.sign > 0 else 0.0
        top = known[-1]["value"]
        asked = list(targets) or [(math.floor(100 * top) + step) / 100 for step in (1, 2)]
        columns = [
            np.array([one[name] for one in known], np.float64) for name in ("patients", "value", "error")
        ]
        law, document["targets"] = extrapolate(columns[0], columns[1], columns[2], asked, highest=highest)
        document["law"] = {"limit": law.limit, "factor": law.factor, "exponent": law.exponent}
    document["sentence"] = describe_learning_curve(document)
    return document


def describe_learning_curve(document: dict[str, Any]) -> str:
    """Say it for people, without the last full stop."""
    left = sum(not one["is_settled"] for one in document["sizes"])
    if document["law"] is None and left:
        return f"{left} of {len(document['sizes'])} sizes are not finished"
    if document["law"] is None:
        known = sum(one["value"] is not None for one in document["sizes"])
        return f"A law needs {FEWEST_SIZES} sizes with a value, and there are {known}; --percent names more"
    said = []
    for one in document["targets"]:
        if one["patients"] is None:
            said.append(f"{one['value']:.3g} is not reached with {FARTHEST:g} times these patients")
            continue
        ends = [f"{one[end]:,.0f}" if one[end] is not None else "far more" for end in ("low", "high")]
        said.append(
            f"{one['value']:.3g} needs about {one['patients']:,.0f} patients (95 % interval {ends[0]} to {ends[1]})"
        )
    return f"{document['metric']}: " + "; ".join(said)


def _read_size(database: Database, part: StudyRecord) -> dict[str, Any]:
    groups = part.facts.get("train_groups")
    points = list_points(database, part.uuid)
    runs: list[Array] = []
    for point in points:
        if point.is_complete:
            rows = read_curves(database, part.uuid, point.point, run_key(part.spec_hash, point.params or {}))
            judged = judge(tabulate_rows(part.spec, rows), part.spec.study.objective)
            runs += split_runs(judged.fold_values, part.spec.cv.repeats)
    known = [run[~np.isnan(run)] for run in runs]
    value = float(np.mean([run.mean() for run in known])) if runs and all(map(len, known)) else None
    low, high = (mean_interval(value, runs) if value is not None else None) or (None, None)
    spread = [run.var(ddof=1) / len(run) for run in known if len(run) > 1]
    return {
        "percent": part.spec.cv.train_percent,
        "patients": float(np.mean(groups)) if groups else None,
        "value": value,
        "low": low,
        "high": high,
        "error": math.sqrt(float(np.mean(spread))) if spread else 1.0,
        "study": part.name,
        "is_settled": all(point.state.is_settled for point in points),
    }
