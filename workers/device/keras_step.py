"""The step of any optimizer of Keras, as a function of values: the same object serves every fold and trial, under every backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from storage.errors import SpecError
from storage.spec import KERAS_OPTIMIZERS
from workers.device.steps import StepRules
from workers.heads.contract import Tensor

if TYPE_CHECKING:
    import keras


WRITING = (
    *("assign", "assign_add", "assign_sub", "_var_key"),
    *("_apply_weight_decay", "_backend_apply_gradients", "_backend_update_step"),
)
"""Methods of an optimizer that change variables."""


class KerasStep:
    """One optimizer of Keras, built for the weights of a model, whose values come from outside.

    Args:
        rules: name it and its options.
        weights: of the model; they give shapes and names, and are never changed.

    Attributes:
        memory: what it remembers at the start: its variables but for the learning rate.

    Raises:
        SpecError: the installed Keras has no such optimizer, or refuses an option.
    """

    def __init__(self, rules: StepRules, weights: Sequence[keras.Variable]) -> None:
        import keras

        self._optimizer = _make(rules)
        self._optimizer.build(list(weights))
        rate = self._optimizer._learning_rate
        kept = [variable is not rate for variable in self._optimizer.variables]
        self._place = kept.index(False)
        self.memory: list[np.ndarray] = [
            keras.ops.convert_to_numpy(variable)
            for variable, keeps in zip(self._optimizer.variables, kept, strict=True)
            if keeps
        ]

    def apply(
        self, weights: Sequence[Tensor], memory: Sequence[Tensor], gradients: Sequence[Tensor], rate: Tensor
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Weights and memory after a step; nothing is changed in place."""
        from keras.src.optimizers.base_optimizer import BaseOptimizer

        before = [*memory[: self._place], rate, *memory[self._place :]]
        changed, after = BaseOptimizer.stateless_apply(
            self._optimizer, before, list(gradients), list(weights)
        )
        return changed, [*after[: self._place], *after[self._place + 1 :]]


def _make(rules: StepRules) -> keras.Optimizer:
    import keras
    from keras.src.optimizers.base_optimizer import BaseOptimizer

    # Only names of the list are looked up: what stands in a spec is data.
    found = getattr(keras.optimizers, KERAS_OPTIMIZERS[rules.optimizer].name, None)
    if found is None:
        raise SpecError(
            f"Keras {keras.__version__} has no optimizer {rules.optimizer!r}.",
            next_step="Install a newer Keras on this machine, or choose another training.optimizer.",
        )
    # Behind the optimizer's own methods and before TensorFlow's, which write to its variables; Keras's work on values, too.
    on_values = type(
        "OnValues", (keras.optimizers.Optimizer,), {name: getattr(BaseOptimizer, name) for name in WRITING}
    )
    try:
        return type(found.__name__, (found, on_values), {})(learning_rate=0.001, **dict(rules.options))
    except (TypeError, ValueError) as error:
        raise SpecError(
            f"training.optimizer_options does not fit {rules.optimizer}: {error}",
            next_step="Its keys and their values are those of keras.optimizers." + found.__name__ + ".",
        ) from error
