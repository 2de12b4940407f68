"""A data set on disk: which images, which labels, which groups, and the hash that names them all.

A dataset folder holds

    manifest.json    development images: SHA-256, labels, anonymous group number; the counts of both sides
    places.json      where the development images lie, tried in order; size and time of each
    columns.csv      the columns of the labels file that are no labels, for the development images; never fingerprinted
    sealed.json      the hold-out, which only `storage.holdout.sealed` reads
    openings.jsonl   who opened the hold-out, and when

Rows are in the order of their SHA-256, so that file names, patient identifiers and machines leave no trace in
what is computed from them.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from storage.errors import DataError
from storage.files.writing import DATASET_FILES, hash_file
from storage.own_processes import count_processors
from storage.parsing import check_regular
from storage.tasks.contract import Task
from storage.tasks.kinds import LABELS, TASKS, find_task
from storage.wording import name_few

SCHEMA = "orch.dataset/1"
MANIFEST, PLACES, COLUMNS, SEALED, OPENINGS = DATASET_FILES

Report = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Dataset:
    """The development side of a data set, rows in canonical order.

    Attributes:
        folder: the dataset folder.
        fingerprint: `sha256:` and 64 hex digits; equal for equal images, labels, groups and split.
        targets: names of the label columns, length t.
        sha256: hex digest of each image file, length n.
        files: where each image is on this machine, length n; `check_images` says whether it is true.
        labels: float32, shape (n, t), 0 or 1, of numbers the number; NaN where the label was not assessed.
        groups: int64, shape (n,), numbered from 0 in order of first appearance.
        grouped: False when no group column was named, so that each image is its own group.
        summary: counts, prevalence and split of both sides, as `orch data show --json` prints it.
        warnings: what was doubtful at import, one sentence each.
        task: what kind of label it has.
        classes: the names of its classes, of two the negative one first; empty for labels and numbers.
        shares: float32, shape (n, t): of each label the share of the image's readers who said yes, NaN where none read it; None where
            the import kept none.
    """

    folder: Path
    fingerprint: str
    targets: tuple[str, ...]
    sha256: tuple[str, ...]
    files: tuple[Path, ...]
    labels: np.ndarray
    groups: np.ndarray
    grouped: bool
    summary: dict[str, Any]
    warnings: list[str]
    stamps: tuple[tuple[int, int], ...] = field(repr=False)
    task: Task = TASKS[LABELS]
    classes: tuple[str, ...] = ()
    shares: np.ndarray | None = None

    def shares_of(self, targets: Sequence[str]) -> np.ndarray | None:
        """`shares` of some labels, in this order; None where the import kept none."""
        if self.shares is None:
            return None
        return np.ascontiguousarray(self.shares[:, [self.targets.index(target) for target in targets]])

    def check_images(self, report: Report | None = None) -> None:
        """Make sure that every development image is where it was and is what it was.

        A file of unchanged size and modification time is taken as unchanged; any other is hashed again.

        Raises:
            DataError: names the images that moved or changed.
        """
        check_files(self.folder, self.files, self.sha256, self.stamps, report)


def load_dataset(folder: Path) -> Dataset:
    """Read a dataset folder; the hold-out is not touched.

    Raises:
        DataError: no dataset folder, one of another version of orch, or one that was edited by hand.
    """
    folder = Path(folder)
    manifest = read_document(folder / MANIFEST)
    if manifest.get("schema") != SCHEMA:
        raise DataError(
            f"{folder / MANIFEST} is not in the form that this version of orch reads ({SCHEMA}).",
            why=f"It says {manifest.get('schema')!r}.",
            next_step="Import the images again with `orch data import`.",
        )
    places = read_document(folder / PLACES)
    try:
        rows, spots = manifest["images"], places["images"]
        targets = tuple(manifest["targets"])
        said = manifest.get("task", {"kind": LABELS})
        task = find_task(said["kind"])
        lines = [
            describe_row(row["sha256"], row["labels"], row["group"], task, row.get("shares")) for row in rows
        ]
        fingerprint = fingerprint_of(targets, digest_rows(lines), manifest["holdout_digest"], said)
        whole = fingerprint == manifest["fingerprint"] and [row["sha256"] for row in rows] == [
            spot["sha256"] for spot in spots
        ]
        if not whole or lines != sorted(lines) or not rows:
            raise ValueError("contents and fingerprint differ")
        labels = np.array([row["labels"] for row in rows], dtype=np.float32).reshape(len(rows), len(targets))
        return Dataset(
            folder=folder,
            fingerprint=fingerprint,
            targets=targets,
            sha256=tuple(row["sha256"] for row in rows),
            files=find_files(folder, places["folders"], [spot["path"] for spot in spots]),
            labels=labels,
            groups=np.array([row["group"] for row in rows], dtype=np.int64),
            grouped=bool(manifest["grouped"]),
            summary=manifest["summary"],
            warnings=list(manifest["warnings"]),
            stamps=tuple((spot["size"], spot["mtime_ns"]) for spot in spots),
            task=task,
            classes=tuple(said.get("classes", ())),
            shares=np.array([row["shares"] for row in rows], np.float32).reshape(labels.shape)
            if "shares" in rows[0]
            else None,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"The dataset folder {folder} was changed since it was imported: its fingerprint no longer fits.",
            why="manifest.json or places.json was edited, or only partly copied.",
            next_step="Copy the folder again from where it came, or import the images again into a new folder.",
        ) from error


def read_columns(dataset: Dataset) -> dict[str, list[str]]:
    """The columns of the labels file that are no labels, each of length n in the order of the data set.

    Raises:
        DataError: the file is missing or has other rows than the manifest.
    """
    path = dataset.folder / COLUMNS
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = list(csv.reader(file))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read.", next_step="Import the images again.") from error
    if tuple(row[0] for row in rows) != dataset.sha256:
        raise DataError(f"{path} does not have the rows of {MANIFEST}.", next_step="Import the images again.")
    return {name: [row[place] for row in rows] for place, name in enumerate(header) if place}


def describe_row(
    sha256: str,
    labels: Sequence[float | None],
    group: int,
    task: Task = TASKS[LABELS],
    shares: Sequence[float | None] | None = None,
) -> str:
    """One image as a line of text for hashing: digest, labels as their kind marks them, group, and the shares of readers where they were kept."""
    line = f"{sha256} {task.mark(labels)} {group}"
    if shares is None:
        return line
    return f"{line} {','.join('-' if share is None else repr(float(share)) for share in shares)}"


def digest_rows(lines: Iterable[str]) -> str:
    """The hash of the rows of one side of the split; empty for no rows."""
    text = "\n".join(sorted(lines))
    return hashlib.sha256(text.encode()).hexdigest() if text else ""


def fingerprint_of(
    targets: Sequence[str],
    development_digest: str,
    holdout_digest: str,
    task: Mapping[str, Any] | None = None,
) -> str:
    """The name of a data set: both sides are in it, so another split of the same images is another data set.

    So is another kind of label, as the manifest says it: `task` with "kind", and "classes" where there are some.
    """
    said = [] if task is None or task["kind"] == LABELS else [task["kind"], *task.get("classes", ())]
    content = json.dumps([SCHEMA, list(targets), development_digest, holdout_digest, *said])
    return "sha256:" + hashlib.sha256(content.encode()).hexdigest()


def number_groups(groups: Iterable[Any]) -> list[int]:
    """Number groups 0, 1, 2.. in order of first appearance, which leaves nothing of what they were called."""
    numbers: dict[Any, int] = {}
    return [numbers.setdefault(group, len(numbers)) for group in groups]


def find_files(folder: Path, image_folders: Sequence[str], paths: Sequence[str]) -> tuple[Path, ...]:
    """Each image in the first of the image folders that has it, else in the first folder, where it is missed.

    Copying between systems changes the Unicode form of names (macOS decomposes accents), so both forms are looked for.
    Relative image folders are taken from the dataset folder, so both can move together to another machine.
    """
    # As text, because joining paths takes longer than looking whether they are there.
    texts = [os.path.normpath(folder.resolve() / image_folder) for image_folder in image_folders]

    def find(path: str) -> Path:
        forms = (
            (path,)
            if path.isascii()
            else dict.fromkeys((path, *(unicodedata.normalize(form, path) for form in ("NFC", "NFD"))))
        )
        for text in texts:
            for form in forms:
                if os.path.exists(f"{text}/{form}"):
                    return Path(f"{text}/{form}")
        return Path(f"{texts[0]}/{path}")

    return tuple(find(path) for path in paths)


def check_files(
    folder: Path,
    files: Sequence[Path],
    sha256: Sequence[str],
    stamps: Sequence[tuple[int, int]],
    report: Report | None = None,
    listing: str = PLACES,
) -> None:
    """Compare files with what they were at import; `stamps` are (size in bytes, modification time in ns).

    `listing` is the file of the dataset folder that says where they are.

    Raises:
        DataError: names the files that are missing and those whose content differs.
    """

    def judge(place: int) -> str:
        try:
            status = files[place].stat()
            if (status.st_size, status.st_mtime_ns) == stamps[place]:
                return "same"
            return "same" if hash_file(files[place]) == sha256[place] else "changed"
        except PermissionError:
            return "closed"
        except OSError:
            return "missing"

    verdicts = []
    with ThreadPoolExecutor(max_workers=min(8, count_processors() + 2)) as pool:
        for done, verdict in enumerate(pool.map(judge, range(len(files))), start=1):
            verdicts.append(verdict)
            if report:
                report(done, len(files))
    missing = [str(file) for file, verdict in zip(files, verdicts, strict=True) if verdict == "missing"]
    changed = [str(file) for file, verdict in zip(files, verdicts, strict=True) if verdict == "changed"]
    closed = [str(file) for file, verdict in zip(files, verdicts, strict=True) if verdict == "closed"]
    if closed:
        raise DataError(
            f"You may not read {len(closed)} of {len(files)} images of {folder}: {name_few(closed)}.",
            why="They, or a folder above them, belong to another user.",
            next_step="Their owner can open them: chmod -R a+rX FOLDER",
        )
    if missing:
        raise DataError(
            f"{len(missing)} of {len(files)} images of {folder} are not where they were: {name_few(missing)}.",
            why="The images were moved, renamed or deleted since the import, or the disk is not mounted.",
            next_step=f'Put them back, or add the folder that holds them to "folders" in {folder / listing}.',
        )
    if changed:
        raise DataError(
            f"{len(changed)} of {len(files)} images of {folder} changed since the import: {name_few(changed)}.",
            why="The files have other bytes than those whose SHA-256 is in the manifest.",
            next_step="Restore the original files, or import the changed ones into a new dataset folder.",
        )


def read_document(path: Path) -> dict[str, Any]:
    """Read one JSON object of a dataset folder.

    Raises:
        DataError: the file is missing or is no JSON object.
    """
    try:
        check_regular(path)
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(
            f"{path.parent} is not a dataset folder: {path.name} cannot be read ({error.strerror}).",
            next_step="Make one with `orch data import IMAGES --labels CSV --out DIR`.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{path} is not valid JSON: {error}.",
            why="The file was edited or only partly copied.",
            next_step="Copy the dataset folder again, or import the images again into a new folder.",
        ) from error
    if not isinstance(document, dict):
        raise DataError(f"{path} is not a JSON object.", next_step="Import the images again.")
    return document
