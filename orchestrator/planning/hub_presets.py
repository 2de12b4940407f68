"""Presets of KerasHub as backbones of a study: what they cannot do, and the files that every worker must have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage.errors import SpecError, UsageError
from storage.pictures.fitting import STRETCH
from storage.spec import CONTINUOUS_AUGMENTATION, parse
from workers.models.backbones import check_backbone, is_preset, list_backbones
from workers.models.hub import HUGGING_FACE, KAGGLE, find_preset, hash_preset, read_fixed_size

if TYPE_CHECKING:
    from storage.spec import ModelSection, StudySpec

NAMED = "imagenet"
"""The weights of a spec that says nothing of them."""
ONLY = {
    "trainable": ("model", "head", "only the head is trained on it"),
    "extraction_precision": ("model", "float32", "it computes in float32"),
    "resize": ("model", STRETCH, "images are stretched for it, as by `orch features extract`"),
    "copies": ("augmentation", 0, "it sees flips, and no other changes"),
    **dict.fromkeys(CONTINUOUS_AUGMENTATION, ("augmentation", 0.0, "it sees flips, and no other changes")),
}
"""Keys that a frozen preset leaves no choice: their section, their one value, and why."""


def fill_in_backbones(spec: StudySpec) -> StudySpec:
    """Make sure that Keras has every other backbone, and return the spec with every preset as weights of its own and the SHA-256 of its files, folders by their whole path.

    Raises:
        SpecError: Keras has no such backbone; KerasHub or a preset is not on this machine, or the study asks of a preset what it cannot do.
        DataError: a preset's configuration names code of its own, or cannot be read.
    """
    if "transfer" not in spec.possible("kind", spec.model.kind):
        return spec
    backbones = spec.possible("backbone", spec.model.backbone)
    presets = sorted(filter(is_preset, backbones))
    for name in sorted({*backbones, *spec.model.weights_of}):
        if not is_preset(name):
            check_backbone(name, list_backbones())
    named = sorted(name for name in spec.model.weights_of if is_preset(name) and name not in presets)
    if named:
        raise SpecError(f"model.weights_of names {named[0]}, which no trial uses as its backbone.")
    if not presets:
        return spec
    _refuse(spec, presets)
    paths, hashes = {}, {}
    for name in presets:
        folder = _find(name)
        _check_sizes(spec, name, read_fixed_size(folder))
        paths[name] = str(folder.resolve()) if Path(name).expanduser().is_dir() else name
        hashes[paths[name]] = spec.model.weights_hashes.get(name) or hash_preset(folder)
    return _put(spec, paths, hashes)


def describe_weights_of(model: ModelSection) -> str:
    """Say which weights single backbones have, as the end of a phrase; empty where all have the same."""
    named = sorted(model.weights_of.items())
    return "".join(f", {'its own' if weights == name else weights} for {name}" for name, weights in named)


def _find(name: str) -> Path:
    try:
        return find_preset(name)
    except UsageError as error:
        if name.startswith((HUGGING_FACE, KAGGLE)) or "/" in name:
            raise SpecError(
                f"model.backbone = {name}: {error.what}", why=error.why, next_step=error.next_step
            ) from error
        # One word is more often a name of Keras that was spelled otherwise.
        check_backbone(name, list_backbones())
        raise


def _refuse(spec: StudySpec, presets: list[str]) -> None:
    """Refuse what a study asks of a preset and it cannot do.

    Raises:
        SpecError: says which key, and why.
    """
    name = presets[0]
    weights = spec.model.weights_of.get(name, spec.model.weights)
    searched = set(spec.search)
    only_preset = "backbone" not in searched
    if (only_preset and weights not in (NAMED, name)) or spec.model.weights_of.get(name, name) != name:
        raise SpecError(
            f"model.weights = {weights} does not go with the preset {name}, which brings its own weights.",
            next_step="Leave model.weights out.",
        )
    if "weights" in searched and _reaches(spec, "weights", presets):
        raise SpecError(
            f"search.weights does not go with the preset {name}, which brings its own weights.",
            next_step='Say for which backbones weights are searched: when = { backbone = ["InceptionV3"] }.',
        )
    for key, (section, value, why) in ONLY.items():
        fixed = getattr(getattr(spec, section), key)
        place = f"search.{key}" if key in searched else f"{section}.{key}"
        is_searched = key in searched and _reaches(spec, key, presets)
        if fixed != value or (is_searched and spec.possible(key, fixed) != {value}):
            raise SpecError(
                f"{place} does not go with the preset {name}: {why}.",
                why="Presets of KerasHub are used frozen.",
                next_step=f"Leave {place} out, or choose a backbone of keras.applications.",
            )


def _reaches(spec: StudySpec, key: str, presets: list[str]) -> bool:
    """Whether a searched key acts in trials of a preset."""
    asked = (spec.search[key].when or {}).get("backbone")
    return asked is None or bool(set(presets) & set(asked))


def _check_sizes(spec: StudySpec, name: str, fixed: tuple[int, int] | None) -> None:
    searched = spec.search.get("image_size")
    if searched is not None and not _reaches(spec, "image_size", [name]):
        sizes: set[Any] = {spec.model.image_size}
    else:
        sizes = spec.possible("image_size", spec.model.image_size)
    for size in sizes:
        height, width = (int(size),) * 2 if isinstance(size, int | float) else size
        if fixed is not None and (height, width) != fixed:
            raise SpecError(
                f"The preset {name} takes images of {fixed[0]} x {fixed[1]} pixels, and model.image_size is {height} x {width}.",
                next_step=f"--set model.image_size={fixed[0]}",
            )
        if height != width:
            raise SpecError(
                f"model.image_size = {height} x {width} does not go with the preset {name}: images for presets are square.",
                next_step=f"--set model.image_size={height}",
            )


def _put(spec: StudySpec, paths: dict[str, str], hashes: dict[str, str]) -> StudySpec:
    """The spec with presets by their whole names, each as weights of itself."""
    document = spec.model_dump(mode="json")
    model = document["model"]

    def name(backbone: str) -> str:
        return paths.get(backbone, backbone)

    model["backbone"] = name(model["backbone"])
    if "backbone" in spec.search:
        given = {name(backbone): name(weights) for backbone, weights in spec.model.weights_of.items()}
        model["weights_of"] = {**given, **{path: path for path in hashes}}
        model["weights_hashes"] = dict(sorted({**spec.model.weights_hashes, **hashes}.items()))
        document["search"]["backbone"]["values"] = [
            name(value) for value in document["search"]["backbone"]["values"]
        ]
    else:
        model |= {"weights": model["backbone"], "weights_sha256": hashes[model["backbone"]]}
    for section in document["search"].values():
        if "backbone" in (section.get("when") or {}):
            section["when"]["backbone"] = [name(value) for value in section["when"]["backbone"]]
    return parse(document, source="the presets")
