"""How a file that somebody asked for is written: whole or not at all, and named in every message as it was asked for."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.errors import UsageError


def check_place(path: Path) -> None:
    """Make sure, before long work, that a file can be written here.

    Raises:
        UsageError: there is no such folder, it cannot be written in, or something that is no file has the name.
    """
    folder = path.absolute().parent
    if path.is_dir():
        raise UsageError(
            f"{path} is a folder, so no file of that name can be written.",
            next_step=f"Name a file in it, such as {path / f'result{path.suffix}'}.",
        )
    if path.exists() and not path.is_file():
        raise UsageError(
            f"{path} is a device or a pipe, and what is written there cannot be whole or not at all.",
            next_step="Name a file.",
        )
    if not folder.is_dir():
        raise UsageError(
            f"There is no folder {path.parent} to write {path.name} in.",
            next_step="Make the folder first, or name a file elsewhere.",
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(
            f"{path} cannot be written.",
            why=f"You may not write in the folder {folder}.",
            next_step="Name a file elsewhere.",
        )


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file of another name to write into, with the same suffix, which becomes `path` when all was written.

    Raises:
        UsageError: as `check_place`.
        OSError: the disk is full or refuses; names `path`.
    """
    check_place(path)
    try:
        with _temporary_file(path) as temporary:
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            mask = os.umask(0)
            os.umask(mask)
            # mkstemp makes a private file; what was asked for is as readable as any file of the user.
            temporary.chmod(0o666 & ~mask)
            temporary.replace(path)
    except OSError as error:
        # Nobody asked for a file of the temporary name.
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def write_text(path: Path, text: str) -> None:
    """Write a text file as `replacing` does: whole or not at all."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file as `replacing` does: whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def _temporary_file(path: Path) -> Iterator[Path]:
    handle, name = tempfile.mkstemp(
        dir=path.absolute().parent, prefix=f".{path.stem}.", suffix=f".partial{path.suffix}"
    )
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def hash_file(path: Path) -> str:
    """SHA-256 of a file as hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
