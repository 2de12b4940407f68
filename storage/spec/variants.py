"""The different models and inputs that the trials of a study need: what is extracted, built and kept for each of them."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from storage.pictures.views import has_copies
from storage.spec.conditions import list_cells, order_of
from storage.spec.hyperparameters import SETTINGS
from storage.spec.ranges import axis
from storage.spec.sections import CONTINUOUS_AUGMENTATION, OF_COPIES
from storage.spec.study import StudySpec

MOST_CELLS = 4096
"""Combinations that are looked at where a sampler is still to draw the trials."""


@dataclass(frozen=True)
class Variant:
    """One model and its inputs.

    Attributes:
        spec: of the study, as `StudySpec.variant` makes it.
        share: of the trials that need it, from 0 to 1; equal shares where a sampler is still to draw them.
    """

    spec: StudySpec
    share: float

    @property
    def inputs(self) -> str:
        """Names what its folds learn from: 16 hexadecimal digits, the same for variants that differ in the model alone."""
        return name_inputs(self.spec)


def list_variants(spec: StudySpec, points: Sequence[dict[str, Any] | None] = ()) -> list[Variant]:
    """List the variants of a study, in the order of the trials that need them first.

    Args:
        spec: the study.
        points: its trials. Where one of them has no parameters yet, every combination of building keys that a trial may
            have is listed in their place, of ranges both ends; so many as `MOST_CELLS` at most.
    """
    if not has_variants(spec):
        return [Variant(spec, 1.0)]
    known = [params for params in points if params is not None]
    drawn = known if known and len(known) == len(points) else list(_imagine(spec))
    counted: Counter[str] = Counter()
    specs: dict[str, StudySpec] = {}
    for params in drawn:
        variant = spec.variant(params)
        key = name_variant(variant)
        counted[key] += 1
        specs.setdefault(key, variant)
    return [Variant(specs[key], counted[key] / len(drawn)) for key in specs]


def has_variants(spec: StudySpec) -> bool:
    """Whether trials may differ in their model or their inputs."""
    return bool(spec.model.weights_of) or any(
        name not in SETTINGS
        or (name == "augmentation" and _makes_copies(spec))
        or (name in CONTINUOUS_AUGMENTATION and (searched.when or searched.type == "choice"))
        for name, searched in spec.search.items()
    )


def name_variant(spec: StudySpec) -> str:
    """Name a variant: equal names mean one model and one kind of input."""
    text = json.dumps(
        [
            spec.model.model_dump(mode="json"),
            spec.training.model_dump(mode="json"),
            spec.uses_features,
            spec.views if has_copies(spec.views) else "flips",
        ],
        sort_keys=True,
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def name_inputs(spec: StudySpec) -> str:
    """Name what the folds of a variant learn from."""
    model = spec.model
    kind: list[Any] = ["images", *model.image_size, model.resize]
    if model.features:
        kind = ["given", model.features, model.features_sha256]
    elif spec.uses_features:
        kind = [
            "features",
            *model.image_size,
            model.resize,
            model.backbone,
            model.weights_sha256 or model.weights,
            model.pooling,
        ]
        kind += [model.weights_seed if model.weights == "none" else 0, spec.views]
        kind += [model.extraction_batch, model.extraction_precision]
    return hashlib.sha256(json.dumps(kind).encode()).hexdigest()[:16]


def _imagine(spec: StudySpec) -> Iterator[dict[str, Any]]:
    """Every combination of what makes a variant, with the settings that it hangs on."""
    needed: set[str] = set()
    made = OF_COPIES if _makes_copies(spec) else CONTINUOUS_AUGMENTATION
    waiting = [name for name in spec.search if name not in SETTINGS or name in made]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += list(spec.search[name].when or ())
    values = {name: _domain(spec, name) for name in order_of(spec.search) if name in needed}
    return itertools.islice(list_cells(spec.search, values), MOST_CELLS)


def _makes_copies(spec: StudySpec) -> bool:
    return any(spec.possible("copies", spec.augmentation.copies))


def _domain(spec: StudySpec, name: str) -> list[Any]:
    searched = spec.search[name]
    listed = axis(name, searched)
    if listed and len(listed) <= MOST_CELLS:
        return listed
    is_whole = searched.type == "int"
    ends = [int(end or 0) if is_whole else end for end in (searched.low, searched.high)]
    asked = [value for other in spec.search.values() for value in (other.when or {}).get(name, ())]
    return list(dict.fromkeys([*ends, *asked]))
