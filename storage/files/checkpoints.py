"""Where a trial was after an epoch, on a folder that all workers share, so that any of them can go on from there.

Plain arrays in an .npz file, read without pickle: what a worker reads from a shared folder is data, never code.
What a checkpoint holds depends on (spec, parameters, epoch) alone, so it does not matter which attempt wrote it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from storage.files.leftovers import sweep
from storage.files.writing import atomically, hash_file

log = logging.getLogger(__name__)

SHARE_OF_TIME = 0.05
"""Checkpoints may take this share of the time; where they are slow to write, there are fewer."""
SHORTEST_INTERVAL = 20.0
"""Seconds between two checkpoints, at least: a shorter training is repeated as fast as it is read."""

MARK = b"ORCHSUM1"
SEAL_BYTES = hashlib.sha256().digest_size + len(MARK)

Arrays = Mapping[str, np.ndarray]


@dataclass
class Checkpoint:
    """The one checkpoint of a point.

    Attributes:
        folder: the shared folder; None keeps nothing.
        study_uuid: of which study.
        point: of which point.
        key: from `storage.results.ledger.run_key`; a checkpoint of other parameters is not taken.
    """

    folder: Path | None
    study_uuid: str
    point: int
    key: str
    interval: float = SHORTEST_INTERVAL
    _saved_at: float = field(default_factory=time.monotonic)
    _seconds: float = 0.0

    @property
    def path(self) -> Path | None:
        """The file."""
        if self.folder is None:
            return None
        return self.folder / "checkpoints" / self.study_uuid / f"{self.point}.npz"

    @property
    def is_due(self) -> bool:
        """Whether it is time for another one."""
        waited = time.monotonic() - self._saved_at
        return self.folder is not None and waited >= max(self.interval, self._seconds / SHARE_OF_TIME)

    def save(self, epoch: int, arrays: Callable[[], Arrays], *, fold: int = -1) -> None:
        """Write where the trial is; a folder that cannot be written to is said and costs nothing else.

        Args:
            epoch: finished epochs.
            arrays: what to keep.
            fold: the fold in training (sequential), -1 for all of them (lockstep).
        """
        path = self.path
        if path is None:
            return
        began = time.monotonic()
        header: dict[str, Any] = {"epoch": epoch, "fold": fold, "key": self.key}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomically(path) as temporary:
                with temporary.open("wb") as file:
                    np.savez(file, **header, **dict(arrays()))  # type: ignore[arg-type]
                _seal(temporary)
        except OSError as error:
            log.warning("No checkpoint could be written: %s", error)
        self._saved_at = time.monotonic()
        self._seconds = self._saved_at - began

    def load(self) -> tuple[int, int, dict[str, np.ndarray]] | None:
        """Read (fold, epoch, arrays); None where there is no usable checkpoint."""
        path = self.path
        if path is None or not path.is_file():
            return None
        try:
            _check_seal(path)
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            epoch, fold, key = int(arrays.pop("epoch")), int(arrays.pop("fold")), str(arrays.pop("key"))
        # A damaged archive raises many kinds of errors; whatever it is, the trial can begin again.
        except Exception as error:
            log.warning(
                "The checkpoint %s cannot be used, so the trial starts from its beginning: %s", path, error
            )
            return None
        return (fold, epoch, arrays) if key == self.key else None

    def remove(self) -> None:
        """The point is settled: no worker goes on from here, and what one of them may still write is of no use."""
        path = self.path
        if path is not None:
            unfinished = re.compile(rf"\.{self.point}\.orch-.*\.partial\.npz|{self.point}\.npz\.\d+\.tmp")
            try:
                path.unlink(missing_ok=True)
                sweep(path.parent, is_over=lambda name: unfinished.fullmatch(name) is not None)
                path.parent.rmdir()
            except OSError:
                return  # other points of the study have theirs there, or the folder is gone


def _seal(path: Path) -> None:
    """Put the SHA-256 of a file behind it, where readers of ZIP archives pass it over."""
    digest = bytes.fromhex(hash_file(path))
    with path.open("ab") as file:
        file.write(digest + MARK)


def _check_seal(path: Path) -> None:
    """Compare a file with what `_seal` put behind it; one without, of an earlier orch, has the checks of ZIP alone.

    Raises:
        ValueError: another byte is in it.
    """
    with path.open("rb") as file:
        content = max(0, os.fstat(file.fileno()).st_size - SEAL_BYTES)
        digest = hashlib.sha256()
        while content and (part := file.read(min(content, 2**20))):
            digest.update(part)
            content -= len(part)
        sealed, mark = file.read(digest.digest_size), file.read()
    if mark == MARK and sealed != digest.digest():
        raise ValueError("it has other bytes than when it was written")


def pack(prefix: str, arrays: Arrays) -> dict[str, np.ndarray]:
    """Name arrays so that those of several folds fit into one file."""
    return {f"{prefix}.{name}": np.asarray(array) for name, array in arrays.items()}


def unpack(prefix: str, arrays: Arrays) -> dict[str, np.ndarray]:
    """Return what `pack` named."""
    begin = f"{prefix}."
    return {name.removeprefix(begin): array for name, array in arrays.items() if name.startswith(begin)}
