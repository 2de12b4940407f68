"""Images of every mode come out as uint8 RGB of one size."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from storage.data.images import read_image
from storage.errors import DataError
from storage.pictures.views import VIEWS
from workers.inputs.decoding import flip, read_batches

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5


def save(path, array, **options):
    Image.fromarray(array).save(path, **options)
    return path


def test_grey_becomes_three_equal_channels(tmp_path) -> None:
    image = read_image(save(tmp_path / "a.png", GREY), (6, 8))
    assert image.dtype == np.uint8
    assert image.shape == (6, 8, 3)
    assert all(np.array_equal(image[..., channel], GREY) for channel in range(3))


def test_sixteen_bits_keep_their_whole_range(tmp_path) -> None:
    image = read_image(save(tmp_path / "a.png", GREY.astype(np.uint16) * 257), (6, 8))
    assert np.array_equal(image[..., 0], GREY)


def test_transparency_is_laid_over_black(tmp_path) -> None:
    pixels = np.full((6, 8, 4), 200, np.uint8)
    pixels[..., 3] = 255
    pixels[0, :, 3] = 0
    image = read_image(save(tmp_path / "a.png", pixels), (6, 8))
    assert (image[0] == 0).all()
    assert (image[1:] == 200).all()


def test_a_palette_is_looked_up(tmp_path) -> None:
    colours = np.stack([GREY, 255 - GREY, GREY], axis=-1)
    Image.fromarray(colours).convert("P", palette=Image.Palette.ADAPTIVE, colors=256).save(tmp_path / "a.png")
    assert np.abs(read_image(tmp_path / "a.png", (6, 8)).astype(int) - colours).max() <= 2


def test_size_is_height_then_width(tmp_path) -> None:
    assert read_image(save(tmp_path / "a.png", GREY), (10, 4)).shape == (10, 4, 3)


def test_the_orientation_that_a_camera_noted_is_applied(tmp_path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    path = save(tmp_path / "a.png", GREY, exif=exif)
    assert np.array_equal(read_image(path, (6, 8))[..., 0], GREY[::-1, ::-1])


@pytest.mark.parametrize("content", [b"", b"no image", None], ids=["empty", "text", "missing"])
def test_an_unreadable_image_is_named(tmp_path, content) -> None:
    path = tmp_path / "broken.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"broken\.jpg"):
        read_image(path, (6, 8))


def test_a_cut_off_jpeg_is_refused(tmp_path) -> None:
    path = save(tmp_path / "cut.jpg", np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8))
    path.write_bytes(path.read_bytes()[:-600])
    with pytest.raises(DataError, match=r"cut\.jpg"):
        read_image(path, (64, 64))


def test_the_four_views_are_all_flips() -> None:
    image = GREY[..., None]
    flips = [image, np.fliplr(image), np.flipud(image), np.flipud(np.fliplr(image))]
    assert len(VIEWS) == 4
    for view, expected in zip(VIEWS, flips, strict=True):
        assert np.array_equal(flip(image, view), expected)


@pytest.mark.parametrize("first", [0, 5, 10])
def test_batches_go_on_in_the_middle_of_an_image(tmp_path, first) -> None:
    files = [save(tmp_path / f"{n}.png", GREY + n) for n in range(5)]
    rows = np.concatenate(list(read_batches(files, (6, 8), views=VIEWS, batch=5)))
    assert len(rows) == 20
    assert np.array_equal(rows[4][..., 0], GREY + 1)
    batches = list(read_batches(files, (6, 8), views=VIEWS, batch=5, first_row=first))
    assert np.array_equal(np.concatenate(batches), rows[first:])
    assert {len(batch) for batch in batches} == {5}
