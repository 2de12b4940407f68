"""ZIP archives that somebody else made: how much of them is read, and no more."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from storage.parsing import check_regular

LARGEST_TEXT = 16 * 2**20
LARGEST_RECORD = 128 * 2**20
LARGEST_COMPRESSED = 128 * 2**20
"""Bytes of a compressed member after it is unpacked into memory."""
MOST_MEMBERS = 10_000
LEAST_UNPACKED = 128 * 2**20
MOST_TIMES = 50
"""How many times larger than the archive its members may be together, above so many bytes: numbers shrink a few times, bombs a thousand."""
DIRECTORY_END = b"PK\x05\x06"
LONGEST_END = 22 + 65_535
LOCAL_HEADER = 30


def check_archive(source: Path | IO[bytes], most: int | None) -> None:
    """Make sure that an archive can be listed, and unpacked, in little memory.

    Args:
        source: the archive.
        most: bytes of all its members together; None where they are not unpacked together.

    Raises:
        ValueError: it is no archive, or has too many or too large members.
    """
    if isinstance(source, Path):
        check_regular(source)
        with source.open("rb") as file:
            check_archive(file, most)
        return
    source.seek(0, io.SEEK_END)
    source.seek(max(0, source.tell() - LONGEST_END))
    tail = source.read()
    place = tail.rfind(DIRECTORY_END)
    if place < 0 or len(tail) < place + 22:
        raise ValueError("it is no archive, or only the beginning of one")
    # The library makes an object of each member before it can be asked how many there are.
    if struct.unpack("<H", tail[place + 10 : place + 12])[0] > MOST_MEMBERS:
        raise ValueError("it has too many members")
    source.seek(0)
    if most is None:
        return
    with zipfile.ZipFile(source) as archive:
        if sum(member.file_size for member in archive.infolist()) > most:
            raise ValueError(f"unpacked it is larger than {most / 2**20:.0f} MiB")
    source.seek(0)


def check_unpacked(path: Path) -> None:
    """Make sure that an archive of any size holds about as much as its size promises.

    Raises:
        ValueError: it is no archive, or is much larger unpacked.
        OSError: it cannot be read.
    """
    check_archive(path, max(LEAST_UNPACKED, MOST_TIMES * path.stat().st_size))


def read_member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """One member of at most so many bytes, whatever the archive says of its size.

    Raises:
        ValueError: it is larger.
        KeyError: there is none of that name.
    """
    with archive.open(name) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"{name} in it is larger than {most / 2**20:.0f} MiB")
    return content


@contextmanager
def open_member(archive: zipfile.ZipFile, path: Path, name: str) -> Iterator[IO[bytes]]:
    """A member to read in any order; one that is stored as it is, as Keras stores weights, is not taken into memory.

    Raises:
        ValueError: it is compressed and large, or the archive is damaged.
        KeyError: there is none of that name.
    """
    member = archive.getinfo(name)
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
        yield io.BytesIO(read_member(archive, name, LARGEST_COMPRESSED))
        return
    with path.open("rb") as file:
        file.seek(member.header_offset)
        header = file.read(LOCAL_HEADER)
        if len(header) < LOCAL_HEADER or header[:4] != b"PK\x03\x04":
            raise ValueError(f"{name} in it is not where the archive says")
        begin = member.header_offset + LOCAL_HEADER + sum(struct.unpack("<HH", header[26:30]))
        file.seek(0, io.SEEK_END)
        if begin + member.file_size > file.tell():
            raise ValueError(f"{name} in it is cut off")
        yield io.BufferedReader(_Window(file, begin, member.file_size))


class _Window(io.RawIOBase):
    """A part of a file as a file."""

    def __init__(self, file: IO[bytes], begin: int, size: int) -> None:
        super().__init__()
        self._file, self._begin, self._size, self._place = file, begin, size, 0

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be read in any order."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, as in any file."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = max(0, base + offset)
        return self._place

    def tell(self) -> int:
        """The place."""
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Read what fits."""
        wanted = memoryview(buffer)[: max(0, self._size - self._place)]
        self._file.seek(self._begin + self._place)
        content = self._file.read(len(wanted))
        wanted[: len(content)] = content
        self._place += len(content)
        return len(content)
