"""The cache of decoded images: every byte is compared, and what is damaged is made again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from storage.errors import FeaturesError
from storage.files import checked_rows, pixels

COUNT, SIZE = 7, (5, 4)
KEY = pixels.PixelKey("sha256:1", SIZE, "bilinear", (("pillow", "1"),))


def draw(place: int) -> NDArray[np.uint8]:
    return np.full((*SIZE, 3), place + 1, np.uint8)


def draw_all() -> Iterator[NDArray[np.uint8]]:
    return map(draw, range(COUNT))


def file_of(cache: Path) -> Path:
    return cache / "pixels" / f"{KEY.digest}.npy"


def test_what_is_written_is_read_back_by_any_reader_of_arrays(tmp_path: Path) -> None:
    assert pixels.open_pixels(tmp_path, KEY, COUNT) is None
    kept = pixels.keep_pixels(tmp_path, KEY, COUNT, draw_all())
    whole = np.stack(list(draw_all()))
    assert np.array_equal(kept.values, whole)
    assert np.array_equal(np.load(file_of(tmp_path), mmap_mode="r"), whole)
    assert np.array_equal(kept.values[np.array([4, 0, 4])], whole[[4, 0, 4]])
    assert np.array_equal(kept.values[3], whole[3])
    assert kept.sample() == [
        float(whole.reshape(-1)[i]) for i in np.linspace(0, whole.size - 1, 64).astype(int)
    ]


@pytest.mark.parametrize(
    "place", ["header", "first", "middle", "last", "sums", "mark", "zeros", "short", "long"]
)
def test_every_damaged_byte_is_found_and_the_images_are_made_again(
    tmp_path: Path, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    pixels.keep_pixels(tmp_path, KEY, COUNT, draw_all())
    path = file_of(tmp_path)
    content = bytearray(path.read_bytes())
    images = COUNT * SIZE[0] * SIZE[1] * 3
    begin = len(content) - images - 4 * COUNT - 40
    where = {
        "header": begin - 2, "first": begin, "middle": begin + images // 2, "last": begin + images - 1,
        "sums": begin + images + 5, "mark": -1,
    }  # fmt: skip
    if place == "zeros":
        content[begin + images // 2 : begin + images] = bytes(images - images // 2)
    elif place == "short":
        del content[-100:]
    elif place == "long":
        content += b"x"
    else:
        content[where[place]] ^= 0x10
    path.write_bytes(content)
    assert pixels.open_pixels(tmp_path, KEY, COUNT) is None
    assert "are made again" in caplog.text
    assert np.array_equal(
        pixels.keep_pixels(tmp_path, KEY, COUNT, draw_all()).values, np.stack(list(draw_all()))
    )


def test_an_image_damaged_in_use_is_decoded_again_and_the_file_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checked_rows, "RECHECK_SECONDS", -1.0)
    kept = pixels.keep_pixels(tmp_path, KEY, COUNT, draw_all(), draw)
    bare = pixels.open_pixels(tmp_path, KEY, COUNT)
    assert bare is not None
    path = file_of(tmp_path)
    with path.open("r+b") as file:
        file.seek(path.stat().st_size - 4 * COUNT - 40 - 3 * 60)  # the fifth of seven images
        file.write(b"\xff" * 50)
    assert np.array_equal(kept.values[[6, 4, 1, 4]], np.stack([draw(6), draw(4), draw(1), draw(4)]))
    assert np.array_equal(kept.values[4], draw(4))
    assert not path.exists()
    with pytest.raises(FeaturesError, match="damaged while it was in use"):
        np.asarray(bare.values)


def test_a_row_is_compared_again_after_some_minutes_and_not_at_every_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = pixels.keep_pixels(tmp_path, KEY, COUNT, draw_all())
    counted: list[int] = []
    real = checked_rows.zlib.crc32
    monkeypatch.setattr(checked_rows.zlib, "crc32", lambda row: counted.append(len(row)) or real(row))
    for _ in range(3):
        kept.values[2]
    assert not counted
    later = checked_rows.time.monotonic() + checked_rows.RECHECK_SECONDS + 1
    monkeypatch.setattr(checked_rows.time, "monotonic", lambda: later)
    for _ in range(3):
        kept.values[2]
    assert len(counted) == 1


def test_what_killed_decoders_left_is_removed(tmp_path: Path) -> None:
    program = (
        "import sys, time\n"
        "from tests.unit.storage.files import test_pixel_cache as t\n"
        "def stop():\n"
        "    yield t.draw(0)\n"
        "    print('go', flush=True)\n"
        "    time.sleep(60)\n"
        "t.pixels.keep_pixels(t.Path(sys.argv[1]), t.KEY, t.COUNT, stop())\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    folder = tmp_path / "pixels"
    assert len([path for path in folder.iterdir() if ".partial" in path.name]) == 1
    process.kill()
    process.communicate()
    (folder / f"{KEY.digest}.4711.partial").write_bytes(b"of an earlier version")
    pixels.keep_pixels(tmp_path, KEY, COUNT, draw_all())
    assert sorted(path.suffix for path in folder.iterdir()) in ([".lock", ".npy"], [".npy"])
