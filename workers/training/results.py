"""What one epoch of one fold did and scored."""

from __future__ import annotations

from dataclasses import dataclass

from storage.metrics import epoch as metrics


@dataclass(frozen=True)
class EpochResult:
    """What one epoch of one fold did and scored. Metrics without a value are NaN.

    Attributes:
        steps: optimizer steps that really ran, counted by the compiled loop.
        samples: training images that were seen.
        labels_left_out: labels without both classes in validation, which have no AUC there.
        seconds: wall time of training, validation and metrics.
        learning_rate: of the last step.
        val_micro_auc: and those after it are medical metrics, see `storage.metrics.medical`.
    """

    train_loss: float
    train_auc: float
    train_precision: float
    train_recall: float
    train_f1: float
    val_loss: float
    val_auc: float
    val_precision: float
    val_recall: float
    val_f1: float
    steps: int
    samples: int
    labels_left_out: int
    seconds: float
    learning_rate: float
    val_micro_auc: float = float("nan")
    val_pr_auc: float = float("nan")
    val_sensitivity: float = float("nan")
    val_specificity: float = float("nan")
    val_balanced_accuracy: float = float("nan")
    val_ppv: float = float("nan")
    val_npv: float = float("nan")
    val_lr_positive: float = float("nan")
    val_lr_negative: float = float("nan")
    val_accuracy: float = float("nan")
    val_brier: float = float("nan")
    val_calibration_error: float = float("nan")


def summarize_epoch(
    train: metrics.Scores, val: metrics.Scores, steps: int, samples: int, seconds: float, rate: float
) -> EpochResult:
    """Put what an epoch scored and what it took together; arguments as the attributes of `EpochResult`."""
    return EpochResult(
        train_loss=train.loss,
        train_auc=train.auc,
        train_precision=train.precision,
        train_recall=train.recall,
        train_f1=train.f1,
        val_loss=val.loss,
        val_auc=val.auc,
        val_precision=val.precision,
        val_recall=val.recall,
        val_f1=val.f1,
        steps=steps,
        samples=samples,
        labels_left_out=val.labels_left_out,
        seconds=seconds,
        learning_rate=rate,
        **{f"val_{name}": value for name, value in val.medical.items()},
    )
