"""Which image a file name in a table means. The import and `orch model predict --labels` match through this module."""

from __future__ import annotations

import difflib
import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PureWindowsPath
from urllib.parse import unquote

from orchestrator.importing.reading.labels import ignore
from orchestrator.importing.reading.tables import INVISIBLE, Table
from storage.data.images import FORMAT_NAMES, SUFFIXES
from storage.errors import DataError
from storage.wording import name_few, say_count

LOOKED_AT, FEWEST_FOUND = 200, 0.5
SUFFIX = re.compile(rf"({'|'.join(map(re.escape, SUFFIXES))})$", re.IGNORECASE)


class Finder:
    """Finds images by the names that tables write.

    A name means the image at that path in the folder; else, where only one image fits, the image whose path ends with it,
    or does so but for the case of its suffix, a suffix that the table leaves out, or blanks around its name, which no table keeps. A path in the table may begin above the
    folder. A path never means an image in another folder that only has the same bare name.
    """

    def __init__(self, images: Iterable[str], folder: Path) -> None:
        """Take the images of a folder: their paths in it, in Unicode's form NFC."""
        self.images = set(images)
        self._above = [whole.as_posix() for whole in (folder.absolute(), folder.resolve())]
        self._by_end: dict[str, list[str]] = defaultdict(list)
        for image in sorted(self.images):
            for name in dict.fromkeys(
                form(image) for form in (str, _lower_suffix, _without_suffix, _strip_bare)
            ):
                self._by_end[name.rpartition("/")[2]].append(image)

    def find(self, name: str) -> list[str]:
        """The images that a name may mean: none, one, or several where it is ambiguous."""
        path = self._as_listed(name)
        if path in self.images:
            return [path]
        for form in (str, _lower_suffix, _without_suffix, _strip_bare):
            wanted = _lower_suffix(path) if form is _lower_suffix else path
            found = [
                image
                for image in self._by_end.get(wanted.rpartition("/")[2], ())
                if f"/{form(image)}".endswith(f"/{wanted}") or self._begins_above(form(image), wanted)
            ]
            if found:
                # An image at exactly this path is meant before those in subfolders.
                return [image for image in found if form(image) == wanted] or found
        return []

    def _begins_above(self, image: str, wanted: str) -> bool:
        """Whether a path in the table begins above the folder and leads to this image: data/train/1.png in data/train."""
        return "/" in wanted and any(f"{above}/{image}".endswith(f"/{wanted}") for above in self._above)

    def _as_listed(self, name: str) -> str:
        """A name of the table with forward slashes, relative to the folder where it can be."""
        path = unicodedata.normalize("NFC", name)
        if path in self.images:
            return path
        if path.startswith("/") or path[1:2] == ":":
            for above in self._above:
                if path.startswith(f"{above}/"):
                    return path.removeprefix(f"{above}/")
            return path
        if "/" not in path and "\\" not in path:
            return path
        path = posixpath.normpath(PureWindowsPath(path).as_posix() if "\\" in path else path)
        # What lies beside the folder of the table begins above it.
        while path.startswith("../"):
            path = path[3:]
        return path


def shared_roots(names: Sequence[str]) -> list[str]:
    """Folders, each with its slash, in which all names of a table stand, the outermost first.

    Of relative names it is one folder, and only where their paths go on below it, as a path never means an image in another
    folder that only has the same bare name. Of whole paths it is every folder that they share: they are another machine's.
    """
    parts = [name.replace("\\", "/").split("/")[:-1] for name in names]
    if len(parts) < 2 or not all(parts):
        return []
    whole = all(not some[0] or some[0].endswith(":") for some in parts)
    if not whole and any(len(some) < 2 or not some[0] for some in parts):
        return []
    shared = 0
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        shared += 1
    roots = ["/".join(parts[0][:count]) + "/" for count in range(1, shared + 1)]
    return [root for root in roots if root.strip("/")] if whole else roots[:1]


def match_rows(
    table: Table,
    filename_column: str,
    images: dict[str, str],
    folder: Path,
    *,
    several_rows: bool = False,
    only_labelled: bool = False,
    note: Callable[[str], None] = ignore,
) -> list[str]:
    """Find the image of every row of the labels file.

    Args:
        table: the labels file.
        filename_column: its column of file names.
        images: name in NFC -> path in the folder, from `image_files.scan_folder`.
        folder: the folder of images.
        several_rows: whether an image may have several rows.
        only_labelled: whether images without a row are left out.
        note: told what was taken for the name of an image although it is written in another way.

    Returns:
        The path of each row's image, relative to `folder`.

    Raises:
        DataError: a row without image, an image without row, a blank, ambiguous or repeated file name.
    """
    names = table.column(filename_column, option="--filename-column")
    blank = [row for row, name in enumerate(names) if not name]
    if blank:
        raise DataError(
            f"{table.path} {table.name_lines(blank)}: no file name in column {filename_column!r}.",
            next_step="Fill the name in, or remove the line.",
        )
    finder = Finder(images, folder)
    if not any(finder.find(name) for name in names[:20]):
        names = rewrite_names(names, finder, note)
    found: dict[str, list[str]] = {}
    rows_of: dict[str, list[int]] = defaultdict(list)
    missing = []
    for row, name in enumerate(names):
        if name not in found:
            found[name] = finder.find(name)
        candidates = found[name]
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
    if repeated and not several_rows:
        raise DataError(
            f"{table.path} has {say_count(len(repeated), 'file name')} twice: "
            + name_few(f"{image} ({table.name_lines(rows)})" for image, rows in repeated)
            + ".",
            next_step="Keep one line for each image; or merge the rows of an image with --merge-rows any, majority or all.",
        )
    unlabelled = [image for image in images if image not in rows_of]
    if unlabelled and not only_labelled:
        raise DataError(
            f"{say_count(len(unlabelled), 'image')} in {folder} {'has no row in' if len(unlabelled) == 1 else 'have no row in'} {table.path}: "
            f"{name_few(unlabelled)}.",
            next_step="Add their rows (blank labels mean not assessed), leave these images out with --only-labelled, or take "
            "them out of the folder.",
        )
    return [images[found[name][0]] for name in names]


def rewrite_names(names: list[str], finder: Finder, note: Callable[[str], None]) -> list[str]:
    """The names of a table none of which is that of an image, as the images here are called.

    The images may have come from another machine, where they lay in another folder; they may have been converted to another
    format; and spreadsheets take the zeros off a name that is a number. What is done is done to all names, and only where
    each of them then means one image and no two of them the same.
    """
    plain = [_unquote(name) for name in names]
    if plain != names:
        if all(len(finder.find(name)) == 1 for name in plain[:20]):
            note(
                f"names in the table are written as in web addresses: {names[0]!r} is taken for {plain[0]!r}."
            )
            return plain
        names = plain
    roots = shared_roots(names)
    for root in roots:
        below = [name.replace("\\", "/").removeprefix(root) for name in names]
        if all(finder.find(name) for name in below[:20]):
            if root.startswith("/") or ":" in root:
                note(f"paths in the table are taken to begin below {root!r}, a folder of another machine.")
            return below
    for root in ("", *roots):
        below = [name.replace("\\", "/").removeprefix(root) for name in names]
        keys = [_loosen(name) for name in dict.fromkeys(below)]
        known: dict[str, list[str]] = defaultdict(list)
        for image in finder.images:
            known[_loosen(image)].append(image)
        if len(set(keys)) == len(keys) and all(len(known.get(key, ())) == 1 for key in keys):
            written, taken = below[0], known[_loosen(below[0])][0]
            note(
                f"names in the table differ from those of the files in suffix, case or leading zeros: {written!r} is taken for {taken!r}."
            )
            return [known[_loosen(name)][0] for name in below]
    return names


def _unquote(name: str) -> str:
    """A name as web addresses write it, with %20 for a blank and a query at its end, as files are called."""
    return unquote(name.partition("?")[0] if "://" in name else name)


def _loosen(name: str) -> str:
    """A name without the suffix of an image, case, and the zeros or the `.0` of a number."""
    folder, slash, bare = unicodedata.normalize("NFC", name).rpartition("/")
    stem = SUFFIX.sub("", bare).casefold()
    number = re.fullmatch(r"0*(\d+)(\.0)?", stem)
    return f"{folder}{slash}{number[1] if number else stem}"


def find_rows_of(table: Table, filename_column: str, images: Sequence[str], folder: Path) -> list[int | None]:
    """The row of a labels file for each image; None where it has none. Rows of other images do not matter.

    Raises:
        DataError: a row may mean several images, or an image has several rows.
    """
    names = table.column(filename_column, option="--filename-column")
    listed = {unicodedata.normalize("NFC", image): place for place, image in enumerate(images)}
    finder = Finder(listed, folder)
    if names and not any(finder.find(name) for name in names if name):
        names = rewrite_names(names, finder, ignore)
    rows: list[int | None] = [None] * len(images)
    for row, name in enumerate(names):
        found = finder.find(name) if name else []
        if len(found) > 1:
            raise DataError(
                f"{table.path} line {table.lines[row]}: {name} is the name of {len(found)} images ({name_few(found)}).",
                next_step="Write the subfolder before the name.",
            )
        for image in found:
            first = rows[listed[image]]
            if first is not None:
                raise DataError(
                    f"{table.path} has file names twice: {image} ({table.name_lines([first, row])}).",
                    next_step="Keep one line for each image.",
                )
            rows[listed[image]] = row
    return rows


def _lower_suffix(path: str) -> str:
    stem, dot, suffix = path.rpartition(".")
    return f"{stem}.{suffix.lower()}" if dot and "/" not in suffix else path


def _strip_bare(path: str) -> str:
    """A path whose bare name has no blanks and no invisible marks around it: cells are read so."""
    folder, slash, bare = path.rpartition("/")
    return f"{folder}{slash}{bare.strip(INVISIBLE)}"


def _without_suffix(path: str) -> str:
    stem, dot, suffix = path.rpartition(".")
    return stem if dot and stem and "/" not in suffix else path


def _no_image(
    table: Table, names: Sequence[str], missing: Sequence[int], images: dict[str, str], folder: Path
) -> DataError:
    first = names[missing[0]]
    if all(names[row].endswith("/") for row in missing):
        return DataError(
            f"{say_count(len(missing), 'row')} of {table.path} {'names a folder, not an image' if len(missing) == 1 else 'name folders, not images'}: {first} (line {table.lines[missing[0]]}).",
            next_step="Give a table with a row for each image; with --preset mura leave --labels out, as the paths say everything.",
        )
    # Of names that are alike, one that differs in its suffix alone is the likeliest.
    stem = _loosen(first).rpartition("/")[2]
    near = [image for image in images if _loosen(image).rpartition("/")[2] == stem][
        :1
    ] or difflib.get_close_matches(first, list(images), n=1, cutoff=0.8)
    listed = name_few(f"{names[row]} (line {table.lines[row]})" for row in missing)
    return DataError(
        f"{say_count(len(missing), 'row')} of {table.path} {'has no image in' if len(missing) == 1 else 'have no image in'} {folder}: {listed}.",
        why=f"Did you mean {near[0]}?"
        if near
        else f"The file is missing, has another suffix, or is no {FORMAT_NAMES} file.",
        next_step="Bring the images, correct the names, or remove the rows.",
    )


def find_filename_column(table: Table, images: Iterable[str], folder: Path) -> tuple[str | None, float]:
    """The column whose cells name images of a folder, and the share of its cells that do; by some rows of the table.

    Numbers of patients may be stems of files, too: of columns that name images equally well the one counts whose cells have suffixes,
    then the one with more different cells.
    """
    finder = Finder(images, folder)
    step = max(len(table.rows) // LOOKED_AT, 1)
    best: tuple[float, float, int] = (0.0, 0.0, 1)
    chosen = None
    for name in table.columns:
        cells = table.column(name, option="--filename-column")[::step]
        found = max(
            sum(len(finder.find(cell.replace("\\", "/").removeprefix(root))) == 1 for cell in cells if cell)
            / len(cells)
            for root in ("", *shared_roots(cells))
        )
        rank = (min(found, 1.0), sum(map(bool, map(SUFFIX.search, cells))) / len(cells), len(set(cells)))
        if rank > best and rank[2] > 1:
            best, chosen = rank, name
    if best[0] >= FEWEST_FOUND:
        return chosen, best[0]
    loosely = _find_loosely(table, finder)
    return (loosely, 1.0) if loosely else (None, 0.0)


def find_column_for(table: Table, images: Sequence[str], folder: Path) -> str | None:
    """The column by which most of these images have a row, whatever other images the table names; None where none has.

    A column that would give an image two rows, or a row two images, is none.
    """
    bare = {_bare_key(image) for image in images}
    most, chosen = 0, None
    for name in table.columns:
        # Looking names up takes a while in a large folder: not for columns none of whose cells is like any of them.
        if bare.isdisjoint(map(_bare_key, table.column(name, option="--filename-column"))):
            continue
        try:
            found = sum(row is not None for row in find_rows_of(table, name, images, folder))
        except DataError:
            continue
        if found > most:
            most, chosen = found, name
    return chosen


def _find_loosely(table: Table, finder: Finder) -> str | None:
    """The only column each of whose cells is another image's name as other machines, programs and web addresses write it.

    None where it is not the only one. What may be seen through is said in one place, `rewrite_names`.
    """
    bare = {_bare_key(image) for image in finder.images}
    found = []
    for name in table.columns:
        cells = table.column(name, option="--filename-column")
        if len(set(cells)) < len(cells) or not all(_bare_key(cell) in bare for cell in cells[:LOOKED_AT]):
            continue
        if all(len(finder.find(cell)) == 1 for cell in rewrite_names(cells, finder, ignore)):
            found.append(name)
    return found[0] if len(found) == 1 else None


def _bare_key(name: str) -> str:
    return _strip_bare(_loosen(_unquote(name).replace("\\", "/"))).rpartition("/")[2]
