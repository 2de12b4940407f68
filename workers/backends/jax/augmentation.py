"""Random changes of training images as JAX makes them, of the same names and the same values as under TensorFlow.

`workers.inputs.augmentation` draws what they are. Everything is traced into the training step, so that nothing but bytes and what was
drawn goes to the device.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from workers.models.drawing import draw_normal

WHITE = 255.0


def change(
    images: Any, matrices: Any, shifts: Any, drawn: Mapping[str, tuple[Any, ...]] | None = None
) -> Any:
    """Make the changes; arguments and what is returned as of `workers.backends.tensorflow.augmentation.change`."""
    moved = jax.vmap(_move)(images, matrices)
    lowest = jnp.min(moved, axis=(1, 2, 3), keepdims=True)
    highest = jnp.max(moved, axis=(1, 2, 3), keepdims=True)
    changed = jnp.clip(moved + _each(shifts), lowest, highest)
    given = drawn or {}
    # JAX gives them back in the order of the alphabet.
    for name in (name for name in MAKE if name in given):
        changed = MAKE[name](changed, *given[name])
    return changed


def mix(pixels: Any, others: Any, weights: Any, boxes: Any) -> Any:
    """Mix each image with another one of its batch; arguments as in `workers.inputs.mixing.Mixture`, pixels float32."""
    partners = pixels[others]
    mixed = _each(weights) * pixels + (1 - _each(weights)) * partners
    return jnp.where(is_inside(boxes, pixels.shape), partners, mixed)


def flip(images: Any, flips: Any) -> Any:
    """Mirror images, each as its own row of `flips` says (horizontally, vertically); any dtype, no interpolation."""
    mirrored = jnp.where(_each(flips[:, 0]), images[:, :, ::-1], images)
    return jnp.where(_each(flips[:, 1]), mirrored[:, ::-1], mirrored)


def is_inside(boxes: Any, shape: tuple[int, ...]) -> Any:
    """Whether each pixel lies in the box of its image, shape (n, height, width, 1); boxes as `draw_boxes` gives them."""
    rows, columns = jnp.arange(shape[1])[None, :, None], jnp.arange(shape[2])[None, None, :]
    top, left, bottom, right = (boxes[:, place, None, None] for place in range(4))
    return ((rows >= top) & (rows < bottom) & (columns >= left) & (columns < right))[..., None]


def _each(values: Any) -> Any:
    """One value for each image."""
    return values[:, None, None, None]


def _move(image: Any, matrix: Any) -> Any:
    """One image seen through its matrix: bilinear, black outside."""
    height, width = image.shape[:2]
    y, x = jnp.meshgrid(
        jnp.arange(height, dtype=jnp.float32), jnp.arange(width, dtype=jnp.float32), indexing="ij"
    )
    from_x = matrix[0] * x + matrix[1] * y + matrix[2]
    from_y = matrix[3] * x + matrix[4] * y + matrix[5]
    left, top = jnp.floor(from_x), jnp.floor(from_y)

    def read(row: Any, column: Any) -> Any:
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        places = [
            jnp.clip(place, 0, side - 1).astype(jnp.int32) for place, side in ((row, height), (column, width))
        ]
        return jnp.where(inside[..., None], image[tuple(places)].astype(jnp.float32), 0)

    def between(row: Any) -> Any:
        return (left + 1 - from_x)[..., None] * read(row, left) + (from_x - left)[..., None] * read(
            row, left + 1
        )

    return (top + 1 - from_y)[..., None] * between(top) + (from_y - top)[..., None] * between(top + 1)


def _brighten(pixels: Any, added: Any) -> Any:
    return jnp.clip(pixels + _each(added), 0.0, WHITE)


def _contrast(pixels: Any, factors: Any) -> Any:
    means = jnp.mean(pixels, axis=(1, 2), keepdims=True)
    return jnp.clip((pixels - means) * _each(factors) + means, 0.0, WHITE)


def _bend(pixels: Any, exponents: Any) -> Any:
    return WHITE * (jnp.clip(pixels, 0.0, WHITE) / WHITE) ** _each(exponents)


def _blur(pixels: Any, kernels: Any) -> Any:
    """Of what a kernel covers the part inside the picture counts alone."""
    taps = kernels.shape[1]

    def pass_over(values: Any, axis: int) -> Any:
        sides = [(taps // 2, taps // 2) if place == axis else (0, 0) for place in range(values.ndim)]
        padded = jnp.pad(values, sides)

        def add(tap: Any, total: Any) -> Any:
            part = jax.lax.dynamic_slice_in_dim(padded, tap, values.shape[axis], axis)
            return total + _each(kernels[:, tap]) * part

        return jax.lax.fori_loop(0, taps, add, jnp.zeros_like(values))

    def both(values: Any) -> Any:
        return functools.reduce(pass_over, (1, 2), values)

    return both(pixels) / both(jnp.ones_like(pixels[..., :1]))


def _add_noise(pixels: Any, spreads: Any, seeds: Any) -> Any:
    height, width = pixels.shape[1:3]
    noise = draw_normal(seeds.astype(jnp.uint32), height * width, jnp).reshape(-1, height, width, 1)
    return jnp.clip(pixels + _each(spreads) * noise, 0.0, WHITE)


def _cut(pixels: Any, boxes: Any) -> Any:
    means = jnp.mean(pixels, axis=(1, 2, 3), keepdims=True)
    return jnp.where(is_inside(boxes, pixels.shape), means, pixels)


MAKE: dict[str, Callable[..., Any]] = {
    "brightness": _brighten,
    "contrast": _contrast,
    "gamma": _bend,
    "blur": _blur,
    "noise": _add_noise,
    "cutout": _cut,
}
"""What is done to float32 pixels of 0 to 255 with what `workers.inputs.augmentation.DRAW` draws, by the same names."""
