"""The store of extracted features on disk, addressed by everything they depend on.

    <cache>/features/<digest>/values.npy    float32, shape (n images, views, features)
    <cache>/features/<digest>/meta.json     the key, the size and the SHA-256 of values.npy
    <cache>/features/<digest>.partial/      an extraction that is under way, or was stopped and will go on
    <cache>/features/<digest>.lock          held by the one process of a machine that extracts

A folder gets its final name when it is whole, so what can be opened is complete.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from storage.errors import FeaturesError

VALUES = "values.npy"
META = "meta.json"
SAMPLE_SIZE = 64
ITEM_BYTES = 4


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
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class Features:
    """Features of all development images, read from disk as they are needed.

    Attributes:
        values: float32 memory map, shape (n images, views, features); images in the data set's order.
        digest: of the key.
        folder: where they are.
    """

    values: NDArray[np.float32]
    digest: str
    folder: Path

    def sample(self) -> list[float]:
        """Some 64 numbers from fixed places, by which two machines compare their features."""
        flat = self.values.reshape(-1)
        places = np.linspace(0, flat.size - 1, min(SAMPLE_SIZE, flat.size)).astype(np.int64)
        return [float(value) for value in flat[places]]


def open_features(cache: Path, key: FeatureKey) -> Features | None:
    """Open the features of a key after checking every byte; None when there are none yet.

    Raises:
        FeaturesError: the folder is damaged.
    """
    folder = _folder(cache, key)
    if not folder.is_dir():
        return None
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        with (folder / VALUES).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size != meta["size"]:
                raise _damaged(folder, f"{VALUES} has {size:,} bytes instead of {meta['size']:,}")
            if hashlib.file_digest(file, "sha256").hexdigest() != meta["sha256"]:
                raise _damaged(folder, f"{VALUES} has another SHA-256 than when it was written")
        values = np.load(folder / VALUES, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, str(error) or type(error).__name__) from error
    return Features(values, key.digest, folder)


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

    folder = _folder(cache, key)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder.with_suffix(".lock"))
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            on_wait()
            lock.acquire()
    except OSError as error:
        raise _unwritable(folder.parent, error) from error
    try:
        yield
    finally:
        lock.release()


class FeatureWriter:
    """Appends rows to an unfinished extraction and gives it its final name when it is whole.

    Use it inside `lock_extraction`. A row is one view of one image.

    Args:
        cache: the cache folder.
        key: which features.
        shape: images, views, features.
    """

    def __init__(self, cache: Path, key: FeatureKey, shape: tuple[int, int, int]) -> None:
        self._folder = _folder(cache, key)
        self._partial = self._folder.with_suffix(".partial")
        self._key, self._shape = key, shape
        self._row_bytes = ITEM_BYTES * shape[2]
        self._rows = shape[0] * shape[1]
        try:
            self._partial.mkdir(parents=True, exist_ok=True)
            self._file = self._open()
            self._require_space()
        except OSError as error:
            raise _unwritable(self._partial, error) from error

    @property
    def done(self) -> int:
        """Rows that are safely on disk: whole batches of the key, or all rows."""
        return self._done

    def append(self, rows: NDArray[np.float32]) -> None:
        """Write the next rows, shape (m, features).

        Raises:
            FeaturesError: the disk is full or refuses; what was there before stays, to go on from.
        """
        try:
            content = memoryview(np.ascontiguousarray(rows, dtype="<f4").tobytes())
            # An unbuffered write to a nearly full disk writes what fits and says how much.
            while content:
                content = content[self._file.write(content) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.truncate(self._start + self._done * self._row_bytes)
            raise _unwritable(self._partial, error) from error
        self._done += len(rows)

    def finish(self) -> None:
        """Describe the values and move the folder to its final name, in one step.

        Raises:
            FeaturesError: rows are missing, or the disk is full.
        """
        if self._done != self._rows:
            raise FeaturesError(f"Only {self._done} of {self._rows} rows of features were written.")
        self.close()
        path = self._partial / VALUES
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            meta = {"key": asdict(self._key), "size": path.stat().st_size, "sha256": digest}
            (self._partial / META).write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")
            os.replace(self._partial, self._folder)
        except OSError as error:
            raise _unwritable(self._partial, error) from error

    def close(self) -> None:
        """Let go of the file; what was appended stays, to go on from."""
        self._file.close()

    def __enter__(self) -> FeatureWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> IO[bytes]:
        path = self._partial / VALUES
        file = path.open("r+b" if path.exists() else "w+b", buffering=0)
        header = {"descr": "<f4", "fortran_order": False, "shape": self._shape}
        expected = _make_header(header)
        if file.read(len(expected)) != expected:
            # Stopped within the header, or begun with another shape: nothing in it is of use.
            file.seek(0)
            file.truncate()
            file.write(expected)
        self._start = len(expected)
        rows = (os.fstat(file.fileno()).st_size - self._start) // self._row_bytes
        # Whole batches only: a row computed in another batch could differ in its last bits.
        self._done = self._rows if rows >= self._rows else rows - rows % self._key.batch
        file.truncate(self._start + self._done * self._row_bytes)
        file.seek(0, os.SEEK_END)
        return file

    def _require_space(self) -> None:
        needed = (self._rows - self._done) * self._row_bytes
        free = shutil.disk_usage(self._partial).free
        if needed > free:
            self._file.close()
            raise FeaturesError(
                f"The features need {needed / 1e6:,.0f} MB in {self._folder.parent}, where {free / 1e6:,.0f} MB are free.",
                next_step="Free some space, or set ORCH_CACHE to a folder on a larger disk.",
            )


def _make_header(header: dict[str, object]) -> bytes:
    import io

    text = io.BytesIO()
    np.lib.format.write_array_header_1_0(text, header)
    return text.getvalue()


def _folder(cache: Path, key: FeatureKey) -> Path:
    return cache / "features" / key.digest


def _damaged(folder: Path, why: str) -> FeaturesError:
    return FeaturesError(
        f"The stored features in {folder} are damaged: {why}.",
        why="The disk failed, or the folder was edited or only partly copied.",
        next_step="Remove that folder; the next worker extracts the features again.",
    )


def _unwritable(folder: Path, error: OSError) -> FeaturesError:
    return FeaturesError(
        f"Features cannot be written to {folder}: {error.strerror or error}.",
        why="The disk is full, or the folder is not writable for you.",
        next_step="Free some space, or set ORCH_CACHE to a folder that can take them; what was extracted is kept.",
    )
