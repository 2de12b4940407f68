"""Random changes of training images as TensorFlow makes them; `workers.inputs.augmentation` draws what they are."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def change(images: Any, matrices: Any, shifts: Any) -> Any:
    """Make the changes.

    Args:
        images: uint8 or float32, shape (n, height, width, channels), grey values of 0 to 255.
        matrices: as in `workers.inputs.augmentation.Changes`.
        shifts: as there; no pixel leaves the range that its picture had.

    Returns:
        float32 of the same shape.
    """
    pixels = tf.cast(images, tf.float32)
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=pixels,
        transforms=matrices,
        output_shape=tf.shape(images)[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
    lowest = tf.reduce_min(moved, axis=(1, 2, 3), keepdims=True)
    highest = tf.reduce_max(moved, axis=(1, 2, 3), keepdims=True)
    return tf.clip_by_value(moved + shifts[:, None, None, None], lowest, highest)


def flip(images: Any, flips: Any) -> Any:
    """Mirror images, each as its own row of `flips` says (horizontally, vertically); any dtype, no interpolation."""
    horizontally, vertically = flips[:, 0, None, None, None], flips[:, 1, None, None, None]
    mirrored = tf.where(horizontally, tf.reverse(images, [2]), images)
    return tf.where(vertically, tf.reverse(mirrored, [1]), mirrored)
