"""From a folder of images and a labels file to a dataset folder; the images stay where they are."""

from __future__ import annotations

import gc
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.importing.choices import Choices
from orchestrator.importing.doubts import describe_doubts, describe_side
from orchestrator.importing.grey_values import describe_grey_values
from orchestrator.importing.image_files import ImageFacts, inspect_images
from orchestrator.importing.reading.classes import Labels
from orchestrator.importing.reading.labels import ignore
from orchestrator.importing.reading.tables import Table
from orchestrator.importing.rows import read_rows
from storage.data.datasets import (
    COLUMNS,
    MANIFEST,
    PLACES,
    SCHEMA,
    Dataset,
    Report,
    describe_row,
    digest_rows,
    fingerprint_of,
    load_dataset,
    number_groups,
)
from storage.data.folders import write_columns, write_lines, write_whole
from storage.data.splitting import check_sides, split_holdout
from storage.errors import DataError
from storage.holdout import sealed as holdout
from storage.pictures.sides import find_sides
from storage.tasks.contract import Task
from storage.tasks.kinds import LABELS, TASKS
from storage.wording import name_few, say_count

if TYPE_CHECKING:
    from storage.database.engine import Database


@dataclass(frozen=True)
class Rows:
    """Everything known of each image, in canonical order: by SHA-256, then labels.

    `order` gives the row of the table for each; `table` and `others` (its columns that are no labels) keep the
    order of the file.
    """

    table: Table
    others: list[dict[str, str]]
    order: list[int]
    paths: list[str]
    facts: list[ImageFacts]
    labels: np.ndarray
    groups: np.ndarray
    shares: np.ndarray | None = None


@contextmanager
def _without_collection() -> Iterator[None]:
    """Put the collection of reference cycles off: rows hold none, and to look through all of them again and again takes a quarter of an import."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@_without_collection()
def import_dataset(
    images: Path,
    labels: Path | Sequence[Path] | None,
    out: Path,
    choices: Choices | None = None,
    *,
    preset: str | None = None,
    cache: Path | None = None,
    database: Database | None = None,
    report: Report | None = None,
    note: Callable[[str], None] = ignore,
) -> Dataset:
    """Check images and labels, split them, and write the dataset folder `out`, whole or not at all.

    Args:
        images: the folder of JPEG and PNG files; subfolders are searched.
        labels: the table, or several with equal columns; None where the images are in class folders, whose names are then
            the classes, or where their names say what they show.
        out: the folder to make.
        choices: which columns mean what; the defaults when left out.
        preset: a published collection, whose conventions count where the choices say nothing.
        cache: the cache folder of this machine, where sealed images are known by their hash.
        database: the study database, where they are known too.
        report: called with (images done, all images).
        note: told what was taken for what, and what was left out.

    Raises:
        DataError: anything wrong with the input; names the file or the line.
    """
    choices = choices or Choices()
    _check_choices(choices)
    _check_free(out)
    tables = [labels] if isinstance(labels, Path) else list(labels or ())
    read = read_rows(images, tables, choices, preset, note)
    facts = inspect_images(images, read.paths, report)
    rows = _order_rows(read.table, read.paths, facts, read.labels, read.groups)
    held = _choose_holdout(rows, read.sides, read.choices, TASKS[read.labels.task])
    _note_sides(rows, read.labels, note)
    check_sides(rows.groups, [np.flatnonzero(held), np.flatnonzero(~held)])
    return _write(
        images, out, rows, read.labels, held, read.choices, read.sides, read.left_out, cache, database
    )


def _check_choices(choices: Choices) -> None:
    if not 0 <= choices.holdout < 1:
        raise DataError(
            f"--holdout {choices.holdout:g} is not a share: it must be at least 0 and below 1.",
            next_step="0.15 seals 15 %, 0 seals nothing.",
        )
    if choices.group_dicom and choices.group_columns:
        raise DataError("--group and --group-dicom were both given.", next_step="Give one of them.")
    if choices.group_pattern and (choices.group_dicom or choices.group_columns):
        raise DataError("--group-pattern and another group were given.", next_step="Give one of them.")
    if not 0 <= choices.seed < 2**32:
        raise DataError(f"--seed {choices.seed} is not between 0 and {2**32 - 1}.")


def _check_free(out: Path) -> None:
    if (out / MANIFEST).exists():
        raise DataError(
            f"{out} is already a dataset folder.",
            why="An import never overwrites a data set, because its hold-out would be unsealed.",
            next_step="Choose another --out; `orch data show` shows the contents of this one.",
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out} exists and is not an empty folder.", next_step="Choose another --out.")


def _order_rows(
    table: Table,
    paths: list[str],
    facts: list[ImageFacts],
    labels: Labels,
    groups: Sequence[tuple[str, ...]] | None,
) -> Rows:
    """Bring rows into an order that only the images and labels decide.

    Raises:
        DataError: one image in several groups.
    """
    copies = defaultdict(list)
    for row, fact in enumerate(facts):
        copies[fact.sha256].append(row)
    if groups is not None:
        torn = [rows for rows in copies.values() if len({groups[row] for row in rows}) > 1]
        if torn:
            raise DataError(
                f"{say_count(len(torn), 'file has', 'files have')} copies in different groups: "
                + name_few(
                    " = ".join(f"{paths[row]} (line {table.lines[row]})" for row in rows) for rows in torn
                )
                + ".",
                why="A copy under another patient would put an image on both sides of the split.",
                next_step="Remove the copies, or correct the group column.",
            )
    # Without groups, copies of an image share a group, so that they are never on both sides.
    keys: list[Any] = list(groups) if groups is not None else [fact.sha256 for fact in facts]
    task = TASKS[labels.task]
    marks = [
        describe_row(facts[row].sha256, task.to_plain(labels.values[row].tolist()), 0, task)
        for row in range(len(facts))
    ]
    order = sorted(range(len(facts)), key=marks.__getitem__)
    kept = [place for place, name in enumerate(table.columns) if name not in labels.columns]
    names = [table.columns[place] for place in kept]
    return Rows(
        table=table,
        others=[dict(zip(names, (row[place] for place in kept), strict=True)) for row in table.rows],
        order=order,
        paths=[paths[row] for row in order],
        facts=[facts[row] for row in order],
        labels=labels.values[order],
        groups=np.array(number_groups(keys[row] for row in order), dtype=np.int64),
        shares=None if labels.shares is None else labels.shares[order],
    )


def _note_sides(rows: Rows, labels: Labels, note: Callable[[str], None]) -> None:
    """Say what a mirrored image would contradict."""
    names = rows.others[0] if rows.others else {}
    columns = {name: [row[name] for row in rows.others] for name in names}
    found = find_sides([*labels.targets, *labels.classes], columns)
    if found.said:
        note(
            f"{found.said} {found.verb} left or right, and studies mirror images by default: where the side matters, give "
            "`orch study create` --set training.augmentation=none (or vertical)."
        )


def _choose_holdout(rows: Rows, sides: Sequence[str] | None, choices: Choices, task: Task) -> np.ndarray:
    if sides is None:
        if choices.holdout == 0:
            return np.zeros(len(rows.order), dtype=bool)
        return split_holdout(task.strata(rows.labels), rows.groups, choices.holdout, choices.seed)
    held = np.array([sides[row] == "test" for row in rows.order])
    torn = np.intersect1d(rows.groups[held], rows.groups[~held])
    if len(torn):
        named = [
            " and ".join(
                rows.paths[np.flatnonzero(side & (rows.groups == group))[0]] for side in (held, ~held)
            )
            for group in torn
        ]
        raise DataError(
            f"{_name_split(choices)} puts {say_count(len(torn), 'group')} on both sides, test and train/valid; "
            f"images of one group: {name_few(named)}.",
            why="Patients of the hold-out would be trained on.",
            next_step="Correct the split, or let orch split with --holdout 0.15.",
        )
    if held.all():
        raise DataError(f"{_name_split(choices)} has only test rows: nothing to train on.")
    return held


def _name_split(choices: Choices) -> str:
    return f"The split column {choices.split_column!r}" if choices.split_column else "The published split"


def _write(
    images: Path,
    out: Path,
    rows: Rows,
    labels: Labels,
    held: np.ndarray,
    choices: Choices,
    sides: Sequence[str] | None,
    left_out: str,
    cache: Path | None,
    database: Database | None,
) -> Dataset:
    task = TASKS[labels.task]
    said = {"kind": labels.task, "classes": list(labels.classes)}
    development = _describe_rows(rows, np.flatnonzero(~held), task)
    # Nothing is trained on the hold-out, so it needs no shares.
    sealed = _describe_rows(replace(rows, shares=None), np.flatnonzero(held), task)
    digests = [
        digest_rows(describe_row(*_identity(row), task, row.get("shares")) for row in development),
        digest_rows(describe_row(*_identity(row), task) for row in sealed),
    ]
    fingerprint = fingerprint_of(labels.targets, digests[0], digests[1], said)
    asked = task.questions(labels.targets, rows.labels)
    known = holdout.find_unsealed(
        [row["sha256"] for row in development], cache=cache, database=database, besides=fingerprint
    )
    summary: dict[str, Any] = {
        "images": len(held),
        "groups": int(rows.groups.max()) + 1,
        "modes": dict(Counter(fact.mode for fact in rows.facts).most_common()),
        "pixels": describe_grey_values([fact.form for fact in rows.facts]),
        "label_columns": list(labels.columns),
        "kind": labels.kind,
        "development": describe_side(labels.targets, rows.labels[~held], rows.groups[~held], task),
        "holdout": describe_side(labels.targets, rows.labels[held], rows.groups[held], task)
        if held.any()
        else None,
    }
    if rows.shares is not None:
        summary["soft_labels"] = {
            "labels": int((~np.isnan(rows.shares)).sum()),
            "readers_differ": int(((rows.shares > 0) & (rows.shares < 1)).sum()),
        }
    if sides is not None:
        summary["split_column"] = dict(Counter(sides))
    manifest = {
        "schema": SCHEMA,
        "fingerprint": fingerprint,
        "holdout_digest": digests[1],
        "targets": list(labels.targets),
        **({"task": said} if labels.task != LABELS else {}),
        "grouped": choices.grouped,
        "choices": {
            "group_columns": list(choices.group_columns),
            "group_dicom": choices.group_dicom,
            "split_column": choices.split_column,
            "holdout": None if sides is not None else choices.holdout,
            "seed": choices.seed,
            **({"not_patient": list(choices.not_patient)} if choices.not_patient else {}),
        },
        "summary": summary,
        "warnings": describe_doubts(
            rows.table,
            asked.names,
            asked.labels,
            rows.groups,
            held,
            rows.facts,
            choices,
            has_areas=task.has_probabilities,
        )
        + ([left_out] if left_out else [])
        + [
            f"{len(found)} of the development images are sealed in the hold-out of another data set ({name[:19]}..): "
            "that hold-out can no longer evaluate a model trained here."
            for name, found in known.items()
        ],
        "images": [
            dict(zip(("sha256", "labels", "group"), _identity(row), strict=True))
            | ({"shares": row["shares"]} if "shares" in row else {})
            for row in development
        ],
    }
    image_folders = [os.path.relpath(images.resolve(), out.resolve()), str(images.resolve())]
    places = {
        "note": "Where the images are: the first of these folders that has a file counts; relative to this file.",
        "folders": image_folders,
        "images": [{key: row[key] for key in ("sha256", "path", "size", "mtime_ns")} for row in development],
    }
    _check_free(out)
    with ExitStack() as kept, write_whole(out) as partial:
        write_lines(partial / MANIFEST, manifest)
        write_lines(partial / PLACES, places)
        write_columns(partial / COLUMNS, development)
        if sealed:
            holdout.write_sealed(partial, labels.targets, image_folders, sealed)
            # Known as sealed before the folder exists, and no more where the folder then cannot be made.
            kept.enter_context(holdout.registered(partial, fingerprint, cache, database))
    return load_dataset(out)


def _describe_rows(rows: Rows, places: np.ndarray, task: Task) -> list[dict[str, Any]]:
    """The rows of one side, groups numbered from 0, so that a side tells nothing of the other."""
    groups = number_groups(rows.groups[places].tolist())
    return [
        {
            "sha256": rows.facts[place].sha256,
            "labels": task.to_plain(rows.labels[place].tolist()),
            "group": group,
            "path": rows.paths[place],
            "size": rows.facts[place].size,
            "mtime_ns": rows.facts[place].mtime_ns,
            "columns": rows.others[rows.order[place]],
            **({} if rows.shares is None else {"shares": _round_shares(rows.shares[place])}),
        }
        for place, group in zip(places.tolist(), groups, strict=True)
    ]


def _round_shares(shares: np.ndarray) -> list[float | None]:
    return [None if share != share else round(share, 6) for share in shares.tolist()]


def _identity(row: dict[str, Any]) -> tuple[str, list[float | None], int]:
    return row["sha256"], row["labels"], row["group"]
