"""Features from elsewhere, kept in the dataset folder that they belong to.

    <data>/features/<name>/values.npy    float32, shape (n images, 1, features); images in the data set's order
    <data>/features/<name>/meta.json     name, data set, number of features, the SHA-256 of values.npy, where they come from

A folder gets its final name when it is whole. The SHA-256 is part of the spec of a study, so that every machine trains on the same.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.errors import DataError, FeaturesError
from storage.files.checked_rows import CheckedRows
from storage.files.features import META, VALUES, Features, check_values
from storage.files.leftovers import name_partial
from storage.files.writing import hash_file
from storage.wording import name_few

FOLDER = "features"
SCHEMA = "orch.features/1"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class GivenFeatures:
    """What is known of features from elsewhere.

    Attributes:
        name: under which studies use them.
        fingerprint: of the data set.
        width: numbers of each image.
        sha256: of the file of values, hex digits.
        source: the name of the table that they were read from.
        imported_at: date and time, ISO 8601.
    """

    name: str
    fingerprint: str
    width: int
    sha256: str
    source: str
    imported_at: str
    schema: str = SCHEMA


def check_name(name: str) -> None:
    """Make sure that features may be called so: the name becomes that of a folder.

    Raises:
        DataError: they may not.
    """
    if not NAME.fullmatch(name):
        raise DataError(
            f"Features cannot be called {name[:80]!r}.",
            why="Names have letters, digits and . _ -, begin with a letter or a digit, and have at most 64 characters.",
            next_step="For example: --name dinov2",
        )


def keep_features(
    folder: Path, name: str, values: NDArray[np.float32], fingerprint: str, source: str
) -> GivenFeatures:
    """Write features into a dataset folder, whole or not at all.

    Args:
        folder: of the data set.
        name: of the features.
        values: shape (n images, features), in the order of the data set.
        fingerprint: of the data set.
        source: the name of the table.

    Raises:
        DataError: others are there under this name.
        FeaturesError: the folder cannot be written.
    """
    check_name(name)
    place = folder / FOLDER / name
    partial = name_partial(place)
    try:
        partial.mkdir(parents=True)
        np.save(partial / VALUES, np.ascontiguousarray(values[:, None, :], np.float32), allow_pickle=False)
        known = GivenFeatures(
            name,
            fingerprint,
            values.shape[1],
            hash_file(partial / VALUES),
            source,
            datetime.now(UTC).isoformat(timespec="seconds"),
        )
        (partial / META).write_text(json.dumps(asdict(known), indent=1), encoding="utf-8")
        if place.exists():
            there = read_given(folder, name)
            if there.sha256 == known.sha256:
                return there
            raise DataError(
                f"{folder} has other features under the name {name!r} already.",
                why="Studies may have been made on them, and know them by this name.",
                next_step="Choose another --name.",
            )
        partial.rename(place)
    except OSError as error:
        raise FeaturesError(
            f"Features cannot be written to {place.parent}: {error.strerror or error}.",
            why="The disk is full, or the folder is not writable for you.",
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return known


def list_given(folder: Path) -> list[str]:
    """The names of the features in a dataset folder."""
    return sorted(
        meta.parent.name for meta in (folder / FOLDER).glob(f"*/{META}") if NAME.fullmatch(meta.parent.name)
    )


def read_given(folder: Path, name: str) -> GivenFeatures:
    """What is known of the features of a name.

    Raises:
        FeaturesError: there are none, or the folder is damaged.
    """
    if not NAME.fullmatch(name) or not (folder / FOLDER / name).is_dir():
        there = list_given(folder)
        raise FeaturesError(
            f"The dataset folder {folder} has no features {name!r}{f' (it has {name_few(there)})' if there else ''}.",
            why="Features from elsewhere lie in the dataset folder, and it was copied before they were imported, or the name is another.",
            next_step=f"`orch features import TABLE --data {folder} --name {name}` brings them; or copy {folder}/{FOLDER} from where they are.",
        )
    try:
        document = json.loads((folder / FOLDER / name / META).read_text(encoding="utf-8"))
        if document["schema"] != SCHEMA:
            raise ValueError(f"it says {document['schema']!r}")
        return GivenFeatures(**document)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(folder / FOLDER / name, str(error)) from error


def open_given(folder: Path, name: str, fingerprint: str, sha256: str) -> Features:
    """Open features after checking every byte.

    Args:
        folder: of the data set.
        name: of the features.
        fingerprint: of the data set.
        sha256: that the study names; empty for any.

    Raises:
        FeaturesError: there are none, they are damaged, or others than the study's.
    """
    known, place = read_given(folder, name), folder / FOLDER / name
    if known.fingerprint != fingerprint or (sha256 and known.sha256 != sha256):
        raise FeaturesError(
            f"The features {name!r} in {folder} are not those of the study.",
            why="They were imported for another data set, or from another table.",
            next_step=f"Copy {FOLDER}/{name} of the dataset folder from where the study was made.",
        )
    try:
        values = np.load(place / VALUES, mmap_mode="r", allow_pickle=False)
        if values.dtype != np.float32 or values.ndim != 3 or values.shape[1:] != (1, known.width):
            raise ValueError(f"{VALUES} is no table of features")
        sums = check_values(place / VALUES, values, (place / VALUES).stat().st_size, known.sha256)
    # A damaged header of an array raises many kinds of errors.
    except Exception as error:
        raise _damaged(place, str(error) or type(error).__name__) from error
    # It stands in for the array wherever features are read. Nothing here can make it again: the next opening refuses it.
    rows: Any = CheckedRows(values, sums, place=f"The file of features {place}")
    return Features(rows, known.sha256, place)


def _damaged(place: Path, reason: str) -> FeaturesError:
    return FeaturesError(
        f"The features in {place} are damaged: {reason.rstrip('.')}.",
        next_step="Remove this folder, and import them again with `orch features import`.",
    )
