"""A checkpoint is what was saved, or none."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from storage.files.checkpoints import SEAL_BYTES, Checkpoint

ARRAYS = {"weights": np.arange(40, dtype=np.float32), "step": np.array(7)}


def checkpoint(folder: Path) -> Checkpoint:
    return Checkpoint(folder, "uuid", 3, "key")


def same(found: dict[str, np.ndarray]) -> bool:
    return found.keys() == ARRAYS.keys() and all(np.array_equal(found[name], ARRAYS[name]) for name in ARRAYS)


def test_whatever_bit_flips_the_trial_begins_again_or_goes_on_from_what_was_saved(tmp_path: Path) -> None:
    kept = checkpoint(tmp_path)
    kept.save(5, lambda: ARRAYS, fold=2)
    assert kept.path is not None
    content = kept.path.read_bytes()
    noticed = 0
    for place in range(0, len(content), 7):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        kept.path.write_bytes(damaged)
        found = kept.load()
        assert found is None or (found[:2] == (2, 5) and same(found[2])), place
        noticed += found is None
    # Only in the mark itself a flip is not noticed, where it does no harm.
    assert noticed >= (len(content) - 8) // 7
    for size in (0, 1, 30, len(content) - 1, len(content) - SEAL_BYTES - 1):
        kept.path.write_bytes(content[:size])
        found = kept.load()
        assert found is None or same(found[2])


def test_a_checkpoint_of_an_earlier_orch_is_taken(tmp_path: Path) -> None:
    kept = checkpoint(tmp_path)
    kept.save(5, lambda: ARRAYS)
    assert kept.path is not None
    os.truncate(kept.path, kept.path.stat().st_size - SEAL_BYTES)
    found = kept.load()
    assert found is not None
    assert same(found[2])


def test_a_settled_point_leaves_nothing_of_any_writer(tmp_path: Path) -> None:
    kept = checkpoint(tmp_path)
    kept.save(5, lambda: ARRAYS)
    assert kept.path is not None
    folder = kept.path.parent
    for name in ("3.npz.4711.tmp", ".3.orch-00000000-1-00000000.partial.npz"):
        (folder / name).write_bytes(b"half")
    others = ["13.npz", ".13.orch-00000000-1-00000000.partial.npz", "13.npz.4711.tmp"]
    for name in others:
        (folder / name).write_bytes(b"of another point")
    kept.remove()
    assert sorted(path.name for path in folder.iterdir()) == sorted(others)


@pytest.mark.parametrize("arrays", [{}, {"weights": np.zeros(3)}])
def test_a_folder_that_cannot_be_written_costs_the_checkpoint_alone(
    tmp_path: Path, arrays: dict[str, np.ndarray], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "checkpoints").write_text("a file in the way")
    kept = checkpoint(tmp_path)
    kept.save(1, lambda: arrays)
    assert "No checkpoint could be written" in caplog.text
    assert kept.load() is None
