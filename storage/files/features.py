"""The store of extracted features on disk, addressed by everything they depend on.

    <cache>/features/<digest>/values.npy    float32, shape (n images, views, features)
    <cache>/features/<digest>/meta.json     the key, the size and the SHA-256 of values.npy
    <cache>/features/<digest>.partial/      an extraction that is under way, or was stopped and will go on; `sums` has the
                                            CRC-32 of each row, so that what was damaged meanwhile is extracted again
    <cache>/features/<digest>.lock          held by the one process of a machine that extracts

A folder gets its final name when it is whole, so what can be opened is complete.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.errors import FeaturesError
from storage.files.checked_rows import CheckedRows, sample_rows
from storage.files.documents import digest_key
from storage.files.leftovers import name_partial

log = logging.getLogger(__name__)

VALUES = "values.npy"
META = "meta.json"


@dataclass(frozen=True)
class FeatureKey:
    """Everything that the values of features depend on, except rounding on other hardware.

    Attributes:
        fingerprint: of the data set.
        backbone: its name in `keras.applications`.
        weights: what identifies the backbone's weights: a SHA-256, or what they are made from.
        image_size: height and width in pixels.
        resize: how images are brought to that size.
        preprocessing: which function scales the pixels.
        pooling: how the last feature maps become a vector.
        views: names of the flips, in the order in which they are stored.
        batch: images per forward pass; it may decide the last bits.
        precision: what the layers of the backbone compute in.
        versions: of the libraries that compute the values.
    """

    fingerprint: str
    backbone: str
    weights: str
    image_size: tuple[int, int]
    resize: str
    preprocessing: str
    pooling: str
    views: tuple[str, ...]
    batch: int
    precision: str
    versions: tuple[tuple[str, str], ...]
    dtype: str = "float32"

    @property
    def digest(self) -> str:
        """SHA-256 of the key, in hex digits: the name of the folder."""
        return digest_key(asdict(self))


@dataclass(frozen=True, eq=False)
class Features:
    """Features of all development images, read from disk as they are needed.

    Attributes:
        values: float32 memory map, shape (n images, views, features), checked as it is read; images in the data set's order.
        digest: of the key.
        folder: where they are.
    """

    values: NDArray[np.float32]
    digest: str
    folder: Path

    def sample(self) -> list[float]:
        """Some 64 numbers from fixed places, by which two machines compare their features."""
        return sample_rows(self.values)


def open_features(cache: Path, key: FeatureKey) -> Features | None:
    """Open the features of a key after checking every byte; None when they have to be extracted.

    A damaged folder is said in the log and counts as none: `storage.files.feature_writer` takes its place.

    Raises:
        FeaturesError: the folder is not readable for this user.
    """
    folder = folder_of(cache, key)
    if not folder.is_dir():
        return None
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        if digest_key(meta["key"]) != key.digest:
            raise ValueError(f"{META} is of other features")
        values = np.load(folder / VALUES, mmap_mode="r", allow_pickle=False)
        if values.dtype != np.float32 or values.ndim != 3:
            raise ValueError(f"{VALUES} is no table of features")
        sums = check_values(folder / VALUES, values, int(meta["size"]), meta["sha256"])
    except PermissionError as error:
        raise FeaturesError(
            f"The stored features in {folder} cannot be read: {error.strerror}.",
            next_step="Name another cache folder with ORCH_CACHE, or let their owner make them readable.",
        ) from error
    # A damaged header of an array raises many kinds of errors; whatever it is, the features can be extracted again.
    except Exception as error:
        reason = str(error).rstrip(".") or type(error).__name__
        log.warning("The stored features in %s are damaged and are extracted again: %s.", folder, reason)
        return None
    # It stands in for the array wherever features are read.
    rows: Any = CheckedRows(
        values, sums, place=f"The file of features {folder}", drop=lambda: discard(folder)
    )
    return Features(rows, key.digest, folder)


def check_values(path: Path, values: NDArray[np.float32], size: int, sha256: str) -> NDArray[np.uint32]:
    """Compare a file with what was written; returns the CRC-32 of each image's features, shape (n,).

    Raises:
        ValueError: says what differs.
        OSError: the disk refuses.
    """
    sums = np.zeros(len(values), np.uint32)
    offset, row_bytes = values.offset, values[0].nbytes if len(values) else 0  # type: ignore[attr-defined]
    with path.open("rb") as file:
        found = os.fstat(file.fileno()).st_size
        if found != size or found != offset + row_bytes * len(values):
            raise ValueError(f"{VALUES} has {found:,} bytes instead of {size:,}")
        digest = hashlib.sha256(file.read(offset))
        for place in range(len(values)):
            row = file.read(row_bytes)
            digest.update(row)
            sums[place] = zlib.crc32(row)
    if digest.hexdigest() != sha256:
        raise ValueError(f"{VALUES} has another SHA-256 than when it was written")
    return sums


@contextmanager
def lock_extraction(cache: Path, key: FeatureKey, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the right to extract these features on this machine; the lock ends with its process.

    Args:
        cache: the cache folder; made when it is not there.
        key: which features.
        on_wait: called once when another process holds the lock.

    Raises:
        FeaturesError: the cache folder cannot be written.
    """
    import filelock

    folder = folder_of(cache, key)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder.with_suffix(".lock"))
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            on_wait()
            lock.acquire()
    except OSError as error:
        raise unwritable(folder.parent, error) from error
    try:
        yield
    finally:
        lock.release()


def folder_of(cache: Path, key: FeatureKey) -> Path:
    """Where the features of a key are kept when they are whole."""
    return cache / "features" / key.digest


def discard(folder: Path) -> None:
    """Take a damaged folder out of the way; whoever still reads it goes on reading."""
    with contextlib.suppress(FileNotFoundError):
        aside = name_partial(folder)
        folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)


def unwritable(folder: Path, error: OSError) -> FeaturesError:
    """What to say where the cache refuses."""
    return FeaturesError(
        f"Features cannot be written to {folder}: {error.strerror or error}.",
        why="The disk is full, or the folder is not writable for you.",
        next_step="Free some space, or set ORCH_CACHE to a folder that can take them; what was extracted is kept.",
    )
