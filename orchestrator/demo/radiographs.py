"""Synthetic radiographs of healing tibia fractures, drawn so that the whole of orch can be tried without data.

A bone is the shadow of a hollow cylinder: X-rays pass more of the cortex at its edges than in its middle. Each cortex
heals by the modified RUST score: 1 no callus, 2 callus, 3 bridging callus with the line still visible, 4 remodelled.
As in the published fracture study, AP rows carry the anterior and posterior cortex and lateral rows the medial and
lateral one; what a view does not carry is blank, as are the cortices of some images that nobody graded.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from storage.files.writing import replacing

if TYPE_CHECKING:
    from PIL.Image import Image

CORTICES = ("medial", "lateral", "anterior", "posterior")
GRADES = (1, 2, 3, 4)
VIEWS = {"AP": ("anterior", "posterior"), "lateral": ("medial", "lateral")}
VISITS = ("baseline", "6 weeks", "3 months", "6 months")
TARGETS = (
    "view_antpr",
    "view_later",
    *(f"{cortex}_cortex_{grade}" for cortex in CORTICES for grade in GRADES),
)
UNGRADED_SHARE = 0.08

LINE_DEPTH = {1: 0.92, 2: 0.8, 3: 0.45, 4: 0.0}
LINE_WIDTH = {1: 0.022, 2: 0.017, 3: 0.011, 4: 0.008}
CALLUS_THICKNESS = {1: 0.0, 2: 0.05, 3: 0.075, 4: 0.022}
CALLUS_LENGTH = {1: 0.1, 2: 0.1, 3: 0.14, 4: 0.16}
CALLUS_DENSITY = {1: 0.0, 2: 0.4, 3: 0.6, 4: 0.9}


@dataclass(frozen=True)
class Patient:
    """What stays the same over a patient's images; lengths in parts of the image's side."""

    number: int
    tilt: float
    bow: float
    radius: float
    shell: float
    fibula: float
    fracture: float
    slope: float
    step: float
    healing: float


@dataclass(frozen=True)
class PlannedImage:
    """One image to draw, the true grade of every cortex, and its row of the labels file."""

    patient: Patient
    visit: str
    view: str
    grades: dict[str, int]
    row: dict[str, str | int]


def draw_radiographs(
    folder: Path,
    *,
    patients: int = 60,
    size: int = 224,
    seed: int = 1337,
    report: Callable[[int, int], None] | None = None,
) -> Path:
    """Draw grey JPEG images into `folder`/images and write `folder`/labels.csv; equal arguments give equal images.

    Args:
        folder: where to write; made where it is missing.
        patients: how many; each has two to four visits with an AP and a lateral image each.
        size: side of the square images, in pixels.
        seed: of everything that is drawn.
        report: called with (images done, all images).

    Returns:
        The labels file: filename, patient_id, visit, view, and the 18 labels.
    """
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    rows = list(_plan_rows(patients, seed))

    def draw(planned: PlannedImage) -> None:
        place = [planned.patient.number, VISITS.index(planned.visit), list(VIEWS).index(planned.view)]
        generator = np.random.default_rng([seed, *place])
        picture = draw_radiograph(planned.patient, planned.view, planned.grades, size, generator)
        picture.save(images / str(planned.row["filename"]), quality=90)

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for done, _ in enumerate(pool.map(draw, rows), start=1):
            if report:
                report(done, len(rows))
    path = folder / "labels.csv"
    with (
        replacing(path) as partial,
        partial.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.DictWriter(file, ["filename", "patient_id", "visit", "view", *TARGETS])
        writer.writeheader()
        writer.writerows(planned.row for planned in rows)
    return path


def draw_radiograph(
    patient: Patient, view: str, grades: dict[str, int], size: int, generator: np.random.Generator
) -> Image:
    """Draw one image, mode L, `size` x `size` pixels; `grades` gives the RUST grade of the view's two cortices."""
    from PIL import Image, ImageFilter

    y, x = (np.mgrid[0:size, 0:size] / size - 0.5).astype(np.float32)
    x = x - np.float32(generator.normal(0, 0.012))
    y = y - np.float32(generator.normal(0, 0.012))
    left, right = (grades[cortex] for cortex in VIEWS[view])

    jagged = 0.012 * _clouds(size, 24, generator)
    middle = patient.bow * y**2 + (patient.tilt + generator.normal(0, 0.01)) * y
    if view == "lateral":
        middle = middle + 0.05 * np.sin(2.2 * y)
    along = y - patient.fracture - patient.slope * (x - middle) - jagged
    # An unhealed fracture leaves its fragments a step apart.
    unhealed = (8 - left - right) / 6
    middle = middle + patient.step * unhealed * _rise(along / 0.006)
    across = x - middle

    radius = patient.radius * (1.12 if view == "lateral" else 1.0) * (1 + 1.1 * np.clip(-y - 0.22, 0, None))
    tibia = _tube(across, radius, patient.shell * (1 + 0.25 * np.clip(0.3 - np.abs(y), 0, None)))
    side = _rise(across / (0.25 * radius))
    depth = LINE_DEPTH[left] * (1 - side) + LINE_DEPTH[right] * side
    width = LINE_WIDTH[left] * (1 - side) + LINE_WIDTH[right] * side
    bone = tibia * (1 - depth * np.exp(-((along / width) ** 2)))
    texture = _clouds(size, 28, generator)
    for direction, grade in ((-1, left), (1, right)):
        bone = bone + _callus(direction * across - radius, along, grade, texture)

    # The fibula tells which side is which, in either view and in a mirror.
    beside = 2.15 * patient.radius if view == "AP" else 1.0 * patient.radius
    fibula = _tube(x - middle - beside - 0.03 * y, patient.fibula * np.ones_like(y), 0.5 * patient.fibula)

    leg = 0.33 + 0.05 * np.cos(3 * y) + 0.01 * _clouds(size, 4, generator)
    flesh = np.sqrt(np.clip(leg**2 - (x - 0.04) ** 2, 0, None)) * (1 + 0.08 * _clouds(size, 10, generator))
    shadow = 1.15 * flesh + bone * (1 + 0.06 * texture) + 0.8 * fibula

    exposure = generator.uniform(0.85, 1.25)
    grey = np.clip(1 - np.exp(-exposure * shadow * 1.35), 0, 1)
    grey = grey ** generator.uniform(0.9, 1.2) * (1 - 0.25 * (x**2 + y**2))
    grain = generator.standard_normal(grey.shape, dtype=np.float32) * generator.uniform(0.008, 0.02)
    grey = grey + grain * np.sqrt(0.2 + grey)
    picture = Image.fromarray((np.clip(0.03 + 0.97 * grey, 0, 1) * 255).astype(np.uint8))
    return picture.filter(ImageFilter.GaussianBlur(size / 400))


def _plan_rows(patients: int, seed: int) -> Iterator[PlannedImage]:
    for number in range(1, patients + 1):
        generator = np.random.default_rng([seed, number])
        patient = _make_patient(number, generator)
        bias = dict(zip(CORTICES, generator.normal(0, 0.55, len(CORTICES)), strict=True))
        visits = sorted(generator.choice(len(VISITS), generator.integers(2, 5), replace=False).tolist())
        for visit in visits:
            score = 1.0 + patient.healing * visit
            grades = {
                cortex: int(np.clip(round(score + bias[cortex] + generator.normal(0, 0.35)), 1, 4))
                for cortex in CORTICES
            }
            for view in VIEWS:
                graded = generator.random() >= UNGRADED_SHARE
                row = _make_row(number, VISITS[visit], view, grades, graded)
                yield PlannedImage(patient, VISITS[visit], view, grades, row)


def _make_patient(number: int, generator: np.random.Generator) -> Patient:
    return Patient(
        number=number,
        tilt=generator.normal(0, 0.05),
        bow=generator.normal(0, 0.08),
        radius=generator.uniform(0.085, 0.105),
        shell=generator.uniform(0.028, 0.038),
        fibula=generator.uniform(0.026, 0.034),
        fracture=generator.uniform(-0.12, 0.16),
        slope=generator.uniform(-0.6, 0.6),
        step=generator.normal(0, 0.012),
        healing=generator.uniform(0.6, 1.15),
    )


def _make_row(
    number: int, visit: str, view: str, grades: dict[str, int], graded: bool
) -> dict[str, str | int]:
    row: dict[str, str | int] = dict.fromkeys(TARGETS, "")
    row["view_antpr"], row["view_later"] = int(view == "AP"), int(view == "lateral")
    for cortex in VIEWS[view] if graded else ():
        for grade in GRADES:
            row[f"{cortex}_cortex_{grade}"] = int(grades[cortex] == grade)
    name = f"{number:04d}-{visit.replace(' ', '-')}-{view}.jpg"
    return {"filename": name, "patient_id": f"P{number:04d}", "visit": visit, "view": view, **row}


def _tube(across: np.ndarray, radius: np.ndarray, shell: np.ndarray | float) -> np.ndarray:
    """How much a hollow cylinder weakens rays that pass `across` from its axis."""
    outer = np.sqrt(np.clip(radius**2 - across**2, 0, None))
    inner = np.sqrt(np.clip((radius - shell) ** 2 - across**2, 0, None))
    return 8.0 * (outer - inner) + 0.9 * inner


def _callus(outside: np.ndarray, along: np.ndarray, grade: int, texture: np.ndarray) -> np.ndarray:
    """The cloud of new bone on one cortex; `outside` is the distance from its outer edge."""
    thickness = CALLUS_THICKNESS[grade] * np.exp(-((along / CALLUS_LENGTH[grade]) ** 2))
    if grade == 2:
        # Two lumps, one on each fragment, that do not meet yet.
        thickness = thickness * (1 - 0.9 * np.exp(-((along / 0.03) ** 2)))
    covered = _rise((thickness - np.maximum(outside, 0) - 0.006) / 0.004)
    inwards = np.exp(-((np.minimum(outside, 0) / 0.02) ** 2))
    bulge = np.clip(thickness / 0.03, 0, 1)
    return CALLUS_DENSITY[grade] * covered * inwards * bulge * (1 + 0.2 * texture)


def _rise(value: np.ndarray) -> np.ndarray:
    """From 0 to 1 smoothly, without overflow."""
    return 0.5 * (1 + np.tanh(value / 2))


def _clouds(size: int, cells: int, generator: np.random.Generator) -> np.ndarray:
    """Smooth noise of mean 0 and standard deviation near 1, shape (size, size)."""
    from PIL import Image

    coarse = Image.fromarray(generator.standard_normal((cells, cells)).astype(np.float32))
    return np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC), dtype=np.float32)
