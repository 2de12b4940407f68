"""How a picture of any shape becomes the input of a model: where which part of it lies there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from storage.errors import DataError

Resize = Literal["stretch", "pad", "crop"]
STRETCH: Resize = "stretch"
RESIZES: tuple[str, ...] = get_args(Resize)
"""`model.resize`: each side by itself to the size that is wanted; the whole picture in its shape, black beside it; or its middle
in its shape, and the rest is cut off."""

SAID = {
    "stretch": "each side stretched to that size",
    "pad": "in their own shape, with black beside it",
    "crop": "their middle, in their own shape",
}
"""Of pictures, for people."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


@dataclass(frozen=True)
class Fit:
    """Where a picture lies in an input.

    Attributes:
        part: of the picture, in its pixels: what is seen of it.
        place: in the input, in its pixels, whole numbers: where that part lies.
    """

    part: Box
    place: tuple[int, int, int, int]


def fit_picture(picture: tuple[int, int], size: tuple[int, int], resize: str) -> Fit:
    """Place a picture in an input.

    Args:
        picture: its height and width in pixels.
        size: height and width of the input.
        resize: of `RESIZES`.
    """
    height, width = picture
    rows, columns = size
    whole, everything = (0.0, 0.0, float(width), float(height)), (0, 0, columns, rows)
    if resize == "pad":
        scale = min(columns / width, rows / height)
        across, down = (max(1, round(side * scale)) for side in (width, height))
        left, top = (columns - across) // 2, (rows - down) // 2
        return Fit(whole, (left, top, left + across, top + down))
    if resize == "crop":
        scale = max(columns / width, rows / height)
        # Rounding must not lead out of the picture.
        seen = min(columns / scale, width), min(rows / scale, height)
        beside, above = (width - seen[0]) / 2, (height - seen[1]) / 2
        return Fit((beside, above, beside + seen[0], above + seen[1]), everything)
    return Fit(whole, everything)


def resize_of_card(card: dict[str, Any] | None) -> str:
    """How the pictures of a model were brought to its size, from its card; `STRETCH` where it says nothing.

    Raises:
        DataError: no way that this orch knows.
    """
    found = (card or {}).get("resize", STRETCH)
    if found not in RESIZES:
        raise DataError(
            f"The model's card says that pictures were resized by {str(found)[:40]!r}, which is none of {', '.join(RESIZES)}.",
            why="The model was made by a newer orch, or its card is damaged.",
            next_step="Update orch, or copy the model again.",
        )
    return str(found)
