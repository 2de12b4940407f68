"""Which keys of a spec may be searched, in which section each stands, and how a trial's values are put there.

A setting is an input of a compiled training: one model takes any value of it. A building key makes another model or other inputs.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from storage.pictures.changes import CHANGES

FUSED = ("adam", "adamw", "sgd")
"""Optimizers with a kernel of orch's own; every other one is Keras's, and slower."""


OptimizerName = Literal[
    "adam", "sgd", "adamw",
    "adadelta", "adafactor", "adagrad", "adamax", "ftrl", "lamb", "lion", "muon", "nadam", "rmsprop",
]  # fmt: skip


class KerasOptimizer(NamedTuple):
    """An optimizer of Keras: its class in keras.optimizers, and the keys of its own that are numbers or switches."""

    name: str
    keys: tuple[str, ...]


KERAS_OPTIMIZERS: dict[str, KerasOptimizer] = {
    "adadelta": KerasOptimizer("Adadelta", ("rho", "epsilon")),
    "adafactor": KerasOptimizer(
        "Adafactor", ("beta_2_decay", "epsilon_1", "epsilon_2", "clip_threshold", "relative_step")
    ),
    "adagrad": KerasOptimizer("Adagrad", ("initial_accumulator_value", "epsilon")),
    "adamax": KerasOptimizer("Adamax", ("beta_1", "beta_2", "epsilon")),
    "ftrl": KerasOptimizer(
        "Ftrl",
        (
            *("learning_rate_power", "initial_accumulator_value", "l1_regularization_strength"),
            *("l2_regularization_strength", "l2_shrinkage_regularization_strength", "beta"),
        ),
    ),
    "lamb": KerasOptimizer("Lamb", ("beta_1", "beta_2", "epsilon")),
    "lion": KerasOptimizer("Lion", ("beta_1", "beta_2")),
    "muon": KerasOptimizer(
        "Muon",
        (
            *("adam_beta_1", "adam_beta_2", "adam_weight_decay", "epsilon", "exclude_embeddings", "muon_a"),
            *("muon_b", "muon_c", "adam_lr_ratio", "momentum", "ns_steps", "nesterov", "rms_rate"),
        ),
    ),
    "nadam": KerasOptimizer("Nadam", ("beta_1", "beta_2", "epsilon")),
    "rmsprop": KerasOptimizer("RMSprop", ("rho", "momentum", "epsilon", "centered")),
}
"""Those of Keras beside `FUSED`. Each has weight_decay, too. Not here: ScheduleFreeAdamW, whose memory begins at the weights, and
what wraps other optimizers."""


def choose_options(optimizer: str, options: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Those of `training.optimizer_options` that an optimizer of Keras has, sorted by name."""
    return tuple(sorted((name, value) for name, value in options.items() if has_option(optimizer, name)))


def has_option(optimizer: str, name: str) -> bool:
    """Whether an optimizer of Keras has this key of its own."""
    return name in list_options(optimizer)


def list_options(optimizer: str) -> tuple[str, ...]:
    """The keys of its own that an optimizer of Keras has; none of those that take the keys of [training]."""
    found = KERAS_OPTIMIZERS.get(optimizer)
    return () if found is None else (*found.keys, "weight_decay")


def find_unknown_option(possible: Collection[str], names: Sequence[str]) -> str | None:
    """What is wrong with the first key of its own that none of these optimizers has; None where each is known."""
    optimizers = sorted(possible)
    known = sorted({key for optimizer in optimizers for key in list_options(optimizer)})
    for name in names:
        if name in known:
            continue
        if not known:
            return (
                f"optimizer_options.{name} is for optimizers of Keras ({', '.join(KERAS_OPTIMIZERS)}); "
                f"{' and '.join(optimizers)} takes the keys of [training] itself"
            )
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else ", ".join(known)
        return f"optimizer_options.{name} is no key of {' or '.join(optimizers)} ({hint})"
    return None


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
    "warmup_epochs": "training",
    "lowest_rate": "training",
    "clipnorm": "training",
    "global_clipnorm": "training",
    "clipvalue": "training",
    "use_ema": "training",
    "ema_momentum": "training",
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
    "soft_labels": "training",
}
"""Keys that make another model or other inputs; `head_width_1`, `head_width_2`, .. and `options.NAME` are of this kind, too."""

SEARCHABLE: dict[str, str] = {**SETTINGS, **BUILDING}
"""Names that a search may vary, and the section of each."""

CLIPS = ("clipnorm", "global_clipnorm", "clipvalue")
"""Ways to clip gradients, as Keras names them and in the order in which it asks for them; one of them at most."""

ACTS_WITH: dict[str, tuple[str, tuple[Any, ...]]] = {
    "lowest_rate": ("rate_schedule", ("cosine",)),
    "ema_momentum": ("use_ema", (True,)),
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
"""Keys that change nothing where another key of [training] has none of these values; warned of where they are searched or set."""

ALWAYS_ACTING = ("batch_size", "learning_rate", "epsilon", "beta_1", "beta_2", "dropout_rate")
"""Hyperparameters that are part of every record; the others are options, recorded where they are not the default."""

TEXTS = frozenset(
    {"optimizer", "rate_schedule", "positive_weight", "augmentation", "kind", "trainable", "backbone", "weights", "pooling"}
    | {"scale", "extraction_precision", "precision", "loss", "resize"}
)  # fmt: skip
"""Hyperparameters whose values are words."""

LISTS = frozenset({"head", "oversampled"})
"""Hyperparameters whose values are lists."""

SWITCHES = frozenset({"head_normalization", "use_ema", "soft_labels"})
"""Hyperparameters that are true or false."""

WHOLE_NUMBERS = frozenset(
    {"batch_size", "cycle_epochs", "warmup_epochs", "patience", "cycles", "weights_seed", "image_size"}
    | {"head_depth", "copies"}
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
    "optimizer_options": "each option is searched by its own name, as in search.optimizer_options.rho",
}
"""Keys of the searchable sections that a search cannot vary, and why."""

WIDTH = re.compile(r"head_width_([1-9]|1[0-9]|20)")
OPTION = "options."
OPTIMIZER_OPTION = "optimizer_options."
NESTED = ("options", "optimizer_options")
"""Tables of [search] that hold names of their own: of an own model, and of the optimizers of Keras."""


def is_known(name: str) -> bool:
    """Whether a search may vary it."""
    if name.startswith(OPTIMIZER_OPTION):
        return any(
            has_option(optimizer, name.removeprefix(OPTIMIZER_OPTION)) for optimizer in KERAS_OPTIMIZERS
        )
    return name in SEARCHABLE or WIDTH.fullmatch(name) is not None or is_option(name)


def flatten_search(search: Mapping[str, Any]) -> dict[str, Any]:
    """`[search.options.width]` is the hyperparameter `options.width`, and `[search.optimizer_options.rho]` likewise."""
    flat = dict(search)
    for table in NESTED:
        inner = flat.pop(table, None)
        if isinstance(inner, dict):
            flat |= {f"{table}.{name}": searched for name, searched in inner.items()}
        elif inner is not None:
            flat[table] = inner
    return flat


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
        if name.startswith(OPTIMIZER_OPTION):
            training = document.setdefault("training", {})
            key = name.removeprefix(OPTIMIZER_OPTION)
            training["optimizer_options"] = {**training.get("optimizer_options", {}), key: value}
        elif is_option(name):
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
