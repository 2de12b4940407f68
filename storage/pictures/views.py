"""The flips of an image that can be kept: which of them a kind of augmentation needs."""

from __future__ import annotations

from collections.abc import Iterable

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
