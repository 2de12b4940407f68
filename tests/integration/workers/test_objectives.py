"""Studies that maximise something else than the AUC, from the training to best.json, on real Keras trainings."""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as reference

from dashboards.figures.gallery import draw_study
from dashboards.pages.curve_picture import draw_svg
from dashboards.pages.notes import write_study_note, write_trial_note
from dashboards.tables.view import compare_studies, list_trials, read_view
from orchestrator.planning.plan import plan_points
from orchestrator.studies import best as export
from orchestrator.studies.records import epoch_columns, epoch_means, study_document, trial_document
from orchestrator.studies.verify import verify_study
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.metrics.objectives import METRICS
from storage.results import ledger, predictions
from storage.spec import parse
from storage.studies import points
from storage.studies.study import StudyRecord, create_study, load_study
from storage.trust.selection import judge_selection
from tests.backends import SIDE_BY_SIDE
from tests.studies import PretendObjective, make_study
from workers.attempts.attempt import Attempt, Outcome
from workers.cross_validation.cross_validate import cross_validate
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker

FOLDS, EPOCHS, POINTS = 3, 4, 5
IMAGES, FEATURES, TARGETS = 90, 6, 2


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    opened = open_database(sqlite_url)
    yield opened
    opened.close()


class KerasTrials:
    """Trains heads on made-up features; may tell the worker to stop after so many fold-epochs."""

    def __init__(self) -> None:
        from workers.device.preparation import prepare
        from workers.inputs.feature_set import FeatureSet

        prepare(1, 2)
        generator = np.random.default_rng(0)
        values = generator.normal(size=(IMAGES, 4, FEATURES)).astype(np.float32)
        self.labels = (values[:, 0, :TARGETS] + generator.normal(size=(IMAGES, TARGETS)) > 0.4).astype(
            np.float32
        )
        self.features = FeatureSet(values, self.labels)
        self.held = np.array_split(np.arange(IMAGES), FOLDS)
        self.trainers: list[Any] = []
        self.stop = threading.Event()
        self.left = 10**9

    def evaluate(self, attempt: Attempt) -> Outcome:
        """Cross-validate as the spec says."""
        from workers.training.early_stopping import PatientFold
        from workers.training.fold_trainer import FoldTrainer

        spec = attempt.study.spec
        if not self.trainers:
            self.trainers = [FoldTrainer(spec, FEATURES, TARGETS) for _ in range(FOLDS)]

        def start(fold: int) -> Any:
            trainer, held = self.trainers[fold], self.held[fold]
            train = np.setdiff1d(np.arange(IMAGES), held)
            trainer.reset(
                self.features, train, held, attempt.hyperparameters, (spec.study.seed, attempt.point, fold)
            )
            counted = _Counted(trainer, self)
            patience = int(attempt.hyperparameters.get("patience", 0))
            return PatientFold(counted, patience, spec.metric) if patience else counted

        return cross_validate(
            attempt, start, "sequential" if spec.cv.schedule == "sequential" else "lockstep"
        )

    def before_epoch(self, trainer: Any, epoch: int) -> None:
        """For tests that count, or interrupt."""

    def work(self, database: Database, study: StudyRecord, artifacts: Path | None = None) -> None:
        """Let one worker work until it is done or stopped."""
        self.stop.clear()
        worker = Worker(Circumstances(database, self.stop, artifacts=artifacts), lambda _: self)
        worker.run(lambda: [load_study(database, study.name)])


class _Counted:
    def __init__(self, trainer: Any, trials: KerasTrials) -> None:
        self._trainer, self._trials = trainer, trials

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trainer, name)

    def run_epoch(self, epoch: int) -> Any:
        self._trials.before_epoch(self._trainer, epoch)
        self._trials.left -= 1
        if not self._trials.left:
            self._trials.stop.set()
        return self._trainer.run_epoch(epoch)


@pytest.fixture(scope="module")
def trials() -> KerasTrials:
    return KerasTrials()


def make(
    database: Database,
    name: str,
    metric: str,
    schedule: str,
    pruner: str,
    first_rung: int = 1,
    **changes: object,
) -> StudyRecord:
    spec = parse(
        {
            "study": {"name": name, "trials": POINTS, "metric": metric},
            "data": {"fingerprint": "sha256:" + "0" * 64},
            "model": {"head": [8], "scale": "none"},
            "training": {"epochs": EPOCHS, "threads": SIDE_BY_SIDE, "learning_rate": 0.02},
            "cv": {"folds": FOLDS, "schedule": schedule},
            "search": {"batch_size": {"type": "int", "low": 8, "high": 60}},
            "pruner": {"name": pruner, "min_resource": first_rung},
        },
        source="a test",
    )
    spec = spec.with_values(changes)
    return create_study(database, spec, plan_points(spec), data_folder="", facts={})


def balanced_accuracy(labels: np.ndarray, values: np.ndarray) -> float:
    by_label = zip(labels.T, values.T, strict=True)
    return float(
        np.mean([reference.balanced_accuracy_score(truth, guess > 0.5) for truth, guess in by_label])
    )


def negated_brier(labels: np.ndarray, values: np.ndarray) -> float:
    by_label = zip(labels.T, values.T, strict=True)
    return -float(np.mean([reference.brier_score_loss(truth, guess) for truth, guess in by_label]))


CASES = {"val_balanced_accuracy": (balanced_accuracy, 1e-12), "neg_val_brier": (negated_brier, 2e-4)}
"""What scikit-learn says of predictions that were kept as float16."""


@pytest.mark.main_tier("neg_val_brier-lockstep")
@pytest.mark.parametrize("schedule", ["lockstep", "sequential"])
@pytest.mark.parametrize("metric", CASES)
def test_values_are_those_of_the_metric_whatever_stops_and_prunes(
    database: Database, tmp_path: Path, trials: KerasTrials, metric: str, schedule: str
) -> None:
    recompute, exact = CASES[metric]
    whole = make(database, "whole", metric, schedule, "none")
    trials.work(database, whole)
    for point in points.list_points(database, whole.uuid):
        kept = predictions.read_predictions(database, whole.uuid, point.point)
        by_hand = [recompute(trials.labels[fold.indices], fold.values.astype(float)) for fold in kept]
        assert point.value == pytest.approx(np.mean(by_hand), abs=exact)
        # No other epoch of the ledger has a higher mean.
        rows = ledger.read_curves(database, whole.uuid, point.point)
        curves = np.array([METRICS[metric].score(row) for row in rows]).reshape(FOLDS, EPOCHS)
        assert point.value == pytest.approx(curves.mean(axis=0).max(), abs=1e-12)
        assert {fold.epoch for fold in kept} == {int(curves.mean(axis=0).argmax()) + 1}
    best = export.best_document(database, whole)
    assert (best["metric"], best["value"]) == (
        metric,
        max(p.value for p in points.list_points(database, whole.uuid)),
    )
    assert np.mean(best["fold_values"]) == pytest.approx(best["value"], abs=1e-12)
    assert best["spec"]["study"]["metric"] == best["selection"]["metric"] == metric
    assert database.optuna.get_study_system_attrs(whole.optuna_study_id)["study:metric_names"] == [metric]
    assert verify_study(database, whole, plan_points(whole.spec))["problems"] == []

    stopped = make(database, "stopped", metric, schedule, "none")
    trials.left = FOLDS * EPOCHS + 5
    trials.work(database, stopped, tmp_path)
    assert points.count_points(database, stopped.uuid).complete == 1
    trials.work(database, stopped, tmp_path)
    assert [p.value for p in points.list_points(database, stopped.uuid)] == [
        p.value for p in points.list_points(database, whole.uuid)
    ]

    pruned = make(database, "pruned", metric, schedule, "halving")
    trials.work(database, pruned)
    assert points.count_points(database, pruned.uuid).pruned > 0
    found = {p.point: p for p in points.list_points(database, pruned.uuid)}
    # Halving keeps of each rung what is best by the metric: whatever was pruned was beaten after the same step.
    for study in (stopped, pruned):
        assert verify_study(database, study, plan_points(study.spec))["problems"] == []
    complete = [p for p in found.values() if p.outcome == "COMPLETE"]
    assert all(p.value == points.list_points(database, whole.uuid)[p.point].value for p in complete)


def pretend(database: Database, study: StudyRecord, **options: Any) -> None:
    """Let a worker go through a study by formula."""
    Worker(Circumstances(database), lambda _: PretendObjective(**options)).run(
        lambda: [load_study(database, study.name)]
    )


def brier_of(point: int, fold: int, epoch: int) -> float:
    """Falls from point to point, and over the epochs."""
    return 0.4 - 0.02 * point - 0.01 * epoch + 0.003 * fold


@pytest.mark.main_tier(
    "max_of_mean-median-sequential",
    "mean_of_max-paired-sequential",
    "max_of_mean-halving-lockstep",
    "last-race-lockstep",
)
@pytest.mark.parametrize("schedule", ["lockstep", "sequential"])
@pytest.mark.parametrize(
    ("objective", "pruner"),
    [("max_of_mean", "halving"), ("mean_of_max", "paired"), ("last", "race"), ("max_of_mean", "median")],
)
def test_pruning_and_choosing_look_at_the_metric_not_at_the_auc(
    database: Database, objective: str, pruner: str, schedule: str
) -> None:
    changes = {"study.metric": "neg_val_brier", "study.objective": objective, "cv.schedule": schedule}
    study = make_study(database, points=12, pruner=pruner, **changes)
    # By AUC the last point is the worst.
    pretend(database, study, auc=brier_of, others=lambda *place: {"val_brier": brier_of(*place)})
    records = points.list_points(database, study.uuid)
    assert (records[11].outcome, records[11].value) == (
        "COMPLETE",
        pytest.approx(-(0.4 - 0.22 - 0.04 + 0.003)),
    )
    best = export.best_document(database, study)
    assert (best["point"], best["metric"], best["best_epoch"]) == (11, "neg_val_brier", EPOCHS)
    assert best["objective_value"] == records[11].value
    assert verify_study(database, study, [{"batch_size": 16 + n} for n in range(12)])["problems"] == []


@pytest.mark.parametrize("schedule", ["lockstep", "sequential"])
def test_epochs_without_a_value_are_passed_over(database: Database, schedule: str) -> None:
    """Nobody is called positive at first: no fold has a precision in epoch 1, and the first fold has none at all."""

    def precision(point: int, fold: int, epoch: int) -> dict[str, float]:
        return {"val_precision": math.nan if epoch == 1 or fold == 0 else 0.6 + 0.1 * fold + 0.01 * epoch}

    changes = {"study.metric": "val_precision", "cv.schedule": schedule}
    study = make_study(database, points=2, pruner="halving", **changes)
    pretend(database, study, others=precision)
    for record in points.list_points(database, study.uuid):
        assert (record.outcome, record.value) == ("COMPLETE", pytest.approx(0.75 + 0.04))
    reported = database.optuna.get_all_trials(study.optuna_study_id)[0].intermediate_values
    assert sorted(reported) == ([2, 3, 4] if schedule == "lockstep" else [2, 3])
    assert verify_study(database, study, [{"batch_size": 16}, {"batch_size": 17}])["problems"] == []


@pytest.mark.parametrize("schedule", ["lockstep", "sequential"])
@pytest.mark.parametrize(
    ("metric", "why"), [("val_precision", "predicted positive"), ("val_balanced_accuracy", "both classes")]
)
def test_a_trial_without_any_value_fails_and_says_why(
    database: Database, schedule: str, metric: str, why: str
) -> None:
    changes = {"study.metric": metric, "cv.schedule": schedule, "study.retries": 0}
    study = make_study(database, points=1, **changes)
    pretend(database, study, others=lambda *place: {metric: math.nan})
    (record,) = points.list_points(database, study.uuid)
    assert (record.state, record.value) == ("failed", None)
    assert f"No fold has a value of {metric} in any epoch" in str(record.error)
    assert why in str(record.error)
    trained = {row.epoch for row in ledger.read_curves(database, study.uuid)}
    # What the labels decide is seen after one epoch, where all folds advance together.
    assert trained == ({1} if schedule == "lockstep" and metric == "val_balanced_accuracy" else {1, 2, 3, 4})


def test_a_last_epoch_without_a_value_is_no_value(database: Database) -> None:
    changes = {"study.metric": "val_npv", "study.objective": "last", "study.retries": 0}
    study = make_study(database, points=1, **changes)
    pretend(database, study, others=lambda point, fold, epoch: {"val_npv": math.nan if epoch == 4 else 0.9})
    (record,) = points.list_points(database, study.uuid)
    assert (record.state, "in the last epoch" in str(record.error)) == ("failed", True)


@pytest.mark.parametrize("metric", ["neg_val_brier", "neg_val_loss", "val_lr_positive"])
def test_nothing_calls_another_metric_auc(database: Database, metric: str) -> None:
    study = make_study(database, points=8, **{"study.metric": metric})
    column, label = METRICS[metric].column, METRICS[metric].label
    pretend(database, study, others=lambda *place: {column: brier_of(*place)})
    view = read_view(database, study)
    selection = judge_selection(database, study)
    texts = [
        json.dumps([picture.title, picture.caption, picture.table.columns, picture.figure])
        for picture in draw_study(view, None, selection)
        # These show several metrics, the AUC among them, under their own names.
        if picture.name not in ("measures", "roc")
    ]
    best = view.best
    assert best is not None
    rows = ledger.read_curves(database, study.uuid, best.point)
    texts += [write_study_note(view), write_trial_note(view, best, rows), draw_svg(rows, "", view.metric)]
    # The table of fold-epochs has every column of the ledger under its own name.
    named = re.compile(r"(val|train)(_micro|_pr)?_auc")
    assert [re.findall(r".{60}auc.{60}", named.sub("", text), re.IGNORECASE) for text in texts] == [[]] * len(
        texts
    )
    assert sum(label in text for text in texts) > 5
    assert list_trials(view).columns[3] == metric
    table = compare_studies([view])
    assert dict(zip(table.columns, table.rows[0], strict=True))["metric"] == metric
    assert selection is not None
    assert selection["metric"] == metric
    bounded = metric == "neg_val_brier"
    assert selection["correction"] == ("simulation" if bounded else None)
    assert (selection["correction_reason"] is None) == (selection["corrected_value"] is not None) == bounded
    assert ("has no upper bound, so no correction can be computed" in selection["sentence"]) != bounded
    document = trial_document(database, study, best.trial_number or 0)
    assert (document["metric"], study_document(database, study)["metric"]) == (metric, metric)
    (first, *_) = epoch_means(document["epochs"], view.metric)
    assert first[2] == pytest.approx(brier_of(best.point, 1, 1))
    assert epoch_columns(view.metric)[2] == f"val {label}"
