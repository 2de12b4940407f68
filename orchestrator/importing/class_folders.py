"""Images sorted into folders by class, `norm/` and `frac/`, read as the table that a labels file would be.

Above the class folders there may be those of a published split: `train/norm/`, `test/frac/`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path, PurePosixPath

from orchestrator.importing.reading.classes import MOST_CLASSES
from orchestrator.importing.reading.labels import SIDES
from orchestrator.importing.reading.tables import Table
from orchestrator.importing.scanning import Scan, scan_folder
from storage.data.patients import clean
from storage.errors import DataError
from storage.wording import name_few

FILENAME, CLASS, SIDE = "filename", "class", "split"


def read_class_folders(folder: Path, scan: Scan | None = None) -> Table:
    """Make a table of file name and class: the class of an image is the folder below `folder` that it is in.

    Folders within a class folder count with it. Where the folders below `folder` are train, val and test, or some of them,
    the classes are the folders within them, and the table has a column `split`.

    Raises:
        DataError: an image lies in no class folder, or there are fewer than two classes, or too many.
    """
    paths = list((scan or scan_folder(folder)).images.values())
    tops = {PurePosixPath(path).parts[0] for path in paths if "/" in path}
    deep = all(len(PurePosixPath(path).parts) > 2 for path in paths)
    depth = 1 if tops and deep and all(clean(top) in SIDES for top in tops) else 0
    rows = []
    loose = []
    for path in paths:
        parts = PurePosixPath(path).parts
        if len(parts) <= depth + 1:
            loose.append(path)
        else:
            rows.append([path, parts[depth], *parts[:depth]])
    if loose:
        raise DataError(
            f"{len(loose)} images in {folder} are in no class folder: {name_few(loose)}.",
            why=f"With --class-folders each class has a folder of its own below {folder}.",
            next_step="Move them into one, or give a labels file with --labels CSV.",
        )
    classes = Counter(row[1] for row in rows)
    if not 2 <= len(classes) <= MOST_CLASSES:
        raise DataError(
            f"{folder} has {len(classes)} class folder(s) with images: {name_few(sorted(classes))}.",
            why=f"There must be 2 to {MOST_CLASSES}.",
            next_step="Give the folder above the class folders.",
        )
    # A table made from folders has no lines of its own; rows are counted as if there were a header.
    columns = (FILENAME, CLASS, SIDE)[: 2 + depth]
    return Table(folder, columns, rows, list(range(2, len(rows) + 2)))


def read_folder(scan: Scan) -> Table:
    """A table of nothing but file names, for what stands in the names themselves."""
    rows = [[path] for path in scan.images.values()]
    return Table(scan.folder, (FILENAME,), rows, list(range(2, len(rows) + 2)))
