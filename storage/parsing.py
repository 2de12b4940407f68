"""Files that people and other programs made: any encoding mark, any text, any depth, read with a limit on memory and time.

A name may be that of a pipe that nothing is written to, of a device without an end, or of a text that is small on the disk and
huge in memory; none of them is waited for.
"""

from __future__ import annotations

import json
import os
import stat
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

LARGEST_DOCUMENT = 16 * 2**20
"""Bytes of a JSON or TOML text: the description of ten large networks in one model has less."""
MOST_PARTS = 2_000_000
"""Values and keys of a JSON text, so that it needs at most some hundred MB as objects."""
LARGEST_TOML = 2**20
MOST_DOTS = 10_000
"""A key of TOML with so many dots, and a list in so many others, takes hours or too deep a recursion."""


def check_regular(path: Path | str) -> int:
    """Make sure that a path leads to an ordinary file, without opening it; returns its size in bytes.

    Raises:
        ValueError: it is a pipe, a device, a socket or a folder.
        OSError: it is missing or cannot be looked at.
    """
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        raise ValueError("it is a folder")
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is a pipe or a device, not a file")
    return status.st_size


def read_regular(path: Path | str, most: int) -> bytes:
    """Read an ordinary file of at most so many bytes.

    Raises:
        ValueError: it is no ordinary file, or too long.
        OSError: it cannot be read.
    """
    check_regular(path)
    # What the name leads to may have been exchanged since: this opens without waiting for a writer.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb", buffering=0) as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is a pipe or a device, not a file")
        # Asked for all that is allowed, Python would first make room for it.
        content = file.read(min(status.st_size, most) + 1) or b""
        while len(content) <= most and (more := file.read(min(2**20, most + 1 - len(content)))):
            content += more
    if len(content) > most:
        raise ValueError(f"it is longer than {most / 2**20:.0f} MiB")
    return content


def parse_json(content: bytes | str) -> Any:
    """Read a JSON text, with or without a byte order mark.

    Raises:
        ValueError: it is no JSON, too long, too deep, or has characters that are none.
    """
    encoded = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    if len(encoded) > LARGEST_DOCUMENT:
        raise ValueError(f"it is longer than {LARGEST_DOCUMENT / 2**20:.0f} MiB")
    if sum(encoded.count(mark) for mark in (b",", b":", b"[", b"{")) > MOST_PARTS:
        raise ValueError("it has too many parts")
    document = _parse(json.loads, encoded)
    if b"\\ud" in encoded.lower():
        try:
            json.dumps(document, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("a text in it holds half a character") from None
    return document


def parse_toml(content: bytes | str) -> dict[str, Any]:
    """Read a TOML text, with or without a byte order mark.

    Raises:
        ValueError: it is no TOML, too long or too deep.
    """
    encoded = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    if len(encoded) > LARGEST_TOML:
        raise ValueError(f"it is longer than {LARGEST_TOML / 2**20:.0f} MiB")
    if max((line.count(b".") for line in encoded.splitlines() if b'"' not in line), default=0) > MOST_DOTS:
        raise ValueError("a key in it has too many parts")
    return dict(_parse(tomllib.loads, encoded))


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not TOML; the text says why, in words.
    """
    return parse_toml(read_regular(path, LARGEST_TOML))


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not JSON; the text says why, in words.
    """
    return parse_json(read_regular(path, LARGEST_DOCUMENT))


def _parse(read: Callable[[str], Any], encoded: bytes) -> Any:
    try:
        # Editors write a byte order mark in front of UTF-8.
        return read(encoded.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ValueError("it is not a text in UTF-8; save it in that encoding") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        raise ValueError(str(error).rstrip(".")) from error
