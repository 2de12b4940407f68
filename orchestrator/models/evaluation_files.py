"""Where an evaluation is kept when nobody says: beside the model, and never over an earlier one."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from storage.files.writing import write_text

SUFFIX = ".evaluation.json"


def write_beside(model: Path, text: str) -> Path:
    """Write an evaluation beside its model, under the first name that is free; whole or not at all.

    Returns:
        MODEL.evaluation.json, or MODEL.evaluation.2.json and so on.

    Raises:
        UsageError: the folder is not writable.
        OSError: the disk is full.
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
