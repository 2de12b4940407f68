"""One fold's training on images: for models whose backbone learns, and for changes that cannot be kept as features.

The folds of a study share one network and one compiled epoch: what a fold has learnt is put aside while another one
has the network. So a device holds one model, whatever the number of folds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workers.device import backend
from workers.device import preparation as devices
from workers.device.contract import Settings, State, Tensor
from workers.device.steps import StepRules, read_rules
from workers.heads.contract import Vectors
from workers.inputs.augmentation import draw_changes
from workers.inputs.image_contract import AnyImageEpoch, ImagePlan, ImageSet, image_backend
from workers.inputs.mixing import draw_mixture
from workers.models.network import Network
from workers.training.averaged import put_averages
from workers.training.fold_trainer import INITIAL_WEIGHTS
from workers.training.keras_adam import round_as_keras
from workers.training.learning_rates import plan_rates
from workers.training.results import EpochResult, summarize_epoch

if TYPE_CHECKING:
    import keras

    from storage.spec import StudySpec


class SharedNetwork:
    """The network of a study, which one fold has at a time.

    Args:
        spec: gives the model.
        target_count: number of labels.

    Raises:
        SpecError: no such backbone or layer, or the images are too small.
        WeightsError: the backbone's weights are missing or do not fit.
        ModelError: a model of the user's own is not installed or makes something else.
    """

    def __init__(self, spec: StudySpec, target_count: int) -> None:
        devices.import_quietly()
        self._spec, self._target_count = spec, target_count
        self._owner: ImageFoldTrainer | None = None
        self._build(spec.model.dropout_rate)

    @property
    def weight_count(self) -> int:
        """How many weights the optimizer changes."""
        return sum(int(np.prod(weight.shape)) for weight in self.network.weights)

    def make_image_set(
        self,
        pixels: NDArray[np.uint8],
        labels: NDArray[np.float32],
        shares: NDArray[np.float32] | None = None,
    ) -> ImageSet:
        """Pixels and labels of all development images, scaled as the network takes them; with `shares`, these are taught."""
        return image_backend().make_image_set(pixels, labels, self.network.scale, shares)

    def take(self, fold: ImageFoldTrainer) -> None:
        """Let a fold have the network; what the one before has learnt is put aside."""
        if self._owner is fold:
            return
        if self._owner is not None:
            self._owner.put_aside(self.slots.hold())
        self._owner = fold

    def begin(self, fold: ImageFoldTrainer, settings: Settings, seed: tuple[int, ...]) -> None:
        """Let a fold begin again: new weights, empty optimizer memory."""
        self.take(fold)
        rate = float(settings["dropout_rate"])
        if not self.network.dropout_acts_in_tail_only and rate != self._dropout_rate:
            # An own model has its dropout built in, so another rate is another graph.
            self._build(rate)
        self.slots.start(*self.network.draw(seed), self.epoch(fold.rules).memory)

    def epoch(self, rules: StepRules) -> AnyImageEpoch:
        """The compiled epoch for the rules of a step."""
        if rules not in self._epochs:
            self._epochs[rules] = image_backend().compile_image_epoch(self.network, rules, self.slots)
        return self._epochs[rules]

    def _build(self, dropout_rate: float) -> None:
        self._dropout_rate = dropout_rate
        self.network = Network(self._spec, self._target_count, dropout_rate)
        self.slots = backend.epoch_backend().make_slots(self.network.weights, self.network.statistics)
        self._epochs: dict[StepRules, AnyImageEpoch] = {}


class ImageFoldTrainer:
    """Trains one fold after the other on a network that it shares with the trainers of other folds."""

    has_stopped = False

    def __init__(self, spec: StudySpec, shared: SharedNetwork) -> None:
        self._spec = spec
        self._shared = shared
        self._aside: Mapping[str, Tensor] | None = None
        self.rules = StepRules()

    @property
    def model(self) -> keras.Model:
        """The Keras model from scaled pixels to probabilities, with what this fold has learnt: the average, where one is kept."""
        self._have_network()
        model = self._shared.network.model
        return put_averages(model, self._shared.slots.read()) if self.rules.averages else model

    def reset(
        self,
        images: ImageSet,
        train_index: NDArray[np.int64],
        val_index: NDArray[np.int64],
        hyperparameters: Settings,
        seed: tuple[int, int, int],
    ) -> None:
        """Begin a fold: new weights where they are not given, empty optimizer memory.

        Args:
            images: pixels and labels of all development images.
            train_index: images to train on; one that stands there twice is trained on twice in an epoch.
            val_index: images to validate on.
            hyperparameters: searched values, by name; the spec gives the others.
            seed: study seed, point and fold; decides weights, order, augmentation and dropout.
        """
        self._images, self._seed = images, seed
        self.train_index, self.val_index = np.asarray(train_index), np.asarray(val_index)
        settings = {**self._spec.all_hyperparameters, **hyperparameters}
        settings |= self._shared.network.kind.prepare(images.labels, self.train_index, settings)
        self._settings: Settings = settings
        self.rules = read_rules(settings, self._spec.training.optimizer_options)
        self._validation_logits: NDArray[np.float32] | None = None
        self._aside = None
        self._shared.begin(self, self._settings, (*seed, INITIAL_WEIGHTS))

    def run_epoch(self, epoch: int) -> EpochResult:
        """Train one epoch (1-based) and validate; everything random comes from (seed, epoch) alone.

        A diverged model gives NaN loss and AUC in the result.
        """
        began = time.perf_counter()
        self._have_network()
        generator = np.random.default_rng([*self._seed, epoch])
        order = generator.permutation(self.train_index)
        changes = draw_changes(generator, len(order), self._images.size, self._settings)
        batch_size = min(int(self._settings["batch_size"]), len(order))
        mixture = draw_mixture(generator, len(order), batch_size, self._images.size, self._settings)
        rates = plan_rates(self._settings, self._spec.training, epoch, math.ceil(len(order) / batch_size))
        seed = int(generator.integers(2**63))
        settings = round_as_keras(
            {**self._settings, "seed": seed, "learning_rate": rates.given, **rates.numbers}
        )
        slots = self._shared.slots
        steps_before = slots.steps_taken
        with devices.products_in(self._spec.training.precision):
            train_logits = self._shared.epoch(self.rules).train(
                self._images, ImagePlan(order, batch_size, changes, mixture), settings
            )
        steps = slots.steps_taken - steps_before
        self._validation_logits = None
        task, labels = self._spec.task, self._images.labels
        seen = order if mixture is None else order[mixture.leading]
        train = task.score(labels[seen], train_logits, self._settings)
        val = task.score(labels[self.val_index], self._validate(), self._settings, medical=True)
        seconds = time.perf_counter() - began
        return summarize_epoch(train, val, steps, len(train_logits), seconds, rates.last)

    def predict_validation(self) -> NDArray[np.float32]:
        """Probabilities or numbers of the validation images with the weights of now, shape (n validation, targets)."""
        return self._spec.task.values(self._validate(), self._settings)

    @property
    def units(self) -> Vectors:
        """What the fold learns with (`workers.heads.contract.Head.prepare`)."""
        return {name: self._settings[name] for name in self._shared.network.kind.vectors}

    def state(self) -> State:
        """Everything that the next epoch depends on besides the arguments of `reset`, as named arrays."""
        if self._aside is None:
            return self._shared.slots.read()
        return {name: np.array(value) for name, value in self._aside.items()}

    def restore(self, state: State) -> None:
        """Go on from a `state`, after a `reset` with the same arguments."""
        self._aside = state
        self._validation_logits = None

    def put_aside(self, state: Mapping[str, Tensor]) -> None:
        """Keep what was learnt while another fold has the network."""
        if self._aside is None:
            self._aside = state

    def _have_network(self) -> None:
        self._shared.take(self)
        if self._aside is not None:
            self._shared.slots.write(self._aside)
            self._aside = None

    def _validate(self) -> NDArray[np.float32]:
        if self._validation_logits is None:
            self._have_network()
            with devices.products_in(self._spec.training.precision):
                self._validation_logits = self._shared.epoch(self.rules).predict(self._images, self.val_index)
        return self._validation_logits
