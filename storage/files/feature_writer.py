"""How extracted features are written: row after row, to go on where an extraction was stopped, and named when they are whole."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from storage.errors import FeaturesError
from storage.files.features import META, VALUES, FeatureKey, discard, folder_of, unwritable
from storage.files.leftovers import sweep
from storage.files.writing import install_folder

SUMS = "sums"
SUM = np.dtype("<u4")
ITEM_BYTES = 4


class FeatureWriter:
    """Appends rows to an unfinished extraction and gives it its final name when it is whole.

    Use it inside `lock_extraction`. A row is one view of one image.

    Args:
        cache: the cache folder.
        key: which features.
        shape: images, views, features.
    """

    def __init__(self, cache: Path, key: FeatureKey, shape: tuple[int, int, int]) -> None:
        self._folder = folder_of(cache, key)
        self._partial = self._folder.with_suffix(".partial")
        self._key, self._shape = key, shape
        self._row_bytes = ITEM_BYTES * shape[2]
        self._rows = shape[0] * shape[1]
        try:
            self._partial.mkdir(parents=True, exist_ok=True)
            self._file = self._open()
            self._require_space()
        except OSError as error:
            raise unwritable(self._partial, error) from error

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
            sums = [zlib.crc32(row) for row in np.ascontiguousarray(rows, dtype="<f4")]
            with (self._partial / SUMS).open("ab") as file:
                file.write(np.array(sums, SUM).tobytes())
        except OSError as error:
            self._file.truncate(self._start + self._done * self._row_bytes)
            raise unwritable(self._partial, error) from error
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
            (self._partial / SUMS).unlink(missing_ok=True)
            # Whoever extracts holds the lock, and found the folder damaged where there is one.
            discard(self._folder)
            sweep(self._folder.parent)
            install_folder(self._partial, self._folder)
        except OSError as error:
            raise unwritable(self._partial, error) from error

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
        rows = self._count_sound_rows(file)
        # Whole batches only: a row computed in another batch could differ in its last bits.
        self._done = self._rows if rows >= self._rows else rows - rows % self._key.batch
        file.truncate(self._start + self._done * self._row_bytes)
        os.truncate(self._partial / SUMS, self._done * SUM.itemsize)
        file.seek(0, os.SEEK_END)
        return file

    def _count_sound_rows(self, file: IO[bytes]) -> int:
        """How many rows from the first on have the bytes that they were written with."""
        path = self._partial / SUMS
        path.touch()
        noted = path.read_bytes()
        sums = np.frombuffer(noted[: len(noted) // SUM.itemsize * SUM.itemsize], SUM)
        file.seek(self._start)
        for row, known in enumerate(sums.tolist()):
            content = file.read(self._row_bytes)
            if len(content) < self._row_bytes or zlib.crc32(content) != known:
                return row
        return len(sums)

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
