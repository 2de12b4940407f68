"""The sealed hold-out and the record of its openings.

Nothing else reads `sealed.json`, and nothing that trains can import this module. Every opening is recorded, in the
database and beside the manifest, before a row is given away. Sealed images are known by their SHA-256, in the cache
of the machine and in the database, so that they are recognised when they come back under another split.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from storage.data.datasets import (
    MANIFEST,
    SCHEMA,
    SEALED,
    Dataset,
    check_files,
    describe_row,
    digest_rows,
    find_files,
    read_document,
)
from storage.database.tables import sealed_images as table
from storage.database.waiting import described
from storage.errors import DataError
from storage.files.writing import PRIVATE, atomically
from storage.holdout.openings import Opening, list_openings, opened_before, record_opening
from storage.settings import name_user

if TYPE_CHECKING:
    from storage.database.engine import Database

REGISTRY = "sealed"
CHUNK = 500

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Holdout:
    """The rows of an opened hold-out, in canonical order.

    Attributes:
        sha256: hex digests, length n.
        files: where each image is, length n; they were checked.
        labels: float32, shape (n, t), NaN where not assessed; columns as `targets`.
        groups: int64, shape (n,).
        columns: the other columns of the labels file, each of length n.
        opening: the record of this opening.
    """

    targets: tuple[str, ...]
    sha256: tuple[str, ...]
    files: tuple[Path, ...]
    labels: np.ndarray
    groups: np.ndarray
    columns: dict[str, list[str]]
    opening: Opening


def open_holdout(
    dataset: Dataset,
    *,
    database: Database | None,
    model_sha256: str,
    purpose: str,
    study_uuid: str | None = None,
    opened_by: str | None = None,
    again: bool = False,
) -> Holdout:
    """Open the hold-out, on record.

    Args:
        dataset: whose hold-out.
        database: where to record it besides the dataset folder; None where there is no study database.
        model_sha256: the model that will be judged.
        purpose: what for, in words.
        study_uuid: the study that the model comes from.
        opened_by: user@host when left out.
        again: allow it although it was opened before.

    Raises:
        DataError: no hold-out, opened before, the record cannot be written, images or rows changed.
    """
    if not (dataset.summary.get("holdout") or {}).get("images"):
        raise DataError(
            f"{dataset.folder} has no hold-out.",
            why="It was imported with --holdout 0, or its split column has no test rows.",
            next_step="Import the images again, with --holdout 0.15 or --split COLUMN.",
        )
    earlier = list_openings(dataset, database)
    if earlier and not again:
        raise opened_before(dataset, earlier)
    opening = Opening(
        fingerprint=dataset.fingerprint,
        opened_at=time.time(),
        opened_by=opened_by or f"{name_user()}@{socket.gethostname()}",
        model_sha256=model_sha256,
        purpose=purpose,
        study_uuid=study_uuid,
    )
    record_opening(dataset, database, opening, again=again)
    return _read_rows(dataset, opening)


def write_sealed(
    folder: Path, targets: Sequence[str], image_folders: Sequence[str], rows: list[dict[str, Any]]
) -> None:
    """Write the sealed rows of a new dataset folder, each with its place and its other columns, for its owner alone."""
    document = {
        "schema": SCHEMA,
        "note": "The sealed hold-out. Only storage.holdout.open_holdout reads it, and records each opening.",
        "targets": list(targets),
        "folders": list(image_folders),
        "images": rows,
    }
    (folder / SEALED).touch(mode=PRIVATE)
    (folder / SEALED).write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")


@contextmanager
def registered(
    folder: Path, fingerprint: str, cache: Path | None, database: Database | None
) -> Iterator[None]:
    """Register as `register_sealed` does, and take that back where what follows fails, so that it is all or nothing.

    What was known before, from an equal import, stays known.
    """
    undo: list[Callable[[], None]] = []
    try:
        _register(folder, fingerprint, cache, database, undo)
        yield
    except BaseException:
        for step in reversed(undo):
            with suppress(Exception):
                step()
        raise


def register_sealed(folder: Path, fingerprint: str, cache: Path | None, database: Database | None) -> int:
    """Make the sealed images of a dataset folder known to this machine and to the database, by SHA-256 only.

    Returns:
        How many images are sealed.

    Raises:
        DataError: the sealed file is damaged, or the cache folder cannot be written.
        StorageError: the database refuses.
    """
    return _register(folder, fingerprint, cache, database, [])


def _register(
    folder: Path,
    fingerprint: str,
    cache: Path | None,
    database: Database | None,
    undo: list[Callable[[], None]],
) -> int:
    if not (folder / SEALED).exists():
        return 0
    sealed = sorted({row["sha256"] for row in read_document(folder / SEALED)["images"]})
    if cache is not None:
        path = cache / REGISTRY / f"{fingerprint.removeprefix('sha256:')}.txt"
        known = path.exists()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomically(path) as partial:
                partial.write_text("\n".join(sealed) + "\n", encoding="ascii")
        except OSError as error:
            raise DataError(
                f"The hold-out cannot be sealed: {path.parent} cannot be written ({error.strerror or error}).",
                why="This machine keeps the hashes of sealed images in its cache folder, to know them when they come back.",
                next_step="Make that folder writable, or name another in ORCH_CACHE.",
            ) from error
        if not known:
            undo.append(path.unlink)
    if database is not None:
        import sqlalchemy as sa

        values = [{"fingerprint": fingerprint, "sha256": digest} for digest in sealed]
        with described(), database.transaction() as connection:
            known = bool(
                connection.execute(
                    sa.select(table).where(table.c.fingerprint == fingerprint).limit(1)
                ).first()
            )
            connection.execute(database.insert(table).on_conflict_do_nothing(), values)

        def forget() -> None:
            with database.transaction() as connection:
                connection.execute(sa.delete(table).where(table.c.fingerprint == fingerprint))

        if not known:
            undo.append(forget)
    return len(sealed)


def sketch_sealed(dataset: Dataset, look: Callable[[Path], Result]) -> list[Result]:
    """Look at the sealed pictures to find copies of them elsewhere; labels and names stay sealed.

    Args:
        dataset: whose hold-out.
        look: told the file of each sealed image that is where it was; returns what is kept of its picture.
    """
    if not (dataset.folder / SEALED).exists():
        return []
    document = read_document(dataset.folder / SEALED)
    files = find_files(dataset.folder, document["folders"], [row["path"] for row in document["images"]])
    return [look(file) for file in files if file.is_file()]


def find_unsealed(
    sha256: Collection[str], *, cache: Path | None, database: Database | None, besides: str = ""
) -> dict[str, set[str]]:
    """Which of these images are sealed in a hold-out that is known here.

    Args:
        sha256: hex digests of images that are about to be looked at.
        cache: the cache folder of this machine, or None.
        database: the study database, or None.
        besides: a fingerprint to leave out.

    Returns:
        Fingerprint of a hold-out -> the images that are sealed in it.
    """
    wanted = set(sha256)
    found: dict[str, set[str]] = {}
    for path in sorted((cache / REGISTRY).glob("*.txt")) if cache is not None else []:
        found[f"sha256:{path.stem}"] = wanted & set(path.read_text(encoding="ascii").split())
    if database is not None:
        import sqlalchemy as sa

        digests = sorted(wanted)
        with described(), database.reading() as connection:
            for begin in range(0, len(digests), CHUNK):
                query = sa.select(table).where(table.c.sha256.in_(digests[begin : begin + CHUNK]))
                for row in connection.execute(query):
                    found.setdefault(row.fingerprint, set()).add(row.sha256)
    return {name: images for name, images in sorted(found.items()) if images and name != besides}


def _read_rows(dataset: Dataset, opening: Opening) -> Holdout:
    document = read_document(dataset.folder / SEALED)
    digest = read_document(dataset.folder / MANIFEST)["holdout_digest"]
    rows = document["images"]
    if (
        digest_rows(describe_row(row["sha256"], row["labels"], row["group"], dataset.task) for row in rows)
        != digest
    ):
        raise DataError(
            f"{dataset.folder / SEALED} was changed since it was sealed.",
            why="Its rows do not fit the fingerprint of the data set.",
            next_step="Copy the dataset folder again from where it came.",
        )
    files = find_files(dataset.folder, document["folders"], [row["path"] for row in rows])
    sha256 = tuple(row["sha256"] for row in rows)
    check_files(
        dataset.folder, files, sha256, [(row["size"], row["mtime_ns"]) for row in rows], listing=SEALED
    )
    return Holdout(
        targets=dataset.targets,
        sha256=sha256,
        files=files,
        labels=np.array([row["labels"] for row in rows], dtype=np.float32).reshape(len(rows), -1),
        groups=np.array([row["group"] for row in rows], dtype=np.int64),
        columns={name: [row["columns"][name] for row in rows] for name in rows[0]["columns"]},
        opening=opening,
    )
