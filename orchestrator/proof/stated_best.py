"""Whether the best.json in a bundle says what the evidence beside it says."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from orchestrator.studies.best import assemble_best
from storage.files.documents import without_nan
from storage.metrics.judging import judge
from storage.results.evaluations import Evaluation, describe_evaluation
from storage.spec import StudySpec, from_json
from storage.states import PointState, StudyState
from storage.studies.chain import Event
from storage.studies.point_records import PointCounts, PointRecord, best_point
from storage.studies.study_records import StudyRecord
from storage.trust.evidence import Evidence, tabulate
from storage.trust.plan import find_plan

UNKNOWN = ("versions", "exported_at", "selection")
"""What the evidence cannot say again: when and with what it was written, and what was computed with the labels."""
ROUNDING = 1e-12
"""By how much a number may differ that was computed again."""


def check_best(best: Any, evidence: Evidence, spec: StudySpec) -> list[str]:
    """What of a best.json the evidence does not say, one sentence each.

    Args:
        best: the document; None where the study had no complete trial.
        evidence: of the study.
        spec: of the study.
    """
    points = [_as_point(row) for row in evidence.points]
    winner = best_point(points)
    if winner is None or best is None:
        return ["best.json and the trials do not agree on whether there is a complete one."] * (
            (winner is None) != (best is None)
        )
    curves = tabulate(evidence, spec, winner.point)
    epoch = judge(curves, spec.study.objective).epoch
    record = as_record(evidence)
    expected = assemble_best(record, winner, _count(points), epoch, curves[:, epoch - 1])
    expected = {key: value for key, value in expected.items() if key not in UNKNOWN}
    expected["chain"] = {"links": len(evidence.chain), "head": evidence.head}
    expected["plan"] = find_plan(evidence.study["facts"])
    if Event.EVALUATION in evidence.records:
        rows = sorted(evidence.records[Event.EVALUATION], key=lambda row: row["evaluated_at"])
        expected["evaluations"] = [
            describe_evaluation(Evaluation.from_row(row), record.spec.metric) for row in rows
        ]
    stated = json.loads(json.dumps(without_nan(expected)))
    differing = dict.fromkeys(_differing(best, stated))
    return [f"best.json has another {name} than the evidence beside it." for name in sorted(differing)]


def as_record(evidence: Evidence) -> StudyRecord:
    """The row of a study, as far as a bundle has it."""
    row = evidence.study
    return StudyRecord(
        uuid=row["uuid"],
        optuna_study_id=0,
        name=row["name"],
        fingerprint=row["fingerprint"],
        data_folder="",
        state=StudyState.OPEN,
        created_at=row["created_at"],
        made_by=None,
        spec=from_json(row["spec"]),
        spec_hash=row["spec_hash"],
        facts=json.loads(row["facts"]),
    )


def _as_point(row: Mapping[str, Any]) -> PointRecord:
    return PointRecord.from_row(SimpleNamespace(**{**dict.fromkeys(PointRecord.__dataclass_fields__), **row}))


def _count(points: list[PointRecord]) -> PointCounts:
    counted = Counter(
        str(point.outcome).lower() if point.state == PointState.DONE else str(point.state) for point in points
    )
    return PointCounts(
        len(points),
        counted["complete"],
        counted["pruned"],
        counted["failed"],
        counted["open"],
        counted[PointState.CLAIMED],
    )


def _differing(stated: Any, known: Any, name: str = "") -> Iterator[str]:
    """The keys under which a document states something else; what only one of two versions of orch knows is left out."""
    if isinstance(stated, dict) and isinstance(known, dict):
        for key in stated.keys() & known.keys():
            yield from _differing(stated[key], known[key], name or key)
    elif isinstance(stated, list) and isinstance(known, list) and len(stated) == len(known):
        for one, other in zip(stated, known, strict=True):
            yield from _differing(one, other, name)
    elif not _is_same(stated, known):
        yield name


def _is_same(one: Any, other: Any) -> bool:
    numbers = isinstance(one, int | float) and isinstance(other, int | float)
    if numbers and not isinstance(one, bool) and not isinstance(other, bool):
        return math.isclose(one, other, rel_tol=ROUNDING, abs_tol=ROUNDING)
    return bool(one == other)
