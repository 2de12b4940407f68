"""Writers that are killed at any instant: what was there stays whole, or the new is; and the next writer finds its way."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from storage.files.checkpoints import Checkpoint
from storage.files.writing import install_folder, make_exclusively, replacing, write_bytes, write_text

OLD, NEW = b"old" * 1000, b"new" * 2000
INSTANTS = 60
KILLED = 77
"""Exit code of a writer that was killed by the test."""


def in_two_parts(path: Path) -> None:
    """Written piece by piece; to be killed in the middle is one of the instants."""
    with replacing(path) as partial, partial.open("wb") as file:
        for half in (NEW[:1000], NEW[1000:]):
            file.write(half)
            file.flush()
            partial.stat()


def folder_of_files(path: Path) -> None:
    """A whole folder that gets its name when it is finished; the file asked about is one of its files."""
    folder = path.parent / "partial"
    folder.mkdir(exist_ok=True)
    (folder / path.name).write_bytes(NEW)
    install_folder(folder, path.parent / "whole")


def checkpoint(path: Path) -> Checkpoint:
    return Checkpoint(path.parent, "study", 0, "key")


WRITERS: dict[str, Callable[[Path], object]] = {
    "bytes": lambda path: write_bytes(path, NEW),
    "private bytes": lambda path: write_bytes(path, NEW, private=True),
    "a text": lambda path: write_text(path, NEW.decode()),
    "in two parts": in_two_parts,
}


def be_killed_at(instant: int, write: Callable[[], object]) -> int:
    """Run a writer in a child process that ends before its n-th call of the system; returns the exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    left = instant

    def count(event: str, _: object) -> None:
        nonlocal left
        if event in ("open", "shutil.rmtree") or event.startswith("os."):
            left -= 1
            if left < 0:
                os._exit(KILLED)

    try:
        sys.addaudithook(count)
        write()
        os._exit(0)
    except BaseException:
        os._exit(99)


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("before", [None, OLD])
def test_a_file_is_the_old_one_or_the_new_one(tmp_path: Path, name: str, before: bytes | None) -> None:
    found = set()
    for instant in range(INSTANTS):
        folder = tmp_path / str(instant)
        folder.mkdir()
        path = folder / "file.txt"
        if before is not None:
            path.write_bytes(before)
        code = be_killed_at(instant, lambda path=path: WRITERS[name](path))
        assert code in (0, KILLED)
        content = path.read_bytes() if path.exists() else None
        assert content in (before, NEW)
        found.add(content)
        WRITERS[name](path)
        assert path.read_bytes() == NEW
        assert [entry.name for entry in folder.iterdir()] == ["file.txt"], "what was left is removed"
        if code == 0:
            break
    else:
        pytest.fail("the writer never got to its end")
    assert found == {before, NEW}


def test_a_name_that_is_given_once_has_all_of_its_content_or_none(tmp_path: Path) -> None:
    for instant in range(INSTANTS):
        path = tmp_path / str(instant)
        code = be_killed_at(instant, lambda path=path: make_exclusively(path, NEW))
        assert code in (0, KILLED)
        assert not path.exists() or path.read_bytes() == NEW
        if code == 0:
            with pytest.raises(FileExistsError):
                make_exclusively(path, OLD)
            return
    pytest.fail("the writer never got to its end")


def test_a_folder_has_its_name_when_all_is_in_it(tmp_path: Path) -> None:
    for instant in range(INSTANTS):
        folder = tmp_path / str(instant)
        folder.mkdir()
        code = be_killed_at(instant, lambda folder=folder: folder_of_files(folder / "file.txt"))
        assert code in (0, KILLED)
        whole = folder / "whole"
        assert not whole.exists() or (whole / "file.txt").read_bytes() == NEW
        if code == 0:
            return
    pytest.fail("the writer never got to its end")


def test_a_checkpoint_is_that_of_one_epoch(tmp_path: Path) -> None:
    """Epoch and weights are of one moment: the earlier one or the later one."""
    for instant in range(INSTANTS):
        folder = tmp_path / str(instant)
        folder.mkdir()
        keeper = checkpoint(folder / "x")
        keeper.save(1, lambda: {"weights": np.full(1000, 1.0)})
        code = be_killed_at(
            instant, lambda keeper=keeper: keeper.save(2, lambda: {"weights": np.full(1000, 2.0)})
        )
        assert code in (0, KILLED)
        loaded = keeper.load()
        assert loaded is not None
        _, epoch, arrays = loaded
        assert (arrays["weights"] == epoch).all()
        if code == 0:
            assert epoch == 2
            return
    pytest.fail("the writer never got to its end")
