"""How sure a study's choice is, from its database: noise, equals of the best, the value corrected for having been chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.data.datasets import Dataset, load_dataset
from storage.database.engine import Database
from storage.errors import DataError
from storage.metrics.judging import Array, judge, mean_known
from storage.results.curves import tabulate_columns, tabulate_rows
from storage.results.ledger import read_curves, read_score_columns, run_key
from storage.results.predictions import FoldPredictions, read_predictions
from storage.settings import data_folders
from storage.states import PointOutcome
from storage.studies.point_records import PointRecord, list_points, rank_points
from storage.studies.study import StudyRecord, list_studies
from storage.trust import bias, noise
from storage.trust.estimates import list_estimates
from storage.trust.luck import find_rivals, simulate_luck
from storage.trust.nested import judge_nested
from storage.trust.verdict import describe_selection

LEVEL = noise.LEVEL
WILD_WINNER = "the folds of the best trial differ by far more than those of the others, so what it gained by the best epoch of each fold cannot be computed"


@dataclass(frozen=True)
class JudgedTrials:
    """The complete trials of a study, the best first.

    Attributes:
        points: their records.
        curves: validation scores, shape (trials, folds, epochs), NaN where a fold has none.
        epochs: the epoch each is judged at, from 1.
        fold_values: shape (trials, folds), as `storage.metrics.judging.judge` has them.
        seconds: training time of each.
    """

    points: list[PointRecord]
    curves: Array
    epochs: list[int]
    fold_values: Array
    seconds: list[float]

    @property
    def values(self) -> Array:
        """The value of each trial."""
        return np.array([point.value for point in self.points], dtype=np.float64)

    def keep(self, places: NDArray[np.int64]) -> JudgedTrials:
        """Some of them, in the same order."""
        return JudgedTrials(
            [self.points[place] for place in places],
            self.curves[places],
            [self.epochs[place] for place in places],
            self.fold_values[places],
            [self.seconds[place] for place in places],
        )


def judge_selection(
    database: Database, study: StudyRecord, judged: JudgedTrials | None = None
) -> dict[str, Any] | None:
    """Say how sure the choice of the best trial is, as plain JSON data; None without a complete trial.

    Keys: `study`, `metric`, `value` and `corrected_value` (None where it cannot be told, then `corrected_at_most`), `correction` ("repeats",
    "bootstrap", "simulation" or None) with `corrected_low`, `corrected_high` (the 95 % interval with other patients, folds
    and seeds, `storage.trust.noise.mean_interval`), `repeats` and `correction_reason` (why
    there is none, where metric or objective is why); `noise_per_fold`,
    `noise_per_trial`, `expected_luck` of the best of `candidates`; `indistinguishable` (point, trial, value, params,
    seconds; the best first), `cheapest` of them; `told_apart`; `repeats_planned` (of the winner, `cv.repeats_of_winner`); `not_judged` (pruned points); `nested` (`storage.trust.nested`) and `estimates` (`storage.trust.estimates`); `rule`; `sentence`.
    """
    points = list_points(database, study.uuid)
    judged = judged or read_judged(database, study, points)
    if judged is None:
        return None
    best = judged.points[0]
    pruned = [point.point for point in points if point.outcome == PointOutcome.PRUNED]
    measured = noise.measure_noise(judged.fold_values, study.spec.cv.repeats)
    places = noise.find_equals(judged.values, measured).tolist() if measured else [0]
    equals = [_describe(judged, place) for place in places]
    document: dict[str, Any] = {
        "study": study.name,
        "metric": study.spec.metric.name,
        "value": best.value,
        "best_point": best.point,
        "epoch": judged.epochs[0],
        "candidates": len(judged.points) + len(pruned),
        "complete": len(judged.points),
        "not_judged": pruned,
        "noise_per_fold": measured.per_fold if measured else None,
        "noise_per_trial": measured.per_trial if measured else None,
        "expected_luck": noise.expected_luck(len(judged.points) + len(pruned), measured.per_trial)
        if measured
        else None,
        "rule": "corrected resampled test (Nadeau and Bengio 2003) on fold values, variance pooled over trials; subset "
        f"selection with the best at {LEVEL:.0%} (Gupta 1965)",
        "indistinguishable": equals,
        "repeats_planned": study.spec.cv.repeats_of_winner,
        "told_apart": len(judged.points) - len(equals),
        "cheapest": min(equals, key=lambda one: one["seconds"]),
    }
    document |= _correct(database, study, judged, bool(pruned))
    document["nested"] = judge_nested(database, study, _find_dataset(study) if study.spec.cv.nested else None)
    document["estimates"] = list_estimates(database, study, document)
    document["sentence"] = describe_selection(document)
    return document


def read_judged(database: Database, study: StudyRecord, points: Sequence[PointRecord]) -> JudgedTrials | None:
    """The complete trials with their curves, the best first; None when there are none with curves."""
    spec = study.spec
    complete = rank_points(points)
    if not complete:
        return None
    columns = read_score_columns(database, study.uuid, spec.metric)
    numbers, begins = np.unique(columns.point, return_index=True)
    ends = np.searchsorted(columns.point, numbers, side="right")
    slices = {
        number: slice(begin, end) for number, begin, end in zip(numbers.tolist(), begins, ends, strict=True)
    }
    ranked = [point for point in complete if point.point in slices]
    if not ranked:
        return None
    places = [slices[point.point] for point in ranked]
    curves = np.stack(
        [
            tabulate_columns(spec, columns.fold[place], columns.epoch[place], columns.score[place])
            for place in places
        ]
    )
    judged = [judge(table, spec.study.objective) for table in curves]
    seconds = [float(sum(columns.seconds[place].tolist())) for place in places]
    return JudgedTrials(
        ranked, curves, [one.epoch for one in judged], np.stack([one.fold_values for one in judged]), seconds
    )


def _correct(database: Database, study: StudyRecord, judged: JudgedTrials, is_pruned: bool) -> dict[str, Any]:
    """The winner's value without the luck of having been chosen, by the best means at hand."""
    found: dict[str, Any] = {
        "corrected_value": None,
        "corrected_low": None,
        "corrected_high": None,
        "corrected_at_most": None,
        "correction": None,
        "repeats": None,
        "correction_reason": None,
    }
    repeats = read_repeats(database, study, judged.points[0].params or {}, judged.epochs[0])
    # A trial of the winner's repeats has the folds of several.
    count = sum(among for _, among in repeats) // study.spec.cv.repeats
    if count >= min(study.spec.cv.repeats_of_winner or 2, 2):
        runs = [run for folds, among in repeats for run in noise.split_runs(folds, among)]
        mean = float(np.mean([mean_known(run) for run in runs if not np.isnan(run).all()]))
        return found | {
            "corrected_value": mean,
            **_describe_interval(study, mean, runs),
            "correction": "repeats",
            "repeats": count,
        }
    metric = study.spec.metric
    if not metric.is_bounded and not metric.is_bounded_by_data:
        # Noise is pooled over trials: a few that went astray would make the luck of the best one arbitrarily large.
        return found | {
            "correction_reason": f"{metric.column} has no upper bound, so no correction can be computed"
        }
    if study.spec.study.objective == "mean_of_max":
        rivals = find_rivals(judged.fold_values)
        if rivals is None:
            return found | {"correction_reason": WILD_WINNER}
        judged = judged.keep(rivals)
    corrected = _bootstrap(database, study, judged)
    # A few trials that went astray would make the noise of all arbitrarily large where nothing bounds the metric.
    competing = judged.curves if metric.is_bounded else judged.curves[: bias.MOST_TRIALS]
    simulated = simulate_luck(competing, objective=study.spec.study.objective)
    if corrected is not None:
        # The kept predictions are those of each trial's best epoch: they share its luck.
        of_epochs = simulated.of_epochs if simulated is not None else 0.0
        value = corrected.value - of_epochs
        method: str | None = "bootstrap"
    elif simulated is not None:
        value = float(judged.values[0]) - simulated.both
        method = "simulation"
    else:
        return found
    if is_pruned:
        return found | {"corrected_at_most": value}
    return found | {
        "corrected_value": value,
        **_describe_interval(study, value, noise.split_runs(judged.fold_values[0], study.spec.cv.repeats)),
        "correction": method,
    }


def _describe_interval(study: StudyRecord, value: float, runs: Sequence[Array]) -> dict[str, Any]:
    interval = noise.mean_interval(value, runs, limits=study.spec.metric.limits)
    low, high = interval or (None, None)
    return {"corrected_low": low, "corrected_high": high}


def read_repeats(
    database: Database, study: StudyRecord, params: dict[str, Any], epoch: int
) -> list[tuple[Array, int]]:
    """What fresh repeats of these parameters scored at an epoch: the winner's in the study's own plan, and studies made with `--repeats`.

    Returns:
        Of each its fold values, and how many times its images were divided into folds.
    """
    found: list[tuple[Array, int]] = []
    # The ledger holds every metric: what repeats were themselves judged by does not matter.
    metric = study.spec.metric
    for other in list_studies(database):
        if other.spec.study.repeats_of != study.uuid:
            continue
        for point in list_points(database, other.uuid):
            if point.is_complete and point.params == params:
                rows = read_curves(database, other.uuid, point.point, run_key(other.spec_hash, params))
                if rows and other.spec.training.epochs >= epoch:
                    scores = tabulate_rows(other.spec, rows, metric)[:, epoch - 1]
                    found.append((scores, other.spec.cv.repeats))
    return [one for one in found if not np.isnan(one[0]).all()]


def _bootstrap(database: Database, study: StudyRecord, judged: JudgedTrials) -> bias.Corrected | None:
    dataset = _find_dataset(study)
    if dataset is None or len(judged.points) < 2:
        return None
    kept: list[list[FoldPredictions]] = []
    for point in judged.points[: bias.MOST_TRIALS]:
        folds = read_predictions(database, study.uuid, point.point)
        if len(folds) != study.spec.fold_count:
            return None
        kept.append(folds)
    targets = study.spec.data.targets or dataset.targets
    labels = dataset.labels[:, [dataset.targets.index(target) for target in targets]]
    images = [fold.indices.astype(np.int64) for fold in kept[0]]
    if any(
        fold.values.shape[1:] != labels.shape[1:] or not np.array_equal(fold.indices, place)
        for trial in kept
        for fold, place in zip(trial, images, strict=True)
    ):
        return None
    predictions = [[fold.values for fold in trial] for trial in kept]
    spec = study.spec
    return bias.correct_choice(
        predictions, labels, dataset.groups, images, metric=spec.metric, task=spec.task
    )


def _find_dataset(study: StudyRecord) -> Dataset | None:
    """The study's data where it was noted or where this machine offers it; the labels of the development side are all that is needed."""
    for folder in (*study.noted_folders, *data_folders()):
        try:
            dataset = load_dataset(folder) if folder.is_dir() else None
        except DataError:
            continue
        if dataset is not None and dataset.fingerprint == study.fingerprint:
            return dataset
    return None


def _describe(judged: JudgedTrials, place: int) -> dict[str, Any]:
    point = judged.points[place]
    return {
        "point": point.point,
        "trial": point.trial_number,
        "value": point.value,
        "params": point.params or {},
        "seconds": judged.seconds[place],
    }
