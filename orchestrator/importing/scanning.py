"""Which files of a folder are images, and which are left out: each of them is counted and named."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from storage.data.dicom import is_dicom
from storage.data.images import FORMAT_NAMES, SUFFIXES
from storage.errors import DataError
from storage.wording import name_few, say_count

JUNK = ("dicomdir", "thumbs.db", "desktop.ini", "__macosx", "$recycle.bin", "@eadir", ".ds_store")
"""What systems and archives leave in folders; it is no data, and neither is anything whose name begins with a dot."""

PICTURES = frozenset(
    f".{suffix}"
    for suffix in re.findall(
        r"\w+",
        "jpg jpeg jfif jpe png tif tiff bmp webp gif dcm dicom ima jp2 j2k jxl heic avif nii mha mhd nrrd img raw svg "
        "pgm ppm npy",
    )
)
"""Suffixes of files that are pictures of some kind, whether orch reads them or not."""

LINKED, SPECIAL, HIDDEN = "links to folders", "no plain files", "hidden or of the system"
MASKED = "in folders of masks beside the images"
IMAGE_FOLDERS = ("images", "image", "imgs", "img")
MASK_FOLDERS = ("masks", "mask", "segmentations", "segmentation", "annotations", "lung masks", "ground_truth")


@dataclass(frozen=True)
class Scan:
    """What a folder holds.

    Attributes:
        folder: it.
        images: name as tables write it (NFC) -> path in the folder, for each image.
        left_out: reason or suffix -> paths of what is no image that orch reads.
    """

    folder: Path
    images: dict[str, str]
    left_out: dict[str, list[str]] = field(default_factory=dict)

    def say_left_out(self) -> str:
        """One sentence that counts and names the pictures that were left out; empty when there are none."""
        lost = self._choose(pictures=True)
        if not lost:
            return ""
        kinds = "; ".join(f"{len(paths)} {kind} ({name_few(paths, 3)})" for kind, paths in lost.items())
        count = sum(map(len, lost.values()))
        return f"{say_count(count, 'file')} in {self.folder} left out, because orch does not read their kind: {kinds}."

    def count_left_out(self) -> str:
        """The same without names of files, for what is kept with a data set."""
        lost = self._choose(pictures=True)
        if not lost:
            return ""
        kinds = ", ".join(f"{len(paths)} {kind}" for kind, paths in lost.items())
        return (
            f"The image folder has {say_count(sum(map(len, lost.values())), 'picture file')} of kinds that orch does not "
            f"read; they are not in this data set: {kinds}."
        )

    def say_others(self) -> str:
        """One sentence on what is no picture: tables, texts and hidden files; empty when there are none."""
        rest = self._choose(pictures=False)
        kinds = "; ".join(
            f"{len(paths)} {kind} ({name_few(map(_show, paths), 2)})" for kind, paths in rest.items()
        )
        return f"no pictures, left out: {kinds}." if rest else ""

    def _choose(self, *, pictures: bool) -> dict[str, list[str]]:
        lost = (LINKED, SPECIAL, MASKED)
        return {
            kind: paths
            for kind, paths in sorted(self.left_out.items())
            if (kind in PICTURES or kind in lost) == pictures
        }


def scan_folder(folder: Path) -> Scan:
    """Find every image in a folder and its subfolders.

    Raises:
        DataError: no such folder, no image in it, a folder that may not be read, a name that is not UTF-8, or two names that
            differ only in their Unicode form.
    """
    if not folder.is_dir():
        raise DataError(
            f"There is no image folder {folder}.",
            next_step=f"Give the folder that holds the {FORMAT_NAMES} files.",
        )
    images: dict[str, str] = {}
    left_out: dict[str, list[str]] = defaultdict(list)
    foreign, doubled = [], []
    for entry, path in _walk(folder, "", left_out):
        kind = _judge(entry)
        if not _is_text(path):
            foreign.append(path)
        elif kind == "image":
            name = unicodedata.normalize("NFC", path)
            if name in images:
                doubled.append(name)
            images[name] = path
        else:
            left_out[kind].append(path)
    for name in _find_masks(images):
        left_out[MASKED].append(images.pop(name))
    if foreign:
        raise DataError(
            f"{say_count(len(foreign), 'file name')} in {folder} {'is' if len(foreign) == 1 else 'are'} not UTF-8: {name_few(map(_show, foreign))}.",
            why="They come from a system with another encoding, often through a ZIP archive; other machines would read "
            "other names.",
            next_step="Rename them, for example with convmv: convmv -f cp1252 -t utf-8 -r --notest FOLDER.",
        )
    if doubled:
        raise DataError(
            f"{say_count(len(doubled), 'file name occurs', 'file names occur')} twice in {folder}, in two Unicode forms (composed and decomposed): "
            f"{name_few(doubled)}.",
            why="The names look alike, so a table cannot say which file it means.",
            next_step="Rename or remove one of each pair.",
        )
    if not images:
        scan = Scan(folder, images, dict(left_out))
        raise DataError(
            f"There is no {FORMAT_NAMES} (.dcm) file in {folder} or its subfolders.",
            why=scan.say_left_out() or None,
            next_step="Give the folder that holds them, or convert the files to PNG.",
        )
    return Scan(folder, images, dict(left_out))


def _find_masks(images: Iterable[str]) -> list[str]:
    """Names of pictures in a folder `masks` that has a folder `images` beside it: outlines, not radiographs."""
    folders = {folder for name in images for folder in [name.rpartition("/")[0]] if folder}
    beside = {
        folder.rpartition("/")[0]
        for folder in folders
        if folder.rpartition("/")[2].casefold() in IMAGE_FOLDERS
    }
    masks = {
        folder
        for folder in folders
        if folder.rpartition("/")[2].casefold() in MASK_FOLDERS and folder.rpartition("/")[0] in beside
    }
    return [name for name in images if name.rpartition("/")[0] in masks] if masks else []


def list_images(folder: Path) -> dict[str, str]:
    """The images of a folder, as `scan_folder` finds them: name in NFC -> path in the folder; errors as there."""
    return scan_folder(folder).images


def _walk(folder: Path, inside: str, left_out: dict[str, list[str]]) -> list[tuple[os.DirEntry[str], str]]:
    found = []
    pending = [(folder, inside)]
    while pending:
        place, prefix = pending.pop()
        try:
            with os.scandir(place) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            raise DataError(
                f"The folder {place} cannot be read: {error.strerror}.",
                why="Its images would be missing without notice.",
                next_step="Ask its owner for access, or give another folder.",
            ) from error
        below = []
        for entry in listed:
            path = f"{prefix}{entry.name}"
            if _is_junk(entry.name):
                left_out[HIDDEN].append(path)
            elif entry.is_dir(follow_symlinks=False):
                below.append((Path(entry.path), f"{path}/"))
            elif entry.is_dir():
                left_out[LINKED].append(path)
            else:
                found.append((entry, path))
        pending += reversed(below)
    return found


def _judge(entry: os.DirEntry[str]) -> str:
    """What a file is: "image", or why it is left out."""
    suffix = os.path.splitext(entry.name)[1].lower()
    if not entry.is_file():
        # A pipe would be waited on for ever.
        return SPECIAL if suffix in PICTURES or suffix in SUFFIXES else suffix or "without a suffix"
    if suffix in SUFFIXES:
        return "image"
    if suffix in PICTURES:
        return suffix
    # Archives of hospitals write DICOM without a suffix, or under a UID whose last number looks like one.
    if (not suffix or suffix[1:].isdigit()) and _is_dicom(entry.path):
        return "image"
    return suffix or "without a suffix"


def _is_dicom(path: str) -> bool:
    try:
        return is_dicom(Path(path))
    except OSError:
        return False


def _is_junk(name: str) -> bool:
    return name.startswith(".") or name.lower() in JUNK


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _show(path: str) -> str:
    """A path with the bytes that are no UTF-8 written out."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
