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
from orchestrator.importing.reading.labels import describe_column, find_side, ignore
from orchestrator.importing.reading.tables import Table
from orchestrator.importing.rows import open_table
from storage.data.patients import is_no_patient
from storage.errors import OrchError

LIKELY = 0.6


def guess_import(folder: Path, tables: Sequence[Path], choices: Choices) -> dict[str, Any]:
    """Describe what an import of these files would be.

    Args:
        folder: the images.
        tables: the labels files; none where the folder says everything.
        choices: what the user said already.

    Returns:
        The document of `orch data import --guess --json`: preset, file names, labels, patients, split, the other columns with
        the reason why they are no labels, and a command; each guess with "sure" from 0 to 1.

    Raises:
        DataError: the folder or a table cannot be read.
    """
    try:
        table, scan, choices = open_table(folder, tables, choices, None, ignore)
    except OrchError:
        # Folders that are no class folders may still say everything in their names.
        if tables:
            raise
        table, scan, choices = open_table(
            folder, tables, replace(choices, class_pattern="(.*)"), None, ignore
        )
    best, sure = recognise(table, tables, list(scan.images))
    preset = best if sure >= LIKELY else None
    filename, share = find_filename_column(table, scan.images, folder)
    columns = [
        describe_column(name, table.column(name, option="--targets"), choices.rules)
        for name in table.columns
        if name != filename
    ]
    groups = likely_groups(table, choices.not_patient)
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
        "preset": {"name": preset, "sure": round(sure, 2)} if preset else None,
        "filename": {"column": filename, "sure": round(share, 2)} if filename else None,
        "labels": [
            {"column": one.name, "sure": 1.0 if one.reading.fits else 0.5} for one in columns if one.taken
        ],
        "groups": [{"column": name, "sure": _group_share(table, name)} for name in groups],
        "split": split[0] if split else None,
        "columns": {one.name: f"{one.kind}: {one.reason}" for one in columns},
    }
    document["command"] = _advise(folder, tables, document, choices)
    return document


def _group_share(table: Table, name: str) -> float:
    """How much speaks for a column: it names somebody in each row, and some have several rows."""
    cells = table.column(name, option="--group")
    named = [cell for cell in cells if not is_no_patient(cell)]
    return round(len(named) / len(cells) * (1.0 if len(set(named)) < len(named) else 0.7), 2)


def _advise(folder: Path, tables: Sequence[Path], document: dict[str, Any], choices: Choices) -> str:
    words = ["orch", "data", "import", str(folder)]
    for path in tables:
        words += ["--labels", str(path)]
    if document["preset"]:
        words += ["--preset", document["preset"]["name"]]
    else:
        if not tables:
            words.append("--class-folders")
        if document["filename"] and document["filename"]["column"] not in ("filename", None):
            words += ["--filename-column", document["filename"]["column"]]
        if document["groups"]:
            words += ["--group", document["groups"][0]["column"]]
        if document["split"] and tables:
            words += ["--split", document["split"]]
    return shlex.join([*words, "--out", "my-data"])
