"""Which keys of a spec may be searched, in which section each stands, and how a trial's values are put there.

A setting is an input of a compiled training: one model takes any value of it. A building key makes another model or other inputs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from storage.pictures.changes import CHANGES

SETTINGS: dict[str, str] = {
    "batch_size": "training",
    "learning_rate": "training",
    "epsilon": "training",
    "beta_1": "training",
    "beta_2": "training",
    "dropout_rate": "model",
    "optimizer": "training",
    "momentum": "training",
    "weight_decay": "training",
    "rate_schedule": "training",
    "cycle_epochs": "training",
    "cycle_growth": "training",
    "patience": "training",
    "label_smoothing": "training",
    "positive_weight": "training",
    "focal_gamma": "training",
    "focal_alpha": "training",
    "gamma_positive": "training",
    "gamma_negative": "training",
    "probability_margin": "training",
    "oversampling": "training",
    "augmentation": "training",
    **dict.fromkeys(CHANGES, "augmentation"),
}
"""Settings of a training, and the section that holds the fixed value of each."""

BUILDING: dict[str, str] = {
    "kind": "model",
    "trainable": "model",
    "backbone": "model",
    "weights": "model",
    "weights_seed": "model",
    "image_size": "model",
    "resize": "model",
    "pooling": "model",
    "scale": "model",
    "extraction_precision": "model",
    "head": "model",
    "head_depth": "model",
    "head_normalization": "model",
    "copies": "augmentation",
    "precision": "training",
    "cycles": "training",
    "loss": "training",
    "oversampled": "training",
}
"""Keys that make another model or other inputs; `head_width_1`, `head_width_2`, .. and `options.NAME` are of this kind, too."""

SEARCHABLE: dict[str, str] = {**SETTINGS, **BUILDING}
"""Names that a search may vary, and the section of each."""

ACTS_WITH: dict[str, tuple[str, tuple[Any, ...]]] = {
    "focal_gamma": ("loss", ("focal",)),
    "focal_alpha": ("loss", ("focal",)),
    "gamma_positive": ("loss", ("asymmetric",)),
    "gamma_negative": ("loss", ("asymmetric",)),
    "probability_margin": ("loss", ("asymmetric",)),
}
"""Keys of [training] that are refused where another key of it has none of these values in any trial."""

IDLE_WITHOUT: dict[str, tuple[str, tuple[Any, ...]]] = {
    "momentum": ("optimizer", ("sgd",)),
    "weight_decay": ("optimizer", ("adamw",)),
    **dict.fromkeys(("epsilon", "beta_1", "beta_2"), ("optimizer", ("adam", "adamw"))),
    **dict.fromkeys(("cycles", "cycle_epochs", "cycle_growth"), ("rate_schedule", ("sgdr",))),
}
"""Keys that change nothing where another key of [training] has none of these values; warned of where they are searched."""

ALWAYS_ACTING = ("batch_size", "learning_rate", "epsilon", "beta_1", "beta_2", "dropout_rate")
"""Hyperparameters that are part of every record; the others are options, recorded where they are not the default."""

TEXTS = frozenset(
    {"optimizer", "rate_schedule", "positive_weight", "augmentation", "kind", "trainable", "backbone", "weights", "pooling"}
    | {"scale", "extraction_precision", "precision", "loss", "resize"}
)  # fmt: skip
"""Hyperparameters whose values are words."""

LISTS = frozenset({"head", "oversampled"})
"""Hyperparameters whose values are lists."""

SWITCHES = frozenset({"head_normalization"})
"""Hyperparameters that are true or false."""

WHOLE_NUMBERS = frozenset(
    {"batch_size", "cycle_epochs", "patience", "cycles", "weights_seed", "image_size", "head_depth", "copies"}
)
COUNTED = {"batch_size": "images", "image_size": "pixels", "head_depth": "layers"}
"""What some of the whole numbers count; the others count epochs, or are no count."""

NOT_SEARCHED = {
    "epochs": "the objective already takes the best epoch of each trial, and trials are compared epoch by epoch; search `patience` or `cycles`",
    "threads": "it decides how fast a study is computed, not what",
    "extraction_batch": "it decides how fast features are extracted, not what they are",
    "weights_sha256": "it belongs to the file that model.weights names; search `weights`",
    "weights_hashes": "it belongs to the files that are named; search `weights`",
    "weights_of": "it names the weights of each backbone; search `backbone` or `weights`",
    "features": "they come from one table; create a study for each table, and compare them",
    "features_sha256": "it belongs to the features that model.features names",
    "features_width": "it belongs to the features that model.features names",
    "options": "each option is searched by its own name, as in search.options.NAME",
}
"""Keys of the searchable sections that a search cannot vary, and why."""

WIDTH = re.compile(r"head_width_([1-9]|1[0-9]|20)")
OPTION = "options."


def is_known(name: str) -> bool:
    """Whether a search may vary it."""
    return name in SEARCHABLE or WIDTH.fullmatch(name) is not None or is_option(name)


def is_option(name: str) -> bool:
    """Whether it is a hyperparameter that a user's own model declares."""
    return name.startswith(OPTION) and len(name) > len(OPTION)


def is_whole(name: str) -> bool:
    """Whether its values are whole numbers, whatever type of range holds them."""
    return name in WHOLE_NUMBERS or WIDTH.fullmatch(name) is not None


def put_values(document: dict[str, Any], params: Mapping[str, Any]) -> None:
    """Write the values of a trial into the sections of a spec as plain data; changed in place.

    `head_depth` keeps the first of the head's layers, or repeats the last one; `head_width_N` is the width of layer N. A
    backbone brings the weights that `model.weights_of` names for it, unless `weights` is a value of the trial.

    Args:
        document: sections by name, each of keys by name.
        params: the searched values that act in the trial.
    """
    model = document.setdefault("model", {})
    for name, value in params.items():
        if is_option(name):
            model["options"] = {**model.get("options", {}), name.removeprefix(OPTION): value}
        elif name in SEARCHABLE and name != "head_depth":
            document.setdefault(SEARCHABLE[name], {})[name] = value
    _shape_head(model, params)
    # What is resolved must not be resolved again: a trial's own weights come first.
    named = model.pop("weights_of", {}).get(model.get("backbone"))
    if named is not None and "weights" not in params:
        model["weights"] = named
    if model.get("weights") in model.get("weights_hashes", {}):
        model["weights_sha256"] = model["weights_hashes"][model["weights"]]
    elif "weights" in params or named is not None:
        model["weights_sha256"] = ""


def _shape_head(model: dict[str, Any], params: Mapping[str, Any]) -> None:
    given = {int(found[1]): width for name, width in params.items() if (found := WIDTH.fullmatch(name))}
    if "head_depth" not in params and not given:
        return
    widths = list(model.get("head", ()))
    depth = int(params.get("head_depth", max([len(widths), *given])))
    last = widths[-1] if widths else None
    shaped = []
    for layer in range(1, depth + 1):
        last = given.get(layer, widths[layer - 1] if layer <= len(widths) else last)
        if last is None:
            raise ValueError(
                f"nothing says how wide layer {layer} of the head is: give model.head, or search.head_width_{layer}"
            )
        shaped.append(last)
    model["head"] = shaped
