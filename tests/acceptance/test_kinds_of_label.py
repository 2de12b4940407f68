"""A worked study of each kind of label on drawn radiographs, from import to hold-out, report, prediction and heat map."""

from __future__ import annotations

import csv
import json
import re
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.demo.radiographs import CORTICES, GRADES, VISITS, draw_radiographs
from storage.database.opening import open_database
from tests.conftest import REPOSITORY
from workers.device.preparation import prepare
from workers.process.circumstances import Circumstances
from workers.process.worker import run_worker

Run = Callable[..., subprocess.CompletedProcess[str]]

DAYS = dict(zip(VISITS, (2, 42, 91, 183), strict=True))
KINDS: dict[str, dict[str, Any]] = {
    "view": {
        "task": "two-classes", "import": ["--class-column", "view", "--positive", "lateral"], "targets": ["view=lateral"],
        "metric": "val_auc", "figures": ["roc", "confusion", "calibration"], "header": ["filename", "label", "raw", "mean", "max", "min"],
    },
    "cortex": {
        "task": "classes", "import": ["--class-column", "cortex"], "targets": [f"cortex={name}" for name in sorted(CORTICES)],
        "metric": "val_auc", "figures": ["roc", "confusion", "calibration"],
        "header": ["filename", "label", "predicted", *(f"{name} {pool}" for name in sorted(CORTICES) for pool in ("raw", "mean", "max", "min"))],
    },
    "rust": {
        "task": "ordered", "import": ["--class-column", "rust"], "targets": [f"rust={grade}" for grade in GRADES],
        "metric": "val_quadratic_kappa", "figures": ["roc", "confusion", "calibration"],
        "header": ["filename", "label", "predicted", *(f"{grade} {pool}" for grade in GRADES for pool in ("raw", "mean", "max", "min"))],
    },
    "days": {
        "task": "number", "import": ["--task", "number", "--targets", "days"], "targets": ["days"],
        "metric": "neg_val_mae", "figures": ["agreement", "differences"], "header": ["filename", "label", "raw", "mean", "max", "min"],
    },
}  # fmt: skip
SPEC = """\
[study]
trials = 2
[model]
image_size = [48, 48]
{model}
[training]
epochs = 3
learning_rate = 0.01
threads = 1
[cv]
folds = 2
[pruner]
name = "none"
[search]
batch_size = {{type = "int", low = 8, high = 40}}
"""
FEATURES = 'backbone = "MobileNet"\nweights = "none"\nhead = [16]'
IMAGES = 'kind = "lenet"'
"""Few layers: built, saved and read in less time. A head on features is trained for every kind in tests/integration, too."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One table of every kind of label."""
    folder = tmp_path_factory.mktemp("kinds")
    path = draw_radiographs(folder / "raw", patients=10, size=48)
    with path.open(newline="") as file:
        rows = [describe(row) for row in csv.DictReader(file)]
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def describe(row: dict[str, str]) -> dict[str, object]:
    """One image: its view, the cortex that healed further and its grade, and the days since the fracture."""
    grades = {
        cortex: grade for cortex in CORTICES for grade in GRADES if row[f"{cortex}_cortex_{grade}"] == "1"
    }
    cortex = max(grades, key=grades.__getitem__, default="")
    return {
        "filename": row["filename"],
        "patient_id": row["patient_id"],
        "view": row["view"],
        "cortex": cortex,
        "rust": grades.get(cortex, ""),
        "days": DAYS[row["visit"]],
    }


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.thorough
@pytest.mark.parametrize("name", KINDS)
def test_a_study_of_each_kind_goes_from_import_to_heat_map(run_here: Run, folder: Path, name: str) -> None:
    kind = KINDS[name]
    # A database that remembers another kind's opened hold-out refuses these patients: the divisions differ.
    environment = {
        "ORCH_CACHE": str(folder / "cache"),
        "ORCH_STORAGE": f"sqlite:///{folder / f'{name}.db'}",
    }

    def orch(*words: object, cache: str = "cache") -> str:
        # Each data set seals patients of its own out of the same pictures, which a cache of all of them would remember.
        done = run_here(*words, environment={**environment, "ORCH_CACHE": str(folder / cache)}, folder=folder)
        assert done.returncode == 0, done.stderr
        return done.stdout

    table = ("--labels", "labels.csv", "--group", "patient_id", "--holdout", "0.2")
    words = ("data", "import", "raw/images", *table, *kind["import"], "--out", name, "--json")
    document = json.loads(orch(*words, cache=f"cache-{name}"))
    assert (document["task"], document["targets"]) == (kind["task"], kind["targets"])
    audit = json.loads(orch("data", "audit", name, "--no-images", "--json", cache=f"cache-{name}"))
    names = {one["name"] for one in audit["findings"]}
    assert not names & {"complement-targets", "target-confounds", "copy-targets", "blank-advised"}
    (folder / f"{name}.toml").write_text(SPEC.format(model=FEATURES if name == "cortex" else IMAGES))
    words = ("study", "create", name, "--spec", f"{name}.toml", "--data", name, "--json")
    assert json.loads(orch(*words, cache=f"cache-{name}"))["metric"] == kind["metric"]
    prepare(1, 2)  # what runs first in a process decides for all tests after it
    with closing(open_database(environment["ORCH_STORAGE"])) as database:
        run_worker(Circumstances(database), [name], [folder / name], folder / "cache")
    check_study(orch, folder, name, kind)


def check_study(orch: Callable[..., str], folder: Path, name: str, kind: dict[str, Any]) -> None:
    shown = json.loads(orch("study", "show", name, "--json"))
    assert shown["points"]["complete"] == 2
    assert shown["selection"]["correction"] == "bootstrap", name
    assert json.loads(orch("study", "verify", name, "--data", name, "--json"))["ok"]
    orch("study", "export", name, "-o", f"{name}.json")
    card = json.loads(
        orch("model", "train", "--from", f"{name}.json", "--data", name, "-o", f"{name}.keras", "--json")
    )
    assert card["task"] == kind["task"]
    evaluated = json.loads(
        orch(
            *("model", "evaluate", f"{name}.keras", "--data", name, "--open-holdout", "--again"),
            *("--resamples", "40", "--tta", "2", "--json"),
        )
    )
    rows = evaluated["results"]["raw"]["labels"]
    assert all(row["metrics"] for row in rows.values())
    orch("model", "predict", f"{name}.keras", name, "-o", f"{name}.csv", "--tta", "2")
    with (folder / f"{name}.csv").open(newline="") as file:
        header, *cells = list(csv.reader(file))
    assert header == kind["header"], name
    assert len(cells) == card["dataset"]["images"]
    if kind["task"] in ("classes", "ordered"):
        raw = [place for place, column in enumerate(header) if column.endswith(" raw")]
        sums = np.array([[float(row[place]) for place in raw] for row in cells]).sum(axis=1)
        np.testing.assert_allclose(sums, 1, atol=1e-4)
    written = json.loads(
        orch("model", "explain", f"{name}.keras", name, "-o", f"heat-{name}", "--limit", "2", "--json")
    )
    assert len(written) == 2
    orch("report", name, "-o", f"{name}.html", "--data", name)
    page = (folder / f"{name}.html").read_text()
    for figure in kind["figures"]:
        assert f'"s0-{figure}"' in page, (name, figure)
    # Each of the twelve questions of docs/twelve-questions.md has its place on the page of an evaluated study.
    questions = (REPOSITORY / "docs" / "twelve-questions.md").read_text()
    places = re.findall(r"`#([a-z0-9-]+)` \|$", questions, re.MULTILINE)
    assert len(places) == 12
    assert [place for place in places if f'id="{place}"' not in page] == []
