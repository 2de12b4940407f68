"""best.json: the winner of a study, written for people and programs, and read to go on from."""

from __future__ import annotations

import contextlib
import json
import statistics
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from storage.errors import NothingToExportError, SpecError
from storage.files.documents import without_nan
from storage.metrics.judging import Array, mean_known
from storage.parsing import LARGEST_DOCUMENT, parse_json, read_regular
from storage.results.evaluations import describe_evaluation, list_evaluations
from storage.results.further import read_front
from storage.spec import is_known
from storage.studies.chain import read_chain
from storage.studies.optuna_record import POINT
from storage.studies.point_records import best_point, count_points, list_points
from storage.studies.study_records import growth_of
from storage.trust.learning_curve import find_learning_curve
from storage.trust.plan import FACT
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
            why=f"Of {counts.planned} trials, {counts.pruned} are pruned, {counts.failed} failed and "
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
    document["learning_curve"] = without_nan(find_learning_curve(database, study))
    document["pareto"] = [
        {
            "trial": point.trial_number,
            "point": point.point,
            "value": point.value,
            "also": also,
            "params": point.params or {},
        }
        for point, also in read_front(database, study, points)
    ]
    document["evaluations"] = [
        describe_evaluation(one, study.spec.metric) for one in list_evaluations(database, study.uuid)
    ]
    chain = read_chain(database, study.uuid)
    document["chain"] = {"links": len(chain), "head": chain[-1]["hash"] if chain else None}
    document["plan"] = study.facts.get(FACT)
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
        "fixed": study.spec.fixed_beside(best.params or {}),
        "points": {
            "planned": counts.planned,
            "complete": counts.complete,
            "pruned": counts.pruned,
            "failed": counts.failed,
            "open": counts.open + counts.running,
        },
        "growth": growth_of(study),
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


def read_best(path: Path) -> dict[str, Any]:
    """Read a best.json.

    Raises:
        SpecError: the file is missing or is not what `orch study export` writes.
    """
    try:
        document = parse_json(read_regular(path, LARGEST_DOCUMENT))
    except OSError as error:
        raise SpecError(
            f"{path} cannot be read: {error.strerror}.",
            next_step="`orch study export NAME -o best.json` writes one.",
        ) from error
    except ValueError as error:
        raise SpecError(f"{path} is not valid JSON: {error}.") from error
    needed = ("schema", "params", "fixed", "spec")
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise SpecError(
            f"{path} is not a best.json of orch.",
            why=f'It has no "schema": "{SCHEMA}".',
            next_step="`orch study export NAME -o best.json` writes one.",
        )
    missing = [key for key in needed if key not in document]
    if missing or not all(isinstance(document[key], dict) for key in needed[1:]):
        raise SpecError(
            f"{path} is incomplete: {', '.join(missing) or 'params, fixed and spec'} must be there."
        )
    for name, section in document["spec"].items():
        if not isinstance(section, dict):
            raise SpecError(
                f"In {path} the section spec.{name} is {json.dumps(section)[:40]}, and must hold keys.",
                why="It was edited by hand, or written by a script.",
                next_step="`orch study export NAME -o best.json` writes it again.",
            )
    _check_selection(document, path)
    named = document["params"].keys() | document["fixed"].keys()
    unknown = sorted(name for name in named if not is_known(name))
    if unknown:
        raise SpecError(f"{path} names hyperparameters that this orch does not know: {', '.join(unknown)}.")
    return document


def _check_selection(document: dict[str, Any], path: Path) -> None:
    selection = document.get("selection") or {}
    listed = (selection.get("indistinguishable") or []) if isinstance(selection, dict) else None
    whole = isinstance(listed, list) and all(
        isinstance(one, dict) and isinstance(one.get("params"), dict) for one in listed
    )
    if not whole or not isinstance(document.get("metric", ""), str):
        raise SpecError(f"{path} is not as `orch study export` writes it: see its selection and its metric.")
