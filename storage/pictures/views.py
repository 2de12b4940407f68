"""What of an image can be kept: its flips, and changed copies of it; which of them a kind of augmentation needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

VIEWS = ("identity", "horizontal", "vertical", "both")
"""The four flips of an image, in the order in which features are stored."""

FLIPS: dict[str, tuple[str, ...]] = {
    "none": ("identity",),
    "horizontal": ("identity", "horizontal"),
    "vertical": ("identity", "vertical"),
    "flip": VIEWS,
}
"""`training.augmentation`, and the views of which an epoch draws one for each image, each with equal probability."""


def collect_views(words: Iterable[str]) -> tuple[str, ...]:
    """The views that trials with these values of `training.augmentation` need together, the identity first."""
    needed = {view for word in words for view in FLIPS[word]} | {VIEWS[0]}
    return tuple(view for view in VIEWS if view in needed)


def is_mirrored(view: str) -> bool:
    """Whether left and right are exchanged in it."""
    return view in ("horizontal", "both")


def is_upside_down(view: str) -> bool:
    """Whether top and bottom are exchanged in it."""
    return view in ("vertical", "both")


def mirrors(word: str) -> bool:
    """Whether a value of `training.augmentation` exchanges left and right in some images."""
    return any(map(is_mirrored, FLIPS[word]))


COPY = "copy "


def name_copies(count: int, seed: int, flips: str, changes: Mapping[str, float]) -> tuple[str, ...]:
    """The image itself, and changed copies of it that are kept; their names say all that they depend on beside the image.

    Args:
        count: how many.
        seed: of the study.
        flips: `training.augmentation`.
        changes: by the names of `storage.pictures.changes.CHANGES`.
    """
    made = ", ".join(f"{name} {value!r}" for name, value in changes.items() if value)
    return (VIEWS[0], *(f"{COPY}{number}: seed {seed}, {flips}, {made}" for number in range(1, count + 1)))


def has_copies(views: Sequence[str]) -> bool:
    """Whether these are copies, and not flips."""
    return len(views) > 1 and views[1].startswith(COPY)
