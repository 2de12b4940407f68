"""Which point a process takes next: one that failed here comes last, and is left to others where they must judge it."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from functools import partial

from storage.errors import SpentProcessError
from storage.states import PointState
from storage.studies import points
from storage.studies.points import Claim
from storage.studies.study import StudyRecord
from workers.process.blame import serves_anybody_else
from workers.process.circumstances import Circumstances


def claim_next(here: Circumstances, study: StudyRecord, failed_on: Collection[int]) -> Claim | None:
    """Claim a point of a study for this process.

    Args:
        here: the database, the name of the worker, and whether a new process takes its place.
        study: of which study.
        failed_on: the points that failed in this process.

    Returns:
        The claim, or None when there is nothing for this process now.

    Raises:
        SpentProcessError: only points are left that failed here once more than `study.retries`, and a new process may try them.
    """
    claim = _claim_but(here, study, failed_on)
    if claim is not None or not failed_on:
        return claim
    records = here.patience.wait(partial(points.list_points, here.database, study.uuid, failed_on))
    failures = {record.point: record.failures for record in records if record.state == PointState.OPEN}
    if not failures:
        return None
    for_others = {point for point, count in failures.items() if count > study.spec.study.retries}
    if for_others and not here.patience.wait(partial(serves_anybody_else, here.database, study, here.name)):
        if here.is_replaceable and len(for_others) == len(failures):
            raise SpentProcessError(
                f"All remaining trials of study {study.name!r} failed in this process; another process must try them, too."
            )
        for_others = set()
    return _claim_but(here, study, for_others)


def _claim_but(here: Circumstances, study: StudyRecord, avoid: Collection[int]) -> Claim | None:
    token = str(uuid.uuid4())
    return here.patience.wait(
        partial(points.claim_point, here.database, study, worker=here.name, token=token, avoid=avoid)
    )
