"""Where the temporary files of the tests lie."""

import os
import subprocess
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import memory_folder
from tests.memory_folder import keep_temporary_files_in_memory


@pytest.fixture(autouse=True)
def _found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "set here, to be as before afterwards")
    monkeypatch.delenv("TMPDIR")
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(memory_folder, "ENOUGH", 1)


def test_they_lie_in_memory_here_and_in_programs_that_are_started(tmp_path: Path) -> None:
    keep_temporary_files_in_memory(tmp_path)
    assert tempfile.gettempdir() == str(tmp_path)
    made = subprocess.run(["sh", "-c", 'echo "$TMPDIR"'], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == str(tmp_path)


def test_they_lie_where_somebody_wants_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "mine"))
    keep_temporary_files_in_memory(tmp_path)
    assert os.environ["TMPDIR"] == str(tmp_path / "mine")


def test_they_lie_on_disk_where_there_is_too_little_memory_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_temporary_files_in_memory(tmp_path / "none")
    assert "TMPDIR" not in os.environ
    monkeypatch.setattr(memory_folder, "ENOUGH", 2**62)
    keep_temporary_files_in_memory(tmp_path)
    assert "TMPDIR" not in os.environ


def test_they_lie_on_disk_where_no_program_may_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flag = getattr(os, "ST_NOEXEC", 0)
    mounted = SimpleNamespace(f_flag=flag, f_bavail=1000, f_frsize=1000)
    monkeypatch.setattr(os, "statvfs", lambda _: mounted)
    keep_temporary_files_in_memory(tmp_path)
    assert ("TMPDIR" in os.environ) == (not flag)
