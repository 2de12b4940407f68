"""Decoded images of one size on disk, once per machine: uint8, read as they are needed.

    <cache>/pixels/<digest>.npy     uint8, shape (n images, height, width, 3), in the data set's order; then checksums
    <cache>/pixels/<digest>.lock    held by the one process of a machine that decodes

The file gets its name when it is whole. The operating system keeps what is read often in memory, once for all
workers of a machine. After the array come the CRC-32 of each image, the SHA-256 of these with the array's header, and a mark:
any reader of .npy files passes them over. Every image is compared when the file is opened, and again while it is used.
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
import re
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.errors import FeaturesError
from storage.files.checked_rows import CheckedRows, Make, sample_rows
from storage.files.documents import digest_key
from storage.files.leftovers import sweep
from storage.files.writing import atomically
from storage.own_processes import count_processors

log = logging.getLogger(__name__)

COLOURS = 3
MARK = b"ORCHSUM1"
SUM = np.dtype("<u4")


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
        return digest_key(asdict(self))


@dataclass(frozen=True, eq=False)
class Pixels:
    """Decoded images; `values` is a uint8 memory map, shape (n images, height, width, 3), checked as it is read."""

    values: NDArray[np.uint8]
    digest: str

    def sample(self) -> list[float]:
        """Some 64 grey values from fixed places, by which two machines compare their images."""
        return sample_rows(self.values)


def open_pixels(cache: Path, key: PixelKey, count: int, make: Make | None = None) -> Pixels | None:
    """Open the images of a key after checking every byte; None when they have to be decoded.

    Args:
        cache: the cache folder.
        key: what they are.
        count: how many.
        make: decodes one image again, by number, where its bytes change while they are used.

    Raises:
        FeaturesError: the file is not readable for this user.
    """
    path = _path(cache, key)
    shape = (count, *key.image_size, COLOURS)
    try:
        sums = _read_sums(path, shape)
        values = np.load(path, mmap_mode="r", allow_pickle=False)
        if values.dtype != np.uint8 or values.shape != shape:
            raise ValueError("it holds other images")
        _check_images(path, values.offset, math.prod(shape[1:]), sums)
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise FeaturesError(
            f"The decoded images {path} cannot be read: {error.strerror}.",
            next_step="Name another cache folder with ORCH_CACHE, or let their owner make them readable.",
        ) from error
    except (OSError, ValueError, EOFError) as error:
        log.warning("The decoded images %s are made again: %s.", path, str(error).rstrip("."))
        return None
    # It stands in for the array wherever images are read.
    rows: Any = CheckedRows(
        values,
        sums,
        place=f"The file of decoded images {path}",
        drop=lambda: path.unlink(missing_ok=True),
        make=make,
    )
    return Pixels(rows, key.digest)


def keep_pixels(
    cache: Path, key: PixelKey, count: int, images: Iterator[NDArray[np.uint8]], make: Make | None = None
) -> Pixels:
    """Write decoded images, whole or not at all; of several processes the first decodes and the others wait.

    Args:
        cache: the cache folder; made when it is not there.
        key: what they are.
        count: how many.
        images: each of shape (height, width, 3); not asked for when another process was first.
        make: as in `open_pixels`.

    Raises:
        FeaturesError: the cache folder cannot be written, or the disk is full.
    """
    import filelock

    path = _path(cache, key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(path.with_suffix(".lock")):
            found = open_pixels(cache, key, count, make)
            if found is not None:
                return found
            # Whoever had such a name, as orch gave them once, had this lock.
            earlier = re.compile(rf"{key.digest}\.\d+\.partial")
            sweep(path.parent, is_over=lambda name: earlier.fullmatch(name) is not None)
            with atomically(path) as partial:
                _write(partial, (count, *key.image_size, COLOURS), images)
    except OSError as error:
        raise FeaturesError(
            f"Decoded images cannot be kept in {path.parent}: {error.strerror or error}.",
            next_step="Make room, or name another cache folder with ORCH_CACHE.",
        ) from error
    kept = open_pixels(cache, key, count, make)
    if kept is None:
        raise FeaturesError(
            f"The decoded images {path} are damaged as soon as they are written.",
            why="The disk or the memory of this machine is failing, or another program removes the file.",
            next_step="Name another cache folder with ORCH_CACHE.",
        )
    return kept


def _write(path: Path, shape: tuple[int, ...], images: Iterator[NDArray[np.uint8]]) -> None:
    values = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    _reserve(path)
    sums = np.zeros(shape[0], SUM)
    for place, image in zip(range(shape[0]), images, strict=True):
        values[place] = image
        # Of what was decoded, not of what was stored: so the writing is checked, too.
        sums[place] = zlib.crc32(np.asarray(image, np.uint8).tobytes())
    values.flush()
    with path.open("r+b") as file:
        header = file.read(values.offset)
        file.seek(0, os.SEEK_END)
        file.write(sums.tobytes() + hashlib.sha256(header + sums.tobytes()).digest() + MARK)


def _read_sums(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint32]:
    """The checksums at the end of the file.

    Raises:
        ValueError: they are damaged, or the file has none.
    """
    sizes = (SUM.itemsize * shape[0], hashlib.sha256().digest_size, len(MARK))
    with path.open("rb") as file:
        begin = os.fstat(file.fileno()).st_size - sum(sizes)
        offset = begin - math.prod(shape)
        if offset < 0:
            raise ValueError("they are cut off, or of an earlier version of orch")
        header = file.read(offset)
        file.seek(begin)
        sums, digest, mark = (file.read(size) for size in sizes)
    if mark != MARK:
        raise ValueError("they carry no checksums")
    if hashlib.sha256(header + sums).digest() != digest:
        raise ValueError("their checksums are damaged")
    return np.frombuffer(sums, SUM)


def _check_images(path: Path, offset: int, size: int, sums: NDArray[np.uint32]) -> None:
    """Compare every image of the file with its checksum.

    Raises:
        ValueError: one differs.
    """

    def check(numbers: NDArray[np.int64]) -> int | None:
        with path.open("rb", buffering=0) as file:
            for number in numbers.tolist():
                file.seek(offset + number * size)
                if zlib.crc32(file.read(size)) != sums[number]:
                    return int(number)
        return None

    threads = min(4, count_processors())
    with ThreadPoolExecutor(threads) as pool:
        parts = np.array_split(np.arange(len(sums)), threads)
        for damaged in pool.map(check, parts):
            if damaged is not None:
                raise ValueError(f"image {damaged} has other bytes than when it was written")


def _reserve(path: Path) -> None:
    """Take the room on disk now: a memory map that finds the disk full later ends the process without a word."""
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def _path(cache: Path, key: PixelKey) -> Path:
    return cache / "pixels" / f"{key.digest}.npy"
