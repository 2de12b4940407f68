"""The baselines of the reference studies as specs: fixed hyperparameters, one point, k=10, 50 epochs, no pruning.

Study A (fracture healing): LeNet, InceptionV3 from random weights, and InceptionV3 frozen with ImageNet's or
RadImageNet's weights. Study B (vertebral fractures): InceptionResNetV2 from random weights on 600 x 360 images.
docs/protocols.md says what was published, and what was not and is chosen here.
"""

from __future__ import annotations

from typing import Any

from orchestrator.planning.settings import parse_settings
from storage.errors import SpecError, UsageError
from storage.spec import StudySpec, parse

COMMON: dict[str, Any] = {
    "study": {"trials": 1, "objective": "max_of_mean"},
    "training": {"epochs": 50, "batch_size": 128},
    "cv": {"folds": 10},
    "pruner": {"name": "none"},
}
INCEPTION: dict[str, Any] = {"backbone": "InceptionV3", "dropout_rate": 0.2}
PROTOCOLS: dict[str, dict[str, dict[str, Any]]] = {
    "lenet": {"model": {"kind": "lenet"}},
    "end-to-end": {"model": {**INCEPTION, "weights": "none", "trainable": "all"}},
    "imagenet": {"model": {**INCEPTION, "weights": "imagenet"}},
    "radimagenet": {"model": {**INCEPTION, "weights": ""}},
    "vertebral": {
        "model": {
            "backbone": "InceptionResNetV2",
            "weights": "none",
            "trainable": "all",
            "image_size": [600, 360],
            "pooling": "avg",
            "head": [1024],
        },
        "training": {
            "batch_size": 12,
            "learning_rate": 1e-4,
            "augmentation": "none",
            "positive_weight": "balanced",
        },
        "augmentation": {"rotation": 30, "zoom": 0.1, "shift": 0.2, "shear": 0.2, "channel_shift": 0.1},
    },
}


def build_protocol(
    name: str,
    protocol: str,
    *,
    seed: int | None = None,
    settings: list[str] | None = None,
    alone: bool = True,
) -> StudySpec:
    """Return a baseline as a study of one point.

    Args:
        name: of the study.
        protocol: a key of `PROTOCOLS`.
        seed: of folds and training.
        settings: texts of the form section.key=value, which win.
        alone: whether nothing else was said of what the study should be.

    Raises:
        UsageError: something else was said.
        SpecError: a value does not fit, or RadImageNet's weights file is not named.
    """
    if not alone:
        raise UsageError(
            "--protocol goes without --regime, --preset, --from, --spec, --trials, --pruner and --repeats.",
            why="A protocol has fixed hyperparameters and one trial.",
            next_step="Change single keys with --set, such as --set training.epochs=5.",
        )
    sections = {*COMMON, *PROTOCOLS[protocol]}
    document = {
        section: {**COMMON.get(section, {}), **PROTOCOLS[protocol].get(section, {})} for section in sections
    }
    document["study"] = {**document["study"], "name": name}
    spec = parse(document, source=f"the protocol {protocol}")
    values = parse_settings(settings or []) | ({} if seed is None else {"study.seed": seed})
    spec = spec.with_values(values) if values else spec
    if not spec.model.weights:
        raise SpecError(
            "The protocol radimagenet needs the file with RadImageNet's weights of InceptionV3.",
            why="Only its owners distribute it, so it cannot come with orch.",
            next_step="Name it: --set model.weights=RadImageNet-InceptionV3_notop.h5",
        )
    return spec
