"""Take a study away: best.json, the trials and the fold curves as CSV, the spec as TOML."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.terminal.console import without_nan
from storage.errors import NothingToExportError
from storage.metrics.judging import Array, mean_known
from storage.results.ledger import FoldEpoch
from storage.spec.study import StudySpec
from storage.studies.point_records import best_point, count_points, list_points
from storage.studies.trials import POINT
from storage.trust.selection import judge_selection, read_judged
from storage.wording import say_command
from workers.device.versions import library_versions

if TYPE_CHECKING:
    from storage.database.engine import Database
    from storage.studies.point_records import PointCounts, PointRecord
    from storage.studies.study import StudyRecord

RECORD_GONE = (
    "Optuna's record of the study is gone: another tool deleted it. Versions and hardware were noted there."
)
SCHEMA = "orch.best/1"


def best_document(database: Database, study: StudyRecord) -> dict[str, Any]:
    """Return what best.json holds.

    Raises:
        NothingToExportError: the study has no complete trial.
    """
    points = list_points(database, study.uuid)
    counts = count_points(database, study.uuid)
    best = best_point(points)
    if best is None:
        raise NothingToExportError(
            f"The study {study.name!r} has no complete trial yet, so there is nothing to export.",
            why=f"Of {counts.planned} points, {counts.pruned} are pruned, {counts.failed} failed and "
            f"{counts.open + counts.running} are not finished.",
            next_step=_how_to_complete(study, counts),
        )

    judged = read_judged(database, study, points)
    if judged is None or judged.points[0].point != best.point:
        raise NothingToExportError(
            "The ledger holds no epoch of the best trial.",
            why="Its rows were deleted, or the study was made with another version of orch.",
        )
    epoch = judged.epochs[0]
    document = assemble_best(study, best, counts, epoch, judged.curves[0][:, epoch - 1])
    document["selection"] = without_nan(judge_selection(database, study, judged))
    document["trained_on"] = without_nan(read_circumstances(database, study, best))
    return document


def _how_to_complete(study: StudyRecord, counts: PointCounts) -> str:
    """What leads to a complete trial: a worker, as long as there is something left for it."""
    see = f"`{say_command('study', 'show', study.name)}` shows the trials."
    if not counts.is_settled:
        return f"Run `{say_command('worker', study.name)}` until a trial completes. {see}"
    if counts.failed == counts.planned:
        return f"Nothing is left to run: every trial failed. {see} Correct what their errors name, and create the study again under another name."
    return (
        f"Nothing is left to run: no trial was trained to its end. {see} Where losses are not numbers, search lower learning rates; "
        "where the pruner stopped all, choose --pruner none; then create the study again under another name."
    )


def read_circumstances(database: Database, study: StudyRecord, best: PointRecord) -> dict[str, Any]:
    """What a value depends on besides the spec: seeds, versions, hardware, as its worker noted them."""
    kept: dict[str, Any] = {}
    if best.trial_id is not None:
        with contextlib.suppress(KeyError):  # another tool deleted it; the results are in our own tables
            kept = database.optuna.get_trial(best.trial_id).user_attrs
    # SQLite gives the ids of deleted trials away again.
    is_there = kept.get(POINT) == best.point
    details = kept.get("details", {}) if is_there else {}
    missing = {} if is_there else {"missing": RECORD_GONE}
    return {
        **missing,
        "seeds": {"study": study.spec.study.seed, "point": best.point, "rule": "(study seed, point, fold)"},
        **{
            name: details.get(name)
            for name in ("versions", "device", "hardware", "parameters_trained")
            if name in details
        },
        "replay": say_command("trial", "replay", study.name, best.trial_number),
    }


def assemble_best(
    study: StudyRecord, best: PointRecord, counts: PointCounts, epoch: int, fold_values: Array
) -> dict[str, Any]:
    """Put together what best.json holds, from what was read.

    Args:
        study: which.
        best: its best point.
        counts: of its points.
        epoch: the common epoch that the best is judged at, from 1.
        fold_values: shape (folds,): the scores of its folds at that epoch, NaN where undefined.
    """
    known = fold_values[~np.isnan(fold_values)].tolist()
    document = {
        "schema": SCHEMA,
        "study": study.name,
        "regime": study.spec.study.regime,
        "trial": best.trial_number,
        "point": best.point,
        "metric": study.spec.metric.name,
        "value": mean_known(fold_values),
        "fold_values": fold_values.tolist(),
        "value_sd": statistics.stdev(known) if len(known) > 1 else None,
        "best_epoch": epoch,
        "best_epoch_is_last": epoch == study.spec.training.epochs,
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
