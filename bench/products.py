"""The matrix products of a fold-epoch and nothing else: the limit of what training a head can reach."""

from __future__ import annotations

import itertools
import time

REPETITIONS = 10
"""Products in a row, so that starting one does not count."""


class EagerProducts:
    """The products of one fold-epoch in float32 under TensorFlow: forward, both gradients, validation.

    Args:
        widths: of the layers, from features to targets.
        batches: rows of each batch.
        validation: rows of the validation.
    """

    def __init__(self, widths: list[int], batches: list[int], validation: int) -> None:
        import tensorflow as tf

        self._tf, self._batches, self._validation = tf, batches, validation
        layers = list(itertools.pairwise(widths))
        self._weights = [tf.random.uniform(shape) for shape in layers]
        self._inputs = {
            rows: (
                [tf.random.uniform((rows, a)) for a, _ in layers],
                [tf.random.uniform((rows, b)) for _, b in layers],
            )
            for rows in {*batches, validation}
        }
        self.run()

    def run(self) -> float:
        """Seconds of all products."""
        multiply, began = self._tf.matmul, time.perf_counter()
        for rows in self._batches:
            inputs, outputs = self._inputs[rows]
            for number, weight in enumerate(self._weights):
                multiply(inputs[number], weight)
                multiply(inputs[number], outputs[number], transpose_a=True)
                if number:
                    multiply(outputs[number], weight, transpose_b=True)
        for number, weight in enumerate(self._weights):
            multiply(self._inputs[self._validation][0][number], weight).numpy()
        return time.perf_counter() - began


class ProductsAtRate:
    """The products of one fold-epoch at the rate at which this chip multiplies large square matrices, under JAX.

    One by one they would measure on a GPU how fast Python starts them. Arguments as those of `EagerProducts`.
    """

    def __init__(self, widths: list[int], batches: list[int], validation: int, precision: str) -> None:
        sizes = [a * b for a, b in itertools.pairwise(widths)]
        # The first layer needs no gradient of its inputs.
        each = 3 * sum(sizes) - sizes[0]
        self._operations = 2 * (sum(batches) * each + validation * sum(sizes))
        self._precision = precision
        self.run()

    def run(self) -> float:
        """Seconds at the rate of now."""
        return self._operations / multiply_rate(self._precision)


def multiply_rate(precision: str) -> float:
    """Additions and multiplications per second of large square products under JAX.

    Args:
        precision: "float32" (as JAX multiplies it by itself: TF32 on newer GPUs) or "bfloat16".
    """
    import jax
    import jax.numpy as jnp

    side = 8192 if jax.devices()[0].platform == "gpu" else 1024
    factor = jnp.full((side, side), 1 / side, precision)
    multiply = jax.jit(jnp.matmul)
    product = multiply(factor, factor).block_until_ready()
    began = time.perf_counter()
    for _ in range(REPETITIONS):
        product = multiply(product, factor)
    product.block_until_ready()
    return 2 * side**3 * REPETITIONS / (time.perf_counter() - began)
