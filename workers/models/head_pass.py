"""The forward pass of a head with weights from outside: the same code under any backend of Keras."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import keras

from workers.heads.contract import cut_at_logits
from workers.models.network import Drop

Multiply: TypeAlias = Callable[[keras.KerasTensor, keras.KerasTensor], keras.KerasTensor]
"""The product of inputs and a kernel."""


class HeadPass:
    """Runs the layers of a head up to its logits; its own weights are not used.

    Args:
        head: gives the layers and shapes.

    Attributes:
        layers: those up to the last dense one.
    """

    def __init__(self, head: keras.Sequential) -> None:
        self.layers = cut_at_logits(head.layers)

    @property
    def width(self) -> int:
        """How many logits there are."""
        return int(self.layers[-1].units)

    def input_precision(self, *, standardized: bool) -> str:
        """In what features may wait on the device: in that of the first layer, which would round them at every step.

        Args:
            standardized: they are shifted and scaled before, and that is done in float32.
        """
        return "float32" if standardized else str(self.layers[0].compute_dtype)

    def logits(
        self,
        weights: Sequence[keras.KerasTensor],
        statistics: Sequence[keras.KerasTensor],
        inputs: keras.KerasTensor,
        drop: Drop | None = None,
        mask: keras.KerasTensor | None = None,
        multiply: Multiply | None = None,
    ) -> tuple[keras.KerasTensor, list[keras.KerasTensor]]:
        """Logits, and the statistics after this pass.

        Args:
            weights: values of the trainable variables, in the order of the layers.
            statistics: values of the `running_statistics`.
            inputs: shape (n, features), in `input_precision`.
            drop: dropout in training; None outside training.
            mask: boolean, shape (n,): the rows that BatchNormalization measures; None for all.
            multiply: the products of dense layers; None for Keras's own.
        """
        remaining, remaining_statistics, outputs = iter(weights), iter(statistics), inputs
        updated = []
        for place, layer in enumerate(self.layers):
            if isinstance(layer, keras.layers.Dropout):
                if drop is not None:
                    outputs = drop(outputs, place)
                continue
            own = [(variable, next(remaining)) for variable in layer.trainable_variables]
            running = [(variable, next(remaining_statistics)) for variable in layer.non_trainable_variables]
            # Not `stateless_call`: it leaves out the casts of a mixed precision policy.
            with keras.StatelessScope(state_mapping=[*own, *running]) as scope:
                if isinstance(layer, keras.layers.BatchNormalization):
                    outputs = layer(outputs, training=drop is not None, mask=mask)
                elif multiply is not None and isinstance(layer, keras.layers.Dense):
                    outputs = run_dense(layer, [value for _, value in own], outputs, multiply)
                else:
                    outputs = layer(outputs)
            updated += [scope.get_current_value(variable) for variable, _ in running]
        return outputs, updated


def run_dense(
    layer: keras.layers.Dense,
    weights: Sequence[keras.KerasTensor],
    inputs: keras.KerasTensor,
    multiply: Multiply,
) -> keras.KerasTensor:
    """What a dense layer computes, with its product from outside.

    Args:
        layer: gives the activation and the precision.
        weights: its kernel, and its bias where it has one.
        inputs: shape (n, features).
        multiply: the product.
    """
    inputs, kernel, *biases = (keras.ops.cast(value, layer.compute_dtype) for value in (inputs, *weights))
    outputs = multiply(inputs, kernel)
    for bias in biases:
        outputs = keras.ops.add(outputs, bias)
    return outputs if layer.activation is None else layer.activation(outputs)


def running_statistics(head: keras.Sequential) -> list[keras.Variable]:
    """The variables that BatchNormalization keeps, in the order of the layers."""
    return [
        variable
        for layer in head.layers
        if isinstance(layer, keras.layers.BatchNormalization)
        for variable in layer.non_trainable_variables
    ]
