"""What an import would take a table for, and how sure that is; nothing is written."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.importing.choices import Choices
from orchestrator.importing.doubts import likely_groups
from orchestrator.importing.matching import find_filename_column
from orchestrator.importing.presets import recognise
from orchestrator.importing.reading.cells import Rules
from orchestrator.importing.reading.labels import describe_column, find_side, ignore
from orchestrator.importing.reading.tables import Table
from orchestrator.importing.rows import open_table, read_rows
from orchestrator.importing.scanning import Scan
from storage.data.patients import is_no_patient
from storage.errors import OrchError
from storage.wording import name_few

LIKELY = 0.6


def guess_import(
    folder: Path, tables: Sequence[Path], choices: Choices, preset: str | None = None
) -> dict[str, Any]:
    """Describe what an import of these files would be.

    Args:
        folder: the images.
        tables: the labels files; none where the folder says everything.
        choices: what the user said already.
        preset: the collection, where the user named it.

    Returns:
        The document of `orch data import --guess --json`: preset, file names, labels, patients, split, the other columns with
        the reason why they are no labels, and a command; each guess with "sure" from 0 to 1. The columns are read by the
        conventions of the collection. "becomes" says what the command would make of them; where it would refuse,
        "open" says what is to be decided first.

    Raises:
        DataError: the folder or a table cannot be read.
    """
    table, scan, read = _open(folder, tables, choices, preset)
    best, sure = (preset, 1.0) if preset else recognise(table, tables, list(scan.images))
    known = best if sure >= LIKELY else None
    if known:
        table, scan, read = _open(folder, tables, choices, known)
    filename, share = find_filename_column(table, scan.images, folder)
    columns = [
        describe_column(name, table.column(name, option="--targets"), read.rules)
        for name in table.columns
        if name != filename
    ]
    reasons = {one.name: f"{one.kind}: {one.reason}" for one in columns}
    if read.class_column or read.targets:
        named = [name for name in (read.class_column or "", *(read.targets or ())) if name in reasons]
        labels = [{"column": name, "sure": 1.0} for name in named]
        source = (
            "by the collection"
            if known
            else "as you said"
            if choices.targets or choices.class_column
            else "by the folders"
        )
        reasons |= {name: f"{reasons[name]}, {source}" for name in named}
    else:
        labels = [
            {"column": one.name, "sure": 1.0 if one.reading.fits else 0.5} for one in columns if one.taken
        ]
    groups: list[dict[str, Any]] = [
        {"column": name, "sure": _group_share(table, name)}
        for name in read.group_columns or likely_groups(table, choices.not_patient)
    ]
    if read.group_pattern:
        groups = [{"column": f"found in paths by {read.group_pattern}", "sure": 1.0}]
    split = [
        name
        for name in table.columns
        if all(find_side(cell) for cell in set(table.column(name, option="--split")))
    ]
    document: dict[str, Any] = {
        "schema": "orch.guess/1",
        "rows": len(table.rows),
        "images": len(scan.images),
        "left_out": {kind: len(paths) for kind, paths in scan.left_out.items()},
        "preset": {"name": known, "sure": round(sure, 2)} if known else None,
        "filename": {"column": filename, "sure": round(share, 2)} if filename else None,
        "labels": labels,
        "groups": groups,
        "split": split[0] if split else None,
        "columns": reasons,
    }
    advised = _choose(document, tables, choices)
    document |= _try(folder, tables, advised, known)
    document["command"] = _advise(folder, tables, known, advised)
    return document


def _open(
    folder: Path, tables: Sequence[Path], choices: Choices, preset: str | None
) -> tuple[Table, Scan, Choices]:
    try:
        return open_table(folder, tables, choices, preset, ignore)
    except OrchError:
        # Folders that are no class folders may still say everything in their names.
        if tables or preset:
            raise
        return open_table(folder, tables, replace(choices, class_pattern="(.*)"), None, ignore)


def _group_share(table: Table, name: str) -> float:
    """How much speaks for a column: it names somebody in each row, and some have several rows."""
    cells = table.column(name, option="--group")
    named = [cell for cell in cells if not is_no_patient(cell)]
    return round(len(named) / len(cells) * (1.0 if len(set(named)) < len(named) else 0.7), 2)


def _choose(document: dict[str, Any], tables: Sequence[Path], choices: Choices) -> Choices:
    """What the user said, and what was found of the rest; a preset says the rest itself."""
    if document["preset"]:
        return choices
    filename, split = document["filename"], document["split"]
    if filename and choices.filename_column == Choices.filename_column:
        choices = replace(choices, filename_column=filename["column"])
    if document["groups"] and not choices.grouped:
        choices = replace(choices, group_columns=(document["groups"][0]["column"],))
    if split and tables and not choices.splits and choices.holdout == Choices.holdout:
        choices = replace(choices, split_column=split)
    return choices


def _try(folder: Path, tables: Sequence[Path], choices: Choices, preset: str | None) -> dict[str, Any]:
    """What the command would make of the tables; no image is opened."""
    try:
        read = read_rows(folder, tables, choices, preset, ignore)
    except OrchError as error:
        return {"becomes": None, "open": " ".join(filter(None, (error.what, error.next_step)))}
    sides = {side: read.sides.count(side) for side in dict.fromkeys(read.sides)} if read.sides else None
    becomes = {
        "task": read.labels.task,
        "targets": list(read.labels.targets),
        "images": len(read.paths),
        "groups": len(set(read.groups)) if read.groups is not None else None,
        "sides": sides,
    }
    return {"becomes": becomes, "open": None}


def say_what_becomes(document: dict[str, Any]) -> str | None:
    """The labels and groups that the command would make, in words; None where it would refuse."""
    becomes = document["becomes"]
    if not becomes:
        return None
    groups = "each image a separate patient" if becomes["groups"] is None else f"{becomes['groups']} patients"
    sides = "".join(f", {count} for {side}" for side, count in (becomes["sides"] or {}).items())
    return (
        f"{becomes['images']} images, {groups}{sides}; {becomes['task']}: {name_few(becomes['targets'], 20)}"
    )


def _advise(folder: Path, tables: Sequence[Path], preset: str | None, choices: Choices) -> str:
    words = ["orch", "data", "import", str(folder)]
    for path in tables:
        words += ["--labels", str(path)]
    if preset:
        words += ["--preset", preset]
    elif not tables and not choices.class_pattern:
        words.append("--class-folders")
    return shlex.join([*words, *_write_options(choices), "--out", "my-data"])


def _write_options(choices: Choices) -> list[str]:
    """The options that say what differs from the defaults."""
    default, rules = Choices(), Rules()
    said: list[tuple[str, object, object]] = [
        ("--sheet", choices.sheet, None),
        ("--filename-column", choices.filename_column, default.filename_column),
        ("--group", ",".join(choices.group_columns), ""),
        ("--group-pattern", choices.group_pattern, None),
        ("--unknown-patient", "own" if choices.unknown_is_own else None, None),
        ("--targets", ",".join(choices.targets) if choices.targets else None, None),
        ("--class-column", choices.class_column, None),
        ("--task", choices.task, None),
        ("--class-pattern", choices.class_pattern, None),
        ("--separator", choices.rules.separator, rules.separator),
        ("--uncertain", choices.rules.uncertain, rules.uncertain),
        ("--blank", choices.rules.blank, rules.blank),
        ("--positive", choices.rules.positive, rules.positive),
        ("--merge-rows", choices.merge_rows, None),
        ("--reader", choices.reader_column, None),
        ("--holdout", choices.holdout, default.holdout),
        ("--split", choices.split_column, None),
        ("--split-pattern", choices.split_pattern, None),
        ("--seed", choices.seed, default.seed),
    ]
    words = [word for option, value, usual in said if value != usual for word in (option, f"{value}")]
    for name in choices.not_patient:
        words += ["--not-patient", name]
    for path, on in choices.joins:
        words += ["--join", str(path), "--on", on]
    for side, path in choices.split_lists:
        words += ["--split-list", f"{side}={path}"]
    flags = {"--group-dicom": choices.group_dicom, "--only-labelled": choices.only_labelled}
    flags |= {"--header": choices.header is True, "--no-header": choices.header is False}
    return [*words, *(flag for flag, given in flags.items() if given)]
