"""Studies, points and trials as plain documents: what `--json` prints and what the tables show."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from storage.errors import StorageError
from storage.growth.evidence import read_evidence, summarize_evidence
from storage.growth.part_specs import has_parts
from storage.growth.parts import describe_parts, is_left
from storage.growth.provenance import describe_provenance
from storage.results.evaluations import describe_evaluation, list_evaluations
from storage.results.fold_summary import summarize_folds
from storage.results.further import read_front
from storage.results.ledger import read_curves
from storage.spec.distributions import from_optuna
from storage.studies.attempts import list_foreign
from storage.studies.optuna_record import gone, list_all_trials
from storage.studies.point_records import best_point, count_points, list_points, read_left
from storage.studies.study import read_canary
from storage.studies.study_records import StudyRecord, origins
from storage.studies.trials import ALSO, value_of
from storage.trust.plan import FACT
from storage.trust.selection import judge_selection
from storage.wording import say_command

if TYPE_CHECKING:
    from storage.database.engine import Database
    from storage.metrics.objectives import Metric
    from storage.studies.points import PointRecord
    from storage.studies.study_records import UnreadableStudy


def study_document(
    database: Database, study: StudyRecord | UnreadableStudy, *, whole: bool = False
) -> dict[str, Any]:
    """Describe a study.

    Args:
        whole: with its spec, its facts and every point; only of a study that this orch can read.
    """
    points = list_points(database, study.uuid)
    counts = count_points(database, study.uuid)
    best = best_point(points)
    readable = study if isinstance(study, StudyRecord) else None
    document: dict[str, Any] = {
        "study": study.name,
        "uuid": study.uuid,
        "regime": readable.spec.study.regime if readable else None,
        "state": study.state,
        "made_by": study.made_by,
        "left_to_others": None if isinstance(study, StudyRecord) else study.problem,
        "is_settled": counts.is_settled,
        "parts_left": is_left(database, readable)
        if readable and counts.is_settled
        else bool(readable and has_parts(readable.spec)),
        "created_at": study.created_at,
        "fingerprint": study.fingerprint,
        "data_folder": study.data_folder,
        "points": asdict(counts),
        "seconds_left": read_left(database, study),
        "added": sum(point.is_added for point in points),
        "foreign": dict(Counter(trial.kind for trial in list_foreign(database, readable)))
        if readable
        else {},
        "metric": readable.spec.metric.name if readable else None,
        "best": point_document(best) if best else None,
    }
    if whole and readable:
        document["parts"] = describe_parts(database, readable)
        document["facts"] = readable.facts
        document["plan"] = readable.facts.get(FACT)
        document["provenance"] = describe_provenance(database, readable)
        document["evidence"] = summarize_evidence(read_evidence(database, readable))
        document["foreign_trials"] = [
            {**asdict(trial), "kind": trial.kind} for trial in list_foreign(database, readable)
        ]
        document["selection"] = judge_selection(database, readable)
        document["pareto"] = [
            {**point_document(point), "also": also} for point, also in read_front(database, readable, points)
        ]
        document["evaluations"] = [
            describe_evaluation(one, readable.spec.metric)
            for one in list_evaluations(database, readable.uuid)
        ]
        document["canary"] = read_canary(database, readable)
        document["spec"] = readable.spec.model_dump(mode="json")
        document["spec_hash"] = readable.spec_hash
        origin = origins(readable)
        document["all_points"] = [
            {**point_document(point), "origin": origin.get(point.point, "plan")} for point in points
        ]
    return document


def point_document(point: PointRecord) -> dict[str, Any]:
    """Describe a point and its present attempt; the token of its holder stays inside."""
    return {
        "point": point.point,
        "trial": point.trial_number,
        "state": point.state,
        "outcome": point.outcome,
        "value": point.value,
        "params": point.params,
        "epoch": point.epoch,
        "attempt": point.attempt,
        "losses": point.losses,
        "failures": point.failures,
        "worker": point.worker,
        "error": point.error,
    }


def trial_document(database: Database, study: StudyRecord, number: int) -> dict[str, Any]:
    """Describe one of Optuna's trials with the fold-epochs of its point.

    Raises:
        StorageError: the study has no trial of that number.
    """
    trials = list_all_trials(database, study)
    if trials is None:
        raise gone(study)
    trial = next((trial for trial in trials if trial.number == number), None)
    if trial is None:
        raise StorageError(
            f"The study {study.name!r} has no trial {number}.",
            why=f"It has {len(trials)} so far, numbered from 0."
            if trials
            else "No worker has started one yet.",
            next_step=f"`{say_command('study', 'show', study.name)}` lists them.",
        )
    points = {point.point: point for point in list_points(database, study.uuid)}
    number_of_point = trial.user_attrs.get("point")
    point = points.get(number_of_point) if isinstance(number_of_point, int) else None
    curves = read_curves(database, study.uuid, number_of_point) if point else []
    params = from_optuna(study.spec, trial.params) or (point.params if point else None)
    return {
        "study": study.name,
        "trial": number,
        "point": number_of_point,
        "attempt": trial.user_attrs.get("attempt"),
        "is_present_attempt": bool(point and point.trial_number == number),
        "state": trial.state.name,
        "metric": study.spec.metric.name,
        "value": value_of(trial),
        "also": trial.user_attrs.get(ALSO),
        "params": params,
        "fixed": study.spec.fixed_beside(params or study.spec.search),
        "worker": trial.user_attrs.get("worker"),
        "error": trial.user_attrs.get("error") or (point.error if point else None),
        "user_attributes": {key: value for key, value in trial.user_attrs.items() if key != "token"},
        "started_at": trial.datetime_start.isoformat() + "Z" if trial.datetime_start else None,
        "ended_at": trial.datetime_complete.isoformat() + "Z" if trial.datetime_complete else None,
        "folds": summarize_folds(curves),
        "class_balance": study.facts.get("class_balance"),
        "epochs": [asdict(row) for row in curves],
    }


def epoch_means(epochs: list[dict[str, Any]], metric: Metric) -> list[list[Any]]:
    """Return one row per epoch, as `epoch_columns` names its cells: means over the folds, ends, steps."""
    rows = []
    for epoch in sorted({row["epoch"] for row in epochs}):
        folds = [row for row in epochs if row["epoch"] == epoch]
        known = (row[metric.column] for row in folds)
        measured = [value for value in known if value == value]
        rows.append(
            [
                epoch,
                len(folds),
                sum(measured) / len(measured) if measured else None,
                min(measured, default=None),
                max(measured, default=None),
                *(_mean_of(folds, name) for name in ("train_auc", "train_loss", "val_loss")),
                max(row["steps"] for row in folds),
            ]
        )
    return rows


def epoch_columns(metric: Metric) -> tuple[str, ...]:
    """What the cells of `epoch_means` are."""
    of_metric = (f"val {metric.label}", "least", "most")
    return ("epoch", "folds", *of_metric, "train AUC", "train loss", "val loss", "steps")


def _mean_of(rows: list[dict[str, Any]], name: str) -> float | None:
    values = [row[name] for row in rows if row[name] == row[name]]
    return sum(values) / len(values) if values else None
