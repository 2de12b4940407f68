"""The TensorFlow backend of training on images: one epoch over a data pipeline as one graph, no Python per step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from workers.backends.tensorflow.dropout import draw_bits_in_graph, drop
from workers.backends.tensorflow.epoch import OptimizerSlots
from workers.backends.tensorflow.image_set import ImageSet
from workers.backends.tensorflow.optimizers import Stepper, masked_cross_entropy
from workers.device.backend import SETTINGS
from workers.device.steps import AVERAGE, StepRules
from workers.inputs.image_contract import ImagePlan
from workers.models.network import Network

SCALARS = (*SETTINGS, "dropout_rate", "label_smoothing")


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
        # Without a body that learns there is nothing to remember of its pass, which is most of the memory.
        self._train = tf.function(self._train_graph, autograph=False)
        self._predict = tf.function(self._predict_graph, autograph=False)

    def train(self, images: ImageSet, plan: ImagePlan, settings: Mapping[str, Any]) -> NDArray[np.float32]:
        """As `workers.inputs.image_contract.ImageEpoch.train`."""
        batches = images.batches(plan.order, plan.batch_size, plan.changes, plan.mixture)
        tensors = {
            name: tf.constant(settings[name], tf.float32)
            for name in (
                *SCALARS,
                *self._rules.numbers,
                *self._network.kind.numbers,
                *self._network.kind.vectors,
            )
        }
        seed = tf.constant(settings["seed"], tf.int64)
        return self._train(iter(batches), count(batches), tensors, seed).numpy()

    def predict(self, images: ImageSet, index: NDArray[np.int64]) -> NDArray[np.float32]:
        """As `workers.inputs.image_contract.ImageEpoch.predict`."""
        slots, batches = self._slots, images.batches(index)
        parts = iter(batches), count(batches)
        if not self._rules.averages:
            return self._predict(*parts).numpy()
        kept = [tf.identity(weight) for weight in slots.weights]
        for weight, average in zip(slots.weights, slots.memory[AVERAGE], strict=True):
            weight.assign(average)
        try:
            return self._predict(*parts).numpy()
        finally:
            for weight, value in zip(slots.weights, kept, strict=True):
                weight.assign(value)

    def _train_graph(self, batches: Any, count: Any, settings: dict[str, Any], seed: Any) -> Any:
        def train(number: Any, images: Any, labels: Any, *mixed: Any) -> Any:
            # All images of a mixed batch have one share.
            others = (mixed[0], mixed[1][0]) if mixed else None
            return self._step(images, labels, number, settings, seed, others)

        return self._for_each(batches, count, train)

    def _predict_graph(self, batches: Any, count: Any) -> Any:
        return self._for_each(
            batches, count, lambda _, images, *__: self._network.logits(images, training=False)
        )

    def _for_each(self, batches: Any, count: Any, work: Callable[..., Any]) -> Any:
        """The logits of each batch that an iterator gives, one after the other.

        A loop over the data set itself becomes one of its operations, which prepares and optimizes the graph of its body again whenever it
        runs: for InceptionV3 that takes longer than two steps of 32 images, in each epoch and each validation.
        """
        collected = tf.TensorArray(
            tf.float32, size=count, infer_shape=False, element_shape=[None, self._network.width]
        )

        def go_on(number: Any, collected: Any) -> tuple[Any, Any]:
            return number + 1, collected.write(number, work(number, *batches.get_next()))

        _, collected = tf.while_loop(
            lambda number, _: number < count, go_on, (tf.constant(0), collected), parallel_iterations=1
        )
        return collected.concat()

    def _step(
        self,
        images: Any,
        labels: Any,
        number: Any,
        settings: dict[str, Any],
        seed: Any,
        mixed: tuple[Any, Any] | None = None,
    ) -> Any:
        slots, network = self._slots, self._network

        def lose(logits: Any) -> Any:
            loss = network.kind.loss(labels, logits, settings, masked_cross_entropy)
            if mixed is None:
                return loss
            others, share = mixed
            other_loss = network.kind.loss(others, logits, settings, masked_cross_entropy)
            return share * loss + (1 - share) * other_loss

        def drop_units(inputs: Any, place: int) -> Any:
            bits = draw_bits_in_graph(tf.shape(inputs), seed, number * (len(network.tail) + 1) + place)
            return drop(inputs, settings["dropout_rate"], bits)

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(slots.weights)
            logits = network.logits(images, training=True, drop=drop_units)
            loss = lose(logits)
        gradients = tape.gradient(loss, slots.weights)
        # Waiting for every gradient spares a copy: a weight still in use is not updated in place.
        with tf.control_dependencies(gradients):
            taken = slots.steps.assign_add(1)
            weights = [weight.handle for weight in slots.weights]
            self._stepper.take(weights, slots.handles(self.memory), gradients, taken, settings)
        return logits


def count(batches: Any) -> Any:
    """How many there are, int32."""
    return tf.cast(batches.cardinality(), tf.int32)


def make_image_set(
    pixels: NDArray[np.uint8],
    labels: NDArray[np.float32],
    scale: Callable[[Any], Any],
    shares: NDArray[np.float32] | None = None,
) -> ImageSet:
    """As `workers.inputs.image_contract.ImageBackend.make_image_set`."""
    return ImageSet(pixels, labels, scale, shares)


def compile_image_epoch(network: Network, rules: StepRules, slots: OptimizerSlots) -> ImageEpoch:
    """As `workers.inputs.image_contract.ImageBackend.compile_image_epoch`."""
    return ImageEpoch(network, rules, slots)
