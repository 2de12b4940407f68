"""Which point a process takes next: one that failed on its device, or ended it, comes last, and is left to others where they must judge it."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from functools import partial

from storage.errors import SpentProcessError
from storage.states import PointState
from storage.studies import points
from storage.studies.points import Claim
from storage.studies.study import StudyRecord
from workers.process.blame import Witnesses, hear_witnesses
from workers.process.circumstances import Circumstances
from workers.process.track_record import TrackRecord


def claim_next(here: Circumstances, study: StudyRecord, record: TrackRecord) -> Claim | None:
    """Claim a point of a study for this process.

    Args:
        here: the database, the name of the worker, and whether a new process takes its place.
        study: of which study.
        record: what this process remembers of its trials.

    Returns:
        The claim, or None when there is nothing for this process now.

    Raises:
        SpentProcessError: only points are left that failed here once more than `study.retries`, and a new process may try them.
    """
    if study.uuid not in record.doubtful:
        record.doubtful[study.uuid] = _find_doubtful(here, study)
    failed_on = record.failed_on.get(study.uuid, set())
    last = failed_on | record.doubtful[study.uuid]
    claim = _claim_but(here, study, last)
    if claim is not None or not last:
        record.waiting_since.pop(study.uuid, None)
        return claim
    records = here.patience.wait(partial(points.list_points, here.database, study.uuid, last))
    # One after the other: each that is settled shows that the worker gets on.
    left = sorted(
        (one for one in records if one.state == PointState.OPEN), key=lambda one: (-one.failures, one.point)
    )
    if left:
        known = _ask(here, study)
        spent = {
            one.point
            for one in left
            if one.failures > study.spec.study.retries
            and (one.point in failed_on or one.point in known.failed_here)
        }
        for_others = {one.point for one in left if known.is_for_others(one.point)}
        for_others |= {point for point in spent if known.may_do_better(point)}
        if not for_others or not record.waits_long_for_others(study.uuid):
            left = [one for one in left if one.point not in for_others]
        if here.is_replaceable and left and {one.point for one in left} <= spent & failed_on:
            raise SpentProcessError(
                f"All remaining trials of study {study.name!r} failed in this process; another process must try them, too."
            )
        if here.is_replaceable:
            left = [one for one in left if one.point not in spent or one.point not in failed_on]
    for one in left:
        claim = _claim_but(here, study, last - {one.point})
        if claim is not None:
            record.waiting_since.pop(study.uuid, None)
            return claim
    return None


def _find_doubtful(here: Circumstances, study: StudyRecord) -> set[int]:
    """The points that come last in this process: they failed on its device before or ended it, or a device broke down with them, whichever it was."""
    known = _ask(here, study)
    return known.failed_here | known.ended_here


def _ask(here: Circumstances, study: StudyRecord) -> Witnesses:
    return here.patience.wait(partial(hear_witnesses, here.database, study, here.name, here.device))


def _claim_but(here: Circumstances, study: StudyRecord, avoid: Collection[int]) -> Claim | None:
    token = str(uuid.uuid4())
    return here.patience.wait(
        partial(points.claim_point, here.database, study, worker=here.name, token=token, avoid=avoid)
    )
