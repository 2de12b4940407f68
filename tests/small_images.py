"""A small network of images, trained and looked into: what both backends must compute alike."""

from __future__ import annotations

import numpy as np

from storage.pictures.changes import CHANGES, MIXING
from storage.spec import StudySpec, parse
from workers.device import backend
from workers.final_model.explain import compute_heat
from workers.inputs.augmentation import DRAW, draw_changes
from workers.training.image_trainer import ImageFoldTrainer, SharedNetwork

COUNT, SIZE, TARGETS = 22, (20, 24), 2
SEED = (1337, 5, 2)
REACH = {"gamma": 0.7, "blur": 1.5, "noise": 20.0, "channel_shift": 30.0, "rotation": 30.0, "shear": 20.0}
"""Values of keys; 0.3 for those that are not named."""


def make_images() -> tuple[np.ndarray, np.ndarray]:
    """Bytes and labels, a few of them blank."""
    generator = np.random.default_rng(0)
    labels = generator.integers(2, size=(COUNT, TARGETS)).astype(np.float32)
    pixels = generator.integers(0, 120, (COUNT, *SIZE, 3), dtype=np.uint8)
    pixels[labels[:, 0] == 1] += 120
    labels[::7, 1] = np.nan
    return pixels, labels


def make_spec(augmentation: dict[str, float], kind: str = "lenet") -> StudySpec:
    """One step of gradient descent over all images: no dropout, whose masks each backend draws for itself."""
    return parse(
        {
            "study": {"name": "x"},
            "model": {"kind": kind, "image_size": SIZE},
            "training": {
                "batch_size": COUNT,
                "optimizer": "sgd",
                "learning_rate": 0.01,
                "augmentation": "flip",
            },
            "augmentation": augmentation,
        },
        source="a test",
    )


def compute_all() -> dict[str, np.ndarray]:
    """By name: what both backends must compute alike, each of about the size of 1."""
    pixels, labels = make_images()
    found: dict[str, np.ndarray] = {}
    # Every change is in one of two programs, because each is compiled.
    for names in (set(CHANGES) - set(DRAW) - set(MIXING), set(DRAW)):
        settings = {name: REACH.get(name, 0.3) for name in names}
        drawn = draw_changes(np.random.default_rng(1), COUNT, SIZE, {"augmentation": "flip", **settings})
        changed = backend.epoch_backend().change_images(pixels, drawn.matrices, drawn.shifts, drawn.drawn)
        found[f"pictures {len(found)}"] = changed / 255
    shared = SharedNetwork(make_spec({}), TARGETS)
    images = shared.make_image_set(pixels, labels)
    for name, augmentation in (
        ("flips alone", {}),
        ("mixup", {"rotation": 20.0, "mixup": 0.4}),
        ("cutmix", {"cutmix": 1.0}),
    ):
        trainer = ImageFoldTrainer(make_spec(augmentation), shared)
        trainer.reset(images, np.arange(COUNT), np.arange(COUNT)[::2], {}, SEED)
        if not augmentation:
            found |= {f"at the start {key}": value for key, value in trainer.state().items()}
            found["heat at the start"], _ = compute_heat(
                trainer.model, pixels[:3] / np.float32(127.5) - 1, [0, 1, 0]
            )
        trainer.run_epoch(1)
        found |= {f"{name}: {key}": value for key, value in trainer.state().items()}
        found[f"{name}: probabilities"] = trainer.predict_validation()
    return found
