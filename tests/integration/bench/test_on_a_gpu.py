"""`bench.on_a_gpu` in its short form: GPU time is too dear for typing errors, and what was measured must outlive a stage."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import on_a_gpu
from bench.on_a_gpu import STAGES, Found, Place, run_stage
from tests.conftest import REPOSITORY


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.timeout(1800)
def test_every_stage_of_a_rehearsal_ends_well(tmp_path: Path, chest_xray: Path) -> None:
    places = ("--data", chest_xray, "--out", tmp_path / "out", "--work", tmp_path / "work")
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "bench.on_a_gpu", *map(str, places)),
            *("--rehearse", "--minutes", "25"),
        ],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    results = json.loads((tmp_path / "out" / "on-a-gpu.json").read_text())
    assert list(results) == list(STAGES)
    assert not [name for name, found in results.items() if "skipped" in found]
    assert results["facts"]["relative error of a float32 product, highest"] < 1e-5
    assert results["whole"]["the same values"]
    assert results["replay"]["trial 0"]["identical"]
    assert results["chaos"]["kills"] == 2
    assert results["chaos"]["same values"]
    assert (tmp_path / "out" / "facts.log").is_file()


def test_a_stage_that_is_cut_off_leaves_what_it_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(REPOSITORY)
    # It measures the products first, and cannot be through in this time.
    monkeypatch.setitem(STAGES, "facts", on_a_gpu.Stage(1, "speed", ""))
    place = Place(tmp_path, tmp_path, "facts", rehearse=True)
    Found(tmp_path / "facts.json")["of an earlier call"] = 1
    result = run_stage(place, 0.2)
    assert result["cut off"] == "after 0 s"
    assert "of an earlier call" not in result


def test_every_stage_is_a_function_of_its_module() -> None:
    for name, stage in STAGES.items():
        text = (REPOSITORY / "bench" / "gpu" / f"{stage.module}.py").read_text()
        assert f"def run_{name}(place: Place, found: Found)" in text


def test_an_entry_is_written_at_once_and_whole(tmp_path: Path) -> None:
    found = Found(tmp_path / "found.json")
    found["one"] = 1.5
    found["two"] = {"deep": [True]}
    assert json.loads((tmp_path / "found.json").read_text()) == {"one": 1.5, "two": {"deep": [True]}}
    assert list(tmp_path.iterdir()) == [tmp_path / "found.json"]
