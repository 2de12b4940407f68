"""Small studies and an objective without TensorFlow, for tests of the database and of the worker's loop."""

from __future__ import annotations

import math
import multiprocessing
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from storage.database.engine import Database
from storage.results.ledger import FoldEpoch
from storage.spec import StudySpec, parse
from storage.studies import points
from storage.studies.points import Claim
from storage.studies.study import StudyRecord, create_study
from workers.attempts.attempt import Attempt, Outcome
from workers.cross_validation.cross_validate import cross_validate

TRAIN_IMAGES = 100

processes = multiprocessing.get_context("forkserver")
"""Real processes that import the libraries once for all of them."""
processes.set_forkserver_preload(
    [
        *("optuna.storages._rdb.storage", "alembic.command", "alembic.config", "psycopg2", "sqlalchemy.orm"),
        *("sqlalchemy.dialects.sqlite", "storage.database.opening", "tests.studies", "tests.light_worker"),
    ]
)


def make_spec(name: str = "small", *, points: int = 6, pruner: str = "none", **changes: object) -> StudySpec:
    """A study of a few points, 3 folds and 4 epochs."""
    spec = parse(
        {
            "study": {"name": name, "trials": points, "lease_seconds": 5},
            "data": {"fingerprint": "sha256:" + "0" * 64},
            "training": {"epochs": 4},
            "cv": {"folds": 3},
            "search": {"batch_size": {"type": "int", "low": 16, "high": 2048}},
            "pruner": {"name": pruner, "min_resource": 1},
        },
        source="a test",
    )
    return spec.with_values(changes) if changes else spec


def make_study(database: Database, name: str = "small", **options: object) -> StudyRecord:
    """Create the study of `make_spec`, point n having batch size 16 + n."""
    spec = make_spec(name, **options)  # type: ignore[arg-type]
    planned = [{"batch_size": 16 + number} for number in range(spec.point_count)]
    return create_study(database, spec, planned, data_folder="", facts={})


def claim(database: Database, study: StudyRecord, worker: str = "worker") -> Claim:
    """Claim a point that is known to be there."""
    claimed = points.claim_point(database, study, worker=worker, token=str(uuid.uuid4()))
    assert claimed is not None
    return claimed


def expire(database: Database, held: Claim) -> None:
    """Let the lease of a claim run out now."""
    points.beat(database, held, lease_seconds=-1)


def make_row(point: int, fold: int, epoch: int, val_auc: float = 0.5, **changes: object) -> FoldEpoch:
    """One fold-epoch with every other number made up."""
    values: dict = dict.fromkeys(FoldEpoch.__dataclass_fields__, 0.5)
    values |= {"steps": 7, "samples": TRAIN_IMAGES, "labels_left_out": 0, "val_auc": val_auc} | changes
    return FoldEpoch(**{**values, "point": point, "fold": fold, "epoch": epoch})


@dataclass
class PretendFold:
    """A fold whose validation AUC is a formula of point, fold and epoch; trains nothing, counts steps rightly."""

    point: int
    fold: int
    batch_size: int
    auc: Callable[[int, int, int], float]
    train_index: np.ndarray
    val_index: np.ndarray
    applied_batch_size: int | None = None
    loss: float = 0.5
    epoch: int = 0
    has_stopped = False
    seconds: float = 0.0
    others: Callable[[int, int, int], dict[str, float]] = lambda *place: {}

    def run_epoch(self, epoch: int) -> FoldEpoch:
        """Pretend to train one epoch."""
        assert epoch == self.epoch + 1, f"epoch {epoch} after epoch {self.epoch}"
        time.sleep(self.seconds)
        self.epoch = epoch
        steps = math.ceil(TRAIN_IMAGES / (self.applied_batch_size or self.batch_size))
        auc = self.auc(self.point, self.fold, epoch)
        others = self.others(self.point, self.fold, epoch)
        return make_row(self.point, self.fold, epoch, auc, steps=steps, train_loss=self.loss, **others)

    def state(self) -> dict[str, np.ndarray]:
        """What the next epoch depends on."""
        return {"epoch": np.array(self.epoch)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state."""
        self.epoch = int(state["epoch"])

    def predict_validation(self) -> np.ndarray:
        """Predictions that tell the epoch they were made after."""
        return np.full((len(self.val_index), 2), self.epoch / 100, dtype=np.float32)


def rising_auc(point: int, fold: int, epoch: int) -> float:
    """Every point has a level of its own; curves rise until the last epoch but one, then fall a little."""
    return 0.5 + 0.02 * ((point * 7) % 11) + 0.01 * min(epoch, 3) - 0.004 * max(0, epoch - 3) + 0.003 * fold


@dataclass
class PretendObjective:
    """Evaluates trials by formula; `others` gives further numbers of a fold-epoch by their columns."""

    auc: Callable[[int, int, int], float] = rising_auc
    before: Callable[[Attempt], None] = lambda attempt: None
    applied_batch_size: int | None = None
    loss: float = 0.5
    seconds: float = 0.0
    others: Callable[[int, int, int], dict[str, float]] = lambda *place: {}
    at_once: int = 1
    takes_several: bool = True
    train_together: Callable[[Sequence[Any], int], None] | None = None

    def evaluate(self, attempt: Attempt) -> Outcome:
        """Cross-validate by formula."""
        self.before(attempt)

        def start_fold(number: int) -> PretendFold:
            return PretendFold(
                attempt.point,
                number,
                int(attempt.hyperparameters["batch_size"]),
                self.auc,
                np.arange(TRAIN_IMAGES),
                np.arange(10 * number, 10 * number + 10),
                self.applied_batch_size,
                self.loss,
                seconds=self.seconds,
                others=self.others,
            )

        schedule = attempt.study.spec.cv.schedule
        return cross_validate(
            attempt,
            start_fold,
            "sequential" if schedule == "sequential" else "lockstep",
            at_once=self.at_once,
            train_together=self.train_together,
        )
