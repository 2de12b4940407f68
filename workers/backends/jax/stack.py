"""Several folds as one computation of JAX: each by itself is too small to fill a GPU.

The loop of `workers.backends.jax.epoch` runs over arrays with one more axis, the folds. Features, labels and batch size are the same
for all; weights, order, views, dropout and every other hyperparameter are each fold's own. Folds differ by a few images,
so that one may have a batch more: a fold that is through keeps what it has, and so does one that is not to be trained, which has
no images at all.

A GPU is done with an epoch in a few milliseconds, and each call or transfer of the host takes a part of one. So the folds stay stacked
from epoch to epoch, what an epoch is told is two arrays, and what comes back is what is recorded.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from workers.backends.jax.counts import Counts, score_counts
from workers.backends.jax.scores import can_count, count_scores
from workers.backends.jax.sizes import pad, padded_size
from workers.device.contract import FoldTask, TrainedFold

HEADER = 3
"""Numbers of a fold before its order: its images, and the two halves of its seed."""


class StackedState:
    """What training changes of several folds, with the fold as the first axis of every array.

    Attributes:
        arrays: of now; a training step overwrites them where they lie.
        steps: optimizer steps that each fold has taken, as the compiled loop counted them.
    """

    def __init__(self, slots: Sequence[Any]) -> None:
        self.arrays = _stack([slot.take() for slot in slots])
        self.steps = [slot.steps_taken for slot in slots]
        self.count = len(slots)
        for place, slot in enumerate(slots):
            slot.share(self, place)

    def take(self, place: int) -> dict[str, Any]:
        """A copy of the arrays of one fold."""
        taken: dict[str, Any] = _take(self.arrays, np.int32(place))
        return taken


class StackedEpoch:
    """The training epoch and the forward pass of several heads of one kind.

    Args:
        run: the loop over batches of one fold, `CompiledEpoch.run`.
        run_forward: its forward pass, `CompiledEpoch.run_forward`.
        read_settings: turns hyperparameters into arrays, and gives the seed.
        names: the hyperparameters that are one number.
        vectors: those that are one number for each target.
        targets: number of labels.
        width: number of logits.
        is_counted: whether scores may be read from counts.
        standardized: whether each fold has a scale of its own.
        validated: which arrays are validated, "weight" or another kind of weights.
        sizes_per_octave: how many sizes batches are padded to between a power of two and the next.
    """

    def __init__(
        self,
        run: Callable[..., Any],
        run_forward: Callable[..., Any],
        read_settings: Callable[[Mapping[str, Any]], tuple[dict[str, Any], Any]],
        *,
        names: Sequence[str],
        vectors: Sequence[str],
        targets: int,
        width: int,
        is_counted: bool,
        standardized: bool,
        validated: str,
        sizes_per_octave: int,
    ) -> None:
        scale = 0 if standardized else None

        def train_one(
            state: Any,
            collected: Any,
            floats: Any,
            integers: Any,
            plan: Any,
            features: Any,
            scale: Any,
            labels: Any,
            *,
            padded: int,
        ) -> Any:
            order, rows = jnp.split(integers[HEADER:], 2)
            settings: dict[str, Any] = {name: floats[place] for place, name in enumerate(names)}
            tables = jnp.split(floats[len(names) :], len(vectors))
            settings |= dict(zip(vectors, tables, strict=True))
            seed = jax.lax.bitcast_convert_type(integers[1:HEADER], jnp.uint32)
            numbers = {"first": plan[0], "steps": plan[1], "batch_size": plan[2], "count": integers[0]}
            return run(
                state, collected, features, scale, labels, order, rows, settings, seed, numbers,
                padded=padded, uneven=True,
            )  # fmt: skip

        def train(*arrays: Any, padded: int) -> Any:
            one = functools.partial(train_one, padded=padded)
            return jax.vmap(one, in_axes=(0, 0, 0, 0, None, None, scale, None))(*arrays)

        self._train = jax.jit(train, static_argnames="padded", donate_argnums=(0, 1))
        self._predict = jax.jit(jax.vmap(run_forward, in_axes=(0, 0, None, scale, 0)))
        self._read_settings, self._names, self._vectors = read_settings, tuple(names), tuple(vectors)
        self._validated = validated
        self._targets, self._width, self._is_counted = targets, width, is_counted
        self._standardized, self._sizes_per_octave = standardized, sizes_per_octave
        self._scales: tuple[Any, Any] = ((), None)

    def run_epoch(self, folds: Sequence[FoldTask], is_kept: Sequence[bool]) -> list[TrainedFold]:
        """Train an epoch of each fold, predict its validation images and count what is scored.

        Args:
            folds: of one trial; their slots share one stacked state afterwards.
            is_kept: whether the fold changes; one that does not is computed for nothing, because XLA would compile again
                for fewer folds.
        """
        shared = self._share([fold.slots for fold in folds])
        features, labels = folds[0].features, folds[0].labels
        counts = [len(fold.order) for fold in folds]
        batch_size = min(int(folds[0].settings["batch_size"]), max(counts))
        length = 2 * self._pad(max(counts))
        floats, integers = jax.device_put(self._pack(folds, is_kept, length))
        collected = _make_zeros((len(folds), length, self._width))
        scale = self._stack_scales([fold.scale for fold in folds])
        common, most = min(counts) // batch_size, -(-max(counts) // batch_size)
        for first, steps in ((0, common), (common, most - common)):
            if steps:
                shared.arrays, collected = self._train(
                    shared.arrays,
                    collected,
                    floats,
                    integers,
                    np.array([first, steps, batch_size], np.int32),
                    features,
                    scale,
                    labels,
                    padded=self._pad(min(batch_size, max(counts) - first * batch_size)),
                )
        sizes = [len(fold.validation_images) for fold in folds]
        padded = self._pad(max(sizes))
        rows = np.stack([pad(fold.validation_rows, padded) for fold in folds])
        arrays = shared.arrays
        logits = self._predict(arrays[self._validated], arrays["statistic"], features, scale, rows)
        if not self._is_counted or not can_count(max(counts), max(sizes), self._targets):
            taken, validated, seen = jax.device_get((arrays["steps"], logits, collected))
            shared.steps = taken.tolist()
            return [
                TrainedFold(seen[place, :count], validated[place, :size])
                for place, (count, size) in enumerate(zip(counts, sizes, strict=True))
            ]
        images = np.stack([pad(fold.validation_images, padded) for fold in folds])
        counted = count_scores(
            labels if folds[0].scored is None else folds[0].scored,
            (integers[:, HEADER:], integers[:, 0], collected),
            (images, np.array(sizes, np.int32), logits),
            rows=self._pad(max(counts)),
        )
        taken, validated, found = jax.device_get((arrays["steps"], logits, counted))
        shared.steps = taken.tolist()
        training, validation = (score_counts(Counts(**part)) for part in found)
        return [
            TrainedFold(None, validated[place, :size], (training[place], validation[place]))
            for place, size in enumerate(sizes)
        ]

    def _share(self, slots: Sequence[Any]) -> StackedState:
        """The stacked state of these slots: that of the last epoch, where it was theirs."""
        shared = slots[0].shared[0] if slots[0].shared else None
        if not isinstance(shared, StackedState) or shared.count != len(slots):
            return StackedState(slots)
        is_theirs = all(slot.shared == (shared, place) for place, slot in enumerate(slots))
        return shared if is_theirs else StackedState(slots)

    def _pack(
        self, folds: Sequence[FoldTask], is_kept: Sequence[bool], length: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """What an epoch is told: settings; images, seed, order and rows."""
        own = len(self._vectors) * self._targets
        floats = np.empty((len(folds), len(self._names) + own), np.float32)
        integers = np.empty((len(folds), HEADER + 2 * length), np.int32)
        for place, fold in enumerate(folds):
            numbers, seed = self._read_settings(fold.settings)
            floats[place, : len(self._names)] = [numbers[name] for name in self._names]
            floats[place, len(self._names) :] = np.concatenate([numbers[name] for name in self._vectors])
            integers[place, 0] = len(fold.order) if is_kept[place] else 0
            integers[place, 1:HEADER] = seed.view(np.int32)
            integers[place, HEADER : HEADER + length] = pad(fold.order, length)
            integers[place, HEADER + length :] = pad(fold.rows, length)
        return floats, integers

    def _pad(self, count: int) -> int:
        return padded_size(count, self._sizes_per_octave)

    def _stack_scales(self, scales: Sequence[tuple[Any, Any]]) -> Any:
        """The scales of all folds; kept, because every trial of a study has the same ones."""
        if not self._standardized:
            return scales[0]
        known, stacked = self._scales
        if len(known) != len(scales) or any(
            one is not other for one, other in zip(known, scales, strict=True)
        ):
            stacked = _stack(list(scales))
            self._scales = (tuple(scales), stacked)
        return stacked


@functools.partial(jax.jit, static_argnums=0)
def _make_zeros(shape: tuple[int, ...]) -> Any:
    """Zeros, made by a compiled program: `jnp.zeros` asks the host for ten times as long."""
    return jnp.zeros(shape, jnp.float32)


@jax.jit
def _stack(trees: Sequence[Any]) -> Any:
    """The same arrays of every fold, with the fold as their first axis."""
    return jax.tree.map(lambda *arrays: jnp.stack(arrays), *trees)


@jax.jit
def _take(tree: Any, place: Any) -> Any:
    """The arrays of one fold out of stacked ones."""
    return jax.tree.map(lambda array: array[place], tree)
