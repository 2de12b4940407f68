"""What a PNG or JPEG file of 8 bits is, and that it is whole, read off its structure: decoding the pixels takes twenty times as long.

A PNG is whole when the checksum of each part is right and the last part is there; a JPEG when its picture ends. What this cannot
tell (other formats, more than 8 bits, anything unusual) is for the decoder.
"""

from __future__ import annotations

import zlib

PNG = b"\x89PNG\r\n\x1a\n"
PNG_MODES = {0: "L", 2: "RGB", 3: "P", 4: "LA", 6: "RGBA"}
DEPTHS = {0: (1, 2, 4, 8), 2: (8,), 3: (1, 2, 4, 8), 4: (8,), 6: (8,)}
JPEG_MODES = {1: "L", 3: "RGB", 4: "CMYK"}
HUFFMAN = (0xC0, 0xC1, 0xC2)
"""Kinds of JPEG that every decoder reads: baseline, extended, progressive."""

OTHER_FRAMES = frozenset(range(0xC3, 0xD0)) - {0xC4, 0xC8, 0xCC}

Header = tuple[str, tuple[int, int]]
"""Pillow's mode, and (width, height)."""


def read_structure(content: bytes) -> Header | None:
    """Mode and shape of a whole PNG or JPEG of 8 bits; None where only decoding can tell."""
    if content.startswith(PNG):
        return _read_png(content)
    if content.startswith(b"\xff\xd8\xff"):
        return _read_jpeg(content)
    return None


def _read_png(content: bytes) -> Header | None:
    view = memoryview(content)
    place, end = len(PNG), len(content)
    header: Header | None = None
    pixels = palette = False
    while place + 12 <= end:
        length = int.from_bytes(view[place : place + 4], "big")
        after = place + 8 + length
        if after + 4 > end or zlib.crc32(view[place + 4 : after]) != int.from_bytes(
            view[after : after + 4], "big"
        ):
            return None
        kind = content[place + 4 : place + 8]
        if header is None:
            if kind != b"IHDR" or length != 13:
                return None
            width, height = (
                int.from_bytes(view[begin : begin + 4], "big") for begin in (place + 8, place + 12)
            )
            depth, colour, *ways = content[place + 16 : place + 21]
            if depth not in DEPTHS.get(colour, ()) or ways[:2] != [0, 0] or ways[2] > 1:
                return None
            if not width or not height:
                return None
            header = ("1" if (depth, colour) == (1, 0) else PNG_MODES[colour]), (width, height)
        elif kind == b"IDAT":
            pixels = pixels or length > 0
        elif kind == b"PLTE":
            palette = True
        elif kind == b"IEND":
            return header if pixels and (palette or header[0] != "P") else None
        elif kind[:1].isupper():
            return None
        place = after + 4
    return None


def _read_jpeg(content: bytes) -> Header | None:
    place, end = 2, len(content)
    header: Header | None = None
    while place + 4 <= end:
        if content[place] != 0xFF:
            return None
        kind = content[place + 1]
        if kind == 0xFF:  # a filling byte
            place += 1
            continue
        length = int.from_bytes(content[place + 2 : place + 4], "big")
        if length < 2 or place + 2 + length > end:
            return None
        if kind in HUFFMAN:
            depth, height, width, colours = (
                content[place + 4],
                int.from_bytes(content[place + 5 : place + 7], "big"),
                int.from_bytes(content[place + 7 : place + 9], "big"),
                content[place + 9],
            )
            if header or depth != 8 or not width or not height or colours not in JPEG_MODES:
                return None
            header = JPEG_MODES[colours], (width, height)
        elif kind in OTHER_FRAMES or 0xD0 <= kind <= 0xD9 or kind == 0x01:
            return None
        elif kind == 0xDA:
            # In what follows 0xFF is never before 0xD9 but at the end of the picture.
            return header if content.find(b"\xff\xd9", place + 2 + length) > 0 else None
        place += 2 + length
    return None
