"""What augmentation costs: milliseconds of a processor core for an image in the pipeline that training reads from, change by change.

python -m bench.augmentation
"""

from __future__ import annotations

import statistics
import time

import numpy as np

from storage.pictures.changes import CHANGES, MIXING
from workers.device import preparation as devices
from workers.inputs.augmentation import draw_changes
from workers.inputs.mixing import draw_mixture

IMAGES, SIZE, BATCH, ROUNDS = 64, (299, 299), 32, 3
VALUES = {"gamma": 0.5, "blur": 1.5, "noise": 10.0, "channel_shift": 20.0, "rotation": 10.0, "shear": 5.0}
USUAL = 0.2


def main() -> None:
    """Measure, in turns, so that what else the machine does falls on all alike."""
    devices.prepare(1, 2)
    from workers.backends.tensorflow.image_set import ImageSet

    pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, *SIZE, 3), dtype=np.uint8)
    images = ImageSet(pixels, np.zeros((IMAGES, 1), np.float32), lambda grey: grey / 127.5 - 1)
    value = {name: VALUES.get(name, USUAL) for name in CHANGES}
    cases = {
        "none": {},
        "flip": {"augmentation": "flip"},
        **{name: {name: value[name]} for name in CHANGES},
        "all of one image": {name: value[name] for name in CHANGES if name not in MIXING},
    }
    taken: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(ROUNDS + 1):
        for name, settings in cases.items():
            seconds = read_once(images, {"augmentation": "none", **settings})
            if number:  # the first round traces
                taken[name].append(1000 * seconds / IMAGES)
    plain = statistics.median(taken["none"])
    print(
        f"{IMAGES} images of {SIZE[0]} x {SIZE[1]}, batches of {BATCH}; median of {ROUNDS} rounds, in time of one core"
    )
    for name, found in taken.items():
        middle = statistics.median(found)
        print(
            f"{name:18} {middle:6.2f} ms an image  {middle - plain:+6.2f} ms  {middle / plain:5.2f} times none"
        )


def read_once(images: object, settings: dict[str, object]) -> float:
    """Seconds of a core that the pipeline takes for all images, drawing included: what else the machine does counts for nothing."""
    began = time.process_time()
    generator = np.random.default_rng(0)
    changes = draw_changes(generator, IMAGES, SIZE, settings)
    mixture = draw_mixture(generator, IMAGES, BATCH, SIZE, settings)
    for _ in images.batches(np.arange(IMAGES), BATCH, changes, mixture):  # type: ignore[attr-defined]
        pass
    return time.process_time() - began


if __name__ == "__main__":
    main()
