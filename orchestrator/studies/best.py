"""Take a study away: best.json, the trials and the fold curves as CSV, the spec as TOML."""

from __future__ import annotations

import csv
import io
import json
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from orchestrator.terminal.console import without_nan
from orchestrator.versions import library_versions
from storage.errors import NothingToExportError
from storage.metrics.objectives import Metric
from storage.spec.study import StudySpec

if TYPE_CHECKING:
    from storage.database.engine import Database
    from storage.results.ledger import FoldEpoch
    from storage.studies.points import PointCounts, PointRecord
    from storage.studies.study import StudyRecord

SCHEMA = "orch.best/1"


@dataclass(frozen=True)
class CommonEpoch:
    """The folds of one trial at one epoch that all share.

    Attributes:
        epoch: the epoch, from 1.
        fold_values: validation score of each fold at that epoch, NaN where undefined.
        value: their mean.
        last_epoch: the last epoch of the trial; the same as `epoch` when training longer might have helped.
    """

    epoch: int
    fold_values: list[float]
    value: float
    last_epoch: int


def best_document(database: Database, study: StudyRecord) -> dict[str, Any]:
    """Return what best.json holds.

    Raises:
        NothingToExportError: the study has no complete trial.
    """
    from storage.results.ledger import read_curves
    from storage.studies.points import count_points, list_points

    points = list_points(database, study.uuid)
    counts = count_points(database, study.uuid)
    best = best_point(points)
    if best is None:
        raise NothingToExportError(
            f"The study {study.name!r} has no complete trial yet, so there is nothing to export.",
            why=f"Of {counts.planned} points, {counts.pruned} are pruned, {counts.failed} failed and "
            f"{counts.open + counts.running} are not finished.",
            next_step=f"Run `orch worker {study.name}` until a trial completes, or see `orch study show {study.name}`.",
        )
    from storage.trust.selection import judge_selection

    curves = read_curves(database, study.uuid, best.point)
    common = find_common_epoch(curves, study.spec.study.objective, study.spec.metric)
    document = assemble_best(study, best, counts, common)
    document["selection"] = without_nan(judge_selection(database, study))
    document["trained_on"] = without_nan(read_circumstances(database, study, best))
    return document


def read_circumstances(database: Database, study: StudyRecord, best: PointRecord) -> dict[str, Any]:
    """What a value depends on besides the spec: seeds, versions, hardware, as its worker noted them."""
    details: dict[str, Any] = {}
    if best.trial_id is not None:
        details = database.optuna.get_trial(best.trial_id).user_attrs.get("details", {})
    return {
        "seeds": {"study": study.spec.study.seed, "point": best.point, "rule": "(study seed, point, fold)"},
        **{
            name: details.get(name)
            for name in ("versions", "device", "hardware", "parameters_trained")
            if name in details
        },
        "replay": f"orch trial replay {study.name} {best.trial_number}",
    }


def best_point(points: Iterable[PointRecord]) -> PointRecord | None:
    """Return the complete point with the highest value, the earliest of equals, or None."""
    complete = [
        point
        for point in points
        if point.outcome == "COMPLETE" and point.value is not None and not math.isnan(point.value)
    ]
    return max(complete, key=lambda point: (point.value, -point.point), default=None)


def find_common_epoch(curves: Sequence[FoldEpoch], objective: str, metric: Metric) -> CommonEpoch:
    """Return the epoch at which a trial is judged: the last one for "last", else that of the highest mean.

    A fold that stopped early carries its last value on.

    Raises:
        NothingToExportError: the ledger holds no epoch of this trial.
    """
    if not curves:
        raise NothingToExportError(
            "The ledger holds no epoch of the best trial.",
            why="Its rows were deleted, or the study was made with another version of orch.",
        )
    by_fold: dict[int, dict[int, float]] = {}
    for row in curves:
        by_fold.setdefault(row.fold, {})[row.epoch] = metric.score(row)
    last = max(row.epoch for row in curves)
    columns = [_carry_on(by_fold[fold], last) for fold in sorted(by_fold)]
    means = [_mean(list(values)) for values in zip(*columns, strict=True)]
    ranked = [-math.inf if math.isnan(mean) else mean for mean in means]
    place = last - 1 if objective == "last" else ranked.index(max(ranked))
    return CommonEpoch(place + 1, [column[place] for column in columns], means[place], last)


def assemble_best(
    study: StudyRecord, best: PointRecord, counts: PointCounts, common: CommonEpoch
) -> dict[str, Any]:
    """Put together what best.json holds, from what was read."""
    finite = [value for value in common.fold_values if not math.isnan(value)]
    # The same number as in every other table, where the two differ only by the order of a sum.
    is_objective = best.value is not None and math.isclose(common.value, best.value, abs_tol=1e-12)
    document = {
        "schema": SCHEMA,
        "study": study.name,
        "regime": study.spec.study.regime,
        "trial": best.trial_number,
        "point": best.point,
        "metric": study.spec.metric.name,
        "value": best.value if is_objective else common.value,
        "fold_values": common.fold_values,
        "value_sd": statistics.stdev(finite) if len(finite) > 1 else None,
        "best_epoch": common.epoch,
        "best_epoch_is_last": common.epoch == common.last_epoch,
        "objective": study.spec.study.objective,
        "objective_value": best.value,
        "params": best.params or {},
        "fixed": study.spec.hyperparameters,
        "points": {
            "planned": counts.planned,
            "complete": counts.complete,
            "pruned": counts.pruned,
            "failed": counts.failed,
            "open": counts.open + counts.running,
        },
        "dataset": {
            "fingerprint": study.fingerprint,
            "images": study.facts.get("images"),
            "groups": study.facts.get("groups"),
            "targets": list(study.spec.data.targets),
        },
        "spec": study.spec.model_dump(mode="json"),
        "spec_hash": study.spec_hash,
        "selection": None,
        "warnings": study.facts.get("warnings", []),
        "study_uuid": study.uuid,
        "accepted": study.facts.get("accepted", []),
        "versions": library_versions(),
        "exported_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return dict(without_nan(document))


def trials_csv(points: Sequence[PointRecord]) -> str:
    """Return one row per point: what was tried and what became of it."""
    names = sorted({name for point in points for name in point.params or {}})
    header = [
        "point",
        "trial",
        "state",
        "outcome",
        "value",
        *names,
        "attempt",
        "losses",
        "failures",
        "worker",
        "error",
    ]
    rows = [
        [
            point.point,
            point.trial_number,
            point.state,
            point.outcome,
            point.value,
            *((point.params or {}).get(name) for name in names),
            point.attempt,
            point.losses,
            point.failures,
            point.worker,
            point.error,
        ]
        for point in points
    ]
    return _csv(header, rows)


def folds_csv(points: Sequence[PointRecord], curves: Sequence[FoldEpoch]) -> str:
    """Return one row per fold and epoch, with the hyperparameters of its point.

    A searched learning rate is `params_learning_rate`, as in Optuna's tables: `learning_rate` is that of the epoch's last step.
    """
    from storage.results.ledger import FoldEpoch

    params = {point.point: point.params or {} for point in points}
    names = sorted({name for values in params.values() for name in values})
    columns = [field.name for field in fields(FoldEpoch)]
    rows = []
    for row in curves:
        values = asdict(row)
        known = params.get(row.point, {})
        rows.append(
            [values["point"], *(known.get(name) for name in names), *(values[name] for name in columns[1:])]
        )
    header = [f"params_{name}" if name in columns else name for name in names]
    return _csv(["point", *header, *columns[1:]], rows)


def spec_toml(spec: StudySpec) -> str:
    """Return a spec as a TOML file that `--spec` reads back to an equal spec."""
    lines: list[str] = []
    for name, section in spec.model_dump(mode="json").items():
        if name == "search":
            for key, searched in sorted(section.items()):
                lines += [f"[search.{key}]", *_toml_pairs(searched), ""]
        else:
            lines += [f"[{name}]", *_toml_pairs(section), ""]
    return "\n".join(lines)


def to_json(document: dict[str, Any]) -> str:
    """Return a document as the text of a JSON file."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _carry_on(values: dict[int, float], last: int) -> list[float]:
    carried, current = [], math.nan
    for epoch in range(1, last + 1):
        current = values.get(epoch, current)
        carried.append(current)
    return carried


def _mean(values: list[float]) -> float:
    finite = [value for value in values if not math.isnan(value)]
    return statistics.fmean(finite) if finite else math.nan


def _csv(header: list[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow(["" if value is None or value != value else value for value in row])
    return text.getvalue()


def _toml_pairs(section: dict[str, Any]) -> list[str]:
    # JSON's texts, numbers, booleans and flat lists are TOML too; a None has no place in TOML.
    return [f"{key} = {_toml_value(value)}" for key, value in section.items() if value is not None]


def _toml_value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml_value(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)
