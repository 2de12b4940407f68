"""From predictions to what an evaluation reports: scorecards, curves, subgroups, the RUST score."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from storage.errors import DataError
from storage.metrics.calibration import fit_recalibration, reliability
from storage.metrics.curves import precision_recall_curve, roc_curve
from storage.metrics.intervals import roc_band
from storage.metrics.rust import compare_scores, find_columns, score_visits
from storage.practice.subgroups import name_subgroups, review_subgroups
from storage.tasks.contract import Task

if TYPE_CHECKING:
    import numpy as np

    from storage.files.model_files import TrainingRecord

MOST_POINTS = 200
"""Points of a curve that are kept for drawing."""

BAND_POINTS = 60
"""Thresholds at which a band is computed."""

ChooseThresholds = Callable[["np.ndarray", "np.ndarray"], list[float]]


def score_pools(
    task: Task,
    targets: Sequence[str],
    labels: np.ndarray,
    pooled: Mapping[str, np.ndarray],
    groups: np.ndarray,
    choose: ChooseThresholds,
    record: TrainingRecord | None,
    *,
    recalibrate: bool,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Score raw, pooled and recalibrated probabilities.

    Args:
        task: what kind of label it is.
        targets: names of the labels.
        labels: float64, shape (n, targets), NaN where not assessed.
        pooled: from `Predictions.pooled`.
        groups: shape (n,).
        choose: makes thresholds from out-of-fold labels and probabilities.
        record: those, or None.
        recalibrate: also recalibrate the raw probabilities on them.
        resamples: for intervals.
        seed: of the resamples.

    Raises:
        DataError: recalibration without out-of-fold predictions.
    """
    import numpy as np

    known = record.labels if record is not None else np.zeros((0, len(targets)))
    guesses = record.probabilities.astype(np.float64) if record is not None else known
    sets = {name: (values, choose(known, guesses)) for name, values in pooled.items()}
    if recalibrate:
        maps = fit_recalibrations(targets, known, guesses)
        sets["recalibrated"] = (_apply(maps, pooled["raw"]), choose(known, _apply(maps, guesses)))
    return {
        name: task.card(
            targets, labels, values, groups, thresholds=thresholds, resamples=resamples, seed=seed
        )
        for name, (values, thresholds) in sets.items()
    }


def fit_recalibrations(targets: Sequence[str], labels: np.ndarray, probabilities: np.ndarray) -> list[Any]:
    """A recalibration for each label, fitted on out-of-fold predictions.

    Raises:
        DataError: there are none, or a label has one class among them.
    """
    import numpy as np

    maps = []
    for place, target in enumerate(targets):
        kept = ~np.isnan(labels[:, place])
        fitted = fit_recalibration(labels[kept, place], probabilities[kept, place])
        if fitted is None:
            raise DataError(
                f"{target!r} cannot be recalibrated: the model carries no out-of-fold predictions of both classes.",
                why="The study's database was not reached when it was trained, or the label has one class.",
                next_step="Train it again with --storage, or leave out --recalibrate.",
            )
        maps.append(fitted)
    return maps


def describe_curves(
    task: Task, targets: Sequence[str], labels: np.ndarray, values: np.ndarray, groups: np.ndarray
) -> dict[str, dict[str, Any]]:
    """ROC with its band, precision-recall and calibration of each label, class or cut as lists of numbers, for drawing; none of numbers."""
    import numpy as np

    described: dict[str, dict[str, Any]] = {}
    if not task.has_probabilities:
        return described
    asked = task.questions(targets, labels, values)
    assert asked.values is not None
    for place, target in enumerate(asked.names):
        kept = ~np.isnan(asked.labels[:, place])
        truth, scores = asked.labels[kept, place], asked.values[kept, place].astype(np.float64)
        if not len(truth):
            continue
        roc, precision_recall = roc_curve(truth, scores), precision_recall_curve(truth, scores)
        bins = reliability(truth, scores)
        described[target] = {
            "roc": {
                "false_positive_rate": _thin(roc.x),
                "true_positive_rate": _thin(roc.y),
                "thresholds": _thin(roc.thresholds),
                "band": roc_band(truth, scores, groups[kept], np.array(_thin(roc.thresholds, BAND_POINTS))),
            },
            "precision_recall": {
                "recall": _thin(precision_recall.x),
                "precision": _thin(precision_recall.y),
                "thresholds": _thin(precision_recall.thresholds),
            },
            "calibration": {name: values.tolist() for name, values in vars(bins).items()},
        }
    return described


def score_columns(
    task: Task,
    columns: Mapping[str, Sequence[str]],
    targets: Sequence[str],
    labels: np.ndarray,
    probabilities: np.ndarray,
    groups: np.ndarray,
    thresholds: Sequence[float],
    *,
    resamples: int,
    seed: int,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Every metric by subgroup, for each of these columns; one that only here has too many different values is left out."""
    found = {}
    for name, cells in columns.items():
        try:
            found[name] = score_subgroups(
                task,
                cells,
                targets,
                labels,
                probabilities,
                groups,
                thresholds,
                resamples=resamples,
                seed=seed,
            )
        except ValueError:
            # The hold-out was opened for this evaluation: it must not be lost.
            say(
                f"warning: The column {name!r} has {len(set(cells))} different values here, too many for subgroups; it is left out."
            )
    return found


def score_subgroups(
    task: Task,
    cells: Sequence[str],
    targets: Sequence[str],
    labels: np.ndarray,
    values: np.ndarray,
    groups: np.ndarray,
    thresholds: Sequence[float],
    *,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """What is said of each subgroup of a column: of labels that are called also how far it lies from all others.

    Raises:
        ValueError: too many different values, and they are no numbers.
    """
    import numpy as np

    if task.is_called:
        return review_subgroups(
            cells, targets, labels, values, groups, thresholds, resamples=resamples, seed=seed
        )
    names = np.array(name_subgroups(cells))
    return {
        name: task.card(
            targets, labels[rows], values[rows], groups[rows], thresholds=[], resamples=resamples, seed=seed
        )
        for name in sorted(set(names.tolist()))
        for rows in [names == name]
    }


def check_subgroups(columns: Mapping[str, Sequence[str]]) -> None:
    """Make sure that each of these columns makes subgroups.

    Raises:
        DataError: a column has too many different values.
    """
    for name, cells in columns.items():
        try:
            name_subgroups(cells)
        except ValueError as error:
            raise DataError(
                f"The column {name!r} has {len(set(cells))} different values, too many for subgroups.",
                why="Only numbers are put into quarters.",
                next_step="Name a column of few values with --subgroup.",
            ) from error


def score_rust(
    visits: Sequence[Sequence[str]],
    targets: Sequence[str],
    labels: np.ndarray,
    probabilities: np.ndarray,
    groups: np.ndarray,
    *,
    resamples: int,
) -> dict[str, Any]:
    """The modified RUST score of every visit; `visits` are columns whose cells together name one.

    Raises:
        DataError: the labels are not those of the score.
    """
    columns = find_columns(targets)
    if columns is None:
        raise DataError(
            "The RUST score needs two view labels (view_ap.., view_lat..) and four grades of each cortex "
            "(medial_1 .. posterior_4).",
            why=f"The labels are {', '.join(targets)}.",
            next_step="Leave out --visit.",
        )
    names = [" ".join(cells) for cells in zip(*visits, strict=True)]
    scored = score_visits(columns, names, labels, probabilities, groups)
    return compare_scores(scored, resamples=resamples)


def _apply(maps: Sequence[Any], probabilities: np.ndarray) -> np.ndarray:
    import numpy as np

    return np.stack([one.apply(column) for one, column in zip(maps, probabilities.T, strict=True)], axis=1)


def _thin(values: np.ndarray, most: int = MOST_POINTS) -> list[float]:
    import numpy as np

    places = np.unique(np.linspace(0, len(values) - 1, min(len(values), most)).round().astype(int))
    return [float(value) for value in values[places]]
