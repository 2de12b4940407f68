"""Judge a model on images it has not seen: the sealed hold-out, on record, or a data set from elsewhere, whole."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.importing.feature_tables import match_features
from orchestrator.models.given_features import check_features, read_needed_features
from orchestrator.models.judged_images import call_labels, find_images, leave_out_seen
from orchestrator.models.scores import (
    check_subgroups,
    describe_curves,
    fit_recalibrations,
    score_columns,
    score_pools,
    score_rust,
)
from storage.data.datasets import read_columns
from storage.data.images import scale_of_card
from storage.errors import DataError
from storage.files.model_files import read_record, read_whole_card
from storage.files.writing import hash_file
from storage.holdout.openings import list_openings
from storage.metrics.intervals import ABOUT_INTERVALS
from storage.metrics.thresholds import RULES, choose_thresholds, read_rule
from storage.pictures.fitting import resize_of_card
from storage.practice.population import describe_population
from storage.practice.review import review, review_units
from storage.practice.units import name_visits
from storage.tasks.contract import Task
from storage.tasks.kinds import LABELS, TASKS
from storage.wording import name_few, say_count
from workers.device.preparation import prepare_or_keep, try_out
from workers.device.versions import library_versions
from workers.final_model.assembly import load_model
from workers.final_model.predict import count_outputs, image_size, predict, predict_features

if TYPE_CHECKING:
    import numpy as np

    from storage.data.datasets import Dataset
    from storage.database.engine import Database
    from storage.files.model_files import TrainingRecord
    from workers.final_model.predict import Repeats

SCHEMA = "orch.evaluation/1"
MOST_NAMES = 10
"""Columns that a message names: a table of hundreds would hide the nearest."""


@dataclass(frozen=True)
class EvaluationRequest:
    """What an evaluation is asked.

    Attributes:
        open_holdout: judge on the sealed images, on record.
        again: also where they were opened before.
        threshold: a rule of `storage.metrics.thresholds.choose_thresholds`.
        recalibrate: report probabilities recalibrated on out-of-fold predictions, too.
        subgroups: columns of the labels file.
        visits: columns that together name a visit, for results by visit and the RUST score.
        prevalences: at which predictive values are asked for.
        resamples: of the patients, for intervals.
        seed: of the resamples.
        features: the table of features of a model that takes them in place of images.
        labels: which label of the data set stands for which of the model, as of `call_labels`.
    """

    open_holdout: bool = False
    again: bool = False
    threshold: str = "0.5"
    recalibrate: bool = False
    subgroups: tuple[str, ...] = ()
    visits: tuple[str, ...] = ()
    prevalences: tuple[float, ...] = ()
    resamples: int = 1000
    seed: int = 0
    features: Path | None = None
    labels: tuple[str, ...] = ()


def evaluate(
    path: Path,
    dataset: Dataset,
    database: Database | None,
    request: EvaluationRequest,
    repeats: Repeats,
    *,
    say: Callable[[str], None],
    report: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Judge a model; everything that can be wrong is found out before a hold-out is opened.

    Args:
        path: the model file.
        dataset: the model's own data set (its hold-out is judged), or a foreign one (all of it).
        database: where openings are recorded besides the dataset folder, or None.
        request: what is asked.
        repeats: test-time augmentation.
        say: told remarks for the user.
        report: told of progress.

    Raises:
        DataError: the model or the data cannot be used, or the hold-out stays closed.
    """
    import numpy as np

    known = read_columns(dataset)
    check_columns(dataset.folder, request.subgroups, request.visits, list(known))
    check_subgroups({name: known[name] for name in request.subgroups})
    card = read_whole_card(path) or {}
    if card:
        prepare_or_keep(int(card["spec"]["training"]["threads"]))
    # Before anything is opened.
    try_out()
    table = read_needed_features(card, request.features, repeats)
    model = load_model(path)
    if table is None:
        image_size(model)
    else:
        check_features(model, table, dataset, opens=request.open_holdout)
    digest = hash_file(path)
    if request.labels:
        dataset = call_labels(dataset, tuple(card.get("targets") or ()), request.labels)
    targets = find_targets(card, dataset, count_outputs(model), may_call=True)
    record = read_record(path)
    rule = read_thresholds(request.threshold, record, len(targets))
    check_calls(dataset.task, request)
    check_request(request, targets, record)
    judged = find_images(
        path, card, digest, dataset, database, opens=request.open_holdout, again=request.again, say=say
    )
    judged = leave_out_seen(judged, record, say)
    places = [dataset.targets.index(target) for target in targets]
    labels = judged.labels[:, places].astype(np.float64)
    if table is not None:
        predictions = predict_features(model, match_features(table, judged.files)[0], report)
    else:
        predictions = predict(
            model,
            judged.files,
            judged.sha256,
            repeats=repeats,
            scale=scale_of_card(card),
            resize=resize_of_card(card),
            report=report,
        )
    drawn: dict[str, Any] = {"resamples": request.resamples, "seed": request.seed}
    results = score_pools(
        dataset.task,
        targets,
        labels,
        predictions.pooled,
        judged.groups,
        rule,
        record,
        recalibrate=request.recalibrate,
        **drawn,
    )
    thresholds = [row.get("threshold", float("nan")) for row in results["raw"]["labels"].values()]
    openings = list_openings(dataset, database)
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "model": {"file": path.name, "sha256": digest, "study": card.get("study"), "kind": card.get("kind")},
        "data": {
            "fingerprint": dataset.fingerprint,
            "part": judged.part,
            "images": len(judged.files),
            "groups": len(np.unique(judged.groups)),
        },
        "population": describe_population(judged.columns, judged.groups),
        "targets": list(targets),
        **({"called": list(request.labels)} if request.labels else {}),
        "task": dataset.task.name,
        "threshold_rule": request.threshold,
        "augmentation": {"repeats": repeats.effective, **repeats.settings},
        "results": results,
        "curves": describe_curves(dataset.task, targets, labels, predictions.raw, judged.groups),
        "practice": review(
            targets,
            labels,
            predictions.raw,
            judged.groups,
            thresholds,
            results["raw"],
            prevalences=request.prevalences,
            **drawn,
        )
        if dataset.task.is_called
        else {},
        "openings": [asdict(opening) for opening in openings],
        "versions": library_versions(),
        "warnings": results["raw"]["warnings"],
        "about_intervals": ABOUT_INTERVALS,
    }
    if request.subgroups:
        columns = {name: judged.columns[name] for name in request.subgroups}
        document["subgroups"] = score_columns(
            dataset.task,
            columns,
            targets,
            labels,
            predictions.raw,
            judged.groups,
            thresholds,
            say=say,
            **drawn,
        )
    if dataset.task.is_called and len(np.unique(judged.groups)) < len(judged.groups):
        document["by_patient"] = review_units(
            targets, labels, predictions.raw, judged.groups, judged.groups.tolist(), thresholds, **drawn
        )
    if request.visits:
        visits = [judged.columns[name] for name in request.visits]
        named = name_visits(judged.groups, visits)
        document["by_visit"] = review_units(
            targets, labels, predictions.raw, judged.groups, named, thresholds, **drawn
        )
        document["rust"] = score_rust(
            visits, targets, labels, predictions.raw, judged.groups, resamples=request.resamples
        )
    return document


def find_targets(
    card: dict[str, Any], dataset: Dataset, outputs: int, *, may_call: bool = False
) -> tuple[str, ...]:
    """The labels that the outputs of a model stand for; `may_call`: the command has --label.

    Raises:
        DataError: the data set does not label them.
    """
    targets = tuple(card.get("targets") or dataset.targets)
    kind = card.get("task", LABELS)
    if card and kind != dataset.task.name and {kind, dataset.task.name} - {"labels", "two-classes"}:
        raise DataError(
            f"The model predicts {TASKS[kind].title if kind in TASKS else kind}, and {dataset.folder} has {dataset.task.title}.",
            next_step=f"Import the images with --task {kind}.",
        )
    missing = [target for target in targets if target not in dataset.targets]
    if missing or len(targets) != outputs:
        raise DataError(
            f"The model has {say_count(outputs, 'output')} ({', '.join(targets)}), which {dataset.folder} does not label all."
            if missing
            else f"The model has {say_count(outputs, 'output')}, {dataset.folder} has {say_count(len(targets), 'label')}.",
            why=f"Its labels are {', '.join(dataset.targets)}.",
            next_step="Say which label of the data set stands for which of the model, such as "
            f"--label {shlex.quote(f'{missing[0]}={dataset.targets[0]}')}; or import the images with label columns of these names."
            if may_call and missing and len(dataset.targets) >= len(targets)
            else "Import the images with label columns of these names.",
        )
    return targets


def check_rule(rule: str) -> str:
    """Make sure that there is such a rule for thresholds, which needs neither a model nor data; returns its name.

    Raises:
        DataError: names the valid ones, and the nearest.
    """
    try:
        return read_rule(rule)[0]
    except ValueError as error:
        name, _, value = rule.partition("=")
        near = difflib.get_close_matches(name.lower(), RULES, n=1)
        meant = "".join(near)
        if meant == "sensitivity":
            # What is wrong may be the number: the very rule that was refused is no advice.
            meant = f"sensitivity={value}" if value and name != meant else ""
        raise DataError(
            f"--threshold {rule} is no rule.",
            why="It is a number from 0 to 1, youden, or sensitivity=S with S above 0 and at most 1.",
            next_step=f"Did you mean --threshold {meant}?"
            if meant
            else "Say --threshold 0.5, --threshold youden or --threshold sensitivity=0.9.",
        ) from error


def check_columns(
    folder: Path, subgroups: Sequence[str], visits: Sequence[str], known: Sequence[str]
) -> None:
    """Make sure that the columns that are asked for are there.

    Args:
        folder: of the data set.
        subgroups: asked for with --subgroup.
        visits: asked for with --visit.
        known: the columns that are no labels.

    Raises:
        DataError: names those there are, the nearest first.
    """
    for option, columns in (("--subgroup", subgroups), ("--visit", visits)):
        for column in columns:
            if column in known:
                continue
            alike = {
                name: difflib.SequenceMatcher(None, column.lower(), name.lower()).ratio() for name in known
            }
            nearest = sorted(known, key=lambda name: -alike[name])
            near = [name for name in nearest[:1] if alike[name] >= 0.6]
            raise DataError(
                f"{folder} has no column {column!r} besides its labels, for {option}.",
                why=f"There are {name_few(nearest, MOST_NAMES)}." if nearest else "There are none.",
                next_step=f"Did you mean {near[0]}?"
                if near
                else "Import the images again with a labels file that has it, or name another column.",
            )


def check_calls(task: Task, request: EvaluationRequest) -> None:
    """Make sure that nothing is asked that a kind of label does not have.

    Raises:
        DataError: a threshold or a recalibration of classes that exclude each other, of grades or of numbers.
    """
    asked = {"--threshold": request.threshold != "0.5", "--recalibrate": request.recalibrate}
    for option, is_asked in asked.items():
        if is_asked and not task.is_called:
            raise DataError(
                f"{option} is for labels that are yes or no, and the model predicts {task.title}.",
                why="The most probable class is called."
                if task.has_probabilities
                else "A number is not called.",
                next_step=f"Leave {option} out.",
            )


def read_thresholds(
    rule: str, record: TrainingRecord | None, targets: int
) -> Callable[[np.ndarray, np.ndarray], list[float]]:
    """What makes thresholds from out-of-fold labels and probabilities.

    Raises:
        DataError: no such rule, or it needs out-of-fold predictions, and the model carries none.
    """
    if check_rule(rule) in RULES and (record is None or not len(record.labels)):
        raise DataError(
            f"--threshold {rule} needs out-of-fold predictions, and the model carries none.",
            why="The study's database was not reached when it was trained, or orch did not train it. A threshold chosen on the very "
            "images that are then reported on would flatter the model.",
            next_step="Train it again with --storage, or give a number: --threshold 0.5.",
        )
    return lambda labels, probabilities: choose_thresholds(rule, labels, probabilities)


def check_request(
    request: EvaluationRequest, targets: tuple[str, ...], record: TrainingRecord | None
) -> None:
    """Make sure that what is asked can be answered, before a hold-out is opened for it.

    Raises:
        DataError: says what is missing.
    """
    import numpy as np

    nobody = np.zeros((0, len(targets)))
    if request.recalibrate:
        known = record.labels if record is not None else nobody
        fit_recalibrations(targets, known, record.probabilities if record is not None else nobody)
    if request.visits:
        score_rust([[]], targets, nobody, nobody, nobody[:, 0], resamples=1)
