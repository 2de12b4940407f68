"""Files that somebody asked for: whole or not at all, and named as they were asked for."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.cli import report_error
from orchestrator.models.prediction_tables import check_out, write_table
from storage.errors import UsageError
from storage.files import writing as files
from storage.files.model_files import TrainingRecord
from storage.files.writing import BESIDE_SQLITE, DATASET_FILES, check_place, check_places, write_text
from workers.final_model.assembly import save_model

HEADER, ROWS = ("filename", "raw"), (("=1.png", 0.5), ("2.png", None))
RECORD = TrainingRecord(np.zeros((0, 1)), np.zeros((0, 1)), np.zeros(0, int), frozenset())


class FullDisk:
    """In place of a model: saving it begins, and then the disk is full."""

    def save(self, path: Path) -> None:
        path.write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device", str(path))


def write_workbook(path: Path) -> None:
    write_table(path, HEADER, ROWS)


def write_model(path: Path) -> None:
    save_model(FullDisk(), path, {}, RECORD)  # type: ignore[arg-type]


def fail_to_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk says that it is full only when it is asked to keep what was written."""

    def refuse(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("p.csv", write_workbook),
        ("p.xlsx", write_workbook),
        ("m.keras", write_model),
        ("b.json", lambda path: write_text(path, "{}")),
    ],
)
def test_what_cannot_be_written_is_named_as_it_was_asked_for(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    write: Callable[[Path], None],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(f"folder-{name}").mkdir()
    for place, code, told in (
        (f"nodir/{name}", 2, f"orch: There is no folder nodir to write {name} in."),
        (f"folder-{name}", 2, f"orch: folder-{name} is a folder"),
        (name, 1, f"orch: The disk is full ({name})."),
    ):
        if place == name:
            fail_to_sync(monkeypatch)
        with pytest.raises((UsageError, OSError)) as caught:
            write(Path(place))
        assert report_error(caught.value, debug=False) == code
        said = capsys.readouterr().err
        assert said.startswith(told), said
        assert "partial" not in said
    assert [path.name for path in tmp_path.rglob("*")] == [f"folder-{name}"]


@pytest.mark.parametrize("check", [check_out, check_place])
def test_it_is_found_out_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check: Callable[[Path], None]
) -> None:
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "earlier.csv").write_text("")
    check(tmp_path / "new.csv")
    check(tmp_path / "earlier.csv")
    for place, told in (
        ("nowhere/new.csv", "There is no folder .*nowhere to write new.csv in"),
        ("folder.csv", r"is a folder.* such as .*folder\.csv/result\.csv"),
        ("pipe.csv", "is a device or a pipe"),
    ):
        with pytest.raises(UsageError, match=told):
            check(tmp_path / place)
    # Tests may run as root, who may write anywhere.
    monkeypatch.setattr(files.os, "access", lambda *_: False)
    with pytest.raises(UsageError, match=r"new\.csv cannot be written.* may not write"):
        check(tmp_path / "new.csv")


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "best.json"
    path.write_text("before")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "half \ud800 of it")
    assert path.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["best.json"]
    write_text(path, "after\n")
    assert path.read_bytes() == b"after\n"


def test_an_error_without_a_number_names_the_file_too(tmp_path: Path) -> None:
    class Refusing:
        def save(self, path: Any) -> None:
            raise OSError("Can't write data")  # as h5py puts it

    with pytest.raises(OSError, match="Can't write data") as caught:
        save_model(Refusing(), tmp_path / "m.keras", {}, RECORD)  # type: ignore[arg-type]
    assert caught.value.filename == str(tmp_path / "m.keras")
    assert list(tmp_path.iterdir()) == []


def test_no_result_replaces_a_database_or_part_of_a_dataset_folder(tmp_path: Path) -> None:
    database = tmp_path / "orch.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE t (x)")
    kept = database.read_bytes()
    with pytest.raises(UsageError, match="is a SQLite database, and no result replaces it"):
        write_text(database, "x")
    assert database.read_bytes() == kept
    for ending in BESIDE_SQLITE:
        # It need not be there yet.
        with pytest.raises(UsageError, match=r"what SQLite keeps of the database orch\.db"):
            write_text(tmp_path / f"orch.db{ending}", "x")
        assert not (tmp_path / f"orch.db{ending}").exists()
        write_text(tmp_path / f"best{ending}", "x")
    for name in DATASET_FILES:
        # Elsewhere these are names like any other.
        write_text(tmp_path / name, "x")
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / name).write_text("kept")
        with pytest.raises(UsageError, match="part of the dataset folder"):
            check_place(tmp_path / "data" / name)
        (tmp_path / name).unlink()
    write_text(tmp_path / "data" / "best.json", "x")
    write_text(tmp_path / "data" / "best.json", "y")


@pytest.mark.parametrize(
    ("beginning", "what"),
    [
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "a JPEG picture"),
        (b"\0" * 128 + b"DICM", "a DICOM file"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"II*\0", "a TIFF picture"),
        (b"MM\0*", "a TIFF picture"),
        (b"RIFF\0\0\0\0WEBP", "a WebP picture"),
    ],
)
def test_no_result_replaces_a_picture_or_weights_that_orch_does_not_write(
    tmp_path: Path, beginning: bytes, what: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(beginning + b"\0" * 200)
    with pytest.raises(UsageError, match=f"is {what}.*no result replaces it"):
        write_text(path, "x")
    assert path.read_bytes().startswith(beginning)


def test_two_results_in_one_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    check_places(None, tmp_path / "a.csv", None, tmp_path / "b.csv")
    with pytest.raises(UsageError, match="Two results are to be written into"):
        check_places(tmp_path / "a.csv", tmp_path / "link" / "a.csv")
