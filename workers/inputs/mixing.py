"""Which images of a batch are mixed with which, and how much: mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019).

As in the authors' own programs a batch has one share, so that its loss is exactly share x the loss of its own labels + (1 - share) x
the loss of the others' labels. No label has to be averaged: blanks stay blanks, and any loss will do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.pictures.changes import MIXING
from workers.device.contract import Settings
from workers.inputs.augmentation import draw_boxes


@dataclass(frozen=True)
class Mixture:
    """With what each image of an epoch is mixed; every row of a batch has the same shares and box.

    Attributes:
        others: int32, shape (n,): the place of the other image within the batch.
        weights: float32, shape (n,): by which the grey values of the image itself count; the other's count 1 - weight.
        boxes: int32, shape (n, 4), as of `workers.inputs.augmentation.draw_boxes`: where the other image takes its place.
        shares: float32, shape (n,): by which the loss of the image's own labels counts.
        partners: int64, shape (n,): the place of the other image in the epoch.
    """

    others: NDArray[np.int32]
    weights: NDArray[np.float32]
    boxes: NDArray[np.int32]
    shares: NDArray[np.float32]
    partners: NDArray[np.int64]

    @property
    def leading(self) -> NDArray[np.int64]:
        """The place in the epoch of the image that has the larger share of each mixed one, shape (n,)."""
        return np.where(self.shares >= 0.5, np.arange(len(self.shares)), self.partners)


def mix(pixels: NDArray[np.float32], mixture: Mixture) -> NDArray[np.float32]:
    """Images of one batch mixed as training mixes them, for a picture of it; shape (n, height, width, channels)."""
    partners = pixels[mixture.others]
    weights = mixture.weights[:, None, None, None]
    mixed = weights * pixels + (1 - weights) * partners
    for place, (top, left, bottom, right) in enumerate(mixture.boxes):
        mixed[place, top:bottom, left:right] = partners[place, top:bottom, left:right]
    return mixed


def draw_mixture(
    generator: np.random.Generator, count: int, batch_size: int, size: tuple[int, int], settings: Settings
) -> Mixture | None:
    """Draw with what each image is mixed; None where nothing is mixed.

    Args:
        generator: where it comes from.
        count: images of the epoch.
        batch_size: images of a batch; the last may be shorter.
        size: height and width in pixels.
        settings: mixup and cutmix, the parameters of Beta(a, a); with both, each batch is mixed one way or the other, by even chances.
    """
    ways = [name for name in MIXING if settings.get(name, 0.0)]
    if not ways:
        return None
    others, weights, boxes, shares = [], [], [], []
    for first in range(0, count, batch_size):
        rows = min(batch_size, count - first)
        way = ways[int(generator.integers(len(ways)))]
        share = float(generator.beta(settings[way], settings[way]))
        weight, box = share, np.zeros(4, np.int32)
        if way == "cutmix":
            box = _draw_box(generator, size, 1 - share)
            # What was cut off at the rim is the image's own again.
            weight, share = 1.0, 1 - (box[2] - box[0]) * (box[3] - box[1]) / (size[0] * size[1])
        others.append(generator.permutation(rows))
        weights.append(np.full(rows, weight))
        shares.append(np.full(rows, share))
        boxes.append(np.tile(box, (rows, 1)))
    places = np.concatenate(others)
    return Mixture(
        places.astype(np.int32),
        np.concatenate(weights).astype(np.float32),
        np.concatenate(boxes).astype(np.int32),
        np.concatenate(shares).astype(np.float32),
        places + np.arange(count) // batch_size * batch_size,
    )


def _draw_box(generator: np.random.Generator, size: tuple[int, int], area: float) -> NDArray[np.int32]:
    return draw_boxes(generator, 1, size, np.array([area**0.5]))[0]
