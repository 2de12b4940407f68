"""Copies are found whatever was done to them, and pictures that share a frame are not taken for one."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache, partial

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from orchestrator.audit.copies.candidates import Candidate
from orchestrator.audit.copies.frames import find_content
from orchestrator.audit.copies.near_duplicates import Duplicate, compare_pair, find_duplicates
from orchestrator.audit.copies.registration import Agreement
from orchestrator.audit.copies.sketches import Sketch, sketch

SIDE = 160
COUNT = 14


@cache
def draw(seed: int) -> Image.Image:
    """A picture with structure of its own at every scale, on a broad shape that all share, as radiographs do."""
    noise = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
    parts = [
        np.asarray(Image.fromarray(noise).filter(ImageFilter.GaussianBlur(width)), float)
        for width in (2, 5, 10)
    ]
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    shared = 60 * np.cos(4 * rows) * np.cos(5 * columns) + 90
    own = sum(part - part.mean() for part in parts for part in [part / part.std()])
    return Image.fromarray(np.clip(shared + 14 * own, 1, 254).astype(np.uint8))


def encode(image: Image.Image) -> np.ndarray:
    """As a JPEG of poor quality has it."""
    content = io.BytesIO()
    image.save(content, "JPEG", quality=55)
    return np.asarray(Image.open(content).convert("L"))


def pad(image: Image.Image, grey: int, *widths: int) -> Image.Image:
    left, top, right, bottom = widths
    larger = Image.new("L", (image.width + left + right, image.height + top + bottom), grey)
    larger.paste(image, (left, top))
    return larger


def shift(image: Image.Image) -> Image.Image:
    moved = Image.new("L", image.size, 0)
    moved.paste(image, (14, -10))
    return moved


def mark(image: Image.Image) -> Image.Image:
    marked = image.copy()
    ImageDraw.Draw(marked).rectangle((110, 20, 140, 34), fill=255)
    ImageDraw.Draw(marked).text((113, 21), "L", fill=0)
    return marked


def title(image: Image.Image) -> Image.Image:
    framed = pad(image, 0, 0, 20, 0, 0)
    ImageDraw.Draw(framed).text((6, 4), "HOSPITAL  CHEST PA", fill=255)
    return framed


def cover(image: Image.Image, degrees: float | None) -> Image.Image:
    """A round mask, or a turned rectangle of collimation."""
    values = np.asarray(image).copy()
    rows, columns = np.mgrid[: image.height, : image.width] - SIDE / 2
    if degrees is None:
        values[rows**2 + columns**2 > (0.49 * SIDE) ** 2] = 0
        return Image.fromarray(values)
    angle = np.radians(degrees)
    across = columns * np.cos(angle) + rows * np.sin(angle)
    down = rows * np.cos(angle) - columns * np.sin(angle)
    values[(abs(across) > 0.42 * SIDE) | (abs(down) > 0.42 * SIDE)] = 0
    return Image.fromarray(values)


CHANGES = {
    "saved again": lambda image: image,
    "resized": lambda image: image.resize((100, 105)),
    "brightened": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "flipped": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "turned by half": lambda image: image.transpose(Image.Transpose.ROTATE_180),
    "inverted": lambda image: Image.fromarray(255 - np.asarray(image)),
    "turned by 5 degrees": lambda image: image.rotate(5, Image.Resampling.BILINEAR),
    "turned by -3 degrees": lambda image: image.rotate(-3, Image.Resampling.BILINEAR),
    "cut": lambda image: image.crop((12, 5, 150, 158)),
    "padded": lambda image: pad(image, 255, 5, 15, 12, 0),
    "shifted": shift,
    "marked": mark,
    "titled": title,
    "covered": lambda image: cover(image, 8),
}

FRAMES = {
    "none": lambda image: image,
    "white border": lambda image: pad(image, 255, 10, 10, 10, 10),
    "black border": lambda image: pad(image, 0, 4, 4, 4, 4),
    "letterbox": lambda image: pad(image, 0, 0, 30, 0, 30),
    "title": title,
    "round": lambda image: cover(image, None),
    "collimated": lambda image: cover(image, 6),
}


@cache
def sketch_all(frame: str) -> tuple[Sketch, ...]:
    return tuple(sketch(encode(FRAMES[frame](draw(seed)))) for seed in range(COUNT))


def find(*sketches: Sketch) -> list[Duplicate]:
    return find_duplicates(sketches, lambda first, second: np.full(first.shape, True))


@pytest.mark.parametrize("frame", FRAMES)
def test_pictures_that_share_a_frame_are_not_one(frame) -> None:
    assert find(*sketch_all(frame)) == []


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_and_nothing_else(change) -> None:
    copy = sketch(encode(CHANGES[change](draw(3))))
    (found,) = find(*sketch_all("none"), copy)
    assert (found.first, found.second, found.certain) == (3, COUNT, True)
    if change in ("inverted", "turned by 5 degrees"):
        assert change.removesuffix("5 degrees") in found.change
    if change == "flipped":
        assert found.change == "flipped left to right"


@pytest.mark.parametrize("frame", ["white border", "letterbox", "title", "collimated"])
def test_a_copy_among_framed_pictures_is_found(frame) -> None:
    copy = sketch(encode(FRAMES[frame](draw(5).rotate(3, Image.Resampling.BILINEAR))))
    assert [(one.first, one.second) for one in find(*sketch_all(frame), copy)] == [(5, COUNT)]


def test_only_pairs_of_interest_are_told() -> None:
    pictures = [*sketch_all("none"), sketch_all("none")[0]]
    assert [(one.first, one.second) for one in find(*pictures)] == [(0, COUNT)]
    assert find_duplicates(pictures, lambda first, second: np.full(first.shape, False)) == []


@pytest.mark.thorough
def test_many_copies_of_one_picture_are_all_told() -> None:
    copies = [sketch_all("none")[0]] * 6
    assert {pair for one in find(*copies) for pair in (one.first, one.second)} == set(range(6))


@pytest.mark.thorough
def test_a_picture_that_thirty_patients_have_is_told_of_all() -> None:
    """Each point has a few alike points, so that among very many copies none would have enough in common."""
    copies = [
        sketch(encode(ImageEnhance.Brightness(draw(0)).enhance(0.8 + place / 10))) for place in range(4)
    ]
    copies = [copies[place % 4] for place in range(30)]
    found = find(*copies, *sketch_all("none"))
    assert {pair for one in found for pair in (one.first, one.second)} >= set(range(30))
    assert all(one.second <= 30 for one in found)


@pytest.mark.parametrize(
    "grey",
    [np.zeros((40, 40)), np.full((3, 200), 90), np.zeros((1, 1)), np.eye(20) * 255],
    ids=["black", "narrow", "one pixel", "line"],
)
def test_pictures_without_structure_are_no_copies(grey) -> None:
    blank = sketch(grey.astype(np.uint8))
    assert all(one.second < 2 for one in find(blank, blank, *sketch_all("none")[:2]))


def test_the_frame_is_no_content() -> None:
    framed = np.asarray(title(draw(1)))
    content = find_content(framed)
    assert not content[:18].any()
    assert content[30:-10, 10:-10].all()


def draw_bone(seed: int, size: int = 160) -> np.ndarray:
    """A straight bone before soft tissue of its own: its edges lie on those of any other."""
    own = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size] / size - 0.5
    across = np.abs(columns - 0.02 * rows - own.normal(0, 0.01))
    bone = 90 * np.exp(-(((across - 0.1) / 0.02) ** 2)) + 60 * (across < 0.12) + 30 * (across < 0.35)
    grain = np.asarray(
        Image.fromarray(own.integers(0, 256, (size, size), dtype=np.uint8)).filter(
            ImageFilter.GaussianBlur(2)
        ),
        float,
    )
    return np.clip(40 + bone + 0.4 * (grain - 128), 0, 255).astype(np.uint8)


@pytest.mark.thorough
def test_straight_bones_of_different_patients_are_not_one() -> None:
    assert (
        find_duplicates([sketch(draw_bone(seed)) for seed in range(12)], lambda first, second: first >= 0)
        == []
    )


def test_pictures_that_differ_in_their_finest_detail_are_not_surely_one() -> None:
    def make(seed: int) -> np.ndarray:
        coarse, fine = (
            np.asarray(
                Image.fromarray(
                    np.random.default_rng(own).integers(0, 256, (640, 640), dtype=np.uint8)
                ).filter(ImageFilter.GaussianBlur(width)),
                float,
            )
            for own, width in ((99, 7), (seed, 1.2))
        )
        return np.clip(128 + 12 * (coarse - coarse.mean()) + 1.2 * (fine - fine.mean()), 0, 255).astype(
            np.uint8
        )

    pictures = [make(1), make(2)]

    def read(place: int, most: int) -> np.ndarray:
        image = Image.fromarray(pictures[place])
        image.thumbnail((most, most))
        return np.asarray(image)

    sketches = [sketch(read(place, 384)) for place in range(2)]
    wanted = lambda first, second: first >= 0  # noqa: E731

    def compare(some: Sequence[Candidate]) -> list[Agreement]:
        whole = partial(read, 0), partial(read, 1)
        return [compare_pair(sketches[0], sketches[1], one, whole) for one in some]

    assert [one.certain for one in find_duplicates(sketches, wanted)] == [True]
    assert [one.certain for one in find_duplicates(sketches, wanted, compare)] == [False]
    copies = [pictures[0], encode(Image.fromarray(pictures[0]))]
    pictures[:] = copies
    sketches = [sketch(read(place, 384)) for place in range(2)]
    assert [one.certain for one in find_duplicates(sketches, wanted, compare)] == [True]
