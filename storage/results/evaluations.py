"""Evaluations of a study's models, kept with the study: what was judged, on which images, and every metric.

What is kept has no data of single patients: neither images, predictions nor names of visits; and of subgroups only those with
enough patients. The file that `orch model evaluate` writes has everything.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from storage.database import tables
from storage.database.engine import Database
from storage.files.documents import without_nan
from storage.metrics.objectives import Metric, name_kind
from storage.metrics.scorecard import FEWEST_GROUPS
from storage.settings import name_user
from storage.studies.chain import Event, link_event
from storage.versions import orch_version

_columns = tables.evaluations.c


class EvaluationKind(StrEnum):
    """Which images a model was judged on."""

    OUT_OF_FOLD = "out-of-fold"
    HOLD_OUT = "hold-out"
    EXTERNAL = "external"


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of a study's model.

    Attributes:
        kind: which images it was judged on.
        evaluated_at: seconds since 1970 by the clock of the database.
        evaluated_by: user@host.
        orch: the version that judged.
        trial_number: of out-of-fold predictions; None of a model file.
        model_sha256: of the model file; None of out-of-fold predictions.
        fingerprint: of the data set.
        document: what the command said, less what belongs to single patients.
    """

    kind: EvaluationKind
    evaluated_at: float
    evaluated_by: str
    orch: str
    trial_number: int | None
    model_sha256: str | None
    fingerprint: str
    document: dict[str, Any]

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Evaluation:
        """An evaluation from its row of `orch_evaluations`."""
        values = {name: row[name] for name in cls.__dataclass_fields__}
        return cls(**{**values, "kind": EvaluationKind(row["kind"]), "document": json.loads(row["document"])})

    @property
    def title(self) -> str:
        """Which images these are, in words."""
        return {
            EvaluationKind.OUT_OF_FOLD: "cross-validation, out of fold",
            EvaluationKind.HOLD_OUT: "hold-out",
            EvaluationKind.EXTERNAL: "external data set",
        }[self.kind]


def name_images(evaluation: Evaluation, others: Sequence[Evaluation]) -> str:
    """Which images these are, short enough for a column: "external data", with its fingerprint only where several were judged."""
    if evaluation.kind != EvaluationKind.EXTERNAL:
        return evaluation.title
    known = {one.fingerprint for one in others if one.kind == EvaluationKind.EXTERNAL} | {
        evaluation.fingerprint
    }
    return "external data" + (f" {evaluation.fingerprint[7:13]}" if len(known) > 1 else "")


def record_evaluation(database: Database, study_uuid: str, document: Mapping[str, Any]) -> EvaluationKind:
    """Keep an evaluation with its study.

    Args:
        database: where the study is.
        study_uuid: which.
        document: as `orch model evaluate` or `orch study evaluate` writes it.
    """
    part, model = document["data"]["part"], document.get("model") or {}
    if not model:
        kind = EvaluationKind.OUT_OF_FOLD
    else:
        kind = EvaluationKind.HOLD_OUT if part == "hold-out" else EvaluationKind.EXTERNAL
    with database.transaction() as connection:
        row = {
            "study_uuid": study_uuid,
            "kind": str(kind),
            "evaluated_at": database.now(connection),
            "evaluated_by": f"{name_user()}@{socket.gethostname()}"[:200],
            "orch": orch_version()[:64],
            "trial_number": document.get("trial"),
            "model_sha256": model.get("sha256"),
            "fingerprint": document["data"]["fingerprint"],
            "document": json.dumps(without_nan(keep_shareable(document)), ensure_ascii=False),
        }
        connection.execute(sa.insert(tables.evaluations).values(row))
    link_event(database, study_uuid, Event.EVALUATION, row)
    return kind


def list_evaluations(database: Database, study_uuid: str) -> list[Evaluation]:
    """The evaluations of a study, oldest first."""
    query = sa.select(tables.evaluations).where(_columns.study_uuid == study_uuid)
    with database.reading() as connection:
        rows = connection.execute(query.order_by(_columns.evaluated_at, _columns.id)).all()
    return [Evaluation.from_row(dict(row._mapping)) for row in rows]


def keep_shareable(document: Mapping[str, Any]) -> dict[str, Any]:
    """An evaluation without what belongs to single patients: scores by visit, openings, and subgroups of few patients."""
    kept = {key: value for key, value in document.items() if key not in ("openings", "rust")}
    if "rust" in document:
        kept["rust"] = {key: document["rust"][key] for key in ("visits", "compared", "agreement")}
    if "subgroups" in document:
        kept["subgroups"] = {
            column: {name: part for name, part in parts.items() if part["groups"] >= FEWEST_GROUPS}
            for column, parts in document["subgroups"].items()
        }
    return kept


def describe_evaluation(evaluation: Evaluation, metric: Metric) -> dict[str, Any]:
    """An evaluation as plain data, with every metric by label; `metric` is the study's."""
    document = evaluation.document
    scored = main_results(document)
    name, value = headline(document, metric)
    return {
        "kind": str(evaluation.kind),
        "evaluated_at": evaluation.evaluated_at,
        "evaluated_by": evaluation.evaluated_by,
        "orch": evaluation.orch,
        "trial": evaluation.trial_number,
        "model": document.get("model"),
        "data": document["data"],
        "task": document["task"],
        "headline": {"metric": name, **value},
        "results": {
            "level": scored.get("level"),
            "labels": {name: row.get("metrics") for name, row in scored.get("labels", {}).items()},
            **{
                part: scored[part]["metrics"]
                for part in ("macro", "micro", "overall")
                if part in scored and "metrics" in scored[part]
            },
        },
    }


def headline(document: Mapping[str, Any], metric: Metric) -> tuple[str, dict[str, Any]]:
    """The one number of an evaluation that stands for it: what it is called, and value, low and high.

    It is the study's metric where the evaluation has it, otherwise the area under the curve or the first metric; of several labels
    their mean, and of one label its own, whose interval stands in its row of the results. Several numbers have no mean: it is that of the first of
    them, by name; `headlines` has all.
    """
    named = headlines(document, metric)
    if len(named[1]) > 1:
        (label, value), *_ = named[1]
        return f"{named[0]} of {label}", dict(value)
    scored = main_results(document)
    rows = [row["metrics"] for row in scored.get("labels", {}).values()]
    found: dict[str, Any] = next(
        (
            scored[part]["metrics"]
            for part in ("overall", "macro")
            if part in scored and (part == "overall" or len(rows) != 1)
        ),
        rows[0] if rows else {},
    )
    known = [kind for kind in (metric.kind, "auc", *found) if kind in found]
    kind = "micro_auc" if metric.kind == "micro_auc" and "micro" in scored else (known or [""])[0]
    value = scored["micro"]["metrics"]["auc"] if kind == "micro_auc" else found.get(kind, {})
    return name_kind(kind), value


def headlines(document: Mapping[str, Any], metric: Metric) -> tuple[str, list[tuple[str, Mapping[str, Any]]]]:
    """The metric of each of several numbers, which have no mean of all: what it is called, and of each its name and value; none of any other kind."""
    scored = main_results(document)
    rows = scored.get("labels", {})
    if len(rows) < 2 or "overall" in scored or "macro" in scored:
        return "", []
    known = next(iter(rows.values()))["metrics"]
    kind = metric.kind if metric.kind in known else next(iter(known), "")
    return name_kind(kind), [(name, row["metrics"].get(kind, {})) for name, row in rows.items()]


def main_results(document: Mapping[str, Any]) -> dict[str, Any]:
    """The scorecard by image of an evaluation: of the model's own outputs, neither pooled nor recalibrated."""
    results: dict[str, Any] = document["results"]
    return dict(results["raw"]) if "raw" in results else results
