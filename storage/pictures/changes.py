"""Random changes of training images: the name, the range and the place of each.

`CHANGES` is the one table. A study's spec has a key for each entry (`[augmentation]`), `workers.inputs.augmentation` draws what is
done to each image, and the `augmentation` of `workers.backends` does it. 0 is no change.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """One kind of change.

    Attributes:
        unit: of its key.
        drawn: what is drawn for each image and epoch, with `name` for the value of the key.
        highest: the key lies between 0 and this.
        is_open: whether it stays below `highest`.
        is_young: whether specs that are stored may lack it; such keys are written only where they are used.
        mixes: whether it needs a second image, so that it belongs to training alone.
        layer: the layer of Keras that does the same, where there is one.
    """

    unit: str
    drawn: str
    highest: float
    is_open: bool = False
    is_young: bool = True
    mixes: bool = False
    layer: str = ""


def _old(unit: str, drawn: str, highest: float, *, is_open: bool = False) -> Change:
    return Change(unit, drawn, highest, is_open=is_open, is_young=False)


CHANGES: dict[str, Change] = {
    "rotation": _old("degrees", "an angle, uniform in [-rotation, rotation]", 180.0),
    "zoom": _old(
        "share",
        "width and height of what is seen, each uniform in [1 - zoom, 1 + zoom]",
        1.0,
        is_open=True,
    ),
    "shift": _old(
        "share of the side", "along width and height, each uniform in [-shift, shift]", 1.0, is_open=True
    ),
    "shear": _old("degrees", "an angle, uniform in [-shear, shear]", 90.0, is_open=True),
    "channel_shift": _old(
        "grey values of 0 to 255",
        "added to all channels, uniform in [-channel_shift, channel_shift]; no pixel leaves the range its picture had",
        255.0,
    ),
    "crop": Change(
        "share of the side",
        "a part of the picture, 1 - U(0, crop) of both sides, anywhere in it, enlarged to the whole size",
        1.0,
        is_open=True,
    ),
    "brightness": Change(
        "share of 255",
        "255 U(-brightness, brightness) is added; cut at 0 and 255",
        1.0,
        layer="RandomBrightness",
    ),
    "contrast": Change(
        "share",
        "distances from the mean of each channel, times 1 + U(-contrast, contrast); cut at 0 and 255",
        1.0,
        is_open=True,
        layer="RandomContrast",
    ),
    "gamma": Change(
        "natural logarithm",
        "255 (grey / 255)^e, with e = exp(U(-gamma, gamma))",
        2.0,
    ),
    "blur": Change(
        "pixels",
        "a Gaussian blur with a standard deviation of U(0, blur)",
        10.0,
    ),
    "noise": Change(
        "grey values of 0 to 255",
        "Gaussian noise with a standard deviation of U(0, noise), equal in all channels; cut at 0 and 255",
        128.0,
    ),
    "cutout": Change(
        "share of the side",
        "a rectangle of this share of both sides, its centre anywhere, takes the mean grey of the picture",
        1.0,
        is_open=True,
    ),
    "mixup": Change(
        "alpha",
        "for each batch a share l of Beta(mixup, mixup): each image is l of itself and 1 - l of another one of the batch",
        10.0,
        mixes=True,
        layer="MixUp",
    ),
    "cutmix": Change(
        "alpha",
        "for each batch a share l of Beta(cutmix, cutmix): a rectangle with 1 - l of the area comes from another image of the batch",
        10.0,
        mixes=True,
        layer="CutMix",
    ),
}
"""Every change by its key, in the order in which they are drawn and made; those of geometry are made as one."""

MOST_COPIES = 1000
"""Of one image that are kept: each costs as much as an image to extract and to store."""

YOUNG = frozenset(name for name, change in CHANGES.items() if change.is_young)
MIXING = tuple(name for name, change in CHANGES.items() if change.mixes)
OF_ONE_IMAGE = tuple(name for name, change in CHANGES.items() if not change.mixes)
