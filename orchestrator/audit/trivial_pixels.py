"""What of a picture anybody can read off without knowing anatomy: brightness, spread, border, corners, a thumbnail.

If a model of these alone predicts a label, so may a network: by the device, the exposure, a frame or a marker that follows
the label in this data set and nowhere else.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

QUANTILES = (0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1)
BINS = 32
THUMBNAIL = 8
STRIPS = (0.02, 0.05)
CORNER = 0.12
EDGES = (40, 80, 120)
"""Steps between neighbours that are rare in anatomy and common in letters."""


def describe_pixels(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The trivial numbers of a grey picture of any shape, in grey values of 0 to 255.

    Returns:
        float32: mean and spread, quantiles, roots of the histogram's shares, mean and spread of strips along the four
        sides, mean, spread, lowest, highest and sharp steps of the four corners, sharp steps of the whole, and two 8 x 8 thumbnails, of the
        brightest pixels and of the means.
    """
    from PIL import Image

    values = grey.astype(np.float32)
    parts: list[float] = [float(values.mean()), float(values.std())]
    parts += [float(value) for value in np.quantile(values, QUANTILES)]
    counts = np.bincount(grey.ravel() // (256 // BINS), minlength=BINS)
    parts += [float(share) for share in 255 * np.sqrt(counts / grey.size)]
    for share in STRIPS:
        depth, breadth = (max(1, round(share * length)) for length in grey.shape)
        for strip in (values[:depth], values[-depth:], values[:, :breadth], values[:, -breadth:]):
            parts += [float(strip.mean()), float(strip.std())]
    depth, breadth = (max(1, round(CORNER * length)) for length in grey.shape)
    for rows in (slice(None, depth), slice(-depth, None)):
        for columns in (slice(None, breadth), slice(-breadth, None)):
            corner = values[rows, columns]
            parts += [float(corner.mean()), float(corner.std()), float(corner.min()), float(corner.max())]
            parts += _count_steps(corner)
    parts += _count_steps(values)
    cells = [np.array_split(row, THUMBNAIL, axis=1) for row in np.array_split(values, THUMBNAIL, axis=0)]
    parts += [float(cell.max()) if cell.size else 0.0 for row in cells for cell in row]
    small = Image.fromarray(grey).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    return np.concatenate([np.array(parts, np.float32), np.asarray(small, np.float32).ravel()])


def _count_steps(values: NDArray[np.float32]) -> list[float]:
    """Roots of the shares of neighbours that differ by more than each of EDGES: letters are sharp."""
    steps = [np.abs(np.diff(values, axis=axis)) for axis in (0, 1)]
    shares = [np.mean([(step > edge).mean() for step in steps if step.size] or [0.0]) for edge in EDGES]
    return [255 * float(np.sqrt(share)) for share in shares]
