"""Images sorted into folders by class, `norm/` and `frac/`, read as the table that a labels file would be.

Above the class folders there may be those of a published split: `train/norm/`, `test/frac/`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from orchestrator.importing.reading.classes import MOST_CLASSES
from orchestrator.importing.reading.labels import find_side
from orchestrator.importing.reading.tables import Table
from orchestrator.importing.scanning import IMAGE_FOLDERS, MASK_FOLDERS, Scan, scan_folder
from storage.data.patients import clean
from storage.errors import DataError
from storage.wording import name_few, say_count

FILENAME, CLASS, SIDE = "filename", "class", "split"
NUMBERED = re.compile(r"(fold|part|batch|split|set|images?|folder|cv|subset)[\s_-]*\d+")


def read_class_folders(folder: Path, scan: Scan | None = None) -> Table:
    """Make a table of file name and class: the class of an image is the folder below `folder` that it is in.

    Folders within a class folder count with it, and folders that hold everything are passed through. Where the folders are train, val
    and test, or some of them, the classes are the folders within them (or those that they are within), and the table has a column
    `split`. Numbered folders (fold1, part2) are no classes where there are folders within them.

    Raises:
        DataError: an image lies in no class folder, or there are fewer than two classes, or too many.
    """
    paths = list((scan or scan_folder(folder)).images.values())
    parts = [PurePosixPath(path).parts[:-1] for path in paths]
    begin = _count_shared(parts)
    below = [some[begin:] for some in parts]
    side_at, class_at = _find_levels(folder, paths, below)
    rows = []
    loose = []
    for path, some in zip(paths, below, strict=True):
        if len(some) <= class_at:
            loose.append(path)
        else:
            rows.append([path, some[class_at], *([] if side_at is None else [some[side_at]])])
    if loose:
        raise DataError(
            f"{say_count(len(loose), 'image')} in {folder} {'is' if len(loose) == 1 else 'are'} in no class folder: {name_few(loose)}.",
            why=f"With --class-folders each class has a folder of its own below {folder}.",
            next_step="Move them into one, or give a labels file with --labels CSV.",
        )
    classes = Counter(row[1] for row in rows)
    if not 2 <= len(classes) <= MOST_CLASSES:
        raise DataError(
            f"{folder} has {say_count(len(classes), 'class folder')} with images: {name_few(sorted(classes))}.",
            why=f"There must be 2 to {MOST_CLASSES}.",
            next_step="Give the folder above the class folders.",
        )
    # A table made from folders has no lines of its own; rows are counted as if there were a header.
    columns = (FILENAME, CLASS) if side_at is None else (FILENAME, CLASS, SIDE)
    return Table(folder, columns, rows, list(range(2, len(rows) + 2)))


def _count_shared(parts: Sequence[Sequence[str]]) -> int:
    """How many folders, one within the other, hold all images and are no side of a split; the last one is never of these."""
    shared = 0
    while (
        all(len(some) > shared + 1 for some in parts)
        and len({some[shared] for some in parts}) == 1
        and find_side(parts[0][shared]) is None
    ):
        shared += 1
    return shared


def _find_levels(
    folder: Path, paths: Sequence[str], parts: Sequence[Sequence[str]]
) -> tuple[int | None, int]:
    """At which level the side of a split stands (None where there is none), and at which the class."""
    tops = {some[0] for some in parts if some}
    deep = all(len(some) > 1 for some in parts)
    if tops and all(find_side(top) for top in tops):
        if deep:
            return 0, 1
        bare = [path for path, some in zip(paths, parts, strict=True) if len(some) < 2]
        raise DataError(
            f"The folders {name_few(sorted(tops))} in {folder} are sides of a split, not classes, and {say_count(len(bare), 'image')} "
            f"in them {'is' if len(bare) == 1 else 'are'} in no class folder: {name_few(bare)}.",
            why="An image without a class can neither be learned nor be evaluated.",
            next_step="Move them out of the folder, or give a labels file with --labels CSV.",
        )
    if deep and all(find_side(some[1]) for some in parts):
        return 1, 0
    _refuse_sides_among_classes(folder, sorted(tops), parts)
    if deep and len(tops) > 1 and all(NUMBERED.fullmatch(clean(top)) for top in tops):
        return None, 1
    if len(tops) > 1 and all(clean(top) in (*IMAGE_FOLDERS, *MASK_FOLDERS) for top in tops):
        raise DataError(
            f"The folders {name_few(sorted(tops))} in {folder} seem to hold images and their masks, not two classes.",
            next_step="Give a labels file with --labels CSV, or the folder above the class folders.",
        )
    return None, 0


def _refuse_sides_among_classes(folder: Path, tops: Sequence[str], parts: Sequence[Sequence[str]]) -> None:
    """Refuse train and test beside a folder that is neither: as classes they would teach the split itself.

    One such word alone may be the name of a class, unless the folders in it are those in another.
    """
    sides = [top for top in tops if find_side(top)]
    others = [top for top in tops if top not in sides]
    within = {
        place: {some[1] for some in parts if len(some) > 1 and (some[0] in sides) == place}
        for place in (True, False)
    }
    if (
        not sides
        or not others
        or (len({find_side(top) for top in sides}) < 2 and not within[True] & within[False])
    ):
        return
    raise DataError(
        f"In {folder}, {name_few(sides)} {'is a side' if len(sides) == 1 else 'are sides'} of a split, and {name_few(others)} "
        f"{'is' if len(others) == 1 else 'are'} neither a side nor a class beside {'it' if len(sides) == 1 else 'them'}.",
        why="Archives often hold a second copy of all images, or a part that was made from another one.",
        next_step=f"Move {name_few(others)} out of the folder; or, if {'it is' if len(others) == 1 else 'one of them is'} the data set, "
        f"give {folder / others[0]} instead. If these are the names of classes: --class-pattern '^([^/]+)/'.",
    )


def read_folder(scan: Scan) -> Table:
    """A table of nothing but file names, for what stands in the names themselves."""
    rows = [[path] for path in scan.images.values()]
    return Table(scan.folder, (FILENAME,), rows, list(range(2, len(rows) + 2)))
