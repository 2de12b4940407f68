"""Images sorted into folders by class, `norm/` and `frac/`, read as the table that a labels file would be."""

from __future__ import annotations

from collections import Counter
from pathlib import Path, PurePosixPath

from orchestrator.importing.image_files import list_images
from orchestrator.importing.labels import MOST_CLASSES, Table
from storage.errors import DataError
from storage.wording import name_few

FILENAME, CLASS = "filename", "class"


def read_class_folders(folder: Path) -> Table:
    """Make a table of file name and class: the class of an image is the folder below `folder` that it is in.

    Folders within a class folder count with it.

    Raises:
        DataError: an image lies in no class folder, or there are fewer than two classes, or too many.
    """
    rows = []
    loose = []
    for path in list_images(folder).values():
        parts = PurePosixPath(path).parts
        if len(parts) == 1:
            loose.append(path)
        else:
            rows.append([path, parts[0]])
    if loose:
        raise DataError(
            f"{len(loose)} images in {folder} are in no class folder: {name_few(loose)}.",
            why=f"With --class-folders each class has a folder of its own below {folder}.",
            next_step="Move them into one, or give a labels file with --labels CSV.",
        )
    classes = Counter(name for _, name in rows)
    if not 2 <= len(classes) <= MOST_CLASSES:
        raise DataError(
            f"{folder} has {len(classes)} class folder(s) with images: {name_few(sorted(classes))}.",
            why=f"There must be 2 to {MOST_CLASSES}.",
            next_step="Give the folder above the class folders.",
        )
    # A table made from folders has no lines of its own; rows are counted as if there were a header.
    return Table(folder, (FILENAME, CLASS), rows, list(range(2, len(rows) + 2)))
