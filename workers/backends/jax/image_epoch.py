"""The JAX backend of training on images: bytes are gathered, changed, scaled and learnt from in one compiled step.

XLA compiles for fixed shapes. So a batch is padded as for heads (`padded_size`), with rows that count for nothing: their labels are
blank, and BatchNormalization does not measure them. A body that may look at a batch as a whole in another way (`rows`) gets batches as
they are, which are two programs for each batch size, and for each number of images that is left for the last batch of a fold.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
from numpy.typing import NDArray

from workers.attempts.watchdog import training_lives
from workers.backends.jax.augmentation import change, flip, mix
from workers.backends.jax.device import stacks_folds
from workers.backends.jax.epoch import NUMBERS, OptimizerSlots, drop_units, read_settings
from workers.backends.jax.image_set import ImageSet
from workers.backends.jax.layers.suited import suited_layers
from workers.backends.jax.optimizers import Stepper, masked_cross_entropy
from workers.backends.jax.rows import rows_may_be_added
from workers.backends.jax.sizes import STEPS_PER_OCTAVE, STEPS_PER_OCTAVE_OF_A_GPU, padded_size
from workers.device.steps import StepRules
from workers.inputs.image_contract import VALIDATION_BATCH, ImagePlan
from workers.models.network import Network

IN_FLIGHT = 2
"""Steps that are begun before the first of them is waited for: the host prepares one while another is computed."""

Batch = dict[str, Any]


class ImageEpoch:
    """The training epoch and the forward pass of one network; weights and optimizer memory are in `slots`.

    Args:
        network: what is trained.
        rules: of its steps.
        slots: of `network`.

    Attributes:
        memory: what the optimizer remembers at the start of a fold.
    """

    def __init__(self, network: Network, rules: StepRules, slots: OptimizerSlots) -> None:
        self._network, self._rules, self._slots = network, rules, slots
        self._stepper = Stepper(rules, network.weights)
        self.memory = self._stepper.memory
        changing = set(map(id, (*network.weights, *network.statistics)))
        self._frozen = [variable for variable in network.model.variables if id(variable) not in changing]
        self._rows_may_be_added = rows_may_be_added(network)
        self._names = (*NUMBERS, *rules.numbers, *network.kind.numbers)
        self._is_gpu = stacks_folds()
        self._sizes = STEPS_PER_OCTAVE_OF_A_GPU if self._is_gpu else STEPS_PER_OCTAVE
        # The old state is given away, so that it is overwritten where it lies.
        self._step = jax.jit(self._take_step, donate_argnums=0)
        self._forward = jax.jit(self._run_forward)

    def train(self, images: ImageSet, plan: ImagePlan, settings: Mapping[str, Any]) -> NDArray[np.float32]:
        """As `workers.inputs.image_contract.ImageEpoch.train`."""
        numbers, seed = jax.device_put(
            read_settings(settings, names=self._names, vectors=self._network.kind.vectors)
        )
        labels, frozen, state = images.labels_there, self._read_frozen(), self._slots.take()
        seen: list[Any] = []
        try:
            for number, first in enumerate(range(0, len(plan.order), plan.batch_size)):
                rows = slice(first, min(first + plan.batch_size, len(plan.order)))
                pixels, batch = self._gather(images, plan, rows)
                state, logits = self._step(
                    state, frozen, pixels, labels, batch, numbers, seed, np.int32(number)
                )
                seen.append(logits)
                if len(seen) > IN_FLIGHT:
                    seen[-IN_FLIGHT - 1].block_until_ready()
                training_lives()
        finally:
            self._slots.put(state)
        # Cut off here: on the device it would be a program for each number of rows.
        rest = (len(plan.order) - 1) % plan.batch_size + 1
        *full, last = jax.device_get(seen)
        return np.concatenate([*(logits[: plan.batch_size] for logits in full), last[:rest]])

    def predict(self, images: ImageSet, index: NDArray[np.int64]) -> NDArray[np.float32]:
        """As `workers.inputs.image_contract.ImageEpoch.predict`."""
        state, frozen = self._slots.take(), self._read_frozen()
        begun: deque[Any] = deque()
        found: list[NDArray[np.float32]] = []
        size = size_of_forward_batch(len(index))
        for first in range(0, len(index), size):
            chosen = np.asarray(index[first : first + size], np.int32)
            pixels, places = images.take(_fill(chosen, size))
            logits = self._forward(state[self._rules.weights], state["statistic"], frozen, pixels, places)
            begun.append(logits)
            if len(begun) > IN_FLIGHT:
                found.append(np.asarray(begun.popleft()))
            training_lives()
        found += [np.asarray(logits) for logits in begun]
        return (
            np.concatenate(found)[: len(index)] if found else np.zeros((0, self._network.width), np.float32)
        )

    def _gather(self, images: ImageSet, plan: ImagePlan, rows: slice) -> tuple[Any, Batch]:
        """Pixels, and what is done with them in one step."""
        count = rows.stop - rows.start
        size = padded_size(count, self._sizes) if self._rows_may_be_added else count
        fill = functools.partial(_fill, size=size)
        chosen = fill(np.asarray(plan.order[rows], np.int32))
        pixels, places = images.take(chosen)
        changes, mixture = plan.changes, plan.mixture
        batch: Batch = {"images": chosen, "places": places, "count": np.int32(count)}
        if changes.are_only_flips and mixture is None:
            return pixels, {**batch, "flips": fill(changes.flips[rows])}
        batch["changes"] = (
            fill(changes.matrices[rows]),
            fill(changes.shifts[rows]),
            {
                name: tuple(fill(column[rows]) for column in columns)
                for name, columns in changes.drawn.items()
            },
        )
        if mixture is not None:
            batch["mixture"] = tuple(
                fill(column[rows]) for column in (mixture.others, mixture.weights, mixture.boxes)
            )
            batch["others"] = fill(np.asarray(plan.order[mixture.partners[rows]], np.int32))
            batch["share"] = mixture.shares[rows.start]
        return pixels, batch

    def _take_step(
        self,
        state: dict[str, Any],
        frozen: list[Any],
        pixels: Any,
        labels: Any,
        batch: Batch,
        settings: dict[str, Any],
        seed: Any,
        number: Any,
    ) -> tuple[dict[str, Any], Any]:
        kind = self._network.kind
        inputs = self._network.scale(prepare(pixels, batch))
        inside = jnp.arange(len(batch["images"])) < batch["count"]
        targets = jnp.where(inside[:, None], labels[batch["images"]], jnp.nan)
        drop = functools.partial(
            drop_units,
            settings["dropout_rate"],
            jax.random.fold_in(jax.random.wrap_key_data(seed), number),
        )

        def lose(weights: list[Any]) -> tuple[Any, tuple[Any, list[Any]]]:
            logits, updated = self._run(weights, state["statistic"], frozen, inputs, drop, inside)
            loss = kind.loss(targets, logits, settings, masked_cross_entropy)
            if "others" in batch:
                others = jnp.where(inside[:, None], labels[batch["others"]], jnp.nan)
                other_loss = kind.loss(others, logits, settings, masked_cross_entropy)
                loss = batch["share"] * loss + (1 - batch["share"]) * other_loss
            return loss, (logits, updated)

        gradients, (logits, updated) = jax.grad(lose, has_aux=True)(state["weight"])
        taken = state["steps"] + 1
        memory = {name: state[name] for name in self.memory}
        weights, memory = self._stepper.take(state["weight"], memory, gradients, taken, settings)
        return {"weight": weights, "statistic": updated, **memory, "steps": taken}, logits

    def _run_forward(
        self, weights: list[Any], statistics: list[Any], frozen: list[Any], pixels: Any, places: Any
    ) -> Any:
        inputs = self._network.scale(pixels[places].astype(jnp.float32))
        return self._run(weights, statistics, frozen, inputs)[0]

    def _run(
        self,
        weights: list[Any],
        statistics: list[Any],
        frozen: list[Any],
        inputs: Any,
        drop: Callable[[Any, int], Any] | None = None,
        mask: Any = None,
    ) -> tuple[Any, list[Any]]:
        """Logits in float32, and the statistics after this pass; with `drop` it is one of training."""
        network = self._network
        mapping = zip(
            (*network.weights, *network.statistics, *self._frozen),
            (*weights, *statistics, *frozen),
            strict=True,
        )
        suited = suited_layers(gpu=self._is_gpu, measured=mask if self._rows_may_be_added else None)
        with suited, keras.StatelessScope(state_mapping=list(mapping)) as scope:
            logits = network.logits(inputs, training=drop is not None, drop=drop, mask=mask)
        return logits.astype(jnp.float32), [
            scope.get_current_value(variable) for variable in network.statistics
        ]

    def _read_frozen(self) -> list[Any]:
        return [variable.value for variable in self._frozen]


def prepare(pixels: Any, batch: Batch) -> Any:
    """The changed images of a batch, float32, grey values of 0 to 255.

    Args:
        pixels: uint8, shape (images, height, width, 3).
        batch: places in it, and flips or changes and a mixture, as arrays with a row per image.
    """
    gathered = pixels[batch["places"]]
    if "flips" in batch:
        return flip(gathered, batch["flips"]).astype(jnp.float32)
    changed = change(gathered, *batch["changes"])
    return mix(changed, *batch["mixture"]) if "mixture" in batch else changed


def size_of_forward_batch(count: int) -> int:
    """Images per forward pass outside training: as few batches as may be, all of one size, and little padding.

    Of a few sizes only, so that folds of about the same number of images share one program: it takes seconds to compile.
    """
    batches = max(1, -(-count // VALIDATION_BATCH))
    return min(padded_size(-(-count // batches), STEPS_PER_OCTAVE_OF_A_GPU), VALIDATION_BATCH)


def _fill(rows: NDArray[Any], size: int) -> NDArray[Any]:
    """So many rows: the first one again and again behind the last, so that nothing is computed of what could be no image."""
    return np.concatenate([rows, np.repeat(rows[:1], size - len(rows), axis=0)])


def make_image_set(
    pixels: NDArray[np.uint8],
    labels: NDArray[np.float32],
    scale: Callable[[Any], Any],
    shares: NDArray[np.float32] | None = None,
) -> ImageSet:
    """As `workers.inputs.image_contract.ImageBackend.make_image_set`; the step scales for itself."""
    return ImageSet(pixels, labels, shares)


def compile_image_epoch(network: Network, rules: StepRules, slots: OptimizerSlots) -> ImageEpoch:
    """As `workers.inputs.image_contract.ImageBackend.compile_image_epoch`."""
    return ImageEpoch(network, rules, slots)
