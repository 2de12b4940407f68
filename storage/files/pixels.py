"""Decoded images of one size on disk, once per machine: uint8, read as they are needed.

    <cache>/pixels/<digest>.npy     uint8, shape (n images, height, width, 3), in the data set's order
    <cache>/pixels/<digest>.lock    held by the one process of a machine that decodes

The file gets its name when it is whole. The operating system keeps what is read often in memory, once for all
workers of a machine.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from storage.errors import FeaturesError

SAMPLE_SIZE = 64
COLOURS = 3


@dataclass(frozen=True)
class PixelKey:
    """Everything that decoded images depend on.

    Attributes:
        fingerprint: of the data set.
        image_size: height and width in pixels.
        resize: how images are brought to that size.
        versions: of the libraries that decode.
    """

    fingerprint: str
    image_size: tuple[int, int]
    resize: str
    versions: tuple[tuple[str, str], ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the key, in hex digits."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class Pixels:
    """Decoded images; `values` is a uint8 memory map, shape (n images, height, width, 3)."""

    values: NDArray[np.uint8]
    digest: str

    def sample(self) -> list[float]:
        """Some 64 grey values from fixed places, by which two machines compare their images."""
        flat = self.values.reshape(-1)
        places = np.linspace(0, flat.size - 1, min(SAMPLE_SIZE, flat.size)).astype(np.int64)
        return [float(value) for value in flat[places]]


def open_pixels(cache: Path, key: PixelKey, count: int) -> Pixels | None:
    """Open the images of a key; None when they are not decoded yet, or the file is not what it should be."""
    path = _path(cache, key)
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    whole = values.dtype == np.uint8 and values.shape == (count, *key.image_size, COLOURS)
    return Pixels(values, key.digest) if whole else None


def keep_pixels(cache: Path, key: PixelKey, count: int, images: Iterator[NDArray[np.uint8]]) -> Pixels:
    """Write decoded images, whole or not at all; of several processes the first decodes and the others wait.

    Args:
        cache: the cache folder; made when it is not there.
        key: what they are.
        count: how many.
        images: each of shape (height, width, 3); not asked for when another process was first.

    Raises:
        FeaturesError: the cache folder cannot be written, or the disk is full.
    """
    import filelock

    path = _path(cache, key)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(path.with_suffix(".lock")):
            found = open_pixels(cache, key, count)
            if found is not None:
                return found
            try:
                shape = (count, *key.image_size, COLOURS)
                values = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
                _reserve(partial)
                for place, image in enumerate(images):
                    values[place] = image
                values.flush()
                os.replace(partial, path)
            finally:
                partial.unlink(missing_ok=True)
    except OSError as error:
        raise FeaturesError(
            f"Decoded images cannot be kept in {path.parent}: {error.strerror or error}.",
            next_step="Make room, or name another cache folder with ORCH_CACHE.",
        ) from error
    kept = open_pixels(cache, key, count)
    if kept is None:
        raise FeaturesError(f"The decoded images {path} vanished while they were made.")
    return kept


def _reserve(path: Path) -> None:
    """Take the room on disk now: a memory map that finds the disk full later ends the process without a word."""
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def _path(cache: Path, key: PixelKey) -> Path:
    return cache / "pixels" / f"{key.digest}.npy"
