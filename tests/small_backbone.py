"""A backbone as those of keras.applications are, of a few layers, for tests that are not about the backbone.

It has what theirs have: padding, convolutions with and without a bias, a depthwise one, normalisations, activations with a limit, pooling.
MobileNet, the smallest of theirs, has 86 layers, which are built, traced, saved and read again for each command of a test.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

NAME = "SmallNet"
WIDTH = 64


def build(
    *, include_top: bool, weights: str | None, input_shape: tuple[int, int, int], pooling: str
) -> keras.Model:
    """What `keras.applications` would return."""
    import keras
    from keras import layers

    assert not include_top
    assert weights is None
    image = keras.Input(input_shape)
    x: Any = layers.ZeroPadding2D(((0, 1), (0, 1)))(image)
    # As theirs, 32 times coarser than the image.
    for number, (width, strides) in enumerate([(8, 4), (WIDTH, 8)]):
        x = layers.Conv2D(width, 3, strides=strides, use_bias=False, name=f"conv{number}")(x)
        x = layers.BatchNormalization(name=f"normal{number}")(x)
        x = layers.ReLU(6.0)(x)
        x = layers.DepthwiseConv2D(3, padding="same", name=f"depthwise{number}")(x)
        x = layers.BatchNormalization(name=f"normal_depthwise{number}")(x)
        x = layers.ReLU(6.0)(x)
    pool = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}[pooling]
    return keras.Model(image, pool()(x), name="smallnet")


def preprocess_input(pixels: Any) -> Any:
    """As MobileNet's: from 0 to 255 to -1 to 1."""
    return pixels / 127.5 - 1.0


@contextmanager
def small_backbone() -> Iterator[str]:
    """Let `keras.applications` have it; is its name there."""
    import keras

    setattr(keras.applications, NAME, build)
    try:
        yield NAME
    finally:
        delattr(keras.applications, NAME)
