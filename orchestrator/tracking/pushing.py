"""From the ledger to a tracker: what it does not know yet, by one process at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from orchestrator.tracking.runs import list_finished, read_runs
from storage.studies.tracking import give_back, take_turn

if TYPE_CHECKING:
    from orchestrator.tracking.targets import Tracker
    from storage.database.engine import Database
    from storage.studies.study import StudyRecord

AT_ONCE = 20
"""So many trials are read together: a study of 5,000 trials would not fit into memory at once."""
TURN_SECONDS = 120.0
"""Who tells a tracker has its turn for so long, and takes it again for each few trials."""


def push_study(
    database: Database,
    study: StudyRecord,
    tracker: Tracker,
    target: str,
    *,
    stopped: Callable[[], bool] = lambda: False,
    report: Callable[[int, int], None] | None = None,
) -> int:
    """Tell a tracker of the finished trials that it does not have; returns how many.

    Args:
        database: where the study is.
        study: whose trials.
        tracker: who is told.
        target: its name, for which one process at a time has the turn.
        stopped: asked between trials.
        report: told (trials told, trials to tell).

    Raises:
        TrackerAwayError: the tracker does not answer.
    """
    key = hashlib.sha256(target.encode()).hexdigest()[:16]
    if not take_turn(database, study, key, TURN_SECONDS):
        return 0
    told = 0
    try:
        known = set(tracker.known(study))
        missing = [trial for trial in list_finished(database, study) if trial not in known]
        for start in range(0, len(missing), AT_ONCE):
            for run in read_runs(database, study, missing[start : start + AT_ONCE]):
                if stopped() or not take_turn(database, study, key, TURN_SECONDS, again=True):
                    return told
                tracker.write(study, run)
                told += 1
                if report is not None:
                    report(told, len(missing))
    finally:
        give_back(database, study, key)
    return told


def count_missing(database: Database, study: StudyRecord, tracker: Tracker) -> int:
    """How many finished trials a tracker does not have.

    Raises:
        TrackerAwayError: the tracker does not answer.
    """
    return len(set(list_finished(database, study)) - set(tracker.known(study)))
