"""Account for a study and for its parts together: repeats, searches and tests are verified as the studies that they are."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from orchestrator.planning.plan import plan_points
from orchestrator.studies.verify import verify_study
from storage.growth.part_specs import Role, check_parts, role_of
from storage.growth.parts import find_follower, find_missing_part, list_parts
from storage.results.judged import judged_epoch
from storage.studies.point_records import best_point, list_points
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
        The document of the study, with `parts`: of each the same document, and `part_missing`, whether one is
        planned and was not made yet. Its `problems` and `ok` are those of all.
    """
    document = verify_study(
        database, study, plan_points(study.spec, planned_count(study)), dataset, head=head
    )
    made, parts = list_parts(database, study), []
    document["problems"] += check_parts(study, made, partial(_find_complete, database))
    document["problems"] += _check_nested(database, study, made)
    for part in made:
        found = verify_study(database, part, plan_points(part.spec, planned_count(part)), dataset)
        document["problems"] += [f"{part.name}: {problem}" for problem in found["problems"]]
        parts.append(found)
    missing = any(find_missing_part(database, one) is not None for one in (study, *made))
    return {**document, "ok": not document["problems"], "parts": parts, "part_missing": missing}


def _find_complete(database: Database, study: StudyRecord) -> dict[int, Any]:
    return {point.point: point.params for point in list_points(database, study.uuid) if point.is_complete}


def _check_nested(database: Database, study: StudyRecord, parts: list[StudyRecord]) -> list[str]:
    """What of a nested cross-validation does not fit: a search that is not there, and a test of other epochs than its winner's."""
    searches = {part.spec.cv.outer: part for part in parts if role_of(part.spec) is Role.SEARCH}
    absent = [outer for outer in range(1, study.spec.cv.nested + 1) if outer not in searches]
    found = [
        f"The search of outer fold {outer} is not there; the command that made the study makes it."
        for outer in absent
    ]
    for search in searches.values():
        winner = best_point(list_points(database, search.uuid))
        test = winner and find_follower(database, search, winner)
        if winner and test and test.spec.training.epochs != judged_epoch(database, search, winner):
            found.append(
                f"{test.name} trains another number of epochs than the winner of {search.name!r} was judged at."
            )
    return found
