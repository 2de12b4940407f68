"""A study as plain tables, apart from any drawing: what figures, report, notes and notebooks are made of."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from storage.database.engine import Database
from storage.files.csv_tables import to_csv
from storage.growth.provenance import describe_provenance
from storage.metrics.judging import find_peak
from storage.metrics.objectives import Metric
from storage.results.ledger import EpochMean, FoldEpoch, read_curves, read_mean_curves
from storage.spec import ModelSection
from storage.states import AttemptEnd, AttemptState, PointOutcome, PointState
from storage.studies.attempts import AttemptRecord, list_attempts
from storage.studies.point_records import PointCounts, PointRecord, count_points, list_points, rank_points
from storage.studies.study import StudyRecord
from storage.wording import show_params, show_value

EXAMPLES = 9


@dataclass(frozen=True)
class Table:
    """Columns and rows of plain values; None where there is no value."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    def to_csv(self) -> str:
        """The table as CSV text."""
        return to_csv(self.columns, self.rows)


@dataclass(frozen=True)
class StudyView:
    """One look at a study.

    Attributes:
        means: the mean curve of each point that has one, by point.
        read_at: when this was read, in seconds since 1970 by the clock of the database.
        provenance: where its trials come from besides its plan, one sentence each.
    """

    study: StudyRecord
    counts: PointCounts
    points: list[PointRecord]
    attempts: list[AttemptRecord]
    means: dict[int, list[EpochMean]]
    read_at: float
    provenance: list[str] = field(default_factory=list)
    _curves: dict[int, list[FoldEpoch]] = field(default_factory=dict, repr=False)

    @cached_property
    def ranked(self) -> list[PointRecord]:
        """Complete points, best first; of equals the earliest."""
        return rank_points(self.points)

    @property
    def best(self) -> PointRecord | None:
        """The complete point with the highest value, or None."""
        return self.ranked[0] if self.ranked else None

    @cached_property
    def attempt_of(self) -> dict[int, AttemptRecord]:
        """The attempt that settled each point, by point."""
        by_id = {attempt.trial_id: attempt for attempt in self.attempts}
        return {point.point: by_id[point.trial_id] for point in self.points if point.trial_id in by_id}

    @property
    def metric(self) -> Metric:
        """What the study maximises; its values are scores of it."""
        return self.study.spec.metric

    @cached_property
    def model(self) -> ModelSection:
        """The model of the best trial, where the search varies it; that of the spec until a trial is complete."""
        return self.study.spec.at((self.best.params or {}) if self.best else {}).model

    @property
    def searched(self) -> list[str]:
        """The names of the searched hyperparameters."""
        return list(self.study.spec.search)

    def is_category(self, name: str) -> bool:
        """Whether a searched hyperparameter has values without an order: words, lists, or numbers of a choice."""
        searched = self.study.spec.search[name]
        return searched.type == "choice" or any(isinstance(value, str) for value in searched.values or ())

    def categories(self, name: str) -> list[Any]:
        """The values of a hyperparameter without an order, as an axis has them, in the order of the spec."""
        return [as_cell(value) for value in self.study.spec.search[name].values or ()]

    @cached_property
    def examples(self) -> list[PointRecord]:
        """Up to nine complete points spread evenly from the best to the worst, of those with curves."""
        known = [point for point in self.ranked if point.point in self.means]
        if len(known) <= EXAMPLES:
            return known
        places = [round(place * (len(known) - 1) / (EXAMPLES - 1)) for place in range(EXAMPLES)]
        return [known[place] for place in places]

    def curves_of(self, point: int) -> list[FoldEpoch]:
        """The fold-epochs of one point, where they were read."""
        return self._curves.get(point, [])


def read_view(database: Database, study: StudyRecord, *, with_curves: bool = True) -> StudyView:
    """Read a study for figures.

    Args:
        database: where.
        study: which.
        with_curves: also read the fold-epochs of the examples.
    """
    means: dict[int, list[EpochMean]] = defaultdict(list)
    for row in read_mean_curves(database, study.uuid, study.spec.metric):
        means[row.point].append(row)
    with database.reading() as connection:
        now = database.now(connection)
    view = StudyView(
        study=study,
        counts=count_points(database, study.uuid),
        points=list_points(database, study.uuid),
        attempts=list_attempts(database, study),
        means=dict(means),
        read_at=now,
        provenance=describe_provenance(database, study),
    )
    if with_curves:
        for point in view.examples:
            view._curves[point.point] = read_curves(database, study.uuid, point.point)
    return view


def list_trials(view: StudyView) -> Table:
    """One row per point: what was tried and what became of it, complete ones first, best first."""
    names = view.searched
    order = {PointOutcome.COMPLETE: 0, PointOutcome.PRUNED: 1, None: 2}
    points = sorted(
        view.points,
        key=lambda point: (
            order.get(point.outcome, 2),
            -point.value if point.value is not None else math.inf,
            point.point,
        ),
    )
    rows = []
    for point in points:
        attempt = view.attempt_of.get(point.point)
        folds = attempt.fold_values if attempt else ()
        rows.append(
            (
                point.point,
                point.trial_number,
                describe_state(point),
                point.value,
                fold_spread(folds),
                attempt.best_epoch if attempt else None,
                *read_params(point, names),
                point.worker,
                point.error,
            )
        )
    columns = (
        "point",
        "trial",
        "state",
        view.metric.name,
        "fold_sd",
        "best_epoch",
        *names,
        "worker",
        "error",
    )
    return Table(columns, rows)


def describe_state(point: PointRecord) -> str:
    """What became of a point in one word."""
    if point.state == PointState.DONE:
        return str(point.outcome).lower()
    return "running" if point.state == PointState.CLAIMED else point.state


def describe_attempt(attempt: AttemptRecord) -> str:
    """What became of an attempt in one word."""
    if attempt.state == AttemptState.FAIL:
        return attempt.outcome or AttemptEnd.FAILED
    return attempt.state.lower()


def fold_spread(values: Sequence[float]) -> float | None:
    """The standard deviation over folds (n - 1), or None with fewer than two."""
    finite = [value for value in values if value is not None and not math.isnan(value)]
    return statistics.stdev(finite) if len(finite) > 1 else None


def peak_epoch(means: Sequence[EpochMean]) -> int | None:
    """The epoch at which the mean validation score was highest, the first of equals."""
    peak = find_peak(np.array([row.score for row in means], np.float64)) if means else None
    return None if peak is None else means[peak].epoch


@dataclass(frozen=True)
class Stopping:
    """How many trials went how far, and the training that pruning saved.

    Attributes:
        epochs: 1 to the planned number.
        running: how many trials trained in each epoch.
        pruned: how many were stopped after each epoch.
        spent: fold-epochs that were trained for settled points.
        planned: fold-epochs that the same points would have cost without pruning.
    """

    epochs: list[int]
    running: list[int]
    pruned: list[int]
    spent: int
    planned: int

    @property
    def saved(self) -> float:
        """The share of fold-epochs not trained, from 0 to 1."""
        return 1 - self.spent / self.planned if self.planned else 0.0


def count_stopping(view: StudyView) -> Stopping:
    """Count what stopped when, over the points that are done."""
    spec = view.study.spec
    last = spec.training.epochs
    running, pruned, spent, done = [0] * last, [0] * last, 0, 0
    for point in view.points:
        rows = view.means.get(point.point)
        if point.state != PointState.DONE or not rows:
            continue
        done += 1
        spent += sum(row.folds for row in rows)
        reached = min(max(row.epoch for row in rows), last)
        for epoch in range(reached):
            running[epoch] += 1
        if point.outcome == PointOutcome.PRUNED:
            pruned[reached - 1] += 1
    return Stopping(list(range(1, last + 1)), running, pruned, spent, done * spec.fold_count * last)


def compare_folds(view: StudyView) -> dict[int, list[float]]:
    """By fold, from 0: how far each complete trial's fold lies from the mean of its folds, in units of the metric."""
    differences: dict[int, list[float]] = defaultdict(list)
    for point in view.ranked:
        attempt = view.attempt_of.get(point.point)
        values = attempt.fold_values if attempt else ()
        finite = [value for value in values if value is not None and not math.isnan(value)]
        if len(finite) < 2:
            continue
        mean = statistics.fmean(finite)
        for fold, value in enumerate(values):
            if value is not None and not math.isnan(value):
                differences[fold].append(value - mean)
    return dict(sorted(differences.items()))


def compare_studies(views: Sequence[StudyView]) -> Table:
    """One row per study: how its best trial did."""
    columns = (
        "study", "regime", "model", "weights", "complete", "pruned", "failed", "planned",
        "metric", "value", "fold_sd", "folds", "best_epoch", "hyperparameters",
    )  # fmt: skip
    rows = []
    for view in views:
        best, spec = view.best, view.study.spec
        attempt = view.attempt_of.get(best.point) if best else None
        counts = view.counts
        rows.append(
            (
                view.study.name, spec.study.regime, view.model.backbone_name, view.model.weights,
                counts.complete, counts.pruned, counts.failed, counts.planned,
                view.metric.name,
                best.value if best else None,
                fold_spread(attempt.fold_values) if attempt else None,
                spec.fold_count,
                attempt.best_epoch if attempt else None,
                show_params(best.params) if best else "",
            )
        )  # fmt: skip
    return Table(columns, rows)


def show_number(value: Any) -> str:
    """A hyperparameter as a person writes it; a dash where it does not act in the trial."""
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else show_value(value)


def read_params(point: PointRecord, names: Sequence[str]) -> list[Any]:
    """The values of some hyperparameters in a trial: numbers, or words (a list and a switch, too); None where one does not act."""
    return [as_cell((point.params or {}).get(name)) for name in names]


def as_cell(value: Any) -> Any:
    """A value as a table or an axis has it: a number or a word."""
    return show_value(value) if isinstance(value, bool | list | tuple) else value
