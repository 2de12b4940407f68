"""A search over models by two workers on PostgreSQL: killed, resumed, verified, replayed, refitted and evaluated. Workers that are killed are the installed command; what follows runs in this process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.demo.radiographs import draw_radiographs
from storage.database.opening import open_database
from storage.studies.points import list_points
from storage.studies.study import load_study
from workers.process.circumstances import Circumstances
from workers.process.worker import run_worker

SPEC = """
[study]
trials = 8
seed = 0
lease_seconds = 6
[model]
weights = "none"
image_size = [40, 48]
extraction_batch = 16
[training]
epochs = 2
augmentation = "none"
threads = 1
[cv]
folds = 2
[pruner]
name = "fast"
[search.backbone]
type = "choice"
values = ["MobileNet", "MobileNetV2"]
[search.head_depth]
type = "int"
low = 1
high = 2
[search.head_width_1]
type = "int"
low = 8
high = 32
step = 8
[search.head_width_2]
type = "choice"
values = [4, 8]
when = { head_depth = [2] }
[search.optimizer]
type = "choice"
values = ["adam", "sgd"]
[search.momentum]
type = "float"
low = 0.5
high = 0.95
when = { optimizer = ["sgd"] }
[search.batch_size]
type = "int"
low = 8
high = 32
log = true
"""


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_search_over_models_is_killed_resumed_and_taken_to_its_end(
    orch_program: Path,
    run_here: Callable[..., subprocess.CompletedProcess[str]],
    postgres_url: str,
    tmp_path: Path,
) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ORCH_")}
    environment = {
        **clean, "ORCH_CACHE": str(tmp_path / "cache"), "ORCH_STORAGE": postgres_url, "CUDA_VISIBLE_DEVICES": "-1",
    }  # fmt: skip

    def orch(*words: object) -> str:
        done = run_here(*words, environment={"ORCH_STORAGE": postgres_url})
        assert done.returncode == 0, done.stderr
        return done.stdout

    def settled() -> int:
        with closing(open_database(postgres_url)) as database:
            study = load_study(database, "models")
            return sum(point.state.is_settled for point in list_points(database, study.uuid))

    draw_radiographs(tmp_path / "raw", patients=16, size=64)
    orch("data", "import", "raw/images", "--labels", "raw/labels.csv", "--group", "patient_id", "--holdout", "0.2", "--out", "data")  # fmt: skip
    (tmp_path / "study.toml").write_text(SPEC)
    cost = json.loads(
        orch("study", "create", "models", "--spec", "study.toml", "--data", "data", "--dry-run", "--json")
    )
    assert len(cost["estimate"]["extractions"]) == 2
    orch("study", "create", "models", "--spec", "study.toml", "--data", "data")

    worker = [orch_program, "worker", "models", "--gpus", "none"]
    with (tmp_path / "killed.log").open("w") as log:
        killed = [
            subprocess.Popen(worker, cwd=tmp_path, env=environment, stderr=log, start_new_session=True)
            for _ in range(2)
        ]
        until = time.monotonic() + 900
        while settled() < 2 and time.monotonic() < until and any(one.poll() is None for one in killed):
            time.sleep(0.2)
        for one in killed:
            os.killpg(one.pid, signal.SIGKILL)
            one.wait()
    assert 2 <= settled() < 8, (tmp_path / "killed.log").read_text()
    features = sorted((tmp_path / "cache" / "features").glob("*/values.npy"))
    times = [path.stat().st_mtime_ns for path in features]

    with closing(open_database(postgres_url)) as database:
        run_worker(Circumstances(database), ["models"], [tmp_path / "data"], tmp_path / "cache")
    assert settled() == 8
    # What was extracted was kept.
    assert [path.stat().st_mtime_ns for path in features] == times
    found = json.loads(orch("study", "verify", "models", "--data", "data", "--json"))
    assert found["ok"], found["problems"]
    assert found["attempts"]["complete"] + found["attempts"]["pruned"] == 8
    orch(
        "study",
        "export",
        "models",
        "-o",
        "best.json",
        "--trials-csv",
        "trials.csv",
        "--spec-toml",
        "again.toml",
    )
    best = json.loads((tmp_path / "best.json").read_text())
    assert json.loads(orch("trial", "replay", "models", best["trial"], "--data", "data", "--json"))[
        "identical"
    ]
    orch("model", "train", "--from", "best.json", "--data", "data", "-o", "model.keras")
    card = json.loads((tmp_path / "model.card.json").read_text())
    assert card["image_size"] == [40, 48]
    judged = json.loads(
        orch("model", "evaluate", "model.keras", "--data", "data", "--open-holdout", "--json")
    )
    assert judged
    again = json.loads(
        orch("study", "create", "again", "--spec", "again.toml", "--data", "data", "--dry-run", "--json")
    )
    assert again["search"] == cost["search"]
    # The winner's model, with nothing but its batch size searched.
    fixed = json.loads(
        orch("study", "create", "fixed", "--from", "best.json", "--data", "data", "--dry-run", "--json",
             "--set", 'search.batch_size={type="choice", values=[8, 16]}')
    )  # fmt: skip
    assert best["params"]["backbone"] in fixed["model"]
    orch("report", "models", "-o", "report.html")
