"""A fold that has stopped learning stops training, and its last value carries on (`training.patience`)."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from storage.metrics.objectives import Metric
from workers.cross_validation.fold import AnyFold, Fold
from workers.device.contract import State
from workers.training import fold_trainer as training
from workers.training.results import EpochResult

if TYPE_CHECKING:
    from numpy.typing import NDArray

STATE = "early_stopping"


class PatientFold:
    """A fold that stops when its validation score has not risen above its best for `patience` epochs.

    After that, an epoch trains nothing: it takes no steps, sees no samples, and has the metrics of the last one.
    """

    def __init__(self, trainer: Fold[EpochResult], patience: int, metric: Metric) -> None:
        self.trainer, self._patience, self._metric = trainer, patience, metric
        self.train_index, self.val_index = trainer.train_index, trainer.val_index
        self._best, self._waited = -math.inf, 0
        self._last: EpochResult | None = None

    @property
    def has_stopped(self) -> bool:
        """Whether nothing is trained any more."""
        return self._last is not None and self._waited >= self._patience

    def run_epoch(self, epoch: int) -> EpochResult:
        """Train and validate one epoch (from 1), or carry the last one on."""
        if self.has_stopped:
            assert self._last is not None
            return dataclasses.replace(self._last, steps=0, samples=0, seconds=0.0)
        self._last = self.trainer.run_epoch(epoch)
        score = self._metric.score(self._last)
        if score > self._best:
            self._best, self._waited = score, 0
        else:
            self._waited += 1
        return self._last

    def predict_validation(self) -> NDArray[np.float32]:
        """Probabilities of the validation images, of the last epoch that trained."""
        return self.trainer.predict_validation()

    def state(self) -> State:
        """The trainer's state, and how long it has waited, as JSON in an array of bytes."""
        last = None if self._last is None else dataclasses.asdict(self._last)
        text = json.dumps({"best": self._best, "waited": self._waited, "last": last})
        return {**self.trainer.state(), STATE: np.frombuffer(text.encode(), np.uint8)}

    def restore(self, state: State) -> None:
        """Go on from a `state`."""
        rest = dict(state)
        kept = json.loads(np.asarray(rest.pop(STATE), np.uint8).tobytes())
        self._best, self._waited = kept["best"], kept["waited"]
        self._last = EpochResult(**kept["last"]) if kept["last"] else None
        self.trainer.restore(rest)


def train_together(folds: Sequence[AnyFold], epoch: int) -> None:
    """Train an epoch of all folds that have not stopped in one computation; their `run_epoch` only scores it then.

    Args:
        folds: of one trial on features, some of them patient.
        epoch: counted from 1.
    """
    trainers = [fold.trainer if isinstance(fold, PatientFold) else fold for fold in folds]
    is_going = [not (isinstance(fold, PatientFold) and fold.has_stopped) for fold in folds]
    if any(is_going):
        training.train_together(cast("list[training.FoldTrainer]", trainers), epoch, is_going)
