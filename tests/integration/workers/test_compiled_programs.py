"""What JAX has compiled is kept on disk: for the next process, safely, and without what a kill cut off."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")

TRAIN = """
from tests.small_heads import make_trainer
from workers.device import preparation
preparation.prepare(1)
trainer = make_trainer(19)
print(trainer.run_epoch(1).train_loss)
"""


def train(cache: Path, **environment: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", TRAIN],
        env={
            **{name: value for name, value in os.environ.items() if "COMPILATION_CACHE" not in name},
            "KERAS_BACKEND": "jax",
            "ORCH_CACHE": str(cache),
            "JAX_DISABLE_MOST_OPTIMIZATIONS": "true",  # a program that is compiled sooner is kept as any other
            **environment,
        },
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def programs(cache: Path) -> dict[str, int]:
    """The compiled programs, and when each was written."""
    return {file.name: file.stat().st_mtime_ns for file in cache.glob("xla-*/*-cache")}


@pytest.mark.thorough
def test_a_second_process_compiles_nothing_and_one_that_was_cut_off_is_compiled_again(tmp_path: Path) -> None:
    first = train(tmp_path)
    compiled = programs(tmp_path)
    assert any("jit_run" in name for name in compiled), sorted(compiled)
    (folder,) = tmp_path.glob("xla-*")
    assert folder.stat().st_mode & 0o777 == 0o700
    torn = next(file for file in folder.glob("*jit_run-*-cache"))
    torn.write_bytes(torn.read_bytes()[:100])
    assert train(tmp_path) == first
    again = programs(tmp_path)
    assert again.keys() == compiled.keys()
    assert {name for name in again if again[name] != compiled[name]} == {torn.name}
    assert len(torn.read_bytes()) > 100


def test_a_folder_that_others_may_write_to_is_not_used_and_one_of_the_user_is(tmp_path: Path) -> None:
    from workers.backends.jax import programs as room

    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    assert not room.is_own(open_to_all)
    open_to_all.chmod(0o700)
    assert room.is_own(open_to_all)


def test_entries_are_looked_at_once_and_damaged_ones_deleted(tmp_path: Path) -> None:
    from workers.backends.jax import programs as room

    whole, torn = tmp_path / "one-cache", tmp_path / "two-cache"
    whole.write_bytes(zlib.compress(b"x" * 1000))
    torn.write_bytes(zlib.compress(bytes(range(256)) * 9)[:40])
    (tmp_path / "two-atime").touch()
    assert room.drop_damaged(tmp_path) == ["two-cache"]
    assert sorted(file.name for file in tmp_path.glob("[a-z]*")) == ["checked", "one-cache"]
    os.utime(whole, (1, 1))
    whole.write_bytes(b"")
    os.utime(whole, (1, 1))
    assert room.drop_damaged(tmp_path) == [], "older than the last look"
