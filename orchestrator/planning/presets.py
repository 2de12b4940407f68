"""Studies by purpose: what to search first, which backbone, which head, which augmentation, and how to fine-tune.

Beside the two regimes of the reference study, which stay as they are. A preset is data; its batch sizes end where a full batch begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from storage.spec import StudySpec

LARGEST_BATCH = 2048
SMALLEST_BATCH = 16
BATCHES: dict[str, Any] = {"type": "int", "low": SMALLEST_BATCH, "high": LARGEST_BATCH, "log": True}
RATES: dict[str, Any] = {"type": "float", "low": 1e-4, "high": 1e-2, "log": True}
DROPOUT: dict[str, Any] = {"type": "float", "low": 0.0, "high": 0.5}

PRESETS: dict[str, dict[str, Any]] = {
    "quick": {
        "study": {"trials": 20},
        "training": {"epochs": 10},
        "cv": {"folds": 3},
        "search": {"batch_size": BATCHES, "dropout_rate": DROPOUT, "learning_rate": RATES},
        "sampler": {"name": "random"},
        "pruner": {"name": "fast"},
    },
    "backbones": {
        "search": {
            "backbone": {
                "type": "choice",
                "values": ["InceptionV3", "DenseNet121", "ResNet50V2", "EfficientNetB0", "MobileNetV2"],
            },
            "image_size": {"type": "choice", "values": [224, 299]},
            "learning_rate": {"type": "grid", "values": [1e-3, 1e-4], "log": True},
        },
        "sampler": {"name": "grid"},
        "pruner": {"name": "careful"},
    },
    "head": {
        "study": {"trials": 60},
        "search": {
            "head": {"type": "choice", "values": [[], [256], [512], [512, 256], [1024, 512, 256]]},
            "head_normalization": {"type": "choice", "values": [False, True]},
            "dropout_rate": {"type": "float", "low": 0.0, "high": 0.6},
            "batch_size": BATCHES,
            "optimizer": {"type": "choice", "values": ["adam", "adamw", "sgd"]},
            "learning_rate": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
            "weight_decay": {
                "type": "float",
                "low": 1e-5,
                "high": 1e-1,
                "log": True,
                "when": {"optimizer": ["adamw"]},
            },
            "momentum": {"type": "float", "low": 0.5, "high": 0.99, "when": {"optimizer": ["sgd"]}},
        },
        "sampler": {"name": "tpe"},
        "pruner": {"name": "careful"},
    },
    "augmentation": {
        "study": {"trials": 30},
        "search": {
            "augmentation": {"type": "choice", "values": ["none", "flip"]},
            "rotation": {"type": "float", "low": 0.0, "high": 20.0},
            "zoom": {"type": "float", "low": 0.0, "high": 0.2},
            "shift": {"type": "float", "low": 0.0, "high": 0.1},
        },
        "sampler": {"name": "qmc"},
        "pruner": {"name": "careful"},
    },
    "finetune": {
        "study": {"trials": 20},
        "model": {"trainable": "all"},
        "training": {"batch_size": 16, "optimizer": "adamw", "patience": 5},
        "search": {
            "learning_rate": {"type": "float", "low": 1e-6, "high": 1e-3, "log": True},
            "weight_decay": {"type": "float", "low": 1e-5, "high": 1e-1, "log": True},
            "dropout_rate": DROPOUT,
        },
        "sampler": {"name": "tpe"},
        "pruner": {"name": "careful"},
    },
}
"""What each preset says of a spec; everything else is the default, or that of `--from best.json`."""


def size_to_data(spec: StudySpec, preset: str, train_images: Sequence[int]) -> StudySpec:
    """Return the spec of a preset with batch sizes up to a full batch, and no further: all above are one and the same.

    What a person chose with --set stays.

    Args:
        spec: of the study, with its folds.
        preset: a key of `PRESETS`.
        train_images: training images of each fold.
    """
    full = min(train_images)
    values: dict[str, Any] = {}
    searched = spec.search.get("batch_size")
    if (
        searched is not None
        and preset in PRESETS
        and searched.high == LARGEST_BATCH
        and searched.low == SMALLEST_BATCH
    ):
        low = min(SMALLEST_BATCH, max(1, full // 2))
        values["search.batch_size"] = {**BATCHES, "low": low, "high": min(full, LARGEST_BATCH)}
    elif searched is None and spec.training.batch_size > full:
        values["training.batch_size"] = full
    return spec.with_values(values) if values else spec
