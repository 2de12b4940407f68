"""A study as CSV: its trials, and what every fold did in every epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

from storage.files.csv_tables import to_csv
from storage.results.ledger import FoldEpoch

if TYPE_CHECKING:
    from storage.studies.point_records import PointRecord


def trials_csv(points: Sequence[PointRecord], also: Mapping[int, Mapping[str, float]] | None = None) -> str:
    """Return one row per point: what was tried and what became of it.

    Args:
        points: of a study.
        also: the further objectives of complete points, by point.
    """
    further = list(next(iter((also or {}).values()), {}))
    names = sorted({name for point in points for name in point.params or {}})
    header = [
        "point",
        "trial",
        "state",
        "outcome",
        "value",
        *further,
        *names,
        "attempt",
        "losses",
        "failures",
        "worker",
        "error",
    ]
    rows = [
        [
            point.point,
            point.trial_number,
            point.state,
            point.outcome,
            point.value,
            *((also or {}).get(point.point, {}).get(name) for name in further),
            *((point.params or {}).get(name) for name in names),
            point.attempt,
            point.losses,
            point.failures,
            point.worker,
            point.error,
        ]
        for point in points
    ]
    return to_csv(header, rows)


def folds_csv(points: Sequence[PointRecord], curves: Sequence[FoldEpoch]) -> str:
    """Return one row per fold and epoch, with the hyperparameters of its point.

    A searched learning rate is `params_learning_rate`, as in Optuna's tables: `learning_rate` is that of the epoch's last step.
    """
    params = {point.point: point.params or {} for point in points}
    names = sorted({name for values in params.values() for name in values})
    columns = [field.name for field in fields(FoldEpoch)]
    rows = []
    for row in curves:
        values = asdict(row)
        known = params.get(row.point, {})
        rows.append(
            [values["point"], *(known.get(name) for name in names), *(values[name] for name in columns[1:])]
        )
    header = [f"params_{name}" if name in columns else name for name in names]
    return to_csv(["point", *header, *columns[1:]], rows)
