"""The lines of docs/python.md, run as they stand there: a study is created, worked off and read without the command line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.demo.radiographs import draw_radiographs
from orchestrator.importing.choices import Choices
from orchestrator.importing.imports import import_dataset
from storage.database.opening import open_database
from storage.studies.points import list_points
from storage.studies.study import load_study
from tests.conftest import REPOSITORY

SPEC = """\
[study]
regime = "custom"
trials = 3
[model]
backbone = "MobileNet"
weights = "none"
image_size = [32, 32]
pooling = "avg"
head = [4]
[training]
epochs = 4
batch_size = 64
threads = 1
[cv]
folds = 2
[search]
learning_rate = { type = "float", low = 1e-3, high = 1e-1, log = true }
[pruner]
name = "none"
"""


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ten_lines_create_work_off_and_read_a_study(tmp_path: Path) -> None:
    draw_radiographs(tmp_path / "raw", patients=14, size=32)
    choices = Choices(group_columns=("patient_id",))
    import_dataset(
        tmp_path / "raw" / "images", tmp_path / "raw" / "labels.csv", tmp_path / "my-data", choices
    )
    (tmp_path / "study.toml").write_text(SPEC)
    [code] = re.findall(r"```python\n(.*?)```", (REPOSITORY / "docs" / "python.md").read_text(), re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ORCH_")}
    environment = {
        "ORCH_CACHE": str(tmp_path / "cache"),
        "KERAS_BACKEND": "jax",  # the one worker under JAX that runs from its start to its end
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "true",  # compiled sooner
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "3 of 3 trials are complete"
    with closing(open_database(f"sqlite:///{tmp_path / 'orch.db'}")) as database:
        points = list_points(database, load_study(database, "first").uuid)
    assert float(lines[1].split()[-1]) == max(point.value for point in points if point.value is not None)
    assert [line.split()[:2] for line in lines[2:]] == [["1", "2"], ["1", "3"], ["1", "4"]]
