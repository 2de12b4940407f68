"""The fold of each image as a short text, so that a spec has the folds that somebody gave with it."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence

MOST_IMAGES = 100_000_000
"""More than any data set has: a text that unpacks to more is no list of folds."""
MOST_FOLDS = 100
"""Models of one trial."""


def pack_folds(fold_of_image: Sequence[int]) -> str:
    """Write the fold of each image as a short text."""
    return base64.b64encode(zlib.compress(bytes(fold_of_image), 9)).decode()


def unpack_folds(text: str) -> list[int]:
    """Read what `pack_folds` wrote.

    Raises:
        ValueError: it is something else.
    """
    try:
        packed = base64.b64decode(text, validate=True)
        unpacking = zlib.decompressobj()
        folds = unpacking.decompress(packed, MOST_IMAGES)
    except (ValueError, zlib.error) as error:
        raise ValueError("cv.assigned is written by orch from what cv.by names; leave it out") from error
    if not unpacking.eof or max(folds, default=MOST_FOLDS) >= MOST_FOLDS:
        raise ValueError("cv.assigned is written by orch from what cv.by names; leave it out")
    return list(folds)
