"""LeNet (LeCun et al. 1998) as the first reference study built it: the shallow baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage.errors import SpecError

if TYPE_CHECKING:
    import keras

SMALLEST = 16
"""Pixels: below that nothing is left after the second pooling."""


def build_lenet(image_size: tuple[int, int], target_count: int, *, policy: str = "float32") -> keras.Model:
    """Build LeNet; 299 x 299 images and 18 labels make 85 million weights, nearly all of them in one layer.

    Conv 6@5x5 tanh same, average pool, Conv 16@5x5 tanh valid, average pool, Dense 1024 relu, Dense.

    Args:
        image_size: height and width in pixels.
        target_count: number of labels.
        policy: the dtype policy of all layers but the last, which computes in float32.

    Returns:
        Images of shape (n, height, width, 3), scaled to [-1, 1], to logits.

    Raises:
        SpecError: the images are too small.
    """
    import keras
    from keras import layers

    if min(image_size) < SMALLEST:
        raise SpecError(
            f"LeNet cannot be built for images of {image_size[0]} x {image_size[1]}.",
            next_step=f"Choose a model.image_size of at least {SMALLEST} x {SMALLEST}.",
        )
    return keras.Sequential(
        [
            keras.Input((*image_size, 3)),
            layers.Conv2D(6, 5, activation="tanh", padding="same", dtype=policy, name="conv_1"),
            layers.AveragePooling2D(2, dtype=policy, name="pool_1"),
            layers.Conv2D(16, 5, activation="tanh", padding="valid", dtype=policy, name="conv_2"),
            layers.AveragePooling2D(2, dtype=policy, name="pool_2"),
            layers.Flatten(dtype=policy, name="flatten"),
            layers.Dense(1024, activation="relu", dtype=policy, name="dense_1"),
            layers.Dense(target_count, dtype="float32", name="logits"),
        ],
        name="lenet",
    )


def scale_pixels(pixels: keras.KerasTensor) -> keras.KerasTensor:
    """Grey values of 0 to 255 to [-1, 1]; arrays, too."""
    return pixels / 127.5 - 1.0
