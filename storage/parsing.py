"""Read TOML and JSON that people and other programs wrote: a mark of the encoding in front, any text, any depth."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

LARGEST_BYTES = 256 * 1024**2


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not TOML; the text says why, in words.
    """
    return dict(_parse(tomllib.loads, _read(path)))


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not JSON; the text says why, in words.
    """
    return _parse(json.loads, _read(path))


def parse_toml(text: str) -> dict[str, Any]:
    """Read TOML that is given as text.

    Raises:
        ValueError: it is not TOML; the text says why, in words.
    """
    return dict(_parse(tomllib.loads, text))


def _read(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise ValueError(f"it is larger than {LARGEST_BYTES // 1024**2} MiB")
    try:
        # Editors write a byte order mark in front of UTF-8.
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("it is not a text in UTF-8; save it in that encoding") from error


def _parse(read: Callable[[str], Any], text: str) -> Any:
    try:
        return read(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        raise ValueError(str(error).rstrip(".")) from error
