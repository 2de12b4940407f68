"""What a tracker is told of a trial: hyperparameters, outcome, curves of its folds and of their mean."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from storage.results.ledger import FoldEpoch, read_curves
from storage.studies.attempts import list_attempts
from storage.studies.point_records import PointRecord, list_points

if TYPE_CHECKING:
    from storage.database.engine import Database
    from storage.studies.study import StudyRecord

Curve = list[tuple[int, dict[str, float]]]
"""(epoch from 1, metric -> value) in order; values that are no number are left out."""
_KEYS = ("point", "fold", "epoch")
METRICS = tuple(field.name for field in fields(FoldEpoch) if field.name not in _KEYS)


@dataclass(frozen=True)
class TrialRun:
    """A finished trial; times in seconds since 1970.

    Attributes:
        trial: its number.
        state: COMPLETE, PRUNED or FAIL, as Optuna calls it.
        params: every hyperparameter, those that the study fixes too.
        value: what it is worth; None where it has no value.
        best_epoch: of a complete trial, from 1.
        fold_values: of a complete trial, one for each fold.
        folds: fold from 0 -> its curve.
        mean: the curve of the means over the folds.
        error: of a failed one.
    """

    trial: int
    state: str
    params: dict[str, Any]
    value: float | None
    best_epoch: int | None
    fold_values: tuple[float, ...]
    folds: dict[int, Curve]
    mean: Curve
    started_at: float
    ended_at: float
    error: str | None

    @property
    def name(self) -> str:
        """What trackers show it as."""
        return f"trial-{self.trial:04d}"


def list_finished(database: Database, study: StudyRecord) -> list[int]:
    """The numbers of the trials that are finished, in order."""
    return [point.point for point in list_points(database, study.uuid) if point.state.is_settled]


def read_runs(database: Database, study: StudyRecord, trials: Collection[int]) -> list[TrialRun]:
    """Read some finished trials whole, in order."""
    wanted = [point for point in list_points(database, study.uuid, trials) if point.state.is_settled]
    ends = {attempt.number: attempt for attempt in list_attempts(database, study)}
    rows: dict[int, list[FoldEpoch]] = defaultdict(list)
    if len(wanted) > 20:
        for row in read_curves(database, study.uuid):
            rows[row.point].append(row)
    else:
        for point in wanted:
            rows[point.point] = read_curves(database, study.uuid, point.point)
    return [_assemble(study, point, rows[point.point], ends) for point in wanted]


def _assemble(
    study: StudyRecord, point: PointRecord, rows: Sequence[FoldEpoch], ends: dict[int, Any]
) -> TrialRun:
    attempt = ends.get(-1 if point.trial_number is None else point.trial_number)
    folds: dict[int, Curve] = {}
    sums: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        values = {name: float(getattr(row, name)) for name in METRICS}
        finite = {name: value for name, value in values.items() if math.isfinite(value)}
        folds.setdefault(row.fold, []).append((row.epoch, finite))
        for name, value in finite.items():
            sums[row.epoch][name].append(value)
    mean = [
        (epoch, {name: math.fsum(known) / len(known) for name, known in found.items()})
        for epoch, found in sorted(sums.items())
    ]
    ended = point.finished_at or point.claimed_at or study.created_at
    started = attempt.started_at if attempt is not None else None
    values_of_folds = tuple(attempt.fold_values or ()) if attempt is not None else ()
    state = "FAIL" if point.outcome is None else point.outcome.value
    worth = point.value if point.value is not None and math.isfinite(point.value) else None
    return TrialRun(
        trial=point.point,
        state=state,
        params={**study.spec.hyperparameters, **(point.params or {})},
        value=worth,
        best_epoch=attempt.best_epoch if attempt is not None else None,
        fold_values=values_of_folds,
        folds=folds,
        mean=mean,
        started_at=started or point.claimed_at or ended,
        ended_at=ended,
        error=point.error,
    )
