"""How a file that somebody asked for is written: whole or not at all, and named in every message as it was asked for."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.errors import UsageError
from storage.files.leftovers import name_partial, sweep

DATASET_FILES = ("manifest.json", "places.json", "columns.csv", "sealed.json", "openings.jsonl")
"""What a dataset folder holds: manifest, places of the images, other columns, sealed hold-out, record of its openings."""

SQLITE = b"SQLite format 3\0"
"""How every SQLite file begins."""

BESIDE_SQLITE = ("-wal", "-shm", "-journal")
"""How the files are named in which SQLite keeps what is not in its database yet."""

OF_THE_USER = {
    (0, b"\xff\xd8\xff"): "a JPEG picture",
    (128, b"DICM"): "a DICOM file",
    (0, b"II*\0"): "a TIFF picture",
    (0, b"MM\0*"): "a TIFF picture",
    (8, b"WEBP"): "a WebP picture",
    (0, b"\x89HDF\r\n\x1a\n"): "an HDF5 file, such as weights",
}
"""What orch reads and never writes: where it begins, and how."""

PRIVATE = 0o600
"""What orch writes of patients is read by who wrote it."""

_swept: set[Path] = set()
"""Folders that this process has looked through for leftovers: once is enough, a folder may hold a million files."""


def check_place(path: Path) -> None:
    """Make sure, before long work, that a file can be written here.

    Raises:
        UsageError: there is no such folder, it cannot be written in, or what has the name is no file, a database, or part of a
            dataset folder.
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
    if what := _find_irreplaceable(path.absolute()):
        raise UsageError(
            f"{path} is {what}, and no result replaces it.",
            why="What it holds could not be made again.",
            next_step="Name another file.",
        )


def check_places(*paths: Path | None) -> None:
    """As `check_place`, for all files of one command; None is one that was not asked for.

    Raises:
        UsageError: as `check_place`, or two results are to be written into one file.
    """
    taken: set[Path] = set()
    for path in paths:
        if path is None:
            continue
        check_place(path)
        if path.resolve() in taken:
            raise UsageError(f"Two results are to be written into {path}.", next_step="Name a file for each.")
        taken.add(path.resolve())


def _find_irreplaceable(path: Path) -> str | None:
    """What a file is that must not be written over, in words; None where it may be, or is not there."""
    if path.name in DATASET_FILES and path.exists() and path.with_name(DATASET_FILES[0]).exists():
        return f"part of the dataset folder {path.parent}"
    for ending in BESIDE_SQLITE:
        database = path.with_name(path.name.removesuffix(ending))
        if path.name.endswith(ending) and _read_beginning(database).startswith(SQLITE):
            return f"what SQLite keeps of the database {database.name}"
    beginning = _read_beginning(path)
    if beginning.startswith(SQLITE):
        return "a SQLite database"
    return next(
        (what for (place, words), what in OF_THE_USER.items() if beginning.startswith(words, place)), None
    )


def _read_beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(256)
    except OSError:
        return b""


@contextmanager
def replacing(path: Path, *, private: bool = False) -> Iterator[Path]:
    """A file of another name to write into, with the same suffix, which becomes `path` when all was written.

    Args:
        path: the file that was asked for.
        private: whether a new file can be read by its owner alone, because it names patients. A file that is there
            already keeps the access that its owner gave it.

    Raises:
        UsageError: as `check_place`.
        OSError: the disk is full or refuses; names `path`.
    """
    check_place(path)
    try:
        with atomically(path, private=private) as temporary:
            yield temporary
    except OSError as error:
        # The user asked for no file of the temporary name.
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


@contextmanager
def atomically(path: Path, *, private: bool = False) -> Iterator[Path]:
    """As `replacing`, for orch's own files: without the checks whose messages are for a person who named the file.

    The content is on the disk before the name is, and the name before this returns: a power cut leaves the old file or the
    new one. What a killed writer left in this folder is removed.
    """
    folder = path.absolute().parent
    _sweep_once(folder)
    temporary = name_partial(path)
    try:
        # Private from its first byte on; exclusive, because a link of that name could lead elsewhere.
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield temporary
        sync(temporary)
        temporary.chmod(_find_mode(path, private))
        temporary.replace(path)
        sync(folder)
    finally:
        temporary.unlink(missing_ok=True)


def make_exclusively(path: Path, content: bytes, *, private: bool = False) -> None:
    """Make a file, whole and on the disk, that must not be there yet: of several processes and machines one succeeds.

    What a killed writer left in this folder is removed.

    Args:
        path: the file.
        content: of it.
        private: whether its owner alone can read it.

    Raises:
        FileExistsError: something of that name is there.
        OSError: the disk refuses.
    """
    _sweep_once(path.absolute().parent)
    partial = name_partial(path)
    try:
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE))
        partial.write_bytes(content)
        partial.chmod(_find_mode(path, private))
        sync(partial)
        # A link fails where the name is taken, on shared folders, too; a rename would take its place.
        path.hardlink_to(partial)
    except FileExistsError:
        raise
    except OSError:
        if path.exists() or not partial.exists():
            raise
        # Some file systems have no links; there a power cut in this instant can leave the name without the content.
        with path.open("xb") as file:
            path.chmod(_find_mode(partial, private))
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    finally:
        partial.unlink(missing_ok=True)


def install_folder(partial: Path, out: Path) -> None:
    """Give a folder of finished files its final name; the files, the folder and its name are on the disk when this returns.

    Raises:
        OSError: the disk refuses, or `out` is a folder with something in it.
    """
    for place, _, names in os.walk(partial):
        for name in names:
            sync(Path(place) / name)
        sync(Path(place))
    partial.replace(out)
    sync(out.absolute().parent)


def sync(path: Path) -> None:
    """Have a file's bytes, or a folder's names, on the disk before this returns.

    Raises:
        OSError: the disk refuses a file. File systems that cannot do it for a folder are let off.
    """
    is_folder = path.is_dir()
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        if is_folder:
            return  # A folder that may be written to but not listed, or a system that opens no folders.
        raise
    try:
        os.fsync(handle)
    except OSError:
        if not is_folder:
            raise
    finally:
        os.close(handle)


def write_text(path: Path, text: str, *, private: bool = False) -> None:
    """Write a text file as `replacing` does: whole or not at all."""
    write_bytes(path, text.encode(), private=private)


def write_bytes(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write a file as `replacing` does: whole or not at all."""
    with replacing(path, private=private) as temporary:
        temporary.write_bytes(content)


def _find_mode(path: Path, private: bool) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        pass
    if private:
        return PRIVATE
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _sweep_once(folder: Path) -> None:
    if folder not in _swept:
        _swept.add(folder)
        sweep(folder)


def hash_file(path: Path) -> str:
    """SHA-256 of a file as hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
