"""What `orch study create` lets one choose from by a word."""

from __future__ import annotations

from enum import StrEnum


class Regime(StrEnum):
    """The two regimes of the reference study."""

    I = "I"  # noqa: E741  the reference study's own name
    II = "II"


class Preset(StrEnum):
    """Studies by purpose."""

    QUICK = "quick"
    BACKBONES = "backbones"
    HEAD = "head"
    AUGMENTATION = "augmentation"
    FINETUNE = "finetune"


class Protocol(StrEnum):
    """The baselines of the reference studies."""

    LENET = "lenet"
    END_TO_END = "end-to-end"
    IMAGENET = "imagenet"
    RADIMAGENET = "radimagenet"
    VERTEBRAL = "vertebral"


class Pruner(StrEnum):
    """Rules that stop a weak trial."""

    CAREFUL = "careful"
    FAST = "fast"
    FORECAST = "forecast"
    PAIRED = "paired"
    HALVING = "halving"
    MEDIAN = "median"
    RACE = "race"
    NONE = "none"
