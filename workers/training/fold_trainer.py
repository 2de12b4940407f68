"""One fold's training: the only place that steps an optimizer.

A `FoldTrainer` is built once per fold slot and used for every trial: `reset` puts new weights into the
same Keras model, and the compiled epoch takes every hyperparameter as an input.
"""

from __future__ import annotations

import functools
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from storage.metrics import epoch as metrics
from storage.spec import DataSection, ModelSection, StudySection, StudySpec, TrainingSection
from workers.device import backend
from workers.device import preparation as devices
from workers.device.contract import AnyEpoch, FoldTask, Settings, State, TrainedFold
from workers.device.steps import StepRules, read_rules
from workers.heads.contract import Vectors
from workers.heads.kinds import find_head
from workers.inputs.feature_set import FeatureSet
from workers.models.head import build_head
from workers.training.averaged import put_averages
from workers.training.keras_adam import round_as_keras
from workers.training.learning_rates import plan_rates
from workers.training.results import EpochResult, summarize_epoch

if TYPE_CHECKING:
    import keras

    from storage.spec import Precision

INITIAL_WEIGHTS = 0
"""Stands in the place of the (1-based) epoch where a seed draws the weights before the first epoch."""

KEPT_PROGRAMS = 32
"""Compiled epochs that a process keeps, some 5 MiB each: a search over head widths would otherwise fill the memory with its shapes."""

_COMPILING = threading.Lock()


@dataclass(frozen=True)
class EpochPlan:
    """An epoch that is to be trained: what the backend is handed, the rate of its last step, and the steps taken before."""

    epoch: int
    task: FoldTask
    learning_rate: float
    steps_before: int


@dataclass(frozen=True)
class TrainedEpoch:
    """An epoch that was trained and is not recorded yet.

    Attributes:
        plan: what it learnt from.
        steps: that it took.
        logits: that training saw; None where `scores` is there.
        scores: of training and validation, where the backend has counted them.
    """

    plan: EpochPlan
    steps: int
    logits: NDArray[np.float32] | None
    scores: tuple[metrics.Scores, metrics.Scores] | None


class FoldTrainer:
    """Trains heads of one shape, one after the other, each on one fold.

    Args:
        spec: gives the head, the precision and the values of hyperparameters that are not searched.
        feature_count: length of a feature vector.
        target_count: number of labels.
    """

    has_stopped = False

    def __init__(self, spec: StudySpec, feature_count: int, target_count: int) -> None:
        devices.import_quietly()
        from workers.models.head_pass import running_statistics

        self._spec = spec
        self._kind = find_head(spec.data.task, spec.loss)
        self._model = build_head(spec, feature_count, target_count)
        self._slots = backend.epoch_backend().make_slots(
            self._model.trainable_variables, running_statistics(self._model)
        )
        self._shape = (feature_count, target_count)
        self._averages = False

    @property
    def model(self) -> keras.Sequential:
        """The Keras model with the weights of now, or with their average where one is kept: what is validated."""
        self._slots.settle()
        return put_averages(self._model, self._slots.read()) if self._averages else self._model

    def reset(
        self,
        features: FeatureSet,
        train_index: NDArray[np.int64],
        val_index: NDArray[np.int64],
        hyperparameters: Settings,
        seed: tuple[int, int, int],
    ) -> None:
        """Begin a fold: new weights, empty optimizer memory.

        Args:
            features: features and labels of all development images.
            train_index: images to train on.
            val_index: images to validate on.
            hyperparameters: searched values, by name; the spec gives the others.
            seed: study seed, point and fold; decides weights, order, views and dropout.
        """
        from workers.models.head_pass import running_statistics

        self._features, self._seed = features, seed
        self.train_index, self.val_index = np.asarray(train_index), np.asarray(val_index)
        spec = self._spec
        self._settings = {**spec.all_hyperparameters, **hyperparameters}
        self._settings |= self._kind.prepare(features.labels, self.train_index, self._settings)
        rules = read_rules(self._settings, spec.training.optimizer_options)
        self._averages = rules.averages
        with _COMPILING:  # several trials that begin together would each make their own
            self._compiled = _compile(
                spec.model.head,
                spec.model.head_normalization,
                spec.training.precision,
                spec.model.standardizes,
                rules,
                (spec.data.task, spec.loss),
                *self._shape,
            )
        self._resident = features.resident(self._compiled.feature_precision)
        self._validation_rows = features.locate(self.val_index)
        standardizes = self._spec.model.standardizes
        self._scale = features.scale(self.train_index) if standardizes else features.unscaled
        self._validation_logits: NDArray[np.float32] | None = None
        self._trained: TrainedEpoch | None = None
        generator = np.random.default_rng([*seed, INITIAL_WEIGHTS])
        self._slots.start(
            [
                _draw_weight(generator, tuple(weight.shape), name=weight.path)
                for weight in self._model.trainable_variables
            ],
            [
                np.full(statistic.shape, statistic.path.endswith("variance"), np.float32)
                for statistic in running_statistics(self._model)
            ],
            self._compiled.memory,
        )

    def run_epoch(self, epoch: int) -> EpochResult:
        """Train one epoch (1-based) and validate; order, views and dropout come from (seed, epoch) alone.

        What `train_together` has trained is only scored. A diverged model gives NaN loss and AUC in the result.
        """
        began = time.perf_counter()
        if self._trained is None or self._trained.plan.epoch != epoch:
            plan = self.plan_epoch(epoch)
            self.take_over(plan, TrainedFold(logits=self._compiled.train(plan.task)))
        trained, self._trained = self._trained, None
        assert trained is not None
        train, val = trained.scores or self._score(trained)
        return summarize_epoch(
            train,
            val,
            trained.steps,
            len(trained.plan.task.order),
            time.perf_counter() - began,
            trained.plan.learning_rate,
        )

    @property
    def compiled(self) -> AnyEpoch:
        """What trains it: the same for trainers that were begun with the same hyperparameters."""
        return self._compiled

    def plan_epoch(self, epoch: int) -> EpochPlan:
        """Draw order, views and seed of an epoch, counted from 1."""
        generator = np.random.default_rng([*self._seed, epoch])
        order = generator.permutation(self.train_index)
        views = self._features.draw_views(generator, self._settings["augmentation"], len(order))
        steps = math.ceil(len(order) / min(int(self._settings["batch_size"]), len(order)))
        rates = plan_rates(self._settings, self._spec.training, epoch, steps)
        seed = int(generator.integers(2**63))
        settings = round_as_keras(
            {**self._settings, "seed": seed, "learning_rate": rates.given, **rates.numbers}
        )
        is_soft = self._spec.training.soft_labels
        task = FoldTask(
            self._slots,
            self._resident,
            self._scale,
            self._features.resident_shares if is_soft else self._features.resident_labels,
            order.astype(np.int32),
            self._features.locate(order, views),
            settings,
            self.val_index.astype(np.int32),
            self._validation_rows,
            self._features.resident_labels if is_soft else None,
        )
        return EpochPlan(epoch, task, rates.last, self._slots.steps_taken)

    def take_over(self, plan: EpochPlan, trained: TrainedFold) -> None:
        """Keep what the backend made of a plan of `plan_epoch`, for `run_epoch` to score."""
        steps = self._slots.steps_taken - plan.steps_before
        self._trained = TrainedEpoch(plan, steps, trained.logits, trained.scores)
        self._validation_logits = trained.validation_logits

    def _score(self, trained: TrainedEpoch) -> tuple[metrics.Scores, metrics.Scores]:
        assert trained.logits is not None
        labels = self._features.labels
        return (
            self._spec.task.score(labels[trained.plan.task.order], trained.logits, self._settings),
            self._spec.task.score(labels[self.val_index], self._validate(), self._settings, medical=True),
        )

    def predict_validation(self) -> NDArray[np.float32]:
        """Probabilities or numbers of the validation images with the weights of now, shape (n validation, targets)."""
        return self._spec.task.values(self._validate(), self._settings)

    @property
    def units(self) -> Vectors:
        """What the fold learns with (`workers.heads.contract.Head.prepare`)."""
        return {name: self._settings[name] for name in self._kind.vectors}

    def state(self) -> State:
        """Everything that the next epoch depends on besides the arguments of `reset`, as named arrays."""
        return self._slots.read()

    def restore(self, state: State) -> None:
        """Go on from a `state`, after a `reset` with the same arguments: bit for bit as if never stopped."""
        self._slots.write(state)
        self._validation_logits = self._trained = None

    def _validate(self) -> NDArray[np.float32]:
        if self._validation_logits is None:
            self._validation_logits = self._compiled.predict(
                self._slots, self._resident, self._scale, self._validation_rows
            )
        return self._validation_logits


def train_together(trainers: Sequence[FoldTrainer], epoch: int, is_going: Sequence[bool]) -> None:
    """Train an epoch of the folds of one trial in one computation; their `run_epoch` only scores it then.

    Args:
        trainers: begun with the same features and hyperparameters.
        epoch: counted from 1.
        is_going: whether each of them is to be trained; the others stay as they are.
    """
    plans = [trainer.plan_epoch(epoch) for trainer in trainers]
    trained = trainers[0].compiled.train_together([plan.task for plan in plans], is_going)
    for trainer, plan, result, goes in zip(trainers, plans, trained, is_going, strict=True):
        if goes:
            trainer.take_over(plan, result)


@functools.lru_cache(maxsize=KEPT_PROGRAMS)
def _compile(
    widths: tuple[int, ...],
    normalizes: bool,
    precision: Precision,
    standardizes: bool,
    rules: StepRules,
    kind: tuple[str, str],
    feature_count: int,
    target_count: int,
) -> AnyEpoch:
    """One compiled epoch per kind of head and process: tracing it costs about as much as an epoch.

    Those that were used longest ago are let go, and traced again when a trial asks for them: that decides no value.
    """
    spec = StudySpec(
        study=StudySection(name="compiled"),
        data=DataSection(task=kind[0]),
        model=ModelSection(head=widths, head_normalization=normalizes),
        training=TrainingSection(precision=precision, **({"loss": kind[1]} if kind[1] else {})),
    )
    return backend.epoch_backend().compile_epoch(
        build_head(spec, feature_count, target_count),
        standardized=standardizes,
        rules=rules,
        precision=precision,
        kind=find_head(*kind),
    )


def _draw_weight(generator: np.random.Generator, shape: tuple[int, ...], *, name: str) -> NDArray[np.float32]:
    """Glorot uniform for kernels, U(-l, l) with l = sqrt(6 / (inputs + outputs)); 1 for gammas, 0 for biases."""
    if len(shape) == 1:
        return np.full(shape, name.endswith("gamma"), np.float32)
    limit = np.float32(np.sqrt(6 / sum(shape)))
    return limit * (2 * generator.random(shape, dtype=np.float32) - 1)
