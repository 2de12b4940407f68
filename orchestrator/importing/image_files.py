"""Image files as they come: which there are, which row each belongs to, and whether they can be read."""

from __future__ import annotations

import difflib
import hashlib
import os
import unicodedata
import warnings
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from orchestrator.importing.labels import Table
from storage.data.datasets import Report
from storage.data.images import FORMAT_NAMES, SUFFIXES, ImageForm, inspect_image
from storage.errors import DataError, OrchError
from storage.wording import name_few


@dataclass(frozen=True)
class ImageFacts:
    """What was found in one file: digest, size in bytes, modification time in ns, and the form of its pixels."""

    sha256: str
    size: int
    mtime_ns: int
    form: ImageForm

    @property
    def mode(self) -> str:
        """The mode of its pixels."""
        return self.form.mode

    @property
    def shape(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.form.shape

    @property
    def burned_in(self) -> str:
        """Why text may be part of a DICOM picture; empty otherwise."""
        return self.form.burned_in


def list_images(folder: Path) -> dict[str, str]:
    """Every JPEG, PNG, TIFF, WebP, BMP and DICOM file in a folder and its subfolders: name as written in tables -> path in the folder.

    Raises:
        DataError: no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise DataError(
            f"There is no image folder {folder}.",
            next_step=f"Give the folder that holds the {FORMAT_NAMES} files.",
        )
    found = {}
    for place, subfolders, names in os.walk(folder):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                path = (Path(place) / name).relative_to(folder).as_posix()
                found[unicodedata.normalize("NFC", path)] = path
    if not found:
        raise DataError(f"There is no {FORMAT_NAMES} (.dcm) file in {folder} or its subfolders.")
    return found


def match_images(table: Table, filename_column: str, folder: Path) -> list[str]:
    """Find the image of every row of the labels file: by its path in the folder, else by its bare name.

    Returns:
        The path of each row's image, relative to `folder`.

    Raises:
        DataError: a row without image, an image without row, a blank, ambiguous or repeated file name.
    """
    names = table.column(filename_column, option="--filename-column")
    images = list_images(folder)
    bare = defaultdict(list)
    for image in images:
        bare[PurePosixPath(image).name].append(image)
    blank = [row for row, name in enumerate(names) if not name]
    if blank:
        raise DataError(
            f"{table.path} {table.name_lines(blank)}: no file name in column {filename_column!r}.",
            next_step="Fill the name in, or remove the line.",
        )
    rows_of: dict[str, list[int]] = defaultdict(list)
    missing = []
    for row, name in enumerate(names):
        path = _as_listed(name, folder)
        candidates = [path] if path in images else bare.get(path, [])
        if len(candidates) > 1:
            raise DataError(
                f"{table.path} line {table.lines[row]}: {name} is the name of {len(candidates)} images "
                f"({name_few(candidates)}).",
                next_step="Write the subfolder before the name.",
            )
        if candidates:
            rows_of[candidates[0]].append(row)
        else:
            missing.append(row)
    if missing:
        raise _no_image(table, names, missing, images, folder)
    repeated = [(image, rows) for image, rows in rows_of.items() if len(rows) > 1]
    if repeated:
        raise DataError(
            f"{table.path} has {len(repeated)} file names twice: "
            + name_few(f"{image} ({table.name_lines(rows)})" for image, rows in repeated)
            + ".",
            next_step="Keep one line for each image.",
        )
    unlabelled = [image for image in images if image not in rows_of]
    if unlabelled:
        raise DataError(
            f"{len(unlabelled)} images in {folder} have no row in {table.path}: {name_few(unlabelled)}.",
            next_step="Add their rows (blank labels mean not assessed), or take the images out of the folder.",
        )
    image_of = {row: images[image] for image, (row,) in rows_of.items()}
    return [image_of[row] for row in range(len(names))]


def inspect_images(folder: Path, paths: Sequence[str], report: Report | None = None) -> list[ImageFacts]:
    """Hash every image and decode it whole, as a file that is cut off shows only then.

    Raises:
        DataError: names the files that cannot be read, and why.
    """

    def inspect(path: str) -> ImageFacts | str:
        try:
            return _inspect(folder / path)
        except DataError as error:
            return f"{path} ({error.what.rstrip('.')})"
        # A missing library is the machine's fault, not the file's.
        except OrchError:
            raise
        # Pillow's decoders raise many kinds of errors for damaged files.
        except Exception as error:
            reason = str(error).rstrip(".") or type(error).__name__
            return f"{path} ({'no image' if 'cannot identify' in reason else reason})"

    facts, problems = [], []
    with warnings.catch_warnings(), ThreadPoolExecutor(max_workers=(os.cpu_count() or 1) + 2) as pool:
        warnings.simplefilter("ignore")
        for done, result in enumerate(pool.map(inspect, paths), start=1):
            if isinstance(result, ImageFacts):
                facts.append(result)
            else:
                problems.append(result)
            if report:
                report(done, len(paths))
    if problems:
        raise DataError(
            f"{len(problems)} of {len(paths)} images in {folder} cannot be read: {name_few(problems)}.",
            why=f"The files are damaged, cut off, or not {FORMAT_NAMES} radiographs.",
            next_step="Copy them again, or remove them and their rows.",
        )
    return facts


def _inspect(path: Path) -> ImageFacts:
    content = path.read_bytes()
    status = path.stat()
    if not content:
        raise ValueError("the file is empty")
    form = inspect_image(content)
    return ImageFacts(hashlib.sha256(content).hexdigest(), len(content), status.st_mtime_ns, form)


def _as_listed(name: str, folder: Path) -> str:
    """A file name of the table in the form of `list_images`: forward slashes, relative to the folder."""
    if Path(name).is_absolute():
        for whole in (folder.absolute(), folder.resolve()):
            if Path(name).is_relative_to(whole):
                return Path(name).relative_to(whole).as_posix()
        return name
    return PureWindowsPath(name).as_posix().removeprefix("./") if "\\" in name else name.removeprefix("./")


def _no_image(
    table: Table, names: Sequence[str], missing: Sequence[int], images: dict[str, str], folder: Path
) -> DataError:
    first = names[missing[0]]
    near = difflib.get_close_matches(first, list(images), n=1, cutoff=0.8)
    listed = name_few(f"{names[row]} (line {table.lines[row]})" for row in missing)
    return DataError(
        f"{len(missing)} rows of {table.path} have no image in {folder}: {listed}.",
        why=f"Is {near[0]} meant?"
        if near
        else f"The file is missing, has another suffix, or is no {FORMAT_NAMES} file.",
        next_step="Bring the images, mend the names, or remove the rows.",
    )
