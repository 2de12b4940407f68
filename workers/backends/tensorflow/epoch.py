"""The TensorFlow backend of training: one epoch as one graph, no Python per step.

The graph is traced once for a head and then runs for any weights of its shapes: variables come in as
resource handles, and every hyperparameter, the dropout rate included, as a tensor. So neither the folds
of a trial nor the trials of a study trace again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from workers.backends.tensorflow.augmentation import change
from workers.backends.tensorflow.device import products_in
from workers.backends.tensorflow.dropout import BYTES_PER_UNIT, draw_bits, drop, make_generator
from workers.backends.tensorflow.optimizers import Stepper, masked_cross_entropy, read, write
from workers.device.backend import SETTINGS
from workers.device.contract import Epoch, FoldTask, Slots
from workers.device.steps import AVERAGE, MOMENTS, Memory, StepRules
from workers.heads.contract import Head
from workers.heads.sigmoid import SIGMOID
from workers.models.head_pass import HeadPass, running_statistics

if TYPE_CHECKING:
    from storage.spec import Precision

ADAM = StepRules()
RANDOM_BYTES = 2**24
"""What the random bits of one call of the graph may take; an epoch of more images is several calls."""


class OptimizerSlots(Slots):
    """What training changes of one model: weights, the optimizer's memory, running statistics, steps really taken.

    Args:
        weights: what the optimizer changes.
        statistics: what the forward pass changes: means and variances of BatchNormalization, seeds of dropout.
    """

    def __init__(self, weights: Sequence[Any], statistics: Sequence[Any] = ()) -> None:
        self.weights: list[tf.Variable] = [weight.value for weight in weights]
        self.statistics: list[tf.Variable] = [statistic.value for statistic in statistics]
        self.memory: dict[str, list[tf.Variable]] = {}
        self._kept: dict[Any, list[tf.Variable]] = {}
        self.steps = tf.Variable(0, dtype=tf.int64)
        self._begin(MOMENTS)

    @property
    def steps_taken(self) -> int:
        """Optimizer steps since the start, counted by the graph."""
        return int(self.steps.numpy())

    def settle(self) -> None:
        """Nothing to do: the Keras model is at any time the model of now."""

    def read(self) -> dict[str, NDArray[Any]]:
        """Copy everything that the next step depends on."""
        return {name: np.array(value) for name, value in self.hold().items()}

    def hold(self) -> dict[str, Any]:
        """The tensors of now under the names of `read`; nothing is copied: a variable that changes while one is kept gets memory of its own."""
        state = {
            f"{name}_{n}": variable.read_value()
            for name, variables in self._groups().items()
            for n, variable in enumerate(variables)
        }
        return {**state, "steps": self.steps.read_value()}

    def write(self, state: Mapping[str, Any]) -> None:
        """Go back to what `read` or `hold` returned."""
        for name, variables in self._groups().items():
            for n, variable in enumerate(variables):
                variable.assign(state[f"{name}_{n}"])
        self.steps.assign(state["steps"])

    def start(
        self,
        weights: Sequence[NDArray[Any]],
        statistics: Sequence[NDArray[Any]] = (),
        memory: Memory = MOMENTS,
    ) -> None:
        """Begin again from these weights and statistics, with the memory of an epoch."""
        for variable, value in zip((*self.weights, *self.statistics), (*weights, *statistics), strict=True):
            variable.assign(value)
        self._begin(memory)
        self.steps.assign(0)

    def handles(self, memory: Memory) -> dict[str, list[Any]]:
        """Resource handles of what is remembered, in the order of `memory`."""
        return {name: [variable.handle for variable in self.memory[name]] for name in memory}

    def _begin(self, memory: Memory) -> None:
        """Remember what an optimizer does at its start, in the variables that a graph of the same kind was traced with."""
        self.memory = {}
        for name, values in memory.items():
            begin = [tf.zeros_like(weight) for weight in self.weights] if values is None else list(values)
            kind = (name, tuple((tuple(value.shape), tf.as_dtype(value.dtype)) for value in begin))
            if kind not in self._kept:
                self._kept[kind] = [tf.Variable(value) for value in begin]
            for variable, value in zip(self._kept[kind], begin, strict=True):
                variable.assign(value)
            self.memory[name] = self._kept[kind]

    def _groups(self) -> dict[str, list[tf.Variable]]:
        return {"weight": self.weights, "statistic": self.statistics, **self.memory}


class CompiledEpoch(Epoch[OptimizerSlots]):
    """The training epoch and the forward pass of one kind of head; built from what `EpochBackend.compile_epoch` is given."""

    def __init__(
        self,
        head: keras.Sequential,
        *,
        standardized: bool,
        rules: StepRules = ADAM,
        precision: Precision = "float32",
        kind: Head = SIGMOID,
    ) -> None:
        self._pass, self._precision, self._kind = HeadPass(head), precision, kind
        self._weights = [tf.TensorSpec(weight.shape) for weight in head.trainable_variables]
        self._statistics = [tf.TensorSpec(statistic.shape) for statistic in running_statistics(head)]
        self._standardized = standardized
        self._rules, self._stepper = rules, Stepper(rules, head.trainable_variables)
        self.memory = self._stepper.memory
        self.feature_precision = self._pass.input_precision(standardized=standardized)
        self._dropout = {
            place: layer.input.shape[-1]
            for place, layer in enumerate(self._pass.layers)
            if isinstance(layer, keras.layers.Dropout)
        }
        features = tf.TensorSpec([None, head.input_shape[-1]], self.feature_precision)
        labels = tf.TensorSpec([None, head.output_shape[-1]], tf.float32)
        vector = tf.TensorSpec([head.input_shape[-1]], tf.float32)
        indices, number = tf.TensorSpec([None], tf.int32), tf.TensorSpec([], tf.float32)
        handle = tf.TensorSpec([], tf.resource)
        handles = [handle] * len(self._weights)
        memory = {
            name: handles if values is None else [handle] * len(values)
            for name, values in self.memory.items()
        }
        statistics = [handle] * len(self._statistics)
        settings = {
            "batch_size": tf.TensorSpec([], tf.int32),
            **dict.fromkeys(
                (*SETTINGS, "dropout_rate", "label_smoothing", *rules.numbers, *kind.numbers), number
            ),
            **dict.fromkeys(kind.vectors, tf.TensorSpec([head.output_shape[-1]], tf.float32)),
        }
        self._setting_names = tuple(settings)
        self._train = tf.function(
            self._train_graph,
            autograph=False,
            input_signature=[
                (handles, memory, statistics, handle),
                features,
                (vector, vector),
                labels,
                indices,
                indices,
                {place: tf.TensorSpec([None, width], tf.uint16) for place, width in self._dropout.items()},
                settings,
            ],
        )
        self._predict = tf.function(
            self._predict_graph,
            autograph=False,
            input_signature=[handles, statistics, features, (vector, vector), indices],
        )

    def train(self, fold: FoldTask) -> NDArray[np.float32]:
        """As `workers.device.contract.Epoch.train`."""
        slots: OptimizerSlots = fold.slots
        handles = (
            [weight.handle for weight in slots.weights],
            slots.handles(self.memory),
            [statistic.handle for statistic in slots.statistics],
            slots.steps.handle,
        )
        tensors = {
            name: tf.constant(fold.settings[name], tf.int32 if name == "batch_size" else tf.float32)
            for name in self._setting_names
        }
        generator = make_generator(fold.settings["seed"])
        parts = []
        for part in self._divide(len(fold.order), fold.settings["batch_size"]):
            indices = tf.constant(fold.order[part]), tf.constant(fold.rows[part])
            bits = {
                place: tf.constant(draw_bits(generator, len(fold.order[part]), width))
                for place, width in self._dropout.items()
            }
            with products_in(self._precision):
                logits = self._train(handles, fold.features, fold.scale, fold.labels, *indices, bits, tensors)
            parts.append(logits.numpy())
        return np.concatenate(parts)

    def _divide(self, count: int, batch_size: int) -> Iterator[slice]:
        """Whole batches, as many at once as `RANDOM_BYTES` has random bits for."""
        per_batch = BYTES_PER_UNIT * sum(self._dropout.values()) * batch_size
        size = max(1, RANDOM_BYTES // max(1, per_batch)) * batch_size
        for start in range(0, count, size):
            yield slice(start, start + size)

    def predict(
        self, slots: OptimizerSlots, features: Any, scale: tuple[Any, Any], rows: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        """Logits without dropout, shape (len(rows), targets)."""
        weights = slots.memory[AVERAGE] if self._rules.averages else slots.weights
        handles = [weight.handle for weight in weights]
        statistics = [statistic.handle for statistic in slots.statistics]
        with products_in(self._precision):
            return self._predict(handles, statistics, features, scale, tf.constant(rows)).numpy()

    def _train_graph(
        self,
        handles: Any,
        features: Any,
        scale: Any,
        labels: Any,
        order: Any,
        rows: Any,
        bits: dict[int, Any],
        settings: dict[str, Any],
    ) -> Any:
        weight_handles, memory_handles, statistic_handles, step_handle = handles
        count = tf.size(order)
        # One full batch at most: it also keeps start + batch_size within int32.
        batch_size = tf.minimum(settings["batch_size"], count)

        def step(start: Any, number: Any, collected: Any) -> tuple[Any, Any, Any]:
            end = tf.minimum(start + batch_size, count)
            inputs = self._gather(features, scale, rows[start:end])
            targets = tf.gather(labels, order[start:end])
            weights = read(weight_handles, self._weights)
            statistics = read(statistic_handles, self._statistics)

            def drop_units(outputs: Any, place: int) -> Any:
                return drop(outputs, settings["dropout_rate"], bits[place][start:end])

            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(weights)
                logits, updated = self._pass.logits(weights, statistics, inputs, drop_units)
                loss = self._kind.loss(targets, logits, settings, masked_cross_entropy)
            gradients = tape.gradient(loss, weights)
            # Waiting for every gradient spares a copy: a weight still in use is not updated in place.
            with tf.control_dependencies(gradients):
                tf.raw_ops.AssignAddVariableOp(resource=step_handle, value=tf.constant(1, tf.int64))
                taken = tf.raw_ops.ReadVariableOp(resource=step_handle, dtype=tf.int64)
                self._stepper.take(weight_handles, memory_handles, gradients, taken, settings)
                write(statistic_handles, updated)
            return end, number + 1, collected.write(number, logits)

        batches = tf.TensorArray(
            tf.float32,
            size=(count + batch_size - 1) // batch_size,
            infer_shape=False,
            element_shape=[None, self._pass.width],
        )
        _, _, batches = tf.while_loop(
            lambda start, number, collected: start < count, step, (0, 0, batches), parallel_iterations=1
        )
        return batches.concat()

    def _predict_graph(self, handles: Any, statistics: Any, features: Any, scale: Any, rows: Any) -> Any:
        weights, measured = read(handles, self._weights), read(statistics, self._statistics)
        return self._pass.logits(weights, measured, self._gather(features, scale, rows))[0]

    def _gather(self, features: Any, scale: tuple[Any, Any], rows: Any) -> Any:
        gathered = tf.gather(features, rows)
        mean, inverse_sd = scale
        return (gathered - mean) * inverse_sd if self._standardized else gathered


def make_slots(weights: Sequence[keras.Variable], statistics: Sequence[keras.Variable]) -> OptimizerSlots:
    """As `workers.device.contract.EpochBackend.make_slots`."""
    return OptimizerSlots(weights, statistics)


def make_forward(
    backbone: keras.Model, scale: Callable[[np.ndarray], np.ndarray], precision: Precision
) -> None:
    """As `workers.device.contract.EpochBackend.make_forward`: Keras's own is what there is."""


def change_images(
    images: np.ndarray,
    matrices: np.ndarray,
    shifts: np.ndarray,
    drawn: Mapping[str, tuple[np.ndarray, ...]],
) -> NDArray[np.float32]:
    """As `workers.device.contract.EpochBackend.change_images`."""
    return np.asarray(change(images, matrices, shifts, drawn), np.float32)


def compile_epoch(
    head: keras.Sequential, *, standardized: bool, rules: StepRules, precision: Precision, kind: Head
) -> CompiledEpoch:
    """As `workers.device.contract.EpochBackend.compile_epoch`."""
    return CompiledEpoch(head, standardized=standardized, rules=rules, precision=precision, kind=kind)
