"""What the cases of `cases` are made of: pictures, tables and folders to import, and what is right of an outcome."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CLASSES = ("NORMAL", "PNEUMONIA")
COUNT = 12


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit code, both streams, the folder; and what it printed as JSON."""

    code: int
    said: str
    printed: str
    folder: Path

    @property
    def document(self) -> dict[str, Any]:
        """What `--json` printed."""
        return json.loads(self.printed)

    def marks(self) -> dict[str, str]:
        """For each development image the marks of its labels, such as "10-"."""
        from storage.data.datasets import load_dataset

        dataset = load_dataset(self.folder / "data")
        return {
            file.relative_to(self.folder / "images").as_posix(): "".join(
                "-" if value != value else f"{value:.0f}" for value in row
            )
            for file, row in zip(dataset.files, dataset.labels.tolist(), strict=True)
        }


Make = Callable[[Path], None]
Judge = Callable[[Outcome], bool]


def draw(path: Path, seed: int, top: int = 255, kind: type = np.uint8, low: int = 0) -> None:
    """Write a small picture of noise from `low` to `top`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(low, top + 1, (16, 20)).astype(kind)
    Image.fromarray(values).save(path)


def table(
    header: str,
    row: Callable[[int], str],
    names: Sequence[str] = (),
    *,
    encoding: str = "utf-8",
    end: str = "\n",
) -> Make:
    """Images of these names (0.png, 1.png, ..) and a labels file."""
    images = names or [f"{number}.png" for number in range(COUNT)]

    def make(folder: Path) -> None:
        for seed, name in enumerate(images):
            draw(folder / "images" / name, seed)
        lines = [header] if header else []
        text = end.join([*lines, *(row(number) for number in range(COUNT)), ""])
        (folder / "labels.csv").write_bytes(text.encode(encoding))

    return make


def column(cells: Sequence[str], name: str = "fx") -> Make:
    """A table with one further column, whose cells repeat."""
    return table(f"filename;{name}", lambda number: f"{number}.png;{cells[number % len(cells)]}")


def patients(cells: Sequence[str]) -> Make:
    """A table with a column of patients, whose cells repeat."""
    return table("filename;pid;fx", lambda number: f"{number}.png;{cells[number % len(cells)]};{number % 2}")


def folders(names: Sequence[str]) -> Make:
    """Images of these names, and no table."""

    def make(folder: Path) -> None:
        for seed, name in enumerate(names):
            draw(folder / "images" / name, seed)

    return make


def deep(low: int, top: int, odd: int | None = None) -> Make:
    """16-bit pictures of a range; one of them of another (from 0 to `odd`)."""

    def make(folder: Path) -> None:
        column(["0", "1"])(folder)
        for number in range(COUNT):
            other = odd is not None and number == 0
            draw(
                folder / "images" / f"{number}.png",
                number,
                odd if other and odd else top,
                np.uint16,
                0 if other else low,
            )

    return make


def refused(*words: str) -> Judge:
    """Exit 2, and each of these words in the message."""
    return lambda out: out.code == 2 and all(word.lower() in out.said.lower() for word in words)


def taken(marks: str, *words: str) -> Judge:
    """Imported, the first images with these marks (separated by blanks), and each of the words said."""

    def judge(out: Outcome) -> bool:
        if out.code != 0:
            return False
        found = out.marks()
        wanted = marks.split()
        names = sorted(found, key=lambda name: (len(name), name))
        return [found[name] for name in names[: len(wanted)]] == wanted and all(
            word in out.said for word in words
        )

    return judge


def grouped(count: int) -> Judge:
    """Imported, with so many groups."""
    return lambda out: out.code == 0 and out.document["groups"] == count


def split(classes: Sequence[str], sealed: int) -> Judge:
    """Imported, with these classes, and so many images in the hold-out."""
    return lambda out: (
        out.code == 0
        and out.document["targets"] == [f"class={name}" for name in classes]
        and (out.document["holdout"] or {"images": 0})["images"] == sealed
    )


def shades(least: int) -> Judge:
    """Imported, and as in training the brightest picture has at least so many different grey values."""

    def judge(out: Outcome) -> bool:
        from storage.data.datasets import load_dataset
        from storage.data.images import read_picture, scale_of

        dataset = load_dataset(out.folder / "data")
        return max(len(np.unique(read_picture(file, scale_of(dataset)))) for file in dataset.files) >= least

    return judge


def sided(form: str, sides: Sequence[str]) -> Make:
    """Class folders of a published split: two images for each class and side."""
    return folders(
        [form.format(side=side, name=name, n=n) for side in sides for name in CLASSES for n in range(2)]
    )


def plain(number: int) -> str:
    """A row of the plainest table."""
    return f"{number}.png,{number % 2}"


def two_row(between: str) -> Callable[[int], str]:
    """Rows with a patient, the cells with this between them."""
    return lambda number: between.join((f"{number}.png", f"p{number // 2}", str(number % 2)))
