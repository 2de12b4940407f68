"""Random changes of training images as TensorFlow makes them; `workers.inputs.augmentation` draws what they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

WHITE = 255.0


def change(
    images: Any, matrices: Any, shifts: Any, drawn: Mapping[str, tuple[Any, ...]] | None = None
) -> Any:
    """Make the changes.

    Args:
        images: uint8 or float32, shape (n, height, width, channels), grey values of 0 to 255.
        matrices: as in `workers.inputs.augmentation.Changes`.
        shifts: as there; no pixel leaves the range that its picture had.
        drawn: as there; nothing when left out.

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
    changed = tf.clip_by_value(moved + shifts[:, None, None, None], lowest, highest)
    given = drawn or {}
    # A data pipeline may give them back in the order of the alphabet.
    for name in (name for name in MAKE if name in given):
        changed = MAKE[name](changed, *given[name])
    return changed


def mix(pixels: Any, others: Any, weights: Any, boxes: Any) -> Any:
    """Mix each image with another one of its batch; arguments as in `workers.inputs.mixing.Mixture`, pixels float32."""
    partners = tf.gather(pixels, others)
    weights = weights[:, None, None, None]
    mixed = weights * pixels + (1 - weights) * partners
    return tf.where(is_inside(boxes, tf.shape(pixels)), partners, mixed)


def flip(images: Any, flips: Any) -> Any:
    """Mirror images, each as its own row of `flips` says (horizontally, vertically); any dtype, no interpolation."""
    horizontally, vertically = flips[:, 0, None, None, None], flips[:, 1, None, None, None]
    mirrored = tf.where(horizontally, tf.reverse(images, [2]), images)
    return tf.where(vertically, tf.reverse(mirrored, [1]), mirrored)


def _brighten(pixels: Any, added: Any) -> Any:
    return tf.clip_by_value(pixels + added[:, None, None, None], 0.0, WHITE)


def _contrast(pixels: Any, factors: Any) -> Any:
    means = tf.reduce_mean(pixels, axis=(1, 2), keepdims=True)
    return tf.clip_by_value((pixels - means) * factors[:, None, None, None] + means, 0.0, WHITE)


def _bend(pixels: Any, exponents: Any) -> Any:
    shares = tf.clip_by_value(pixels, 0.0, WHITE) / WHITE
    return WHITE * shares ** exponents[:, None, None, None]


def _blur(pixels: Any, kernels: Any) -> Any:
    """Of what a kernel covers the part inside the picture counts alone."""
    shape = tf.shape(pixels)
    count, channels = shape[0], shape[3]
    # Each image has a kernel of its own, so images become channels.
    side_by_side = tf.reshape(tf.transpose(pixels, [1, 2, 0, 3]), [1, shape[1], shape[2], count * channels])
    taps = tf.repeat(tf.transpose(kernels), channels, axis=1)

    def pass_over(values: Any) -> Any:
        for filters in (taps[:, None, :, None], taps[None, :, :, None]):
            values = tf.nn.depthwise_conv2d(values, filters, [1, 1, 1, 1], "SAME")
        return values

    blurred = pass_over(side_by_side) / pass_over(tf.ones_like(side_by_side))
    return tf.transpose(tf.reshape(blurred, [shape[1], shape[2], count, channels]), [2, 0, 1, 3])


def _add_noise(pixels: Any, spreads: Any, seeds: Any) -> Any:
    shape = tf.concat([tf.shape(pixels)[1:3], [1]], axis=0)
    noise = tf.map_fn(
        lambda seed: tf.random.stateless_normal(shape, seed, alg="philox"),
        seeds,
        fn_output_signature=tf.TensorSpec([None, None, 1], tf.float32),
    )
    return tf.clip_by_value(pixels + spreads[:, None, None, None] * noise, 0.0, WHITE)


def _cut(pixels: Any, boxes: Any) -> Any:
    means = tf.reduce_mean(pixels, axis=(1, 2, 3), keepdims=True)
    return tf.where(is_inside(boxes, tf.shape(pixels)), means, pixels)


def is_inside(boxes: Any, shape: Any) -> Any:
    """Whether each pixel lies in the box of its image, shape (n, height, width, 1); boxes as `draw_boxes` gives them."""
    rows, columns = tf.range(shape[1])[None, :, None], tf.range(shape[2])[None, None, :]
    top, left, bottom, right = (boxes[:, place, None, None] for place in range(4))
    inside = (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)
    return inside[..., None]


MAKE: dict[str, Callable[..., Any]] = {
    "brightness": _brighten,
    "contrast": _contrast,
    "gamma": _bend,
    "blur": _blur,
    "noise": _add_noise,
    "cutout": _cut,
}
"""What is done to float32 pixels of 0 to 255 with what `workers.inputs.augmentation.DRAW` draws, by the same names."""
