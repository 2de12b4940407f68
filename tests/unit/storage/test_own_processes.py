"""A process that orch starts finds the same orch, and nothing else that lies in the working folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import storage
from storage.own_processes import make_command


def run_without_installed_packages(program: str, folder: Path, *words: str) -> str:
    command = make_command(program, *words)
    # The interpreter behind a virtual environment has none of its packages, so that orch is not installed for it.
    bare = [sys._base_executable, "-S", *command[1:]]  # type: ignore[attr-defined]
    ended = subprocess.run(bare, cwd=folder, env={}, capture_output=True, text=True)
    return ended.stdout if ended.returncode == 0 else ended.stderr


def test_a_copy_of_the_source_that_was_never_installed_is_found(tmp_path: Path) -> None:
    said = run_without_installed_packages("import storage; print(storage.__file__)", tmp_path)
    assert said.strip() == storage.__file__


def test_a_module_in_the_working_folder_is_not_taken_for_a_part_of_the_program(tmp_path: Path) -> None:
    (tmp_path / "shutil.py").write_text("raise SystemExit('the module of somebody else')\n")
    (tmp_path / "storage.py").write_text("raise SystemExit('the module of somebody else')\n")
    said = run_without_installed_packages(
        "import shutil, sys, storage; print(shutil.__name__, sys.argv[1:])", tmp_path, "a b"
    )
    assert said.strip() == "shutil ['a b']"
