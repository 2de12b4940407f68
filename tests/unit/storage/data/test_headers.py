"""A PNG or JPEG that is whole is known by its structure, and what is cut off or unusual is left to the decoder."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from storage.data.headers import read_structure
from storage.data.images import inspect_image

NOISE = np.random.default_rng(0).integers(0, 256, (37, 23, 3), dtype=np.uint8)


def encode(mode: str, kind: str, **options: object) -> bytes:
    content = io.BytesIO()
    Image.fromarray(NOISE).convert(mode).save(content, kind, **options)
    return content.getvalue()


FILES = {
    **{f"png {mode}": encode(mode, "PNG") for mode in ("1", "L", "LA", "P", "RGB", "RGBA")},
    "png grey transparent": encode("L", "PNG", transparency=3),
    **{f"jpeg {mode}": encode(mode, "JPEG") for mode in ("L", "RGB", "CMYK")},
    "jpeg progressive": encode("RGB", "JPEG", progressive=True),
    "jpeg with restarts": encode("L", "JPEG", restart_marker_blocks=1),
    "jpeg with a thumbnail": encode("L", "JPEG", exif=b"Exif\0\0" + encode("L", "JPEG")),
}


@pytest.mark.parametrize("name", FILES)
def test_the_structure_says_what_the_decoder_says(name: str) -> None:
    with Image.open(io.BytesIO(FILES[name])) as image:
        assert read_structure(FILES[name]) == (image.mode, image.size)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_cut_off_anywhere_is_not_whole(name: str) -> None:
    content = FILES[name]
    for end in (0, 1, 10, len(content) // 3, len(content) // 2, len(content) - 40, len(content) - 1):
        assert read_structure(content[:end]) is None
        assert read_structure(content[:end] + bytes(len(content) - end)) is None


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("png")])
def test_a_png_with_a_changed_byte_is_not_whole(name: str) -> None:
    for place in range(8, len(FILES[name]), 7):
        content = bytearray(FILES[name])
        content[place] ^= 0x40
        assert read_structure(bytes(content)) is None


def test_what_needs_a_decoder_is_left_to_it() -> None:
    deep = io.BytesIO()
    Image.fromarray(NOISE[..., 0].astype(np.uint16) * 16).save(deep, "PNG")
    for content in (
        deep.getvalue(),
        encode("L", "TIFF"),
        encode("L", "BMP"),
        b"",
        b"\xff\xd8\xff",
        b"GIF89a",
    ):
        assert read_structure(content) is None
    assert inspect_image(deep.getvalue()).rule == "bits used"
