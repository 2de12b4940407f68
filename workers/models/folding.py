"""A frozen backbone that computes the same in fewer passes: batch normalisation folded into the convolutions before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras


def fold_normalization(backbone: keras.Model) -> keras.Model:
    """Fold each BatchNormalization that directly follows a convolution into that convolution.

    With frozen statistics gamma (w * x + b - mean) / sqrt(variance + epsilon) + beta is a convolution by
    w gamma / sqrt(variance + epsilon) (Jacob et al. 2018, section 3.2), so one pass over the feature maps takes the place of
    three. Values change by rounding only: in float32 by up to some 1e-5 of the features' spread. The pooled features come out in
    float32 whatever the backbone computes in.

    Args:
        backbone: an application of Keras; left alone, but the layers that need no change are shared with what is returned.
    """
    import keras

    followers = _find_followers(backbone)
    folded = {follower.name for follower in followers.values()}
    pooling = backbone.layers[-1]

    def exchange(layer: keras.Layer) -> keras.Layer:
        if layer.name in followers:
            return type(layer).from_config({**layer.get_config(), "use_bias": True})
        if layer is pooling:
            return type(layer).from_config({**layer.get_config(), "dtype": "float32"})
        return layer

    def call(layer: keras.Layer, *inputs: keras.KerasTensor, **options: object) -> keras.KerasTensor:
        return inputs[0] if layer.name in folded else layer(*inputs, **options)

    copied = keras.models.clone_model(backbone, clone_function=exchange, call_function=call)
    for name, follower in followers.items():
        copied.get_layer(name).set_weights(_fold(backbone.get_layer(name), follower))
    copied.trainable = False
    return copied


def _find_followers(backbone: keras.Model) -> dict[str, keras.layers.BatchNormalization]:
    """The BatchNormalization that alone reads a convolution's output, by the name of the convolution."""
    import keras

    readers: dict[int, list[keras.Layer]] = {}
    for layer in backbone.layers:
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        for tensor in inputs:
            readers.setdefault(id(tensor), []).append(layer)
    followers = {}
    for layer in backbone.layers:
        # Not their subclasses: SeparableConv2D and others keep their kernels in another form.
        if type(layer) not in (keras.layers.Conv2D, keras.layers.DepthwiseConv2D):
            continue
        reading = readers.get(id(layer.output), [])
        is_plain = layer.activation is keras.activations.linear and layer.data_format == "channels_last"
        if is_plain and len(reading) == 1 and isinstance(reading[0], keras.layers.BatchNormalization):
            followers[layer.name] = reading[0]
    return followers


def _fold(convolution: keras.Layer, normalization: keras.layers.BatchNormalization) -> list[np.ndarray]:
    """Kernel and bias of both together.

    In float32, because Keras computes the scale in float32: an exact one is another one, and over many layers that adds up.
    """
    kernel, *biases = convolution.get_weights()
    mean, variance = (
        np.asarray(statistic) for statistic in (normalization.moving_mean, normalization.moving_variance)
    )
    scale = 1 / np.sqrt(variance + np.float32(normalization.epsilon))
    if normalization.scale:
        scale = scale * np.asarray(normalization.gamma)
    bias = (sum(biases) - mean) * scale
    if normalization.center:
        bias = bias + np.asarray(normalization.beta)
    # The last axes of a kernel are the output channels: one of them, or of a depthwise one channel and multiplier.
    outputs = kernel.shape[-1:] if kernel.shape[-1] == len(scale) else kernel.shape[-2:]
    return [kernel * scale.reshape(outputs), bias]
