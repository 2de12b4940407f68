"""Feature extraction against the raw forward rate of the backbone.

    python -m bench.extraction [--images 24] [--size 512] [--rounds 3] [--backbone InceptionV3]
                               [--precision float32]
    KERAS_BACKEND=jax python -m bench.extraction --images 500 --threads 16

Each round extracts JPEG files as a study does (decode, flip, scale, forward, store) and then runs the same number of
batches of ready arrays through the forward pass alone, in a process of its own whose threads share each operation, as the
backend does by itself, so that other load falls on both. The first batch of either, which compiles, is left out.
Decoding alone is measured beside it: it must hide behind the forward pass.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.processes import Apart
from storage.spec import ModelSection, StudySection, StudySpec, TrainingSection
from workers.device import backend
from workers.device import preparation as devices


@dataclass(frozen=True)
class Files:
    """What `extract` needs of a dataset."""

    files: tuple[Path, ...]
    fingerprint: str = "bench"
    summary: dict[str, Any] = field(default_factory=dict)

    def check_images(self) -> None:
        """Nothing to check: the files were drawn a moment ago."""


def main() -> None:
    """Print views per second and the ratio, medians over interleaved rounds."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--images", type=int, default=24)
    arguments.add_argument("--size", type=int, default=512, help="pixels of the files, which are resized")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--backbone", default="InceptionV3")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--precision", default="float32", help="of the extraction; the peer is float32")
    chosen = arguments.parse_args()
    spec = StudySpec(
        study=StudySection(name="bench"),
        model=ModelSection(backbone=chosen.backbone, weights="none", extraction_precision=chosen.precision),
        training=TrainingSection(threads=chosen.threads),
    )
    devices.prepare_for(spec)
    with tempfile.TemporaryDirectory() as folder, Apart(Forward, spec) as forward:
        files = draw_files(Path(folder), chosen.images, chosen.size)
        rows = []
        for number in range(chosen.rounds):
            rows.append(
                (
                    extract_files(spec, files, Path(folder) / str(number)),
                    forward.run(len(files.files) * 4 // spec.model.extraction_batch - 1),
                    decode(spec, files),
                )
            )
    extracted, raw, decoded = np.array(rows).T
    device = devices.describe()
    print(f"{backend.name()} on {', '.join(device['gpus']) or device['processor']}")
    print(
        f"{chosen.backbone}, {chosen.images} images x 4 views, threads {chosen.threads}, load {os.getloadavg()[0]:.1f}"
    )
    print(f"extraction        {np.median(extracted):8.1f} views/s")
    print(f"forward pass alone{np.median(raw):8.1f} views/s")
    print(f"decoding alone    {np.median(decoded):8.1f} views/s on one thread")
    print(f"extraction : forward {np.median(extracted / raw):.2f} (median of the rounds' ratios)")


def draw_files(folder: Path, count: int, size: int) -> Files:
    """Write noisy grey JPEG files."""
    from PIL import Image

    generator, files = np.random.default_rng(0), []
    for number in range(count):
        picture = generator.integers(0, 256, (size // 8, size // 8), np.uint8)
        files.append(folder / f"{number}.jpg")
        Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC).save(files[-1], quality=92)
    return Files(tuple(files))


def extract_files(spec: StudySpec, files: Files, cache: Path) -> float:
    """Views per second of an extraction, from its first stored batch to its last."""
    from workers.inputs.extraction import describe_features, extract

    marks: list[tuple[float, int]] = []
    key = describe_features(spec, files.fingerprint)
    extract(spec, files, cache, key, lambda done, _: marks.append((time.perf_counter(), done)))
    (began, first), (ended, last) = marks[0], marks[-1]
    return (last - first) * 4 / (ended - began)


class Forward:
    """The forward pass on ready arrays."""

    def __init__(self, spec: StudySpec) -> None:
        from workers.models.transfer import build_backbone

        devices.prepare(spec.training.threads)
        self._backbone, self._batch = build_backbone(spec.model), spec.model.extraction_batch
        shape = (self._batch, *spec.model.image_size, 3)
        self._pixels = np.random.default_rng(0).random(shape, dtype=np.float32)
        self._backbone.predict_on_batch(self._pixels)

    def run(self, batches: int) -> float:
        """Views per second over so many batches."""
        began = time.perf_counter()
        for _ in range(batches):
            self._backbone.predict_on_batch(self._pixels)
        return batches * self._batch / (time.perf_counter() - began)


def decode(spec: StudySpec, files: Files) -> float:
    """Views per second that one thread decodes and resizes; four views are one image."""
    from storage.data.images import read_image

    began = time.perf_counter()
    for file in files.files:
        read_image(file, spec.model.image_size)
    return 4 * len(files.files) / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
