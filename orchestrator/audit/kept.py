"""What was seen in the images of a data set, kept in the cache folder: the next study of the same data opens none of them.

Plain JSON, whole or not at all, readable by its owner alone. A file that does not fit is made again.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.audit.copies.near_duplicates import Duplicate
from storage.errors import OrchError
from storage.files.writing import atomically
from storage.parsing import parse_json, read_regular

FOLDER = "audits"
COLUMNS = ("width", "height", "shape", "mode", "format")
CODE = (
    "images",
    "trivial_pixels",
    *(f"copies/{name}" for name in ("candidates", "frames", "near_duplicates", "registration", "sketches")),
)
READERS = ("images", "dicom", "grey", "shades")
LIBRARIES = ("numpy", "scipy", "pillow")

MOST_KEPT, MOST_BYTES = 32, 256 * 2**20
"""Data sets, and bytes of all together, of which what was seen is kept; those longest unused go first."""


@dataclass(frozen=True)
class ImageFacts:
    """What was seen in the images.

    Attributes:
        columns: the form of each development image (width, height, mode, format) as columns of text.
        trivial: float32, shape (n, numbers): what anybody can read off each (`trivial_pixels`).
        pairs: pictures that are one; places from n on are sealed images.
    """

    columns: dict[str, list[str]]
    trivial: NDArray[np.float32]
    pairs: list[Duplicate]


def name_facts(folder: Path, *parts: Any) -> Path:
    """The file for what is seen in these images, by this code; `parts` are plain JSON data that say which images."""
    text = json.dumps([_digest_code(), *parts])
    return folder / FOLDER / f"{hashlib.sha256(text.encode()).hexdigest()}.json"


def read_facts(path: Path, count: int, sealed: int) -> ImageFacts | None:
    """What is kept of `count` development and `sealed` sealed images; None where there is no file, or a damaged one."""
    try:
        kept = parse_json(read_regular(path, _most(count)))
        body = kept["body"]
        if kept["sha256"] != _digest(body):
            return None
        with suppress(OSError):
            os.utime(path)  # The file's time says when it was last of use.
        columns = {name: [str(cell) for cell in body["columns"][name]] for name in COLUMNS}
        trivial = np.frombuffer(base64.b64decode(body["trivial"]), "<f4").reshape(count, -1)
        pairs = [Duplicate(**pair) for pair in body["pairs"]]
        whole = all(len(cells) == count for cells in columns.values()) and all(
            0 <= pair.first < pair.second < count + sealed for pair in pairs
        )
    except (OSError, OrchError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return ImageFacts(columns, trivial.astype(np.float32), pairs) if whole else None


def keep_facts(path: Path, facts: ImageFacts) -> None:
    """Keep them for the next audit; a cache that cannot be written is no reason to make no study."""
    body = {
        "columns": facts.columns,
        "trivial": base64.b64encode(facts.trivial.astype("<f4").tobytes()).decode("ascii"),
        "pairs": [asdict(pair) for pair in facts.pairs],
    }
    content = json.dumps({"sha256": _digest(body), "body": body}).encode()
    if len(content) > _most(len(facts.trivial)):
        return
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.unlink(missing_ok=True)  # A damaged one may have the access of somebody else.
        with atomically(path, private=True) as partial:
            partial.write_bytes(content)
        _forget_oldest(path.parent)


def _forget_oldest(folder: Path) -> None:
    found = sorted(
        (
            (status.st_mtime_ns, status.st_size, path)
            for path in folder.glob("*.json")
            for status in [path.stat()]
        ),
        reverse=True,
    )
    held = 0
    for number, (_, size, path) in enumerate(found):
        held += size
        if number >= MOST_KEPT or (number and held > MOST_BYTES):
            path.unlink(missing_ok=True)


def _most(count: int) -> int:
    return 2**20 + 8192 * count


def _digest(body: Any) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


@cache
def _digest_code() -> str:
    """Changes with the code that looks at images, and with the libraries under it."""
    here = Path(__file__).resolve().parent
    data = here.parents[1] / "storage" / "data"
    files: Sequence[Path] = [
        *(here / f"{name}.py" for name in ("kept", *CODE)),
        *(data / f"{name}.py" for name in READERS),
    ]
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    return " ".join([*digests, *(version(name) for name in LIBRARIES)])
