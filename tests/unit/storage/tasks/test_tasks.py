"""Every kind of label keeps one contract; its metrics are those of scikit-learn, or of a table worked by hand."""

from __future__ import annotations

import inspect
import json

import numpy as np
import pytest
from sklearn import metrics as reference

from storage.data.folds import make_folds
from storage.metrics.agreement import intraclass_correlation, weighted_kappa
from storage.metrics.objectives import METRICS
from storage.tasks import class_metrics
from storage.tasks.contract import Task
from storage.tasks.kinds import TASKS, find_task
from storage.trust import bias

IMAGES, TARGETS = 120, {"labels": 3, "two-classes": 1, "classes": 4, "ordered": 4, "number": 2}
OUTPUTS = {**TARGETS, "ordered": 3}
UNITS = {"centre": np.array([50, -3], np.float32), "spread": np.array([20, 0.5], np.float32)}


def draw(task: Task, *, blanks: bool = True, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, what a model computes last, and patients with three images each."""
    chance = np.random.default_rng(seed)
    targets, outputs = TARGETS[task.name], OUTPUTS[task.name]
    raw = chance.normal(0, 1.5, (IMAGES, outputs)).astype(np.float32)
    if task.name == "number":
        labels = (UNITS["centre"] + UNITS["spread"] * (raw + chance.normal(0, 1, raw.shape))).astype(
            np.float32
        )
    elif task.excludes:
        labels = np.eye(targets, dtype=np.float32)[chance.integers(0, targets, IMAGES)]
    else:
        labels = (chance.random((IMAGES, targets)) < 0.4).astype(np.float32)
    if blanks and task.excludes:
        labels[::11] = np.nan
    elif blanks:
        labels[chance.random(labels.shape) < 0.15] = np.nan
    return labels, raw, np.repeat(np.arange(IMAGES // 3), 3)


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
class TestEveryKind:
    """One contract for all kinds: a sixth is held to it by being in the list."""

    def test_its_default_metric_is_one_that_it_measures(self, task: Task) -> None:
        for targets in (1, 3):
            assert task.default_metric(targets) in task.metrics
        assert set(task.metrics) <= METRICS.keys()
        assert find_task(task.name) is task

    def test_an_epoch_scores_every_metric_of_the_list_and_none_beside(self, task: Task) -> None:
        labels, raw, _ = draw(task)
        scores = task.score(labels, raw, UNITS, medical=True)
        found = {
            "loss": scores.loss,
            "auc": scores.auc,
            "precision": scores.precision,
            "recall": scores.recall,
        }
        found |= {"f1": scores.f1, **scores.medical}
        wanted = {METRICS[name].kind for name in task.metrics}
        assert {kind for kind, value in found.items() if value == value} == wanted
        assert task.score(labels, raw, UNITS).medical == {}

    def test_values_give_the_epoch_s_metrics_again_and_weights_are_repeated_images(self, task: Task) -> None:
        labels, raw, _ = draw(task)
        weights = np.random.default_rng(1).integers(0, 3, (2, IMAGES)).astype(np.float64)
        values = task.values(raw, UNITS)
        for name in task.metrics:
            kind = METRICS[name].kind
            if kind == "loss":
                continue  # of values that are rounded it is another number
            measured = task.measure(kind, labels, values, np.vstack([np.ones(IMAGES), weights]))
            for found, times in zip(measured, (np.ones(IMAGES), *weights), strict=True):
                rows = np.repeat(np.arange(IMAGES), times.astype(int))
                scores = task.score(labels[rows], raw[rows], UNITS, medical=True)
                expected = scores.medical.get(kind, getattr(scores, kind, None))
                assert found == pytest.approx(expected, rel=1e-5, abs=1e-6), kind

    def test_cards_are_of_1000_resamples_that_are_the_same_each_time(self, task: Task) -> None:
        options = inspect.signature(task.card).parameters
        assert (options["resamples"].default, options["seed"].default) == (1000, 0)

    def test_without_a_label_nothing_is_defined(self, task: Task) -> None:
        labels, raw, groups = draw(task)
        labels[:] = np.nan
        scores = task.score(labels, raw, UNITS, medical=True)
        assert np.isnan([scores.loss, scores.auc, *scores.medical.values()]).all()
        targets = [f"t{n}" for n in range(labels.shape[1])]
        card = task.card(
            targets, labels, task.values(raw, UNITS), groups, thresholds=[0.5] * len(targets), resamples=20
        )
        assert np.isnan(
            [one["value"] for row in card["labels"].values() for one in row["metrics"].values()]
        ).all()

    def test_a_diverged_model_has_no_metric(self, task: Task) -> None:
        labels, raw, _ = draw(task)
        raw[:] = np.nan
        scores = task.score(labels, raw, UNITS, medical=True)
        assert np.isnan([scores.loss, scores.auc, *scores.medical.values()]).all()

    def test_strata_are_columns_of_yes_and_no_that_folds_can_be_made_of(self, task: Task) -> None:
        labels, _, groups = draw(task)
        strata = task.strata(labels)
        assert set(np.unique(strata[~np.isnan(strata)])) == {0.0, 1.0}
        folds = make_folds(strata, groups, 4, 7)
        assert sorted(np.concatenate([held for _, held in folds]).tolist()) == list(range(IMAGES))
        for train, held in folds:
            assert not set(groups[train]) & set(groups[held])
            assert abs(np.nanmean(labels[held]) - np.nanmean(labels[train])) < 0.5 * np.nanstd(labels)

    def test_questions_are_yes_or_no_with_a_score_each(self, task: Task) -> None:
        labels, raw, _ = draw(task)
        targets = [f"t{n}" for n in range(labels.shape[1])]
        asked = task.questions(targets, labels, task.values(raw, UNITS))
        assert asked.values is not None
        assert asked.labels.shape == asked.values.shape == (IMAGES, len(asked.names))
        assert set(np.unique(asked.labels[~np.isnan(asked.labels)])) == {0.0, 1.0}

    def test_a_card_is_of_its_seed(self, task: Task) -> None:
        labels, raw, groups = draw(task)
        targets = [f"t{n}" for n in range(labels.shape[1])]
        values = task.values(raw, UNITS)
        one, again, other = (
            json.dumps(
                task.card(
                    targets, labels, values, groups, thresholds=[0.5] * len(targets), resamples=20, seed=seed
                )
            )
            for seed in (1, 1, 2)
        )
        assert one == again
        # Only the interval of Matthews' correlation draws patients; the others leave them out.
        assert (one == other) == (task.name not in ("labels", "two-classes"))

    def test_a_card_has_intervals_about_its_values(self, task: Task) -> None:
        labels, raw, groups = draw(task)
        targets = [f"t{n}" for n in range(labels.shape[1])]
        values = task.values(raw, UNITS)
        card = task.card(targets, labels, values, groups, thresholds=[0.5] * len(targets), resamples=60)
        parts = [row["metrics"] for row in card["labels"].values()]
        parts += [card[key]["metrics"] for key in ("overall", "macro", "micro") if key in card]
        seen = 0
        for metric in (one for part in parts for one in part.values()):
            if metric["low"] == metric["low"]:
                seen += 1
                assert metric["low"] < metric["high"]
                assert metric["low"] - 0.05 * abs(metric["value"]) <= metric["value"]
        assert seen > 5
        assert card["images"] == IMAGES
        assert card["groups"] == IMAGES // 3

    def test_marks_tell_labels_apart_and_files_give_them_back(self, task: Task) -> None:
        labels, _, _ = draw(task)
        rows = [task.to_plain(row) for row in labels.tolist()]
        marks = {task.mark(row) for row in rows}
        assert len(marks) == len({tuple(row) for row in rows})
        again = np.array(rows, np.float32)
        np.testing.assert_array_equal(again, labels)

    def test_a_choice_is_corrected_from_kept_values(self, task: Task) -> None:
        labels, _, groups = draw(task, blanks=False)
        folds = [np.arange(0, 60), np.arange(60, IMAGES)]
        trials = [draw(task, blanks=False, seed=seed)[1] for seed in range(1, 9)]
        kept = [[task.values(raw[rows], UNITS).astype(task.kept_as) for rows in folds] for raw in trials]
        metric = METRICS[task.default_metric(labels.shape[1])]
        corrected = bias.correct_choice(kept, labels, groups, folds, metric=metric, task=task, draws=50)
        once = np.ones(IMAGES)
        own = [
            metric.sign
            * np.mean(
                [task.measure(metric.kind, labels[r], v, once[r]) for r, v in zip(folds, trial, strict=True)]
            )
            for trial in kept
        ]
        assert corrected is not None
        assert corrected.value < max(own)

    def test_a_fraction_of_a_prior_is_in_its_own_unit(self, task: Task) -> None:
        labels, _, _ = draw(task)
        for name in task.metrics:
            assert task.unit(name, labels) > 0
            if name in ("val_kappa", "val_quadratic_kappa", "val_r2"):
                assert task.unit(name, labels) == 2


def test_what_is_true_of_each_kind() -> None:
    assert {name for name, task in TASKS.items() if task.is_called} == {"labels", "two-classes"}
    assert {name for name, task in TASKS.items() if task.excludes} == {"classes", "ordered"}
    assert {name for name, task in TASKS.items() if not task.has_probabilities} == {"number"}


def test_classes_are_scored_as_scikit_learn_scores_them() -> None:
    task = TASKS["classes"]
    labels, raw, _ = draw(task)
    known = ~np.isnan(labels).any(axis=1)
    truth, values = labels[known].argmax(axis=1), task.values(raw, UNITS)[known].astype(np.float64)
    values /= values.sum(axis=1, keepdims=True)
    called = values.argmax(axis=1)
    scores = task.score(labels, raw, UNITS, medical=True)
    assert scores.auc == pytest.approx(reference.roc_auc_score(truth, values, multi_class="ovr"), abs=1e-6)
    assert scores.loss == pytest.approx(reference.log_loss(truth, values), abs=1e-6)
    assert scores.f1 == pytest.approx(reference.f1_score(truth, called, average="macro"))
    assert scores.medical["accuracy"] == pytest.approx(reference.accuracy_score(truth, called))
    assert scores.medical["balanced_accuracy"] == pytest.approx(
        reference.balanced_accuracy_score(truth, called)
    )
    assert scores.medical["kappa"] == pytest.approx(reference.cohen_kappa_score(truth, called))
    squares = ((values - labels[known]) ** 2).sum(axis=1).mean()
    assert scores.medical["brier"] == pytest.approx(squares, abs=1e-6)


def test_an_image_that_counts_twice_counts_as_two() -> None:
    """Of many weightings at once, as the bootstrap draws them."""
    generator = np.random.default_rng(3)
    truth = generator.integers(0, 4, 30)
    labels, values = np.eye(4)[truth], generator.dirichlet(np.ones(4), 30)
    counts = generator.integers(0, 4, (3, 30)).astype(np.float64)
    losses = class_metrics.log_loss(labels, values, counts)
    squares = class_metrics.brier(labels, values, counts)
    assert losses.shape == squares.shape == (1, 3)
    for place, row in enumerate(counts.astype(int)):
        drawn = np.repeat(np.arange(30), row)
        expected = reference.log_loss(truth[drawn], values[drawn], labels=range(4))
        assert losses[0, place] == pytest.approx(expected)
        assert squares[0, place] == pytest.approx(((values - labels)[drawn] ** 2).sum(axis=1).mean())


def test_grades_are_scored_as_scikit_learn_scores_them() -> None:
    task = TASKS["ordered"]
    labels, raw, _ = draw(task)
    known = ~np.isnan(labels).any(axis=1)
    truth, values = labels[known].argmax(axis=1), task.values(raw, UNITS)[known]
    called = class_metrics.call_median(values)
    scores = task.score(labels, raw, UNITS, medical=True)
    assert scores.medical["quadratic_kappa"] == pytest.approx(
        reference.cohen_kappa_score(truth, called, weights="quadratic")
    )
    assert scores.medical["quadratic_kappa"] == pytest.approx(weighted_kappa(truth, called))
    assert scores.medical["grade_error"] == pytest.approx(np.abs(truth - called).mean())
    areas = [reference.roc_auc_score(truth > cut, values[:, cut + 1 :].sum(axis=1)) for cut in range(3)]
    assert scores.auc == pytest.approx(np.mean(areas), abs=1e-6)


def test_numbers_are_scored_as_scikit_learn_scores_them() -> None:
    task = TASKS["number"]
    labels, raw, _ = draw(task)
    values = task.values(raw, UNITS)
    pairs = [(labels[known, t], values[known, t]) for t, known in enumerate(~np.isnan(labels.T))]
    scores = task.score(labels, raw, UNITS, medical=True)
    for kind, measure in (
        ("mae", reference.mean_absolute_error),
        ("rmse", reference.root_mean_squared_error),
        ("r2", reference.r2_score),
        ("pearson", lambda one, other: np.corrcoef(one, other)[0, 1]),
        ("icc", lambda one, other: intraclass_correlation(np.stack([one, other], axis=1))),
    ):
        assert scores.medical[kind] == pytest.approx(np.mean([measure(*pair) for pair in pairs]), rel=1e-5), (
            kind
        )


def test_probabilities_of_grades_never_cross_however_wild_the_outputs() -> None:
    raw = np.random.default_rng(3).normal(0, 60, (500, 5)).astype(np.float32)
    values = TASKS["ordered"].values(raw, {})
    assert (values >= 0).all()
    np.testing.assert_allclose(values.sum(axis=1), 1, atol=1e-6)
    assert (np.diff(1 - np.cumsum(values, axis=1), axis=1) <= 1e-6).all()


def test_limits_of_agreement_are_those_of_bland_and_altman() -> None:
    truth = np.arange(40, dtype=np.float32)[:, None]
    guess = truth + np.tile([1.0, 3.0], 20)[:, None].astype(np.float32)
    row = TASKS["number"].card(["age"], truth, guess, np.arange(40), thresholds=[], resamples=0)["labels"][
        "age"
    ]
    spread = np.std(np.tile([1.0, 3.0], 20), ddof=1)
    found = {name: one["value"] for name, one in row["limits_of_agreement"].items()}
    assert found["bias"] == pytest.approx(2)
    assert found["upper_limit"] == pytest.approx(2 + 1.96 * spread)
    assert found["lower_limit"] == pytest.approx(2 - 1.96 * spread)


def test_a_study_counts_all_classes_or_none() -> None:
    assert TASKS["classes"].find_fault(["a", "b"], ["a", "b", "c"]) is not None
    assert TASKS["classes"].find_fault(["a", "b"], ["a", "b"]) is None
    assert TASKS["labels"].find_fault(["a"], ["a", "b"]) is None
    assert TASKS["number"].find_fault(["a"], ["a", "b"]) is None


@pytest.mark.parametrize("name", [name for name in TASKS if name != "number"])
def test_values_that_were_rounded_move_the_questions_by_no_more_than_is_said(name: str) -> None:
    task = TASKS[name]
    labels, raw, _ = draw(task)
    exact = np.asarray(task.values(raw, UNITS), np.float64)
    kept = exact.astype(np.float16).astype(np.float64)
    asked = [
        task.questions([f"t{place}" for place in range(labels.shape[1])], labels, values)
        for values in (exact, kept)
    ]
    moved = np.abs(np.asarray(asked[0].values) - np.asarray(asked[1].values))
    allowed = task.spread(np.abs(exact - kept))
    assert (moved <= allowed + 1e-12).all()
    assert moved.max() > 1e-5
