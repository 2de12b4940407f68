"""How a dataset folder is written: whole or not at all, in text that a person can read and compare."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from storage.errors import DataError
from storage.files.leftovers import name_partial, sweep
from storage.files.writing import PRIVATE, install_folder


@contextmanager
def write_whole(out: Path) -> Iterator[Path]:
    """A folder to write in, which becomes `out` only when everything in it was written and is on the disk.

    Raises:
        DataError: the disk refuses, or `out` appeared meanwhile.
    """
    partial = name_partial(out)
    try:
        sweep(partial.parent)
        partial.mkdir(parents=True)
        yield partial
        install_folder(partial, out)
    except OSError as error:
        raise DataError(
            f"The dataset folder {out} cannot be written: {error.strerror}.",
            next_step="Choose another --out.",
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_lines(path: Path, document: dict[str, Any]) -> None:
    """Write a document as JSON, with one line for each of its "images"."""
    head = {key: value for key, value in document.items() if key != "images"}
    encode = json.JSONEncoder(ensure_ascii=False).encode
    lines = ",\n".join(map(encode, document["images"]))
    text = json.dumps(head, indent=1, ensure_ascii=False).removesuffix("\n}")
    path.write_text(f'{text},\n "images": [\n{lines}\n]}}\n', encoding="utf-8")


def write_columns(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write the "columns" of rows as CSV, the SHA-256 of the image first; patients are named here, so it is private."""
    path.touch(mode=PRIVATE)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sha256", *rows[0]["columns"]])
        writer.writerows([row["sha256"], *row["columns"].values()] for row in rows)
