"""Several folds as one computation of JAX: each by itself is too small to fill a GPU.

The loop of `workers.backends.jax.epoch` runs over arrays with one more axis, the folds. Features, labels and batch size are the same
for all; weights, order, views, dropout and every other hyperparameter are each fold's own. Folds differ by a few images,
so that one may have a batch more: the batches that all of them have run first, then the ends, where a fold that is through
keeps what it has.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from workers.backends.jax.sizes import pad, padded_size

SHARED_PLAN = {"first": None, "steps": None, "batch_size": None, "count": 0}
"""Which numbers of the loop are the same for all folds (None)."""


class StackedEpoch:
    """The training epoch and the forward pass of several heads of one kind.

    Args:
        run: the loop over batches of one fold, `CompiledEpoch.run`.
        run_forward: its forward pass, `CompiledEpoch.run_forward`.
        read_settings: turns hyperparameters into arrays, and gives the seed.
        targets: number of labels.
        standardized: whether each fold has a scale of its own.
    """

    def __init__(
        self,
        run: Callable[..., Any],
        run_forward: Callable[..., Any],
        read_settings: Callable[[Mapping[str, Any]], tuple[dict[str, Any], Any]],
        *,
        targets: int,
        standardized: bool,
    ) -> None:
        scale = 0 if standardized else None
        axes = (0, 0, None, scale, None, 0, 0, 0, 0, SHARED_PLAN)

        def train(*arrays: Any, padded: int, uneven: bool) -> Any:
            return jax.vmap(functools.partial(run, padded=padded, uneven=uneven), in_axes=axes)(*arrays)

        self._train = jax.jit(train, static_argnames=("padded", "uneven"), donate_argnums=(0, 1))
        self._predict = jax.jit(jax.vmap(run_forward, in_axes=(0, 0, None, scale, 0)))
        self._stack, self._unstack = jax.jit(_stack), jax.jit(_unstack, static_argnames="count")
        self._read_settings, self._targets, self._standardized = read_settings, targets, standardized

    def train(
        self,
        slots: Sequence[Any],
        features: Any,
        scales: Sequence[tuple[Any, Any]],
        labels: Any,
        orders: Sequence[NDArray[np.int32]],
        rows: Sequence[NDArray[np.int32]],
        settings: Sequence[Mapping[str, Any]],
        is_kept: Sequence[bool],
    ) -> list[NDArray[np.float32]]:
        """As `CompiledEpoch.train` of each fold; all but `features` and `labels` by fold.

        Args:
            settings: with the same batch size for all.
            is_kept: whether the fold changes; one that does not is computed for nothing, because XLA would compile anew
                for fewer folds.
        """
        counts = [len(order) for order in orders]
        batch_size = min(int(settings[0]["batch_size"]), max(counts))
        length = 2 * padded_size(max(counts))
        read = [self._read_settings(each) for each in settings]
        state = self._stack([slot.take() for slot in slots])
        collected = jnp.zeros((len(slots), length, self._targets), jnp.float32)
        common, most = min(counts) // batch_size, -(-max(counts) // batch_size)
        for first, steps, uneven in ((0, common, False), (common, most - common, True)):
            if not steps:
                continue
            rows_at_most = min(batch_size, max(counts) - first * batch_size)
            state, collected = self._train(
                state,
                collected,
                features,
                self._stack_scales(scales),
                labels,
                np.stack([pad(order, length) for order in orders]),
                np.stack([pad(each, length) for each in rows]),
                _stack([numbers for numbers, _ in read]),
                np.stack([seed for _, seed in read]),
                {
                    "first": np.int32(first),
                    "steps": np.int32(steps),
                    "batch_size": np.int32(batch_size),
                    "count": np.array(counts, np.int32),
                },
                padded=padded_size(rows_at_most),
                uneven=uneven,
            )
        for slot, after, keeps in zip(slots, self._unstack(state, count=len(slots)), is_kept, strict=True):
            if keeps:
                slot.put(after)
        logits = np.array(collected)
        return [logits[place, :count] for place, count in enumerate(counts)]

    def predict(
        self,
        slots: Sequence[Any],
        features: Any,
        scales: Sequence[tuple[Any, Any]],
        rows: Sequence[NDArray[np.int32]],
    ) -> list[NDArray[np.float32]]:
        """Logits without dropout of each fold, shape (len(its rows), targets)."""
        state = self._stack([slot.take() for slot in slots])
        length = padded_size(max(len(each) for each in rows))
        padded = np.stack([pad(each, length) for each in rows])
        logits = np.array(
            self._predict(state["weight"], state["statistic"], features, self._stack_scales(scales), padded)
        )
        return [logits[place, : len(each)] for place, each in enumerate(rows)]

    def _stack_scales(self, scales: Sequence[tuple[Any, Any]]) -> Any:
        return self._stack(list(scales)) if self._standardized else scales[0]


def _stack(trees: Sequence[Any]) -> Any:
    """The same arrays of every fold, with the fold as their first axis."""
    return jax.tree.map(lambda *arrays: jnp.stack(arrays), *trees)


def _unstack(tree: Any, count: int) -> list[Any]:
    """Turns `_stack` around."""
    return [jax.tree.map(lambda array, place=place: array[place], tree) for place in range(count)]
