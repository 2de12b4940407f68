"""Pictures of any shape in an input of another: held to arithmetic with NumPy and to what Pillow does itself; and heat laid back."""

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from storage.data.images import RESIZE, describe_decoding, read_image
from storage.errors import DataError
from storage.pictures.fitting import RESIZES, fit_picture, resize_of_card
from workers.final_model.explain import colour, overlay

SHAPES = [(30, 60), (60, 30), (40, 40), (7, 90), (299, 301), (1, 5), (1, 200), (600, 49)]
SIZES = [(32, 32), (20, 24), (24, 20)]


def save(folder: Path, shape: tuple[int, int]) -> tuple[Path, Image.Image]:
    pixels = np.random.default_rng(0).integers(60, 256, (*shape, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    picture.save(folder / "a.png")
    return folder / "a.png", picture


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shape", SHAPES)
def test_pictures_are_resized_as_pillow_does(
    tmp_path: Path, shape: tuple[int, int], size: tuple[int, int]
) -> None:
    path, picture = save(tmp_path, shape)
    wanted, bilinear = (size[1], size[0]), Image.Resampling.BILINEAR
    stretched = np.asarray(picture.resize(wanted, bilinear))
    assert np.array_equal(read_image(path, size), stretched)
    assert np.array_equal(read_image(path, size, resize="stretch"), stretched)

    padded = read_image(path, size, resize="pad")
    assert padded.shape == (*size, 3)
    left, top, right, bottom = fit_picture(shape, size, "pad").place
    inside = np.zeros(size, bool)
    inside[top:bottom, left:right] = True
    assert (padded[~inside] == 0).all()
    assert np.array_equal(
        padded[top:bottom, left:right], np.asarray(picture.resize((right - left, bottom - top), bilinear))
    )
    if min(shape) > 5:
        theirs = np.asarray(ImageOps.pad(picture, wanted, bilinear))
        assert np.abs(theirs.astype(int) - padded).max() == 0

    cropped = read_image(path, size, resize="crop")
    assert cropped.shape == (*size, 3)
    assert np.array_equal(cropped, np.asarray(ImageOps.fit(picture, wanted, bilinear)))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_is_kept_and_nothing_is_seen_twice(shape: tuple[int, int], size: tuple[int, int]) -> None:
    for resize in RESIZES:
        fit = fit_picture(shape, size, resize)
        (left, top, right, bottom), place = fit.part, fit.place
        assert 0 <= left < right <= shape[1]
        assert 0 <= top < bottom <= shape[0]
        assert 0 <= place[0] < place[2] <= size[1]
        assert 0 <= place[1] < place[3] <= size[0]
        across, down = (place[2] - place[0]) / (right - left), (place[3] - place[1]) / (bottom - top)
        if resize != "stretch":
            # A side is a whole number of pixels.
            assert abs(across - down) <= 1 / min(right - left, bottom - top)
        assert (fit.part == (0, 0, shape[1], shape[0])) or resize == "crop"
        assert (place == (0, 0, size[1], size[0])) or resize == "pad"


def test_a_picture_of_the_size_itself_is_left_alone(tmp_path: Path) -> None:
    path, picture = save(tmp_path, (20, 24))
    for resize in RESIZES:
        assert np.array_equal(read_image(path, (20, 24), resize=resize), np.asarray(picture))


@pytest.mark.parametrize("resize", RESIZES)
@pytest.mark.parametrize("shape", [(60, 120), (120, 60)])
def test_heat_lies_where_the_model_saw_it(tmp_path: Path, shape: tuple[int, int], resize: str) -> None:
    """A bright square in the picture, and heat where the input is bright: the colours lie on the square."""
    pixels = np.zeros((*shape, 3), np.uint8)
    first_row, first_column = shape[0] // 2 + 6, shape[1] // 2 - 20
    pixels[first_row : first_row + 12, first_column : first_column + 12] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    size = (64, 48)
    seen = read_image(tmp_path / "a.png", size, resize=resize)
    heat = np.repeat((seen[..., 0] / 255).astype(np.float32), 2, axis=0)
    laid = overlay(pixels, heat, 1.0, size=size, resize=resize)
    redness = laid[..., 0].astype(float) - laid[..., 2]
    rows, columns = np.nonzero(redness > 0)
    assert abs(rows.mean() - (first_row + 5.5)) < 1.5
    assert abs(columns.mean() - (first_column + 5.5)) < 1.5
    assert 0.6 < len(rows) / 144 < 1.7
    blue = np.rint(255 * colour(np.zeros(1)))[0]
    outside = np.ones(shape, bool)
    if resize == "crop":
        left, top, right, bottom = fit_picture(shape, size, "crop").part
        outside[int(top) : math.ceil(bottom), int(left) : math.ceil(right)] = False
        assert (laid[outside] == pixels[outside]).all()
    else:
        assert (laid[0, 0] == blue).all()
    thin = np.zeros((*[(1, 200), (200, 1)][shape[0] > shape[1]], 3), np.uint8)
    assert overlay(thin, heat, size=size, resize=resize).shape == thin.shape


def test_the_key_of_what_is_kept_says_how_it_was_resized() -> None:
    class Like:
        def __init__(self, modes: dict) -> None:
            self.summary = {"modes": modes}

    for modes in ({"L": 3}, {"I;16": 3}):
        keys = {describe_decoding(Like(modes), resize) for resize in RESIZES}  # type: ignore[arg-type]
        assert len(keys) == 3
        assert describe_decoding(Like(modes)) == describe_decoding(Like(modes), "stretch")  # type: ignore[arg-type]
    assert describe_decoding(Like({"L": 3}), "stretch") == RESIZE  # type: ignore[arg-type]


def test_a_card_says_how_or_that_it_is_not_known() -> None:
    assert resize_of_card(None) == resize_of_card({}) == "stretch"
    assert resize_of_card({"resize": "pad"}) == "pad"
    for damaged in ("fold", 3, ["pad"], None):
        with pytest.raises(DataError, match="which is none of"):
            resize_of_card({"resize": damaged})
