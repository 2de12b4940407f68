"""Findings that need the image files: copies across groups and sides, and what a file tells by its form."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.audit.findings import Finding
from orchestrator.audit.near_duplicates import Sketch, find_duplicates, sketch_file
from storage.holdout.sealed import find_unsealed, sketch_sealed
from storage.wording import name_few, say_command, say_count

if TYPE_CHECKING:
    from storage.data.datasets import Dataset
    from storage.database.engine import Database

Report = Callable[[int, int], None]


@dataclass(frozen=True)
class ImageFacts:
    """Form of each development image, as columns of text, and the sketches of both sides of the split."""

    columns: dict[str, list[str]]
    development: list[Sketch]
    sealed: list[Sketch]


def look_at_images(dataset: Dataset, report: Report | None = None) -> ImageFacts:
    """Open every image once. Of the sealed ones only the picture is read, never a label.

    Raises:
        DataError: an image moved or changed.
    """
    dataset.check_images()
    done = 0

    def look(path: Path) -> tuple[Sketch, tuple[str, ...]]:
        nonlocal done
        found = sketch_file(path), _describe_form(path)
        done += 1
        if report:
            report(min(done, len(dataset.files)), len(dataset.files))
        return found

    with ThreadPoolExecutor(max_workers=min(8, (os.cpu_count() or 1) + 1)) as pool:
        seen = list(pool.map(look, dataset.files))
    forms = list(zip(*(form for _, form in seen), strict=True))
    names = ("width", "height", "shape", "mode", "format", "bytes")
    return ImageFacts(
        {name: list(cells) for name, cells in zip(names, forms, strict=True)},
        [one for one, _ in seen],
        sketch_sealed(dataset, sketch_file),
    )


def find_copies(dataset: Dataset, facts: ImageFacts) -> list[Finding]:
    """Near-duplicates in different groups, and between development and hold-out."""
    count = len(facts.development)
    groups = np.concatenate([dataset.groups, np.full(len(facts.sealed), -1)])

    def crosses(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return np.asarray((groups[first] != groups[second]) & (first < count))

    pairs = find_duplicates([*facts.development, *facts.sealed], crosses)
    within = [pair for pair in pairs if pair.second < count]
    across = [pair for pair in pairs if pair.second >= count]
    found = []
    if within:
        named = [
            f"{dataset.files[pair.first].name} = {dataset.files[pair.second].name} ({pair.flip}, correlation "
            f"{pair.correlation:.2f})"
            for pair in within
        ]
        found.append(
            Finding(
                "near-duplicates",
                "error",
                f"{say_count(len(within), 'pair')} of images in different groups {'is' if len(within) == 1 else 'are'} the same picture: {_few(named)}.",
                "Remove the copies, or give both the same group; else one may train and the other validate.",
                {
                    "pairs": [
                        [dataset.sha256[p.first], dataset.sha256[p.second], p.correlation] for p in within
                    ]
                },
            )
        )
    if across:
        named = sorted({dataset.files[pair.first].name for pair in across})
        found.append(
            Finding(
                "holdout-near-duplicates",
                "error",
                f"{say_count(len(named), 'development image is a picture', 'development images are pictures')} of the sealed hold-out: {_few(named)}.",
                "Remove the copies and import again: the hold-out cannot judge a model that has seen them.",
                {"images": [dataset.sha256[place] for place in sorted({pair.first for pair in across})]},
            )
        )
    return found


def find_sealed_elsewhere(dataset: Dataset, cache: Path, database: Database | None) -> list[Finding]:
    """Development images that are sealed in a hold-out known to this machine or to the database."""
    known = find_unsealed(dataset.sha256, cache=cache, database=database, besides=dataset.fingerprint)
    if not known:
        return []
    images = len(set().union(*known.values()))
    return [
        Finding(
            "holdout-in-training",
            "error",
            f"{images} of {len(dataset.sha256)} development images are sealed in the hold-out of "
            f"{'another data set' if len(known) == 1 else f'{len(known)} other data sets'}: "
            f"{_few([name[:19] + '..' for name in known])}.",
            "Train on the data set whose hold-out is sealed; a hold-out that was trained on measures nothing. Was that import a "
            f"mistake, and nothing judged on it: {say_command('data', 'forget', next(iter(known)))}",
            {"images": images, "holdouts": {name: len(found) for name, found in known.items()}},
        )
    ]


def _describe_form(path: Path) -> tuple[str, ...]:
    from PIL import Image

    with Image.open(path) as image:
        width, height = image.size
        return (
            str(width),
            str(height),
            f"{width}x{height}",
            image.mode,
            str(image.format),
            str(path.stat().st_size),
        )


def _few(names: list[str]) -> str:

    return name_few(names)
