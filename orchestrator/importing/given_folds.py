"""Folds as somebody gives them: a column of the labels file, a fold for each site, or nnU-Net's splits_final.json."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.importing.matching import Finder
from storage.data.datasets import read_columns
from storage.errors import DataError, SpecError
from storage.parsing import LARGEST_DOCUMENT, parse_json, read_regular
from storage.spec import pack_folds
from storage.wording import name_few, say_count

if TYPE_CHECKING:
    from storage.data.datasets import Dataset
    from storage.spec import StudySpec

SITE = "site"
SITE_NAMES = ("site", "center", "centre", "hospital", "institution", "institute", "clinic", "facility")
"""What a column of sites is called; `cv.by = "site"` finds it by these, alone or with id, name, no or number."""
MOST_FOLDS = 100


@dataclass(frozen=True, eq=False)
class GivenFolds:
    """The fold that each image validates in.

    Attributes:
        fold_of_image: int64, shape (n,), in the order of the data set, numbered from 0.
        names: what each fold is called where it comes from, by its number.
        source: where the folds come from, in words.
        notes: what is worth knowing, one sentence each.
    """

    fold_of_image: np.ndarray
    names: tuple[str, ...]
    source: str
    notes: tuple[str, ...] = ()


def read_given_folds(by: str, dataset: Dataset) -> GivenFolds:
    """Read the folds that `cv.by` names.

    Args:
        by: a column of the labels file; "site"; or a JSON file as nnU-Net writes splits_final.json.
        dataset: the development images.

    Raises:
        DataError: an image has no fold, a patient stands in several, or there are fewer than 2 or more than 100 folds.
        SpecError: there is no such column or file.
    """
    given = _read_splits(Path(by), dataset) if by.lower().endswith(".json") else _read_column(by, dataset)
    _check(given, dataset)
    return given


def _read_column(by: str, dataset: Dataset) -> GivenFolds:
    columns = read_columns(dataset)
    name = _find_column(by, columns)
    cells = [cell.strip() for cell in columns[name]]
    blank = [place for place, cell in enumerate(cells) if not cell]
    if blank:
        raise DataError(
            f"{say_count(len(blank), 'image has', 'images have')} nothing in the column {name!r}, which gives the folds: "
            f"{name_few(dataset.files[place].name for place in blank)}.",
            next_step="Fill the column in and import the images again, or leave these images out.",
        )
    names = sorted(set(cells), key=_by_number)
    number = {cell: place for place, cell in enumerate(names)}
    return GivenFolds(
        np.array([number[cell] for cell in cells], np.int64), tuple(names), f"the column {name!r}"
    )


def _find_column(by: str, columns: dict[str, list[str]]) -> str:
    if by in columns:
        return by
    alike = [name for name in columns if name.casefold() == by.casefold()]
    if not alike and by == SITE:
        alike = [name for name in columns if _names_site(name)]
    if len(alike) == 1:
        return alike[0]
    there = f"it has {name_few(columns)}" if columns else "it has none"
    raise SpecError(
        f"cv.by = {by!r} names no column of the data set ({there})."
        if not alike
        else f"cv.by = {by!r} may mean {' or '.join(map(repr, alike))}.",
        why="Folds are given by a column of the labels file that is no label, or by a file splits_final.json.",
        next_step="Name a column: --set cv.by=COLUMN. A column that was added later needs `orch data import` again.",
    )


def _names_site(name: str) -> bool:
    words = "".join(c if c.isalnum() else " " for c in name.casefold()).split()
    rest = [word for word in words if word not in ("id", "name", "no", "nr", "number", "code")]
    return len(rest) == 1 and (rest[0] in SITE_NAMES or rest[0].removesuffix("id") in SITE_NAMES)


def _by_number(cell: str) -> tuple[int, float, str]:
    try:
        return 0, float(cell), cell
    except ValueError:
        return 1, 0.0, cell


def _read_splits(path: Path, dataset: Dataset) -> GivenFolds:
    splits = _load(path)
    files = [unicodedata.normalize("NFC", file.as_posix()) for file in dataset.files]
    place_of = {file: place for place, file in enumerate(files)}
    finder = Finder(files, Path("/"))
    found: dict[str, int | None] = {}

    def find(name: str) -> int | None:
        if name not in found:
            # nnU-Net names cases; the files of a case end with the number of the channel.
            candidates = finder.find(name) or finder.find(f"{name}_0000")
            if len(candidates) > 1:
                raise DataError(
                    f"{path} names {name}, which is the name of {len(candidates)} images ({name_few(candidates)}).",
                    next_step="Write the subfolder before the name.",
                )
            found[name] = place_of[candidates[0]] if candidates else None
        return found[name]

    fold_of_image = np.full(len(files), -1, np.int64)
    for fold, split in enumerate(splits):
        for name in split["val"]:
            place = find(name)
            if place is None:
                continue
            if fold_of_image[place] >= 0:
                raise DataError(
                    f"In {path}, {name} validates in the folds {fold_of_image[place]} and {fold}.",
                    why="In cross-validation each image validates once.",
                )
            fold_of_image[place] = fold
    missing = [dataset.files[place].name for place in np.flatnonzero(fold_of_image < 0)]
    if missing:
        raise DataError(
            f"{say_count(len(missing), 'image validates', 'images validate')} in no fold of {path}: {name_few(missing)}.",
            next_step="Add them to the file, or import only the images that it names.",
        )
    for fold, split in enumerate(splits):
        trains = {place for name in split["train"] if (place := find(name)) is not None}
        wanted = set(np.flatnonzero(fold_of_image != fold).tolist())
        if trains != wanted:
            differ = [dataset.files[place].name for place in sorted(trains ^ wanted)]
            raise DataError(
                f"Fold {fold} of {path} does not train on all images that it does not validate on; {say_count(len(differ), 'image differs', 'images differ')}: "
                f"{name_few(differ)}.",
                why="orch trains a fold on all images of the other folds.",
            )
    elsewhere = sum(place is None for place in found.values())
    notes = (
        (
            f"{say_count(elsewhere, 'name', 'names')} of {path.name} are not among the development images (the hold-out, or other images).",
        )
        if elsewhere
        else ()
    )
    return GivenFolds(fold_of_image, tuple(f"fold {n}" for n in range(len(splits))), path.name, notes)


def _load(path: Path) -> list[dict[str, list[str]]]:
    try:
        splits: Any = parse_json(read_regular(path, LARGEST_DOCUMENT))
    except OSError as error:
        raise SpecError(
            f"The file of folds {path} cannot be read: {error.strerror}.",
            next_step="Name a splits_final.json, or a column of the labels file: --set cv.by=COLUMN.",
        ) from error
    except ValueError as error:
        raise DataError(f"{path} is not valid JSON: {error}.") from error
    whole = isinstance(splits, list) and all(
        isinstance(split, dict)
        and all(
            isinstance(split.get(side), list) and all(isinstance(name, str) for name in split[side])
            for side in ("train", "val")
        )
        for split in splits
    )
    if not whole:
        raise DataError(
            f"{path} is not a file of folds as nnU-Net writes it.",
            why='It is a list with one {"train": [names], "val": [names]} for each fold.',
        )
    return list(splits)


def _check(given: GivenFolds, dataset: Dataset) -> None:
    count = len(given.names)
    if not 2 <= count <= MOST_FOLDS:
        raise DataError(
            f"{given.source} gives {say_count(count, 'fold')}; there must be 2 to {MOST_FOLDS}.",
            why="Each value of the column is a fold." if count > MOST_FOLDS else None,
            next_step="Name another column with cv.by, or leave it out for stratified folds.",
        )
    empty = [
        given.names[number]
        for number, images in enumerate(np.bincount(given.fold_of_image, minlength=count))
        if not images
    ]
    if empty:
        raise DataError(f"{given.source}: no development image validates in {name_few(empty)}.")
    sides: dict[int, set[int]] = defaultdict(set)
    for group, fold in zip(dataset.groups.tolist(), given.fold_of_image.tolist(), strict=True):
        sides[group].add(fold)
    torn = [group for group, folds in sides.items() if len(folds) > 1]
    if torn:
        images = Counter(dataset.groups.tolist())
        examples = [
            f"{', '.join(given.names[fold] for fold in sorted(sides[group]))} ({say_count(images[group], 'image')})"
            for group in torn
        ]
        raise DataError(
            f"{given.source} puts {say_count(len(torn), 'group (patient)', 'groups (patients)')} into more than one fold: {name_few(examples, 3)}.",
            why="A model would be judged on patients that it has seen.",
            next_step="Correct the folds so that all images of a patient are in one, or let orch make them: leave cv.by out.",
        )


def fill_in_folds(spec: StudySpec, dataset: Dataset) -> tuple[StudySpec, GivenFolds | None]:
    """Return the spec with the folds that `cv.by` names, so that every machine has them; and what was read, where anything was.

    A spec that comes from a study keeps its folds where the file that gave them is not here.

    Raises:
        DataError, SpecError: as `read_given_folds`.
    """
    by = spec.cv.by
    if not by or (spec.cv.assigned and by.lower().endswith(".json") and not Path(by).exists()):
        return spec, None
    given = read_given_folds(by, dataset)
    values = {"cv.assigned": pack_folds(given.fold_of_image.tolist()), "cv.folds": len(given.names)}
    return spec.with_values(values), given
