"""A machine that only looks has neither Keras nor a backend: what a coordinator runs works there all the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

PROGRAM = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from importlib.machinery import PathFinder

class Without(PathFinder):  # as where they are not installed
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        hidden = name.partition(".")[0] in ("keras", "tensorflow", "jax", "jaxlib", "torch")
        return None if hidden else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Without
from orchestrator.cli import run
from orchestrator.demo.radiographs import draw_radiographs
from tests.studies import PretendObjective
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker
from storage.database.opening import open_database
from storage.studies.study import load_study

draw_radiographs(__import__("pathlib").Path("raw"), patients=14, size=32)
codes = {}

def orch(*words):
    codes[" ".join(words)] = run(words)

orch("db", "init")
orch("data", "import", "raw/images", "--labels", "raw/labels.csv", "--group", "patient_id", "--out", "data")
orch("data", "show", "data")
orch("data", "audit", "data")
orch("study", "create", "s", "--regime", "I", "--trials", "3", "--data", "data", "--set", "model.weights=none", "--set", "cv.folds=3")
orch("study", "stop", "s")
orch("study", "resume", "s")
database = open_database("sqlite:///orch.db")
Worker(Circumstances(database), lambda _: PretendObjective()).run(lambda: [load_study(database, "s")])
database.close()
orch("study", "list")
orch("study", "show", "s")
orch("study", "watch", "s")
orch("study", "export", "s", "-o", "best.json", "--trials-csv", "t.csv", "--folds-csv", "f.csv", "--spec-toml", "s.toml")
orch("trial", "show", "s", "0")
orch("status", "--all")
orch("report", "s", "-o", "report.html")
orch("db", "check")
orch("db", "backup", "kept.db")
orch("study", "delete", "s", "--yes")
loaded = [name for name in ("keras", "tensorflow", "jax") if sys.modules.get(name) is not None]
json.dump([codes, loaded], open("told.json", "w"))
os._exit(0)
"""


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_a_coordinator_runs_needs_neither_keras_nor_a_backend(tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "ORCH_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(REPOSITORY)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    codes, loaded = json.loads((tmp_path / "told.json").read_text())
    assert {words: code for words, code in codes.items() if code} == {}, done.stderr
    assert loaded == []
