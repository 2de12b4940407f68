"""What a study may maximise: names, signs, and what becomes of a metric without a value."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from orchestrator.planning.regimes import build_spec, tell_metric
from orchestrator.planning.review import metric_warnings
from storage.errors import SpecError, TrainingError
from storage.metrics import epoch as metrics
from storage.metrics.judging import judge
from storage.metrics.objectives import AUC, LATER, METRICS, OF_LABELS, find_metric
from storage.results.ledger import FoldEpoch
from storage.tasks.kinds import TASKS
from storage.trust import bias
from tests.studies import make_row, make_spec
from tests.unit.workers.training.test_early_stopping import CountingTrainer
from workers.cross_validation.fold import require_value
from workers.training.early_stopping import PatientFold
from workers.training.results import EpochResult

LESS_IS_BETTER = {
    *("val_loss", "val_lr_negative", "val_brier", "val_calibration_error"),
    *("val_grade_error", "val_mae", "val_rmse"),
}


def test_every_validation_metric_of_the_ledger_can_be_the_objective_and_more_is_always_better() -> None:
    recorded = {f"val_{name}" for name in (*LATER, "loss", "auc", "precision", "recall", "f1")}
    assert {metric.column for metric in METRICS.values()} == recorded
    assert recorded <= {field.name for field in dataclasses.fields(FoldEpoch)}
    assert recorded <= {field.name for field in dataclasses.fields(EpochResult)}
    assert {metric.column for metric in METRICS.values() if metric.sign < 0} == LESS_IS_BETTER
    for name, metric in METRICS.items():
        assert name == metric.name == ("neg_" if metric.sign < 0 else "") + metric.column
        row = make_row(0, 0, 1, **{metric.column: 0.25})
        assert metric.score(row) == 0.25 * metric.sign
    assert sum("AUC" in metric.label for metric in METRICS.values()) == 3


def test_what_has_no_bound_is_known() -> None:
    assert {name for name, metric in METRICS.items() if not metric.is_bounded} == {
        *("neg_val_loss", "val_lr_positive", "neg_val_lr_negative"),
        *("neg_val_grade_error", "neg_val_mae", "neg_val_rmse", "val_r2"),
    }
    assert {name for name, metric in METRICS.items() if metric.is_bounded_by_data} == {
        *("neg_val_grade_error", "neg_val_mae", "neg_val_rmse", "val_r2"),
    }


def test_a_training_score_is_there_where_the_ledger_has_one() -> None:
    row = make_row(0, 0, 1, train_loss=0.3, train_auc=0.9)
    assert METRICS["neg_val_loss"].train_score(row) == -0.3
    assert AUC.train_score(row) == 0.9
    assert math.isnan(METRICS["neg_val_brier"].train_score(row))


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [
        ("auc", "val_auc"),
        ("val_loss", "neg_val_loss"),
        ("brier", "neg_val_brier"),
        ("balanced_accuracy", "val_balanced_accuracy"),
        ("val_lr_negative", "neg_val_lr_negative"),
        ("val_f3", "val_f1"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(wrong: str, nearest: str) -> None:
    with pytest.raises(SpecError, match=rf"study\.metric: '{wrong}' is not .* \(did you mean {nearest}\?\)"):
        make_spec(**{"study.metric": wrong})
    with pytest.raises(ValueError, match="valid: val_auc, "):
        find_metric("zzzz")


def test_a_spec_without_a_metric_maximises_the_auc() -> None:
    assert make_spec().metric is AUC
    assert make_spec(**{"study.metric": "neg_val_brier"}).metric is METRICS["neg_val_brier"]


def test_a_best_json_brings_its_metric_along_unless_told_otherwise() -> None:
    theirs = make_spec(**{"study.metric": "neg_val_brier"})
    best = {"metric": "neg_val_brier", "params": {"batch_size": 64}, "fixed": {}}
    best["spec"] = theirs.model_dump(mode="json")
    kept = build_spec("x", regime="II", best=best)
    assert kept.study.metric == "neg_val_brier"
    assert "as the one of the best.json did" in str(tell_metric(kept, best))
    other = build_spec("x", regime="II", best=best, settings=["study.metric=val_auc"])
    assert other.study.metric == "val_auc"
    assert "was chosen by neg_val_brier" in str(tell_metric(other, best))
    assert tell_metric(make_spec(), None) is None


def test_only_what_depends_on_calls_is_warned_of() -> None:
    warned = {name for name in OF_LABELS if metric_warnings(make_spec(**{"study.metric": name}))}
    assert warned == {
        *(
            "val_precision",
            "val_f1",
            "val_ppv",
            "val_npv",
            "val_lr_positive",
            "neg_val_lr_negative",
            "val_mcc",
        ),
    }


def test_without_a_value_in_any_fold_there_is_no_trial() -> None:
    curves = np.full((2, 3), np.nan)
    precision = METRICS["val_precision"]
    for objective in ("max_of_mean", "mean_of_max", "last"):
        value = judge(curves, objective)[0]
        with pytest.raises(TrainingError, match=r"val_precision.*predicted positive"):
            require_value(value, precision, objective)
    curves[1, 1] = 0.7
    assert judge(curves, "max_of_mean")[:2] == (0.7, 2)
    assert judge(curves, "mean_of_max")[0] == 0.7
    with pytest.raises(TrainingError, match="in the last epoch"):
        require_value(judge(curves, "last")[0], precision, "last")


def test_early_stopping_follows_the_metric_of_the_study() -> None:
    class LosingTrainer(CountingTrainer):
        """Its AUC rises for ever; its loss falls for two epochs only."""

        def run_epoch(self, epoch: int) -> EpochResult:
            return dataclasses.replace(
                super().run_epoch(epoch), val_loss=[0.5, 0.4, 0.6, 0.7, 0.8][epoch - 1]
            )

    for metric, trained in ((AUC, 5), (METRICS["neg_val_loss"], 4)):
        trainer = LosingTrainer([0.5, 0.6, 0.7, 0.8, 0.9])
        fold = PatientFold(trainer, 2, metric)
        for epoch in range(1, 6):
            fold.run_epoch(epoch)
        assert trainer.trained == trained


@pytest.mark.parametrize("name", [name for name in OF_LABELS if name != "neg_val_loss"])
def test_a_weighted_metric_is_that_of_repeated_images(name: str) -> None:
    generator = np.random.default_rng(8)
    labels = generator.integers(2, size=(50, 3)).astype(np.float32)
    labels[::9, 1] = np.nan
    logits = (2 * np.nan_to_num(labels) - 1 + generator.normal(0, 2, size=(50, 3))).astype(np.float32)
    weights = generator.integers(0, 3, size=(50, 4)).astype(np.float32)
    column = METRICS[name].column
    found = bias.weighted_metric(
        TASKS["labels"], METRICS[name].kind, labels, metrics.sigmoid(logits), weights
    )
    for draw, value in enumerate(found):
        again = np.repeat(np.arange(50), weights[:, draw].astype(int))
        scores = metrics.score(labels[again], logits[again], medical=True)
        kind = column.removeprefix("val_")
        expected = scores.medical[kind] if kind in scores.medical else getattr(scores, kind)
        assert value == pytest.approx(expected, abs=1e-9)


def test_the_correction_takes_the_luck_away_from_a_metric_of_which_less_is_better() -> None:
    generator = np.random.default_rng(9)
    errors = []
    for seed in range(8):
        labels = generator.integers(2, size=(200, 1)).astype(np.float32)
        folds = [np.arange(0, 100), np.arange(100, 200)]
        predictions = [[generator.random((100, 1)) for _ in folds] for _ in range(20)]
        naive = max(
            -np.mean(
                [np.mean((values - labels[fold]) ** 2) for fold, values in zip(folds, trial, strict=True)]
            )
            for trial in predictions
        )
        corrected = bias.correct_choice(
            predictions, labels, np.arange(200), folds, metric=METRICS["neg_val_brier"], draws=60, seed=seed
        )
        assert corrected is not None
        errors.append((naive + 1 / 3, corrected.value + 1 / 3))
    naive_error, corrected_error = np.mean(errors, axis=0)
    assert naive_error > 0.02
    assert abs(corrected_error) < naive_error / 2


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("val_auc", (0, 1)),
        ("val_lr_positive", (0, math.inf)),
        ("neg_val_lr_negative", (-math.inf, 0)),
        ("neg_val_brier", (-1, 0)),
        ("neg_val_loss", (-math.inf, 0)),
        ("neg_val_mae", (-math.inf, 0)),
        ("val_mcc", (-1, 1)),
        ("val_icc", (-1, 1)),
        ("val_r2", (-math.inf, 1)),
    ],
)
def test_the_limits_of_a_metric_are_those_of_its_formula(name: str, limits: tuple[float, float]) -> None:
    assert METRICS[name].limits == limits
