"""Account for a study and for its parts together: the winner's repeats are verified as the studies that they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.planning.plan import plan_points
from orchestrator.studies.verify import verify_study
from storage.growth.parts import check_parts, find_missing_part, list_parts
from storage.studies.point_records import list_points
from storage.studies.study_records import planned_count

if TYPE_CHECKING:
    from storage.data.datasets import Dataset
    from storage.database.engine import Database
    from storage.studies.study import StudyRecord


def verify_whole(
    database: Database, study: StudyRecord, dataset: Dataset | None = None, *, head: str | None = None
) -> dict[str, Any]:
    """Check a study and its parts; changes nothing.

    Args:
        database, study, dataset, head: as of `orchestrator.studies.verify.verify_study`.

    Returns:
        The document of the study, with `parts`: of each the same document, and `part_missing`, whether the winner's repeats
        are planned and were not made yet. Its `problems` and `ok` are those of all.
    """
    document = verify_study(
        database, study, plan_points(study.spec, planned_count(study)), dataset, head=head
    )
    complete = {point.point: point.params for point in list_points(database, study.uuid) if point.is_complete}
    made, parts = list_parts(database, study), []
    document["problems"] += check_parts(study, made, complete)
    for part in made:
        found = verify_study(database, part, plan_points(part.spec, planned_count(part)), dataset)
        document["problems"] += [f"{part.name}: {problem}" for problem in found["problems"]]
        parts.append(found)
    missing = find_missing_part(database, study) is not None
    return {**document, "ok": not document["problems"], "parts": parts, "part_missing": missing}
