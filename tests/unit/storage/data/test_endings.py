"""A JPEG whose picture ends before its end mark is refused by whoever decodes it; one that ends in grey is not."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from storage.data.endings import END, find_end
from storage.data.images import read_grey, read_image, read_picture
from storage.errors import DataError

NOISE = np.random.default_rng(0).integers(0, 256, (90, 70, 3), dtype=np.uint8)
NOISE[-20:] = 128
"""It ends in the grey that a decoder draws where it has nothing."""


def encode(mode: str, **options: object) -> bytes:
    content = io.BytesIO()
    Image.fromarray(NOISE).convert(mode).save(content, "JPEG", **options)
    return content.getvalue()


FILES = {
    "grey": encode("L"),
    "colour": encode("RGB"),
    "print": encode("CMYK"),
    "coarse": encode("RGB", quality=30),
    "progressive": encode("L", progressive=True),
    "restarts": encode("L", restart_marker_blocks=3),
    "thumbnail": encode("L", exif=b"Exif\0\0" + encode("L")),
}


@pytest.mark.parametrize("name", FILES)
def test_a_picture_that_ends_before_its_end_mark_is_refused(name: str, tmp_path: Path) -> None:
    content, path = FILES[name], tmp_path / "x.jpg"
    end = find_end(content)
    assert end is not None
    assert content[end:] == END
    path.write_bytes(content)
    assert read_picture(path).shape == NOISE.shape
    # A picture is decoded at a fraction of its size where that is enough: at all fractions that there are.
    for most in (1, 5, 10, 20, 30, 45, 100):
        assert read_grey(path, most).shape[0] <= 90
    begin = content.rfind(b"\xff\xda", 0, end) + 20
    places = [int(begin + (end - begin) * share) for share in (0.05, 0.3, 0.6, 0.9)]
    if name == "progressive":
        places = places[1:3]
    if name == "restarts":
        places += [content.find(bytes((0xFF, mark)), begin) for mark in range(0xD0, 0xD8)]
    for place in places:
        path.write_bytes(content[:place] + END)
        for read in (read_picture, lambda path: read_grey(path, 20), lambda path: read_image(path, (32, 32))):
            with pytest.raises(
                DataError, match=r"x\.jpg cannot be read: its picture ends before its end mark"
            ):
                read(path)


def test_a_picture_whose_last_pass_is_cut_off_is_refused_though_it_has_no_grey(tmp_path: Path) -> None:
    kept, path = io.BytesIO(), tmp_path / "x.jpg"
    Image.fromarray(NOISE[:-20, :, 0]).save(kept, "JPEG", progressive=True)
    content = kept.getvalue()
    last = content.rfind(b"\xff\xda") + 20
    path.write_bytes(content[: (last + len(content)) // 2] + END)
    with pytest.raises(DataError, match="its picture ends before its end mark"):
        read_picture(path)
    path.write_bytes(content)
    assert read_picture(path).shape == (70, 70, 3)


def test_a_file_without_an_end_or_a_picture_has_none() -> None:
    content = FILES["grey"]
    for part in (content[:-2], content[:300], content[:2], b"", b"\xff\xd8\xff"):
        assert find_end(part) is None
