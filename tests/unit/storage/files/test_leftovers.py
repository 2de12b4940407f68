"""What a killed writer leaves is removed; what a living one writes is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from storage.files import leftovers, writing
from storage.files.leftovers import STALE_SECONDS, name_partial, scratch, sweep


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has looked through no folder yet."""
    monkeypatch.setattr(writing, "_swept", set())


def killed_process() -> int:
    """The number of a process that is over."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def leave(path: Path, *, machine: str = "", pid: int | None = None, age: float = 0.0) -> Path:
    """An unfinished file of some process, last written to `age` seconds ago."""
    partial = name_partial(path)
    words = partial.name.split(".orch-")[0]
    here = leftovers._this_machine()
    left = partial.with_name(
        f"{words}.orch-{machine or here}-{pid or os.getpid()}-{'0' * 8}.partial{path.suffix}"
    )
    left.write_bytes(b"half of it")
    os.utime(left, (time.time() - age, time.time() - age))
    return left


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path: Path, forgetful: None) -> None:
    left = leave(tmp_path / "other.json", pid=killed_process())
    writing.write_text(tmp_path / "best.json", "{}")
    assert not left.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["best.json"]


def test_a_scratch_folder_goes_with_its_process_or_with_the_next_one(tmp_path: Path) -> None:
    killed = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, pathlib, signal, sys; from storage.files.leftovers import scratch\n"
            "with scratch(pathlib.Path(sys.argv[1])) as folder:\n"
            "    (folder / 'half').write_bytes(b'half'); os.kill(os.getpid(), signal.SIGKILL)",
            tmp_path,
        ],
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    with scratch(tmp_path) as first, scratch(tmp_path) as second:
        assert not left.exists()
        assert {first, second} == set(tmp_path.iterdir()), "who lives keeps its folder"
        assert first.stat().st_mode & 0o077 == 0, "it may hold what is of patients"
    assert not any(tmp_path.iterdir())


def test_a_file_that_must_be_new_removes_what_a_killed_writer_left(tmp_path: Path, forgetful: None) -> None:
    left = leave(tmp_path / "map.png", pid=killed_process())
    writing.make_exclusively(tmp_path / "map.png", b"whole")
    assert not left.exists()


@pytest.mark.parametrize(
    ("machine", "age", "stays"),
    [("", 10 * STALE_SECONDS, True), ("0" * 8, 60.0, True), ("0" * 8, STALE_SECONDS + 60, False)],
)
def test_what_may_still_be_written_stays(tmp_path: Path, machine: str, age: float, stays: bool) -> None:
    """Here a living process decides, elsewhere the time of the last byte: a shared folder has writers of all machines."""
    parent = os.getppid()
    left = leave(tmp_path / "best.json", machine=machine, pid=parent, age=age)
    sweep(tmp_path)
    assert left.exists() == stays


def test_files_of_other_programs_stay(tmp_path: Path) -> None:
    names = (".best.x.partial.json", "mine.partial", f".a.orch-{'0' * 8}-1.partial", "x.tmp")
    for name in names:
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (0, 0))
    assert sweep(tmp_path) == 0


def test_an_unfinished_folder_is_removed_whole(tmp_path: Path) -> None:
    left = tmp_path / f".data.orch-{leftovers._this_machine()}-{killed_process()}-{'0' * 8}.partial"
    left.mkdir()
    (left / "manifest.json").write_text("{}")
    assert sweep(tmp_path) == 1
    assert not left.exists()


def test_names_are_unique_and_short_and_keep_the_suffix(tmp_path: Path) -> None:
    """Two machines may agree in name, start and process number where containers were cloned."""
    path = tmp_path / f"{'é' * 100}.keras"
    names = {name_partial(path).name for _ in range(100)}
    assert len(names) == 100
    assert all(len(name.encode()) < 200 and name.endswith(".keras") for name in names)
    writing.write_text(tmp_path / f"{'n' * 250}.json", "{}")


def test_content_is_on_the_disk_before_the_name_and_the_name_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    real_sync, real_replace = os.fsync, Path.replace

    def note_sync(handle: int) -> None:
        real_sync(handle)
        done.append("folder" if Path(f"/proc/self/fd/{handle}").readlink() == tmp_path else "content")

    def note_replace(path: Path, target: Path) -> Path:
        done.append("name")
        return real_replace(path, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(Path, "replace", note_replace)
    writing.write_text(tmp_path / "best.json", "{}")
    assert done == ["content", "name", "folder"]

    partial = tmp_path / "partial"
    partial.mkdir()
    (partial / "manifest.json").write_text("{}")
    done.clear()
    writing.install_folder(partial, tmp_path / "data")
    assert done == ["content", "content", "name", "folder"]


def test_files_of_patients_are_private_unless_their_owner_opened_them(tmp_path: Path) -> None:
    private, shared = tmp_path / "predictions.csv", tmp_path / "best.json"
    for _ in range(2):
        writing.write_text(private, "x", private=True)
        writing.write_text(shared, "x")
    mask = os.umask(0)
    os.umask(mask)
    assert private.stat().st_mode & 0o777 == 0o600
    assert shared.stat().st_mode & 0o777 == 0o666 & ~mask
    private.chmod(0o640)
    writing.write_text(private, "y", private=True)
    assert private.stat().st_mode & 0o777 == 0o640
