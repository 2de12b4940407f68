"""What one epoch of one fold did and scored."""

from __future__ import annotations

from dataclasses import make_dataclass
from typing import Any

from storage.metrics.epoch import Scores
from storage.metrics.objectives import TRAINED
from storage.metrics.recorded import FIELDS

_Result: Any = make_dataclass("_Result", FIELDS, frozen=True)


class EpochResult(_Result):
    """What one epoch of one fold did and scored. Metrics without a value are NaN.

    Attributes:
        train_loss: and the others of `storage.metrics.recorded`: a metric of training or validation images.
        steps: optimizer steps that really ran, counted by the compiled loop.
        samples: training images that were seen.
        labels_left_out: labels without both classes in validation, which have no AUC there.
        learning_rate: of the last step.
        seconds: wall time of training, validation and metrics.
    """


def summarize_epoch(
    train: Scores, val: Scores, steps: int, samples: int, seconds: float, rate: float
) -> EpochResult:
    """Put what an epoch scored and what it took together; arguments as the attributes of `EpochResult`."""
    return EpochResult(
        **{f"train_{kind}": getattr(train, kind) for kind in TRAINED},
        **{f"val_{kind}": getattr(val, kind) for kind in TRAINED},
        **{f"val_{kind}": value for kind, value in val.medical.items()},
        steps=steps,
        samples=samples,
        labels_left_out=val.labels_left_out,
        learning_rate=rate,
        seconds=seconds,
    )
