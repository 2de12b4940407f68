"""The JAX backend of training: one epoch as a compiled loop, no Python per step.

XLA compiles for fixed shapes, and a batch size is a shape. So a batch is padded to the next of a few sizes (`padded_size`)
with rows that count for nothing: their labels are blank, BatchNormalization does not measure them, and what is written of
them is overwritten or cut off. The batch size itself, the number of steps and every hyperparameter are inputs of the loop.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
from numpy.typing import NDArray

from workers.backends.jax.augmentation import change
from workers.backends.jax.device import products_in, stacks_folds
from workers.backends.jax.forward import ImageForward, tabulate
from workers.backends.jax.layers.suited import suited_layers
from workers.backends.jax.optimizers import Stepper, masked_cross_entropy, multiply_few_rows
from workers.backends.jax.sizes import STEPS_PER_OCTAVE, STEPS_PER_OCTAVE_OF_A_GPU, pad, padded_size
from workers.backends.jax.stack import StackedEpoch, StackedState
from workers.device.backend import SETTINGS
from workers.device.contract import Epoch, FoldTask, Slots, TrainedFold
from workers.device.steps import MOMENTS, Memory, StepRules
from workers.heads.contract import Head
from workers.heads.sigmoid import SIGMOID
from workers.models.head_pass import HeadPass

if TYPE_CHECKING:
    from storage.spec import Precision

ADAM = StepRules()
NUMBERS = (*SETTINGS, "dropout_rate", "label_smoothing")
"""Hyperparameters of a step that are one number."""

FEW_ROWS = 24
"""Up to so many rows a GPU sums gradients up within the optimizer's step.

More would take longer than the memory does, and of a sum over 32 XLA makes a kernel of its own, which writes its result."""

_change = jax.jit(change)

State = dict[str, Any]
"""What training changes: lists of arrays by kind, and how many steps were taken."""


class OptimizerSlots(Slots):
    """What training changes of one model: weights, the optimizer's memory, running statistics, steps really taken.

    Weights and statistics stay in the Keras model, which is the model of now; while they are trained with those of other folds (`shared`),
    it is so after `settle`.

    Args:
        weights: what the optimizer changes.
        statistics: what the forward pass changes: means and variances of BatchNormalization.
    """

    shared: tuple[StackedState, int] | None
    _memory: dict[str, list[Any]]

    def __init__(self, weights: Sequence[Any], statistics: Sequence[Any] = ()) -> None:
        self._weights, self._statistics = list(weights), list(statistics)
        self._begin(MOMENTS)

    @property
    def steps_taken(self) -> int:
        """Optimizer steps since the start, counted by the compiled loop."""
        if self.shared is not None:
            state, place = self.shared
            return int(state.steps[place])
        return int(self._steps)

    def share(self, state: StackedState, place: int) -> None:
        """From now on the arrays are those of one place of a `StackedState`; `settle` brings them back into the model."""
        self.shared = (state, place)
        self._memory = {name: [] for name in self._memory}

    def settle(self) -> None:
        """Put what is shared back into the Keras model."""
        if self.shared is not None:
            self.put(self.take())

    def read(self) -> dict[str, NDArray[Any]]:
        """Copy everything that the next step depends on; named as by the TensorFlow backend."""
        return {name: np.array(value) for name, value in self.hold().items()}

    def hold(self) -> dict[str, Any]:
        """The arrays of now under the names of `read`; nothing is copied."""
        arrays = {
            f"{name}_{n}": value
            for name, values in self.take().items()
            if name != "steps"
            for n, value in enumerate(values)
        }
        return {**arrays, "steps": np.array(self.steps_taken, np.int64)}

    def write(self, state: Mapping[str, Any]) -> None:
        """Go back to what `read` or `hold` returned; arrays of JAX are taken as they are, and belong to these slots from now on."""
        sizes = {"weight": len(self._weights), "statistic": len(self._statistics), **self._sizes}
        arrays: State = {
            name: send([state[f"{name}_{n}"] for n in range(size)]) for name, size in sizes.items()
        }
        self.put({**arrays, "steps": send([np.int32(state["steps"])])[0]})

    def start(
        self,
        weights: Sequence[NDArray[Any]],
        statistics: Sequence[NDArray[Any]] = (),
        memory: Memory = MOMENTS,
    ) -> None:
        """Begin again from these weights and statistics, with the memory of an epoch."""
        own = (*self._weights, *self._statistics)
        for variable, value in zip(own, send([*weights, *statistics]), strict=True):
            variable.assign(value)
        self._begin(memory)

    def take(self) -> State:
        """The arrays of now."""
        if self.shared is not None:
            state, place = self.shared
            return state.take(place)
        return {
            "weight": [variable.value for variable in self._weights],
            "statistic": [variable.value for variable in self._statistics],
            **self._memory,
            "steps": self._steps,
        }

    def put(self, state: State) -> None:
        """Keep these arrays; they are never changed in place."""
        self.shared = None
        own = (*self._weights, *self._statistics)
        for variable, value in zip(own, (*state["weight"], *state["statistic"]), strict=True):
            variable.assign(value)
        self._memory = {name: list(state[name]) for name in self._sizes}
        self._steps = state["steps"]

    def _begin(self, memory: Memory) -> None:
        self.shared = None
        self._memory = {
            name: send(
                [np.zeros(variable.shape, np.float32) for variable in self._weights]
                if values is None
                else [np.asarray(value) for value in values]
            )
            for name, values in memory.items()
        }
        self._sizes = {name: len(arrays) for name, arrays in self._memory.items()}
        self._steps = send([np.int32(0)])[0]


class CompiledEpoch(Epoch[OptimizerSlots]):
    """The training epoch and the forward pass of one kind of head; built from what `EpochBackend.compile_epoch` is given.

    Attributes:
        stacked: the same for several folds at once.
    """

    def __init__(
        self,
        head: keras.Sequential,
        *,
        standardized: bool,
        rules: StepRules = ADAM,
        precision: Precision = "float32",
        kind: Head = SIGMOID,
    ) -> None:
        self._pass, self._kind = HeadPass(head), kind
        self._standardized = standardized
        self.feature_precision = self._pass.input_precision(standardized=standardized)
        self._rules, self._stepper = rules, Stepper(rules, head.trainable_variables)
        self.memory = self._stepper.memory
        self._is_gpu = stacks_folds()
        self._width, self._is_for_gpu = self._pass.width, stacks_folds()
        self._numbers = (*NUMBERS, *rules.numbers, *kind.numbers)
        self._read_settings = functools.partial(read_settings, names=self._numbers, vectors=kind.vectors)
        train, predict = (products_of(precision, each) for each in (self.run, self.run_forward))
        # The old state and the logits so far are given away, so that they are overwritten where they lie.
        self._train = jax.jit(train, static_argnames="padded", donate_argnames=("state", "collected"))
        self._predict = jax.jit(predict)
        self.stacked = StackedEpoch(
            train,
            predict,
            self._read_settings,
            names=self._numbers,
            vectors=kind.vectors,
            targets=head.output_shape[-1],
            width=self._width,
            is_counted=kind.is_counted,
            standardized=standardized,
            validated=rules.weights,
            sizes_per_octave=STEPS_PER_OCTAVE_OF_A_GPU if self._is_for_gpu else STEPS_PER_OCTAVE,
        )

    def train(self, fold: FoldTask) -> NDArray[np.float32]:
        """As `workers.device.contract.Epoch.train`."""
        slots: OptimizerSlots = fold.slots
        count = len(fold.order)
        batch_size = min(int(fold.settings["batch_size"]), count)
        length = 2 * padded_size(count)
        order, rows = (pad(indices, length) for indices in (fold.order, fold.rows))
        numbers, seed = self._read_settings(fold.settings)
        full, rest = divmod(count, batch_size)
        state, collected = slots.take(), jnp.zeros((length, self._width), jnp.float32)
        # Two loops: padded to the size of a full batch, the short last one would cost as much as a full one.
        for first, steps, rows_at_most in ((0, full, batch_size), (full, 1, rest)):
            if rows_at_most:
                plan = {"first": first, "steps": steps, "batch_size": batch_size, "count": count}
                state, collected = self._train(
                    state=state,
                    collected=collected,
                    features=fold.features,
                    scale=fold.scale,
                    labels=fold.labels,
                    order=order,
                    rows=rows,
                    settings=numbers,
                    seed=seed,
                    plan={name: np.int32(value) for name, value in plan.items()},
                    padded=padded_size(rows_at_most),
                )
        slots.put(state)
        return np.array(collected[:count])

    def predict(
        self, slots: OptimizerSlots, features: Any, scale: tuple[Any, Any], rows: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        """Logits without dropout, shape (len(rows), targets)."""
        state = slots.take()
        padded = pad(rows, padded_size(len(rows)))
        return np.array(
            self._predict(state[self._rules.weights], state["statistic"], features, scale, padded)[
                : len(rows)
            ]
        )

    def train_together(self, folds: Sequence[FoldTask], is_kept: Sequence[bool]) -> list[TrainedFold]:
        """As `workers.device.contract.Epoch.train_together`, in one computation."""
        return self.stacked.run_epoch(folds, is_kept)

    def run(
        self,
        state: State,
        collected: Any,
        features: Any,
        scale: Any,
        labels: Any,
        order: Any,
        rows: Any,
        settings: dict[str, Any],
        seed: Any,
        plan: dict[str, Any],
        *,
        padded: int,
        uneven: bool = False,
    ) -> tuple[State, Any]:
        """Take `plan["steps"]` steps from batch `plan["first"]` on, each of `padded` rows.

        Args:
            uneven: there may be fewer batches than these steps: beyond the last one nothing changes.
        """
        multiply = multiply_few_rows if self._is_for_gpu and padded <= FEW_ROWS else None

        def step(number: Any, carry: tuple[State, Any]) -> tuple[State, Any]:
            state, collected = carry
            place = plan["first"] + number
            begin = place * plan["batch_size"]
            inside = jnp.arange(padded) < jnp.minimum(plan["batch_size"], plan["count"] - begin)
            images = jax.lax.dynamic_slice(order, (begin,), (padded,))
            inputs = self._gather(features, scale, jax.lax.dynamic_slice(rows, (begin,), (padded,)))
            targets = jnp.where(inside[:, None], labels[images], jnp.nan)
            drop = functools.partial(
                drop_units,
                settings["dropout_rate"],
                jax.random.fold_in(jax.random.wrap_key_data(seed), place),
            )

            def loss(weights: list[Any]) -> tuple[Any, tuple[Any, list[Any]]]:
                with suited_layers(gpu=self._is_gpu):
                    logits, updated = self._pass.logits(
                        weights, state["statistic"], inputs, drop, inside, multiply
                    )
                return self._kind.loss(targets, logits, settings, masked_cross_entropy), (logits, updated)

            gradients, (logits, updated) = jax.grad(loss, has_aux=True)(state["weight"])
            taken = state["steps"] + 1
            memory = {name: state[name] for name in self.memory}
            keep = functools.partial(jnp.where, plan["count"] > begin) if uneven else lambda new, _: new
            weights, memory = self._stepper.take(state["weight"], memory, gradients, taken, settings, keep)
            updated = [keep(*pair) for pair in zip(updated, state["statistic"], strict=True)]
            after = {"weight": weights, "statistic": updated, **memory, "steps": keep(taken, state["steps"])}
            return after, jax.lax.dynamic_update_slice(collected, logits, (begin, 0))

        return jax.lax.fori_loop(0, plan["steps"], step, (state, collected))

    def run_forward(self, weights: Any, statistics: Any, features: Any, scale: Any, rows: Any) -> Any:
        """Logits without dropout of some rows of the features."""
        with suited_layers(gpu=self._is_gpu):
            return self._pass.logits(weights, statistics, self._gather(features, scale, rows))[0]

    def _gather(self, features: Any, scale: tuple[Any, Any], rows: Any) -> Any:
        gathered = features[rows]
        mean, inverse_sd = scale
        return (gathered - mean) * inverse_sd if self._standardized else gathered


def send(arrays: Sequence[Any]) -> list[Any]:
    """Copies on the device; arrays that lie there already are taken as they are.

    Nothing is computed, as it is by `jnp.array` and `jnp.zeros`: of these JAX compiles a program for each shape.
    """
    # Copied here: a processor may work on the array of the host itself, whatever `may_alias` says, and its owner may change it.
    away = [np.array(array) for array in arrays if not isinstance(array, jax.Array)]
    brought = iter(jax.device_put(away))
    return [array if isinstance(array, jax.Array) else next(brought) for array in arrays]


def products_of(precision: Precision, compute: Callable[..., Any]) -> Callable[..., Any]:
    """The same computation, whose products are traced in this precision."""

    @functools.wraps(compute)
    def traced(*arrays: Any, **named: Any) -> Any:
        with products_in(precision):
            return compute(*arrays, **named)

    return traced


def read_settings(
    settings: Mapping[str, Any], names: Sequence[str], vectors: Sequence[str]
) -> tuple[dict[str, Any], NDArray[np.uint32]]:
    """Every hyperparameter of a step and every vector of the head as an array, and the two halves of the seed of dropout."""
    numbers: dict[str, Any] = {name: np.float32(settings[name]) for name in names}
    numbers |= {name: np.asarray(settings[name], np.float32) for name in vectors}
    return numbers, np.array(divmod(int(settings["seed"]), 2**32), np.uint32)


def drop_units(rate: Any, key: Any, inputs: Any, place: int) -> Any:
    """Inverted dropout as in Keras, from a generator without state and with the rate as an input.

    The same (key, place) drops the same units, wherever and whenever it runs.
    """
    drawn = jax.random.uniform(jax.random.fold_in(key, place), inputs.shape)
    return jnp.where(drawn >= rate, inputs * (1 / (1 - rate)).astype(inputs.dtype), 0)


def make_slots(weights: Sequence[keras.Variable], statistics: Sequence[keras.Variable]) -> OptimizerSlots:
    """As `workers.device.contract.EpochBackend.make_slots`."""
    return OptimizerSlots(weights, statistics)


def make_forward(
    backbone: keras.Model, scale: Callable[[np.ndarray], np.ndarray], precision: Precision
) -> ImageForward | None:
    """As `workers.device.contract.EpochBackend.make_forward`: on a GPU, which would wait for the host."""
    found = tabulate(scale) if stacks_folds() else None
    return None if found is None else ImageForward(backbone, *found, precision)


def change_images(
    images: np.ndarray,
    matrices: np.ndarray,
    shifts: np.ndarray,
    drawn: Mapping[str, tuple[np.ndarray, ...]],
) -> NDArray[np.float32]:
    """As `workers.device.contract.EpochBackend.change_images`."""
    return np.asarray(_change(images, matrices, shifts, drawn))


def compile_epoch(
    head: keras.Sequential, *, standardized: bool, rules: StepRules, precision: Precision, kind: Head
) -> CompiledEpoch:
    """As `workers.device.contract.EpochBackend.compile_epoch`."""
    return CompiledEpoch(head, standardized=standardized, rules=rules, precision=precision, kind=kind)
