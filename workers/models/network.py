"""A whole model from pixels to logits, of any kind that a spec names, and how it is run in training and outside."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from storage.errors import SpecError
from workers.heads.contract import cut_at_logits
from workers.heads.kinds import find_head
from workers.models.drawing import drawn_alike
from workers.models.head import build_head
from workers.models.lenet import build_lenet, scale_pixels
from workers.models.own import BUILT_IN, build_own_model
from workers.models.precision import built_for, name_policy
from workers.models.transfer import build_backbone, find_preprocessing, seeded

if TYPE_CHECKING:
    import keras

    from storage.spec import StudySpec

Drop: TypeAlias = "Callable[[keras.KerasTensor, int], keras.KerasTensor]"
"""Drops units of a tensor; the number tells the layers of a model apart."""


class Network:
    """A model from scaled pixels to logits.

    Args:
        spec: gives the model, the precision and the fixed dropout rate.
        target_count: number of labels.
        dropout_rate: takes the place of `model.dropout_rate`; a built-in model is run with any rate.

    Attributes:
        kind: the head of the study's kind of label.
        model: an ordinary Keras model, from scaled pixels to probabilities or numbers.
        body: what comes before the head: the backbone, or the whole of LeNet or of an own model.
        tail: the layers of the head up to the logits; empty without a backbone.
        scale: grey values of 0 to 255 to what `model` takes, arrays or tensors.

    Raises:
        SpecError: no such backbone or layer, or the images are too small.
        WeightsError: the backbone's weights are missing or do not fit.
        ModelError: a model of the user's own is not installed or makes something else.
    """

    def __init__(self, spec: StudySpec, target_count: int, dropout_rate: float | None = None) -> None:
        import keras

        self._spec, self._target_count = spec, target_count
        self._dropout_rate = spec.model.dropout_rate if dropout_rate is None else dropout_rate
        self.kind = find_head(spec.data.task, spec.loss)
        model = spec.model
        self.tail: list[keras.layers.Layer] = []
        with drawn_alike():
            if model.kind == "transfer":
                with built_for(spec.training.precision):
                    self.body = build_backbone(model)
                unfreeze(self.body, model.trainable)
                head = build_head(spec, self.body.output_shape[-1], target_count)
                # What follows is left to the loss, which is exact on logits.
                self.tail = cut_at_logits(head.layers)
                self.scale = find_preprocessing(model.backbone)
            elif model.kind == "lenet":
                self.body = build_lenet(
                    model.image_size,
                    self.kind.outputs(target_count),
                    policy=name_policy(spec.training.precision),
                )
                self.scale = scale_pixels
            else:
                with built_for(spec.training.precision):
                    self.body = build_own_model(
                        model.model_copy(update={"dropout_rate": self._dropout_rate}),
                        self.kind.outputs(target_count),
                    )
                self.scale = lambda pixels: pixels
        images = keras.Input((*model.image_size, 3), name="image")
        outputs = self.body(images)
        for layer in self.tail:
            outputs = layer(outputs)
        for layer in self.kind.finish(target_count):
            outputs = layer(outputs)
        self.model = keras.Model(images, outputs, name="network")
        # Built-in ones draw by Keras alone. One of the user's own may draw with operations of TensorFlow, for its weights or in each of
        # its calls, and these know no other seed than TensorFlow's; under JAX nothing draws without a key.
        self._tensorflow_too = model.kind not in BUILT_IN and keras.backend.backend() == "tensorflow"
        self._pristine = (
            [variable.numpy() for variable in self.model.variables] if self._is_pretrained else []
        )

    @property
    def width(self) -> int:
        """How many logits there are."""
        return self.kind.outputs(self._target_count)

    @property
    def body_learns(self) -> bool:
        """Whether any weight before the head changes."""
        return bool(self.body.trainable_variables)

    @property
    def body_trains(self) -> bool:
        """Whether BatchNormalization and dropout of the body behave as in training.

        In a backbone that is fine-tuned they do not: statistics of a few batches would spoil its weights.
        """
        model = self._spec.model
        return model.kind != "transfer" or (model.trainable == "all" and model.weights == "none")

    @property
    def is_own(self) -> bool:
        """Whether it is a model of the user's own."""
        return self._spec.model.kind not in BUILT_IN

    @property
    def is_lenet(self) -> bool:
        """Whether it is the LeNet of the reference study."""
        return self._spec.model.kind == "lenet"

    @property
    def dropout_acts_in_tail_only(self) -> bool:
        """Whether the dropout rate is an input of `logits`, and not built into the body."""
        return self._spec.model.kind in ("transfer", "lenet")

    @property
    def weights(self) -> list[keras.Variable]:
        """The Keras variables that the optimizer changes."""
        return list(self.model.trainable_variables)

    @property
    def statistics(self) -> list[keras.Variable]:
        """The Keras variables that a training pass changes: means and variances of BatchNormalization, seeds."""
        changing = [layer for layer in self.tail if layer.non_trainable_variables]
        bodies = [self.body] if self.body_trains else []
        return [variable for part in (*bodies, *changing) for variable in part.non_trainable_variables]

    def logits(
        self,
        images: keras.KerasTensor,
        *,
        training: bool,
        drop: Drop | None = None,
        mask: keras.KerasTensor | None = None,
    ) -> keras.KerasTensor:
        """Run the model.

        Args:
            images: scaled pixels, shape (n, height, width, 3).
            training: whether this is a training pass.
            drop: dropout of the head in training.
            mask: boolean, shape (n,): the rows that the head's BatchNormalization measures; None for all.
        """
        import keras

        outputs = self.body(images, training=training and self.body_trains)
        for place, layer in enumerate(self.tail):
            if isinstance(layer, keras.layers.Dropout):
                if training and drop is not None:
                    outputs = drop(outputs, place)
            elif isinstance(layer, keras.layers.BatchNormalization):
                outputs = layer(outputs, training=training, mask=mask)
            else:
                outputs = layer(outputs)
        return outputs

    def draw(self, seed: tuple[int, ...]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """New values of `weights` and `statistics`: pretrained ones as they were, the others drawn from a seed."""
        drawn = int(np.random.SeedSequence(seed).generate_state(1)[0]) % 2**31
        with drawn_alike(), seeded(drawn, tensorflow_too=self._tensorflow_too):
            if self._is_pretrained:
                head = build_head(self._spec, self.body.output_shape[-1], self._target_count)
                places = {id(variable): place for place, variable in enumerate(self.model.variables)}
                values = list(self._pristine)
                for layer, fresh in zip(self.tail, head.layers, strict=False):
                    for variable, value in zip(layer.variables, fresh.variables, strict=True):
                        if id(variable) in places:
                            values[places[id(variable)]] = value.numpy()
            else:
                again = self._spec.with_values({"model.weights_seed": drawn})
                other = Network(again, self._target_count, self._dropout_rate)
                values = [variable.numpy() for variable in other.model.variables]
        by_variable = {
            id(variable): value for variable, value in zip(self.model.variables, values, strict=True)
        }
        return (
            [by_variable[id(variable)] for variable in self.weights],
            [by_variable[id(variable)] for variable in self.statistics],
        )

    @property
    def _is_pretrained(self) -> bool:
        """Whether the body begins at given weights; frozen random ones (by `weights_seed`) are given, too."""
        model = self._spec.model
        return model.kind == "transfer" and (model.trainable == "head" or model.weights != "none")


def unfreeze(backbone: keras.Model, trainable: str) -> None:
    """Say which layers of a backbone learn.

    Args:
        backbone: frozen as a whole; changed in place.
        trainable: "head" for none, "all", or the name of the first layer that learns.

    Raises:
        SpecError: there is no layer of that name.
    """
    if trainable == "head":
        return
    names = [layer.name for layer in backbone.layers]
    if trainable != "all" and trainable not in names:
        near = difflib.get_close_matches(trainable, names, n=3, cutoff=0.3)
        raise SpecError(
            f"model.trainable = {trainable!r} is no layer of {backbone.name}.",
            next_step=f"Did you mean {' or '.join(near)}? Or choose head or all."
            if near
            else "Choose head, all, or the name of a layer.",
        )
    backbone.trainable = True
    first = 0 if trainable == "all" else names.index(trainable)
    for layer in backbone.layers[:first]:
        layer.trainable = False
