"""Tables of embeddings that another program wrote: read, and brought into the order of the images."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.importing.matching import Finder, shared_roots
from storage.errors import DataError, OrchError
from storage.files.archives import check_unpacked
from storage.parsing import check_regular
from storage.wording import name_few, say_count

NAME_COLUMNS = (
    "filename",
    "file",
    "image",
    "path",
    "name",
    "image_id",
    "id",
    "filenames",
    "files",
    "images",
    "names",
    "paths",
)
"""What a column or an array of file names is called, the likeliest first."""
VALUE_ARRAYS = ("features", "embeddings", "embedding", "values", "x", "X")
"""What the array of an .npz is called that has a row for each name."""
INDEX_COLUMNS = ("", "index", "unnamed: 0", "__index_level_0__")
"""Row numbers that pandas writes, and that are no features."""
LOOKED_AT = 200
"""Names that are tried to find out where they begin."""
FORMATS = (".parquet", ".npz", ".csv", ".tsv")


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """The names of images, length m, and their features: float32, shape (m, features)."""

    path: Path
    names: list[str]
    values: NDArray[np.float32]


def read_feature_table(path: Path, filename_column: str = "") -> FeatureTable:
    """Read a table of embeddings.

    .csv and .tsv: a column of file names, every other one a feature. .parquet: the same, or one column of lists. .npz: an array of
    names and an array of features with a row for each; or an array for each image, by its name.

    Args:
        path: the file.
        filename_column: the column or array of file names; "" finds it.

    Raises:
        DataError: the file cannot be read, has no names, or holds something else than finite numbers.
        OrchError: the library for .parquet is not installed.
    """
    readers = {".csv": _read_csv, ".tsv": _read_csv, ".npz": _read_npz, ".parquet": _read_parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            f"{path} is none of {', '.join(FORMATS)}.", next_step="Save the embeddings as one of them."
        )
    try:
        check_regular(path)
        names, values = reader(path, filename_column)
    except ValueError as error:
        raise DataError(f"{path} is no table of features: {error}.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not names or values.ndim != 2 or not values.shape[1] or len(names) != len(values):
        raise DataError(
            f"{path} is no table of features: {say_count(len(names), 'name')} and values of shape {values.shape}.",
            next_step="It needs the name of an image and the same number of features in every row.",
        )
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(values, np.float32)
    broken = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(broken):
        raise DataError(
            f"{say_count(len(broken), 'row')} of {path} {'has' if len(broken) == 1 else 'have'} features that are not finite numbers: "
            f"{name_few(names[row] for row in broken)}.",
            why="NaN, infinity, a blank, or a number beyond float32.",
            next_step="Compute the embeddings of these images again.",
        )
    return FeatureTable(path, names, values)


def match_features(table: FeatureTable, files: Sequence[Path]) -> tuple[NDArray[np.float32], list[str]]:
    """Bring features into the order of images; and say what the table has besides.

    Args:
        table: the features.
        files: of the images, length n.

    Returns:
        Shape (n, features), and remarks, one sentence each.

    Raises:
        DataError: an image has no row or several, or a name means several images.
    """
    paths = [unicodedata.normalize("NFC", file.absolute().as_posix()) for file in files]
    place_of = {path: place for place, path in enumerate(paths)}
    finder = Finder(paths, Path("/"))
    names = _below_root(table.names, finder)
    row_of: dict[int, int] = {}
    doubled, elsewhere = [], 0
    for row, name in enumerate(names):
        found = finder.find(name)
        if len(found) > 1:
            raise DataError(
                f"In {table.path}, {name} is the name of {len(found)} images ({name_few(found)}).",
                next_step="Write the subfolder before the name.",
            )
        if not found:
            elsewhere += 1
        elif place_of[found[0]] in row_of:
            doubled.append(name)
        else:
            row_of[place_of[found[0]]] = row
    if doubled:
        raise DataError(
            f"{table.path} has {say_count(len(doubled), 'image')} twice: {name_few(doubled)}.",
            next_step="Keep one row for each image.",
        )
    missing = [file.name for place, file in enumerate(files) if place not in row_of]
    if missing:
        raise DataError(
            f"{say_count(len(missing), 'image has', 'images have')} no row in {table.path}: {name_few(missing)}.",
            why=f"The first name in the table is {table.names[0]!r}.",
            next_step="Compute their embeddings, or write the names as they are in the folder of images.",
        )
    remarks = (
        [
            f"{say_count(elsewhere, 'row', 'rows')} of {table.path.name} belong to none of these images and are left out."
        ]
        if elsewhere
        else []
    )
    return table.values[[row_of[place] for place in range(len(files))]], remarks


def _below_root(names: list[str], finder: Finder) -> list[str]:
    """The names without the folders of another machine that all of them share, where that finds more of the images."""
    forms = [names] + [
        [name.replace("\\", "/").removeprefix(root) for name in names] for root in shared_roots(names)
    ]
    step = max(len(names) // LOOKED_AT, 1)
    return max(forms, key=lambda form: sum(bool(finder.find(name)) for name in form[::step]))


def count_elsewhere(table: FeatureTable, files: Sequence[Path]) -> int:
    """How many rows of a table belong to none of these images."""
    finder = Finder([unicodedata.normalize("NFC", file.absolute().as_posix()) for file in files], Path("/"))
    return sum(not finder.find(name) for name in _below_root(table.names, finder))


def _read_csv(path: Path, filename_column: str) -> tuple[list[str], NDArray[Any]]:
    csv.field_size_limit(2**24)
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            first = file.readline()
            separator = max(("\t", ";", ","), key=first.count)
            file.seek(0)
            rows = csv.reader(file, delimiter=separator)
            header = [name.strip() for name in next(rows, [])]
            place = _find_names(path, header, filename_column)
            columns = [
                number
                for number, name in enumerate(header)
                if number != place and name.lower() not in INDEX_COLUMNS
            ]
            names, values = [], []
            for line, row in enumerate(rows, start=2):
                if not row:
                    continue
                if len(row) != len(header):
                    raise DataError(
                        f"{path} line {line}: {len(row)} cells, and the header has {len(header)}."
                    )
                names.append(row[place].strip())
                try:
                    values.append(np.array([float(row[number] or "nan") for number in columns], np.float64))
                except ValueError as error:
                    raise DataError(
                        f"{path} line {line}: a feature is no number ({error}).",
                        why="Every column but that of the file names is taken as a feature.",
                        next_step="Remove other columns, such as labels, from the table.",
                    ) from error
        except (UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{path} is no table of text in UTF-8: {error}.") from error
    return names, np.array(values) if values else np.zeros((0, 0))


def _read_npz(path: Path, filename_column: str) -> tuple[list[str], NDArray[Any]]:
    try:
        check_unpacked(path)
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except OSError:
        raise
    # NumPy and zipfile raise many kinds of errors for damaged files, and for arrays of Python objects.
    except Exception as error:
        raise DataError(
            f"{path} cannot be read as .npz: {str(error).splitlines()[0][:200]}.",
            why="It is damaged, or holds Python objects, which orch does not load.",
            next_step="Save names as text: numpy.savez(path, filename=numpy.array(names, dtype=str), features=array).",
        ) from error
    texts = [name for name, array in arrays.items() if array.dtype.kind in "US" and array.ndim == 1]
    chosen = filename_column or next(
        (name for name in NAME_COLUMNS if name in texts), texts[0] if len(texts) == 1 else ""
    )
    if chosen:
        if chosen not in texts:
            raise DataError(f"{path} has no array of names {chosen!r}; it has {name_few(arrays)}.")
        tables = [name for name, array in arrays.items() if array.ndim == 2 and array.dtype.kind in "fiu"]
        wanted = next(
            (name for name in VALUE_ARRAYS if name in tables), tables[0] if len(tables) == 1 else ""
        )
        if not wanted:
            raise DataError(
                f"{path} has {say_count(len(tables), 'array')} with a row for each image ({name_few(tables) or 'none'}).",
                next_step="Call the one that is meant features.",
            )
        names = [name.decode() if isinstance(name, bytes) else str(name) for name in arrays[chosen].tolist()]
        return names, arrays[wanted]
    single = {name: np.squeeze(array) for name, array in arrays.items()}
    widths = {array.shape for array in single.values()}
    if (
        not single
        or len(widths) != 1
        or any(array.ndim != 1 or array.dtype.kind not in "fiu" for array in single.values())
    ):
        raise DataError(
            f"{path} has neither an array of names beside one of features, nor an array of one length for each image.",
            next_step="numpy.savez(path, filename=numpy.array(names, dtype=str), features=array) writes the first.",
        )
    return list(single), np.stack(list(single.values()))


def _read_parquet(path: Path, filename_column: str) -> tuple[list[str], NDArray[Any]]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise OrchError(
            "Reading .parquet needs pyarrow, which is not installed.",
            next_step="Install it beside orch (pip install pyarrow), or save the table as .npz or .csv.",
        ) from error
    try:
        table = pyarrow.parquet.read_table(path)
    except pyarrow.ArrowException as error:
        raise DataError(f"{path} is no parquet file: {str(error).splitlines()[0][:200]}.") from error
    header = list(table.column_names)
    place = _find_names(path, header, filename_column)
    names = [str(name) for name in table.column(place).to_pylist()]
    columns = [
        name for number, name in enumerate(header) if number != place and name.lower() not in INDEX_COLUMNS
    ]
    try:
        if len(columns) == 1 and pyarrow.types.is_nested(table.schema.field(columns[0]).type):
            return names, np.array(table.column(columns[0]).to_pylist(), np.float64)
        return names, np.stack(
            [np.asarray(table.column(name).to_pylist(), np.float64) for name in columns], axis=1
        )
    except (ValueError, TypeError) as error:
        raise DataError(
            f"{path}: a feature is no number, or rows have different numbers of features.",
            why="Every column but that of the file names is taken as a feature, or one column holds a list for each image.",
            next_step="Remove other columns, such as labels, from the table.",
        ) from error


def _find_names(path: Path, header: Sequence[str], filename_column: str) -> int:
    if filename_column:
        if filename_column not in header:
            raise DataError(f"{path} has no column {filename_column!r}.", why=f"It has {name_few(header)}.")
        return header.index(filename_column)
    lower = [name.lower() for name in header]
    for name in NAME_COLUMNS:
        if lower.count(name) == 1:
            return lower.index(name)
    raise DataError(
        f"{path} has no column of file names: {name_few(header) or 'it is empty'}.",
        next_step="Name it with --filename-column, or call it filename.",
    )
