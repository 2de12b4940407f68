"""Where an evaluation is kept when nobody says: beside the model, and never over an earlier one."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path

from orchestrator.export import write_text
from storage.errors import UsageError

SUFFIX = ".evaluation.json"


def check_folder(path: Path) -> None:
    """Make sure that an evaluation can be written where this file is, or is to be.

    Raises:
        UsageError: there is no such folder, or it cannot be written in.
    """
    folder = path.absolute().parent
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder} to write {path.name} in.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(
            f"The evaluation cannot be kept in {folder}.",
            why="You may not write in that folder.",
            next_step="Name a file elsewhere: -o evaluation.json",
        )


def write_beside(model: Path, text: str) -> Path:
    """Write an evaluation beside its model, under the first name that is free; whole or not at all.

    Returns:
        MODEL.evaluation.json, or MODEL.evaluation.2.json and so on.

    Raises:
        OSError: the folder is not writable, or the disk is full.
    """
    for number in count(1):
        path = model.with_suffix(SUFFIX if number == 1 else f".evaluation.{number}.json")
        try:
            # Taken before it is written: two evaluations that end together must not choose the same name.
            path.open("x").close()
        except FileExistsError:
            continue
        break
    try:
        write_text(path, text)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path
