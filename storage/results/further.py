"""The further objectives of a trial, from its fold-epochs; and the trials that no other one beats in all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from storage.database.engine import Database
from storage.metrics.judging import mean_known
from storage.metrics.objectives import METRICS
from storage.results.curves import tabulate_rows
from storage.results.ledger import FoldEpoch
from storage.spec import PARAMETERS, SECONDS, StudySpec, find_front
from storage.studies.attempts import AttemptRecord, list_attempts
from storage.studies.point_records import PointRecord
from storage.studies.study_records import StudyRecord


def judge_further(
    spec: StudySpec, rows: Sequence[FoldEpoch], epoch: int, parameters: int
) -> dict[str, float]:
    """The value of each further objective, in the order of the spec.

    Args:
        spec: of the study.
        rows: the fold-epochs of a complete trial.
        epoch: the one that the trial's own value is taken at, from 1; metrics are means over the folds there.
        parameters: of the trial's whole model.

    Returns:
        By name; NaN where no fold has a value of a metric.
    """
    found = {}
    for further in spec.further:
        if further.name == SECONDS:
            found[further.name] = float(sum(row.seconds for row in rows))
        elif further.name == PARAMETERS:
            found[further.name] = float(parameters)
        else:
            curves = tabulate_rows(spec, rows, METRICS[further.name])
            found[further.name] = mean_known(curves[:, epoch - 1])
    return found


def list_front(
    spec: StudySpec, points: Sequence[PointRecord], attempts: Sequence[AttemptRecord]
) -> list[PointRecord]:
    """The complete trials on the Pareto front, the best by the study's metric first; empty with one objective."""
    known = further_of(points, attempts)
    complete = [point for point in points if point.is_complete and point.point in known]
    if not spec.further or not complete:
        return []
    values = [
        [float(point.value or 0), *(known[point.point][one.name] for one in spec.further)]
        for point in complete
    ]
    front = find_front(np.array(values), [True, *(one.is_maximised for one in spec.further)])
    chosen = [point for point, is_on in zip(complete, front, strict=True) if is_on]
    return sorted(chosen, key=lambda point: -(point.value or 0))


def further_of(
    points: Sequence[PointRecord], attempts: Sequence[AttemptRecord]
) -> dict[int, dict[str, float]]:
    """The further objectives of each complete trial that has them, by point."""
    by_id = {attempt.trial_id: attempt.also for attempt in attempts if attempt.also}
    return {point.point: by_id[point.trial_id] for point in points if point.trial_id in by_id}


def read_front(
    database: Database, study: StudyRecord, points: Sequence[PointRecord]
) -> list[tuple[PointRecord, dict[str, float]]]:
    """The trials on the Pareto front with their further objectives; empty with one objective."""
    if not study.spec.further:
        return []
    attempts = list_attempts(database, study)
    known = further_of(points, attempts)
    return [(point, known[point.point]) for point in list_front(study.spec, points, attempts)]
