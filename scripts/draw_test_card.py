"""Draw docs/augmentation.png: a test card, and what each option of augmentation does to it at its ends.

python scripts/draw_test_card.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

SIZE = 120
LABEL_WIDTH = 150


def draw_card() -> NDArray[np.uint8]:
    """A grid, a frame, a grey ramp and the letter F, which looks different in every flip; grey values 40 to 200."""
    card = Image.new("L", (SIZE, SIZE), 90)
    pen = ImageDraw.Draw(card)
    for place in range(0, SIZE, 20):
        pen.line([(place, 0), (place, SIZE)], fill=60)
        pen.line([(0, place), (SIZE, place)], fill=60)
    pen.rectangle([0, 0, SIZE - 1, SIZE - 1], outline=200, width=3)
    pen.line([(45, 25), (45, 95)], fill=200, width=9)
    pen.line([(45, 29), (85, 29)], fill=200, width=9)
    pen.line([(45, 58), (72, 58)], fill=200, width=9)
    for step in range(5):
        pen.rectangle([60 + 10 * step, 100, 69 + 10 * step, 109], fill=40 + 40 * step)
    return np.repeat(np.asarray(card)[:, :, None], 3, axis=2)


def rows() -> list[tuple[str, list[tuple[dict[str, float], float]]]]:
    """The label of each row, and its pictures: arguments of `make_matrices`, and the shift of grey values."""
    degree = np.pi / 180
    return [
        (
            "as it is, and flipped",
            [({}, 0), ({"across": 1}, 0), ({"down": 1}, 0), ({"across": 1, "down": 1}, 0)],
        ),
        ("rotation = 30\n(degrees)", [({"rotation": angle * degree}, 0) for angle in (-30, -15, 15, 30)]),
        (
            "zoom = 0.2\n(each side by itself)",
            [({"zoom_x": x, "zoom_y": y}, 0) for x, y in ((0.8, 0.8), (1.2, 1.2), (0.8, 1), (1, 1.2))],
        ),
        (
            "shift = 0.2\n(share of the side)",
            [({"x": x * SIZE, "y": y * SIZE}, 0) for x, y in ((-0.2, 0), (0.2, 0), (0, -0.2), (0.2, 0.2))],
        ),
        ("shear = 20\n(degrees)", [({"shear": angle * degree}, 0) for angle in (-20, -10, 10, 20)]),
        (
            "crop = 0.4\n(share of the side)",
            [
                ({"crop": share, "x": x, "y": y}, 0)
                for share, x, y in ((0.2, 0.5, 0.5), (0.4, 0, 0), (0.4, 1, 0), (0.4, 0.5, 1))
            ],
        ),
        ("channel_shift = 60\n(grey values)", [({}, grey) for grey in (-60, -30, 30, 60)]),
    ]


def grey_rows() -> list[tuple[str, list[tuple[str, list[NDArray]]]]]:
    """The label of each further row, and its pictures: a change of grey values, and what is drawn for it."""
    from workers.inputs.augmentation import make_kernels

    def one(name: str, *values: object) -> tuple[str, list[NDArray]]:
        return name, [np.asarray([value]) for value in values]

    def numbers(name: str, values: tuple[float, ...]) -> list[tuple[str, list[NDArray]]]:
        return [one(name, np.float32(value)) for value in values]

    boxes = ((10, 10, 46, 46), (84, 40, 120, 76), (50, 0, 86, 30), (40, 60, 76, 96))
    return [
        ("brightness = 0.3\n(share of 255)", numbers("brightness", (-76.5, -38.0, 38.0, 76.5))),
        ("contrast = 0.5\n(share)", numbers("contrast", (0.5, 0.75, 1.25, 1.5))),
        ("gamma = 0.7\n(natural logarithm)", numbers("gamma", tuple(np.exp([-0.7, -0.35, 0.35, 0.7])))),
        (
            "blur = 2\n(pixels)",
            [("blur", [make_kernels(np.array([spread]), 2.0)]) for spread in (0.5, 1.0, 1.5, 2.0)],
        ),
        (
            "noise = 30\n(grey values)",
            [
                one("noise", np.float32(spread), np.array([1, 2], np.int32))
                for spread in (7.5, 15.0, 22.5, 30.0)
            ],
        ),
        ("cutout = 0.3\n(share of the side)", [one("cutout", np.array(box, np.int32)) for box in boxes]),
    ]


def mixed_rows(card: NDArray[np.uint8]) -> list[tuple[str, list[NDArray[np.uint8]]]]:
    """The card mixed with itself upside down and in negative, by shares of 0.8 to 0.2."""
    from workers.device.backend import load

    pair = np.stack([card, 240 - card[::-1]]).astype(np.float32)
    others = np.array([1, 0], np.int32)

    def make(weight: float, box: tuple[int, int, int, int]) -> NDArray[np.uint8]:
        weights, boxes = np.full(2, weight, np.float32), np.tile(np.array(box, np.int32), (2, 1))
        return np.rint(np.asarray(load("augmentation").mix(pair, others, weights, boxes))[0]).astype(np.uint8)

    cut = ((20, 50, 74, 104), (0, 0, 76, 76), (30, 20, 120, 110), (5, 5, 112, 112))
    return [
        ("mixup\n(shares 0.8 to 0.2)", [make(share, (0, 0, 0, 0)) for share in (0.8, 0.6, 0.4, 0.2)]),
        ("cutmix\n(shares 0.8 to 0.2)", [make(1.0, box) for box in cut]),
    ]


def main() -> None:
    """Write the picture."""
    from workers.device.backend import epoch_backend
    from workers.inputs.augmentation import make_matrices
    from workers.objective.preview import tile

    change, card = epoch_backend().change_images, draw_card()
    pictures = []
    nowhere, nothing = make_matrices((SIZE, SIZE), **_still()), np.zeros(1, np.float32)
    for _, variants in rows():
        line = []
        for named, grey in variants:
            get = named.get
            matrices = make_matrices(
                (SIZE, SIZE),
                rotation=np.array([get("rotation", 0.0)]),
                shift=np.array([[0.0], [0.0]] if "crop" in named else [[get("x", 0.0)], [get("y", 0.0)]]),
                shear=np.array([get("shear", 0.0)]),
                zoom=np.array([[get("zoom_x", 1.0)], [get("zoom_y", 1.0)]]),
                flips=np.array([[get("across", 0), get("down", 0)]], bool),
                crop=np.array([[1 - named["crop"]], [get("x", 0)], [get("y", 0)]])
                if "crop" in named
                else None,
            )
            changed = change(card[None], matrices, np.array([grey], np.float32), {})
            line.append(np.rint(changed[0]).astype(np.uint8))
        pictures.append(line)
    for _, changes in grey_rows():
        made = [change(card[None], nowhere, nothing, {name: tuple(drawn)}) for name, drawn in changes]
        pictures.append([np.rint(one[0]).astype(np.uint8) for one in made])
    mixed = mixed_rows(card)
    pictures += [line for _, line in mixed]
    labels = [label for label, _ in (*rows(), *grey_rows(), *mixed)]
    grid = tile(pictures)
    page = Image.new("RGB", (grid.shape[1] + LABEL_WIDTH, grid.shape[0]), "white")
    page.paste(Image.fromarray(grid), (LABEL_WIDTH, 0))
    pen = ImageDraw.Draw(page)
    for place, label in enumerate(labels):
        pen.multiline_text((8, place * (SIZE + 6) + SIZE // 2 - 12), label, fill="black")
    page.save(REPOSITORY / "docs" / "augmentation.png")


def _still() -> dict[str, NDArray]:
    none = {"rotation": np.zeros(1), "shift": np.zeros((2, 1)), "shear": np.zeros(1), "zoom": np.ones((2, 1))}
    return {**none, "flips": np.zeros((1, 2), bool)}


if __name__ == "__main__":
    main()
