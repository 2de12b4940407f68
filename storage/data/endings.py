"""Whether the picture of a JPEG file ends before the file says so, although its end mark is there.

A decoder draws what is missing in one even grey, and says nothing: a half-copied radiograph that was "repaired", or that a program closed
with an end mark, looks whole to every reader of headers.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

MIDDLE = (127, 128)
"""The grey of what is missing: every coefficient is 0, and some programs turn the colours of print round."""
START_OF_SCAN, END = 0xDA, b"\xff\xd9"
NOISE = bytes(byte for byte in random.Random(1).randbytes(2048) if byte != 0xFF)
"""Bytes that a decoder takes for more of a picture; 0xFF would begin a mark."""
MORE = NOISE + b"".join(bytes((0xFF, 0xD0 + number)) + NOISE[:256] for number in range(8))
"""The same for a picture in pieces, whose next piece may be any of the eight that their marks count."""


def is_cut_off(image: Image, read: Callable[[], bytes]) -> bool:
    """Whether the last part of a decoded JPEG is the decoder's, not the file's.

    Where the last pixel is of the middle grey, or the file comes in several passes from coarse to fine, it is decoded again with more
    bytes before the end mark: of a picture that is whole they change nothing, because the decoder has all of it by then; of one that is
    cut off they are taken for what is missing.

    Args:
        image: decoded from a JPEG file, in its own orientation.
        read: reads the file.
    """
    # The whole picture as an array takes as long as a third of its decoding, on one processor at a time.
    last = image.getpixel((image.width - 1, image.height - 1))
    bands = last if isinstance(last, tuple) else (last,)
    if not image.info.get("progressive") and not all(band in MIDDLE for band in bands):
        return False
    content = read()
    end = find_end(content)
    if end is None:
        return False
    again = _decode(content[:end] + MORE + content[end:], image.size)
    pixels = np.asarray(image)
    return again.shape == pixels.shape and not np.array_equal(again, pixels)


def find_end(content: bytes) -> int | None:
    """Where the end mark of a JPEG's own picture is, past the pictures that lie in its headers; None where there is none."""
    place = 2
    while place + 4 <= len(content) and content[place] == 0xFF:
        kind = content[place + 1]
        if kind == 0xFF:  # a filling byte
            place += 1
            continue
        place += 2 + int.from_bytes(content[place + 2 : place + 4], "big")
        if kind == START_OF_SCAN:
            found = content.find(END, place)
            return found if found > 0 else None
    return None


def _decode(content: bytes, size: tuple[int, int]) -> NDArray[np.uint8]:
    from PIL import Image

    with Image.open(io.BytesIO(content)) as again:
        # A draft is of a fraction of the picture: of the one that the first decoding chose.
        part = round(again.width / size[0])
        if part > 1:
            again.draft(None, (max(1, again.width // part), max(1, again.height // part)))
        return np.asarray(again)
