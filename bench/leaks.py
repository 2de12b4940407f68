"""How much of what is planted does `orch data audit` find, and how often does it cry wolf on clean data?

Copies of images (re-encoded, resized, brightened, flipped) among the chest X-rays where they are here, else among drawn
radiographs; patients split; sealed images in training; label columns among the targets. Goals: 95 % found of each kind, at
most 1 % false alarms. Run: python -m bench.leaks [tables] [copies of each kind]
"""

import csv
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from orchestrator.audit.evidence import Evidence
from orchestrator.audit.findings import Finding
from orchestrator.audit.near_duplicates import Sketch, find_duplicates, sketch_file
from orchestrator.audit.report import audit_evidence
from storage.holdout.sealed import find_unsealed

REPOSITORY = Path(__file__).resolve().parent.parent

FOUND, FALSE_ALARMS = 0.95, 0.01
Generator = np.random.Generator


def resize(image: Image.Image, generator: Generator) -> Image.Image:
    """To 50 to 150 % of its size, sides apart by up to 5 %."""
    share = generator.uniform(0.5, 1.5)
    return image.resize((int(image.width * share), int(image.height * share * generator.uniform(0.95, 1.05))))


def brighten(image: Image.Image, generator: Generator) -> Image.Image:
    """Brightness by 0.7 to 1.4, contrast by 0.8 to 1.2."""
    brighter = ImageEnhance.Brightness(image).enhance(generator.uniform(0.7, 1.4))
    return ImageEnhance.Contrast(brighter).enhance(generator.uniform(0.8, 1.2))


def flip(image: Image.Image, generator: Generator) -> Image.Image:
    """Left to right, upside down, or both."""
    ways = (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.ROTATE_180)
    return image.transpose(ways[generator.integers(3)])


CHANGES: dict[str, Callable[[Image.Image, Generator], Image.Image]] = {
    "re-encoded": lambda image, generator: image,
    "resized": resize,
    "brightened": brighten,
    "flipped": flip,
}


def bring_images(folder: Path) -> tuple[str, list[Path], np.ndarray]:
    """Real or drawn radiographs of many patients: where they are from, files, patients."""
    data = Path(os.environ.get("ORCH_TEST_DATA") or REPOSITORY.parent / "shared" / "data") / "chest-xray"
    if data.is_dir():
        source, key = "chest X-rays", "patient_id"
    else:
        from orchestrator.demo.radiographs import draw_radiographs

        data, source, key = folder / "drawn", "drawn radiographs", "patient_id"
        draw_radiographs(data, patients=150, size=128)
    with (data / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    patients = np.unique([row[key] for row in rows], return_inverse=True)[1]
    return source, [data / "images" / row["filename"] for row in rows], patients


def plant_copies(folder: Path, count: int, generator: Generator) -> tuple[dict[str, float], float]:
    """The share of planted copies that is found, by kind, and the share of clean images that raise an alarm."""
    source, files, patients = bring_images(folder)
    sketches = [sketch_file(file) for file in files]
    clean = find_across(sketches, patients)
    print(f"{source}: {len(files)} images of {patients.max() + 1} patients, {len(clean)} images in an alarm")
    found = {}
    for kind, change in CHANGES.items():
        chosen = generator.choice(len(files), size=count, replace=False)
        copies = []
        for number in chosen:
            with Image.open(files[number]) as image:
                changed = change(image.convert("L"), generator)
            path = folder / f"{kind}{number}.jpg"
            changed.save(path, quality=int(generator.integers(40, 90)))
            copies.append(sketch_file(path))
        strangers = patients.max() + 1 + np.arange(count)
        alarmed = find_across([*sketches, *copies], np.concatenate([patients, strangers]))
        found[kind] = float(np.mean([len(files) + number in alarmed for number in range(count)]))
    return found, len(clean) / len(files)


def find_across(sketches: list[Sketch], patients: np.ndarray) -> set[int]:
    """Images that have a copy under another patient."""
    pairs = find_duplicates(sketches, lambda first, second: patients[first] != patients[second])
    return {place for pair in pairs for place in (pair.first, pair.second)}


def make_evidence(generator: Generator, kind: str, count: int = 500) -> Evidence:
    """A table with something planted in it: "clean", "patients", "view pair", "view", "device"."""
    patients = generator.integers(int(count / generator.uniform(1.3, 3)), size=count)
    labels = (generator.random((count, 4)) < generator.uniform(0.15, 0.5, size=4)).astype(np.float32)
    columns = {
        "age": [str(age) for age in generator.integers(20, 90, size=count)],
        "sex": generator.choice(["f", "m"], size=count).tolist(),
    }
    flag = generator.integers(2, size=count).astype(np.float32)
    targets = ["t0", "t1", "t2", "t3"]
    if kind in ("view pair", "view"):
        labels[:, :2] *= flag[:, None]
        labels[:, 2:] *= 1 - flag[:, None]
        added = [flag, 1 - flag] if kind == "view pair" else [flag]
        labels, targets = np.column_stack([labels, *added]), targets + ["leak", "leak too"][: len(added)]
    if kind == "device":
        labels, targets = np.column_stack([labels, flag]), [*targets, "leak"]
        columns["device"] = [f"device {value:.0f}" for value in flag]
    split = kind == "patients"
    groups = np.arange(count) if split else np.unique(patients, return_inverse=True)[1]
    fold_of_group = generator.permutation(groups.max() + 1) % 6
    fold = fold_of_group[groups]
    return Evidence(
        source=kind,
        targets=tuple(targets),
        labels=labels.astype(np.float32),
        groups=groups,
        grouped=not split,
        group_columns=() if split else ("patient",),
        columns=columns,
        identifiers={"patient": [str(patient) for patient in patients]} if split else {},
        names=[f"{number:05d}.png" for number in range(count)],
        sides=None,
        folds=[(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in range(6)],
    )


def is_found(findings: list[Finding], kind: str) -> bool:
    """Whether the audit names what was planted; for a clean table, whether it raises any alarm."""
    if kind == "clean":
        return any(finding.severity != "note" for finding in findings)
    if kind == "patients":
        return any(finding.name == "patients-split" for finding in findings)
    advised = {name for finding in findings for name in finding.details.get("advised_against", [])}
    return "leak" in advised


def plant_sealed(folder: Path, generator: Generator, tables: int) -> tuple[float, float]:
    """The share of trainings with sealed images that is found, and of clean ones that raise an alarm."""
    cache = folder / "cache"
    (cache / "sealed").mkdir(parents=True)
    sealed = [f"{number:064x}" for number in range(400)]
    (cache / "sealed" / ("a" * 64 + ".txt")).write_text("\n".join(sealed), encoding="ascii")
    found, alarms = [], []
    for table in range(tables):
        clean = [f"{10**9 + 1000 * table + number:064x}" for number in range(500)]
        alarms.append(bool(find_unsealed(clean, cache=cache, database=None)))
        leaked = generator.choice(sealed, size=int(generator.integers(1, 50)), replace=False).tolist()
        found.append(
            len(set().union(*find_unsealed([*clean, *leaked], cache=cache, database=None).values()))
            == len(leaked)
        )
    return float(np.mean(found)), float(np.mean(alarms))


def main() -> None:
    """Print the table; exit code 1 when a goal is missed."""
    tables = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    copies = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    generator = np.random.default_rng(5)
    with tempfile.TemporaryDirectory() as name:
        found, alarms = plant_copies(Path(name), copies, generator)
        rows = [(f"{kind} copies", share, alarms, copies) for kind, share in found.items()]
        share, false = plant_sealed(Path(name), generator, tables)
        rows.append(("hold-out in training", share, false, tables))
    shares = {
        kind: float(
            np.mean(
                [
                    is_found(audit_evidence(make_evidence(generator, kind)).findings, kind)
                    for _ in range(tables)
                ]
            )
        )
        for kind in ("clean", "patients", "view pair", "view", "device")
    }
    rows += [
        (f"{kind} planted in a table", shares[kind], shares["clean"], tables) for kind in list(shares)[1:]
    ]
    print(f"{'planted':<28} {'found':>7} {'false alarms':>13} {'tried':>6}")
    for kind, share, false, tried in rows:
        print(f"{kind:<28} {share:>7.1%} {false:>13.2%} {tried:>6}")
    reached = all(share >= FOUND and false <= FALSE_ALARMS for _, share, false, _ in rows)
    print("reached  every goal" if reached else "MISSED   a goal")
    sys.exit(not reached)


if __name__ == "__main__":
    main()
