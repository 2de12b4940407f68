"""Images through a frozen backbone on a GPU: each is sent once, as bytes; flips and scaling are done there.

A pixel has 256 values, so that scaling is a table, whose entries the scaling function itself has computed: the backbone gets the same
floats as from the host, to the last bit. Calls return before they are computed; the next batch is sent meanwhile.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
from numpy.typing import NDArray

from workers.backends.jax.device import products_in
from workers.device.contract import ImageBatch

if TYPE_CHECKING:
    from storage.spec import Precision

IN_FLIGHT = 3
"""Batches that are begun before the first of them is read."""


class ImageForward:
    """The forward pass of a backbone on bytes.

    Args:
        backbone: from scaled pixels to features.
        table: scaled values, shape (256, 3): of each pixel value, by channel of what the backbone gets.
        order: the channel of the image that each channel of what the backbone gets is made of.
        precision: of the products.
    """

    def __init__(
        self,
        backbone: keras.Model,
        table: NDArray[np.float32],
        order: tuple[int, ...],
        precision: Precision,
    ) -> None:
        self._variables = list(backbone.variables)
        self._values = [variable.value for variable in self._variables]
        self._backbone, self._order, self._precision = backbone, order, precision
        self._table = jnp.asarray(table)
        self._forward = jax.jit(self._compute)

    def run(self, batches: Iterable[ImageBatch]) -> Iterator[NDArray[np.float32]]:
        """Yield the features of each batch, shape (its rows, features), in order."""
        begun: deque[tuple[Any, int]] = deque()
        for batch in batches:
            rows = self._forward(self._values, self._table, batch.images, batch.places, batch.views)
            begun.append((rows, batch.count))
            if len(begun) == IN_FLIGHT:
                yield self._read(*begun.popleft())
        while begun:
            yield self._read(*begun.popleft())

    def _read(self, rows: Any, count: int) -> NDArray[np.float32]:
        return np.asarray(rows)[:count]

    def _compute(self, values: list[Any], table: Any, images: Any, places: Any, views: Any) -> Any:
        with (
            products_in(self._precision),
            keras.StatelessScope(state_mapping=list(zip(self._variables, values, strict=True))),
        ):
            features = self._backbone(scale_views(table, self._order, images, places, views), training=False)
        return features.astype(jnp.float32)


def scale_views(table: Any, order: tuple[int, ...], images: Any, places: Any, views: Any) -> Any:
    """Scaled pixels of the rows of a batch, float32 of shape (rows, height, width, 3); arguments as of `ImageBatch`."""
    rows = jnp.where((places >= 0)[:, None, None, None], images[jnp.maximum(places, 0)], 0)
    is_mirrored, is_upside_down = ((views & bit > 0)[:, None, None, None] for bit in (1, 2))
    rows = jnp.where(is_mirrored, rows[:, :, ::-1], rows)
    rows = jnp.where(is_upside_down, rows[:, ::-1], rows)
    return table[rows[..., jnp.array(order)], jnp.arange(len(order))]


@functools.lru_cache(maxsize=4)
def tabulate(
    scale: Callable[[NDArray[np.float32]], NDArray[np.float32]],
) -> tuple[NDArray[np.float32], tuple[int, ...]] | None:
    """The table and the order of channels by which a scaling function can be replaced.

    Args:
        scale: of `keras.applications`; takes float32 pixels of 0 to 255, and may change them in place.

    Returns:
        None where it is no function of each pixel value alone.
    """
    greys = np.repeat(np.arange(256, dtype=np.float32), 3).reshape(1, 256, 1, 3)
    table = np.asarray(scale(greys.copy()), np.float32).reshape(256, 3)
    colour = np.array([10, 100, 200])
    scaled = np.asarray(scale(colour.astype(np.float32).reshape(1, 1, 1, 3)), np.float32).reshape(3)
    order = tuple(int(np.argmax(table[colour, channel] == scaled[channel])) for channel in range(3))
    pixels = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3))
    expected = np.asarray(scale(pixels.astype(np.float32)), np.float32)
    is_right = np.array_equal(table[pixels[..., order], np.arange(3)], expected)
    return (table, order) if is_right else None
