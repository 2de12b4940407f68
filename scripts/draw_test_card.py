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
        ("channel_shift = 60\n(grey values)", [({}, grey) for grey in (-60, -30, 30, 60)]),
    ]


def main() -> None:
    """Write the picture."""
    from workers.backends.tensorflow.augmentation import change
    from workers.inputs.augmentation import make_matrices
    from workers.objective.preview import tile

    card = draw_card()
    pictures = []
    for _, variants in rows():
        line = []
        for named, grey in variants:
            get = named.get
            matrices = make_matrices(
                (SIZE, SIZE),
                rotation=np.array([get("rotation", 0.0)]),
                shift=np.array([[get("x", 0.0)], [get("y", 0.0)]]),
                shear=np.array([get("shear", 0.0)]),
                zoom=np.array([[get("zoom_x", 1.0)], [get("zoom_y", 1.0)]]),
                flips=np.array([[get("across", 0), get("down", 0)]], bool),
            )
            changed = change(card[None], matrices, np.array([grey], np.float32))
            line.append(np.rint(np.asarray(changed)[0]).astype(np.uint8))
        pictures.append(line)
    grid = tile(pictures)
    page = Image.new("RGB", (grid.shape[1] + LABEL_WIDTH, grid.shape[0]), "white")
    page.paste(Image.fromarray(grid), (LABEL_WIDTH, 0))
    pen = ImageDraw.Draw(page)
    for place, (label, _) in enumerate(rows()):
        pen.multiline_text((8, place * (SIZE + 6) + SIZE // 2 - 12), label, fill="black")
    page.save(REPOSITORY / "docs" / "augmentation.png")


if __name__ == "__main__":
    main()
