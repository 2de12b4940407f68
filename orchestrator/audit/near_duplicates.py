"""Images that are one picture: the same one saved again, resized, brightened or flipped.

Candidates are found by a perceptual hash (the signs of the low frequencies of the picture) and confirmed by the
correlation of their pixels, coarse structure removed, because any two radiographs of one kind share that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SIDE = 48
"""Pictures are compared at this many pixels a side."""

FREQUENCIES = 8
MOST_BITS = 12
"""Bits of 63 in which the hashes of candidates may differ."""

LEAST_CORRELATION = 0.85
"""Correlation of the fine structure from which two pictures are one; see bench.leaks."""

CHUNK = 1024

FLIPS = ("as it is", "flipped left to right", "flipped upside down", "turned by half")


@dataclass(frozen=True)
class Sketch:
    """What is kept of a picture to compare it: hash bits, bool (63,), and fine structure, float32 (SIDE * SIDE,)."""

    bits: NDArray[np.bool_]
    structure: NDArray[np.float32]


@dataclass(frozen=True)
class Duplicate:
    """Two pictures, by their places, that are one; `flip` is an entry of FLIPS."""

    first: int
    second: int
    correlation: float
    flip: str


def sketch_file(path: Path) -> Sketch:
    """Read an image and sketch it.

    Raises:
        OSError: the file is missing or no image.
    """
    from PIL import Image

    with Image.open(path) as image:
        if image.format == "JPEG":
            # Decoding at a fraction of the size is several times faster; the sketch is far smaller still.
            image.draft("L", (4 * SIDE, 4 * SIDE))
        if image.mode in ("I", "F") or image.mode.startswith("I;16"):
            pixels = np.asarray(image, np.float32)
            grey = Image.fromarray(pixels)
        else:
            grey = image.convert("L").convert("F")
        small = grey.resize((SIDE, SIDE), Image.Resampling.BOX)
    return sketch(np.asarray(small, np.float32))


def sketch(pixels: NDArray[np.float32]) -> Sketch:
    """Sketch a grey picture of shape (SIDE, SIDE)."""
    waves = _cosines()
    low = waves @ (pixels - pixels.mean()) @ waves.T
    fine = pixels - _blur(pixels)
    # A bright edge (a lead marker, a border) must not stand for the whole picture.
    limit = 3 * float(fine.std()) + 1e-6
    fine = np.clip(fine, -limit, limit)
    fine = fine - fine.mean()
    norm = float(np.linalg.norm(fine))
    structure = fine / norm if norm > 1e-3 else np.zeros_like(fine)
    return Sketch((low.ravel() > 0)[1:], structure.ravel().astype(np.float32))


def find_duplicates(
    sketches: Sequence[Sketch], is_wanted: Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.bool_]]
) -> list[Duplicate]:
    """Every pair of pictures that are one, in any of the four flips.

    Args:
        sketches: one per picture.
        is_wanted: told places of first and second pictures; whether each pair is of interest.

    Returns:
        Pairs with first < second, by place; of several flips the one that fits best.
    """
    if len(sketches) < 2:
        return []
    bits = np.where(np.stack([one.bits for one in sketches]), 1, -1).astype(np.float32)
    structures = np.stack([one.structure for one in sketches])
    found: dict[tuple[int, int], Duplicate] = {}
    for flip, name in enumerate(FLIPS):
        turned = bits * _flip_signs(flip)
        flipped = _flip_structures(structures, flip)
        for begin in range(0, len(bits), CHUNK):
            # The product of signs counts equal bits minus differing ones.
            differing = (bits.shape[1] - bits[begin : begin + CHUNK] @ turned.T) / 2
            rows, second = np.nonzero(differing <= MOST_BITS)
            first = rows + begin
            kept = first < second
            first, second = first[kept], second[kept]
            kept = is_wanted(first, second)
            first, second = first[kept], second[kept]
            for part in range(0, len(first), CHUNK):
                ours, theirs = first[part : part + CHUNK], second[part : part + CHUNK]
                correlation = np.einsum("ij,ij->i", structures[ours], flipped[theirs])
                for one, other, value in zip(ours, theirs, correlation, strict=True):
                    pair = (int(one), int(other))
                    if value >= LEAST_CORRELATION and (pair not in found or found[pair].correlation < value):
                        found[pair] = Duplicate(*pair, float(value), name)
    return [found[pair] for pair in sorted(found)]


def _cosines() -> NDArray[np.float32]:
    """The lowest rows of the discrete cosine transform (type II), shape (FREQUENCIES, SIDE)."""
    places = (np.arange(SIDE) + 0.5) * np.pi / SIDE
    return np.cos(np.arange(FREQUENCIES)[:, None] * places).astype(np.float32)


def _flip_signs(flip: int) -> NDArray[np.float32]:
    """A flip changes the sign of every odd frequency along its axis: shape (63,)."""
    odd = np.where(np.arange(FREQUENCIES) % 2, -1, 1)
    along_width = odd if flip & 1 else np.ones_like(odd)
    along_height = odd if flip & 2 else np.ones_like(odd)
    return np.outer(along_height, along_width).ravel()[1:].astype(np.float32)


def _flip_structures(structures: NDArray[np.float32], flip: int) -> NDArray[np.float32]:
    square = structures.reshape(-1, SIDE, SIDE)
    if flip & 1:
        square = square[:, :, ::-1]
    if flip & 2:
        square = square[:, ::-1, :]
    return np.ascontiguousarray(square).reshape(len(structures), -1)


def _blur(pixels: NDArray[np.float32], radius: int = 3) -> NDArray[np.float32]:
    """Mean over a square around each pixel, edges repeated."""
    size = 2 * radius + 1
    padded = np.pad(pixels, radius, mode="edge").astype(np.float64)
    sums = np.pad(padded.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    total = sums[size:, size:] - sums[:-size, size:] - sums[size:, :-size] + sums[:-size, :-size]
    return (total / size**2).astype(np.float32)
