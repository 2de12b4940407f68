"""A folder is tried by what is done with it: files that are written and renamed, locks that keep others out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.machine import stores
from orchestrator.machine.stores import find_lock_fault, find_write_fault


def test_an_ordinary_folder_is_without_fault_and_left_as_it_was(tmp_path: Path) -> None:
    assert find_write_fault(tmp_path) == ""
    assert find_lock_fault(tmp_path) == ""
    assert find_lock_fault(tmp_path, of_sqlite=True) == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", ["nowhere", "file"])
def test_what_is_no_folder_is_said(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").write_text("")
    assert find_write_fault(tmp_path / folder).startswith("it cannot be written to: ")
    assert find_lock_fault(tmp_path / folder, of_sqlite=True).startswith("no lock can be taken in it: ")


def test_a_disk_without_room_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "TRIED", b"x")
    # The one device that every Linux has whose every write fails so.
    assert "space" in find_write_fault_of_full_device(monkeypatch)


def find_write_fault_of_full_device(monkeypatch: pytest.MonkeyPatch) -> str:
    opened = Path.open

    def full(path: Path, *arguments: object, **options: object) -> object:
        return opened(Path("/dev/full"), "wb", buffering=0) if "w" in str(arguments[0]) else opened(path)

    monkeypatch.setattr(Path, "open", full)
    return find_write_fault(Path("/tmp"))


@pytest.mark.parametrize("of_sqlite", [True, False])
def test_locks_that_keep_nobody_out_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of_sqlite: bool
) -> None:
    """As on some network file systems: whoever asks for a lock has it."""

    @contextlib.contextmanager
    def held(path: Path, _: bool) -> Iterator[None]:
        path.touch()
        yield

    monkeypatch.setattr(stores, "_held", held)
    assert find_lock_fault(tmp_path, of_sqlite=of_sqlite).startswith("locks do not hold in it")
