"""Small real image files and label tables to import."""

from __future__ import annotations

import csv
import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from orchestrator.audit.copies import apart, sketches
from orchestrator.audit.copies.sketches import Sketch

MODES = ("L", "RGB", "RGBA", "P", "I;16", "1", "LA")


def write_image(path: Path, *, seed: int, mode: str = "L", size: tuple[int, int] = (20, 16)) -> Path:
    """Write a picture of noise; equal arguments give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    if mode == "I;16":
        Image.fromarray(noise[:, :, 0].astype(np.uint16) * 251).save(path)
    else:
        Image.fromarray(noise).convert(mode).save(path)
    return path


def draw_image(path: Path, *, seed: int) -> Path:
    """Write a picture with structure of its own at every scale, as a radiograph has; equal seeds give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (96, 96), dtype=np.uint8)
    broad = np.asarray(Image.fromarray(noise).filter(ImageFilter.GaussianBlur(6)), np.float32)
    fine = np.asarray(Image.fromarray(noise).filter(ImageFilter.GaussianBlur(2)), np.float32)
    pixels = 6 * (broad - 128) + 3 * (fine - 128) + 128
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)
    return path


@functools.cache
def _sketch_once(content: bytes, shape: tuple[int, int]) -> Sketch:
    return sketches.sketch(np.frombuffer(content, np.uint8).reshape(shape))


def sketch_each_picture_once(patch: pytest.MonkeyPatch) -> None:
    """Let the audit sketch a picture that it has sketched in an earlier test no second time: that is most of its time."""
    patch.setattr(apart, "sketch", lambda grey: _sketch_once(grey.tobytes(), grey.shape))


def write_table(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    """Write a CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def make_data(folder: Path, *, patients: int = 12, images_each: int = 2, seed: int = 0) -> tuple[Path, Path]:
    """Write images of several patients and labels.csv (filename, patient, visit, a, b); return both paths."""
    rows = []
    for patient in range(patients):
        for number in range(images_each):
            name = f"p{patient:02d}-{number}.png"
            write_image(folder / "images" / name, seed=1000 * seed + 10 * patient + number)
            labels = [(patient + number) % 2, (patient // 2 + number) % 2]
            rows.append(
                [
                    name,
                    f"patient {patient}",
                    number + 2,
                    labels[0],
                    labels[1] if number or patient % 4 else "",
                ]
            )
    return folder / "images", write_table(
        folder / "labels.csv", ["filename", "patient", "visit", "a", "b"], rows
    )
