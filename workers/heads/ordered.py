"""Grades: k - 1 conditional logits, "above this grade, if not below it", whose products are probabilities that cannot cross.

The conditional form of Shi, Cao and Raschka 2023 (CORN). Its loss over the images that are not below a grade, summed over grades, is
the negative log-likelihood of the grade; only the divisor differs (images here, tasks there).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workers.heads.contract import Tensor
from workers.heads.softmax import Softmax

if TYPE_CHECKING:
    import keras


class Conditional(Softmax):
    """k - 1 logits for k grades."""

    def outputs(self, targets: int) -> int:
        """One less than there are grades."""
        return targets - 1

    def finish(self, targets: int) -> list[keras.Layer]:
        """Log p_j = sum_{i < j} log s(x_i) + log s(-x_j), by dense layers that do not learn; and the softmax, which turns them into p."""
        import keras

        count = targets - 1
        signs = np.hstack([np.eye(count), -np.eye(count)])
        # Row i: where log s(x_i) is added; row count + j: where log s(-x_j) is.
        passed = (np.arange(targets) > np.arange(count)[:, None]).astype(np.float64)
        stopped = np.eye(count, targets)
        return [
            _fixed(signs, "either_way"),
            keras.layers.Activation("log_sigmoid", dtype="float32", name="log_sigmoids"),
            _fixed(np.vstack([passed, stopped]), "log_probabilities"),
            keras.layers.Activation("softmax", dtype="float32", name="probabilities"),
        ]

    def log_probabilities(self, outputs: Tensor) -> Tensor:
        """As `finish` does it, up to the softmax."""
        from keras import ops

        passed = ops.cumsum(ops.log_sigmoid(outputs), axis=-1)
        nothing = ops.zeros_like(outputs[:, :1])
        reached = ops.concatenate([nothing, passed], axis=-1)
        stopped = ops.concatenate([ops.log_sigmoid(-outputs), nothing], axis=-1)
        return reached + stopped


def _fixed(kernel: np.ndarray, name: str) -> keras.Layer:
    import keras

    layer = keras.layers.Dense(kernel.shape[1], use_bias=False, trainable=False, dtype="float32", name=name)
    layer.build((None, kernel.shape[0]))
    layer.set_weights([kernel.astype(np.float32)])
    return layer
