"""Which grey values become black and white, where a file holds more than the 8 bits of a screen.

Most radiographs use 10 to 14 bits of a 16-bit file. Divided by the range of the file type they would be nearly black, so
the range is that of the detector: the smallest usual depth (8, 10, 12, 14 or 16 bits) that holds the brightest value.
One rule for a whole data set keeps its images comparable: the import writes down which depths its files use
(`choose_scale`), and a file that is darker than the rest takes the depth of the others. A file of its own takes the
depth that it uses itself. Values below 0 (Hounsfield units) and fractions have no depth: they run from the lowest to the
highest value of the data set, or of the file, except fractions up to 1, which run from 0 to 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

DEPTHS = (8, 10, 12, 14, 16)
"""Bits of the detectors that are built."""

RARE = 0.05
"""A depth that a smaller share of the files, or one alone, uses is no depth of the data set, where a larger one holds it."""

NARROW = 0.25
"""The share of its depth below which whole numbers are a band somewhere in it (Hounsfield units with an offset, a picture that was inverted
in 16 bits): then the range is that of the values. Values that begin at 0 use more, as the depth is the smallest that holds them."""

DARK_FRACTION = 0.5
"""Fractions whose highest is below this do not run from 0 to 1: they are something else, and take their own range."""


@dataclass(frozen=True)
class Extent:
    """What a file holds: its lowest and highest value, and whether every value is a whole number."""

    lowest: float
    highest: float
    whole: bool

    @property
    def has_depth(self) -> bool:
        """Whether the values are those of a detector: whole numbers from 0."""
        return self.whole and self.lowest >= 0


@dataclass(frozen=True)
class Scale:
    """The rule of a data set.

    Attributes:
        depths: bits that its files use, ascending; a file takes the smallest that holds it. None where all lie in a narrow band.
        low: the lowest value of all files without a depth; None where there is none.
        high: their highest value.
    """

    depths: tuple[int, ...] = DEPTHS
    low: float | None = None
    high: float | None = None

    def to_document(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {"depths": list(self.depths), "low": self.low, "high": self.high}

    @classmethod
    def from_document(cls, document: Any) -> Scale:
        """Read what `to_document` wrote; the rule for single files where there is nothing."""
        if not isinstance(document, dict) or "depths" not in document:
            return cls()
        low, high = document.get("low"), document.get("high")
        return cls(tuple(int(depth) for depth in document["depths"]), low, high)


def measure(values: NDArray[Any]) -> Extent:
    """The extent of grey values of any shape; what is not finite is left out."""
    if values.dtype.kind in "uib":
        return Extent(float(values.min()), float(values.max()), True)
    known = values[np.isfinite(values)]
    if not known.size:
        return Extent(0.0, 0.0, True)
    # Fractions of 0 and 1 alone are a mask that runs from 0 to 1, not two grey values of 256.
    whole = bool((known == np.rint(known)).all()) and not (values.dtype.kind == "f" and known.max() <= 1)
    return Extent(float(known.min()), float(known.max()), whole)


def find_depth(highest: float, depths: Sequence[int] = DEPTHS) -> int:
    """The smallest depth that holds a value; beyond all of them, the number of bits that it takes."""
    return next((depth for depth in depths if highest <= 2**depth - 1), int(highest).bit_length())


def find_range(extent: Extent, scale: Scale | None = None) -> tuple[float, float]:
    """The values that become black and white, of a file in a data set with this scale or of its own."""
    alone = scale is None
    scale = scale or Scale()
    if extent.has_depth and not _is_fraction(extent) and scale.depths and not (alone and _is_narrow(extent)):
        return 0.0, 2.0 ** find_depth(extent.highest, scale.depths) - 1
    if scale.low is not None and scale.high is not None:
        extent = Extent(min(scale.low, extent.lowest), max(scale.high, extent.highest), False)
    if _is_fraction(extent):
        return 0.0, 1.0
    return extent.lowest, extent.highest


def choose_scale(extents: Sequence[Extent]) -> Scale:
    """One rule for the files of a data set that hold more than 8 bits."""
    deep = [extent for extent in extents if extent.has_depth]
    if deep:
        low, high = min(one.lowest for one in deep), max(one.highest for one in deep)
        if _is_narrow(Extent(low, high, True)):
            return Scale((), min(one.lowest for one in extents), max(one.highest for one in extents))
    used = Counter(find_depth(extent.highest) for extent in deep)
    count = sum(used.values())
    depths = [depth for depth in used if used[depth] >= max(2, RARE * count)]
    if used and max(used) not in depths:
        depths.append(max(used))
    others = [extent for extent in extents if not extent.has_depth]
    if not others:
        return Scale(tuple(sorted(depths)) or DEPTHS)
    low, high = min(one.lowest for one in others), max(one.highest for one in others)
    return Scale(tuple(sorted(depths)) or DEPTHS, low, high)


def to_shades(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Grey values as 0 to 255, `low` black and `high` white; what is no number is black."""
    if high <= low:
        return np.zeros(values.shape, np.uint8)
    shades = (values.astype(np.float64) - low) * (255 / (high - low))
    return np.rint(np.clip(np.nan_to_num(shades, nan=0.0, posinf=255.0, neginf=0.0), 0, 255)).astype(np.uint8)


def _is_narrow(extent: Extent) -> bool:
    span = extent.highest - extent.lowest
    return 0 < span < NARROW * 2 ** find_depth(extent.highest)


def _is_fraction(extent: Extent) -> bool:
    return not extent.whole and extent.lowest >= 0 and DARK_FRACTION <= extent.highest <= 1
