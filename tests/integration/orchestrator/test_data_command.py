"""`orch data import` and `show` as a user runs them."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from storage.data.datasets import load_dataset, read_columns
from storage.data.folds import make_folds
from storage.data.splitting import find_straddling
from tests.pictures import make_data

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def test_import_and_show(run_orch: Run, tmp_path: Path) -> None:
    make_data(tmp_path)
    arguments = (
        "images",
        "--labels",
        "labels.csv",
        "--group",
        "patient",
        "--holdout",
        "0.25",
        "--out",
        "data",
    )
    done = run_orch("data", "import", *arguments)
    assert done.returncode == 0, done.stderr
    assert "labels       2: a, b" in done.stdout
    assert "orch study create" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    shown = run_orch("data", "show", "data", "--json")
    document = json.loads(shown.stdout)
    assert document["fingerprint"] == load_dataset(tmp_path / "data").fingerprint
    assert (document["development"]["images"], document["holdout"]["images"]) == (18, 6)
    assert document["targets"] == ["a", "b"]
    assert document["openings"] == []
    assert not [
        warning
        for warning in document["warnings"]
        if "is small" not in warning and "cannot score" not in warning
    ]


def test_several_group_columns_and_warnings(run_orch: Run, tmp_path: Path) -> None:
    make_data(tmp_path)
    done = run_orch(
        "data",
        "import",
        "images",
        "--labels",
        "labels.csv",
        "--group",
        "patient,visit",
        "--out",
        "data",
        "--json",
    )
    assert json.loads(done.stdout)["groups"] == 24
    done = run_orch("data", "import", "images", "--labels", "labels.csv", "--no-group", "--out", "ungrouped")
    assert "warning: No group column was named" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--group", "patint"), "Did you mean 'patient'"),
        (("--holdout", "0.2", "--split", "visit"), "--holdout and --split were both given"),
        (("--no-group", "--split", "visit"), "not train, valid or test"),
        (("--no-group", "--targets", "visit"), "not 0, 1 or blank"),
        (("--no-group", "--group", "patient"), "--no-group and a group were both given"),
        (("--group", ""), "--group names no column"),
        (("--group-pattern", ""), "--group-pattern names no pattern"),
        (("--no-group", "--split", " "), "--split names no column"),
        (
            (),
            "--group was not given, and column 'patient' of labels.csv seems to name the patients: 12 for 24 images",
        ),
        (("--labels", "label.csv"), "Did you mean labels.csv?"),
    ],
)
def test_wrong_usage_is_exit_2_and_one_message(
    run_orch: Run, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    make_data(tmp_path)
    done = run_orch("data", "import", "images", "--labels", "labels.csv", "--out", "data", *arguments)
    assert done.returncode == 2
    assert says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "data").exists()
    # A hold-out that is sealed by mistake would stand in the way of the import that follows.
    assert not list(tmp_path.rglob("sealed*"))


def test_show_notices_a_changed_image(run_orch: Run, tmp_path: Path) -> None:
    make_data(tmp_path)
    run_orch("data", "import", "images", "--labels", "labels.csv", "--no-group", "--out", "data")
    load_dataset(tmp_path / "data").files[0].unlink()
    done = run_orch("data", "show", "data")
    assert done.returncode == 2
    assert "not where they were" in done.stderr


def test_the_chest_x_rays(run_orch: Run, chest_xray: Path, tmp_path: Path) -> None:
    done = run_orch(
        *("data", "import", chest_xray / "images", "--labels", chest_xray / "labels.csv"),
        *("--group", "patient_id", "--holdout", "0.15", "--out", "chest", "--json"),
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["task"], document["targets"]) == ("two-classes", ["pneumonia"])
    assert document["classes"] == ["no_finding", "pneumonia"]
    assert (document["images"], document["groups"]) == (614, 417)
    assert 0.13 < document["holdout"]["images"] / 614 < 0.17
    for side in ("development", "holdout"):
        assert 0.46 < document[side]["labels"]["pneumonia"]["prevalence"] < 0.54
    dataset = load_dataset(tmp_path / "chest")
    with (chest_xray / "labels.csv").open() as file:
        patient_of = {row["filename"]: row["patient_id"] for row in csv.DictReader(file)}
    kept = {path.name for path in dataset.files}
    assert not {patient_of[name] for name in kept} & {patient_of[name] for name in patient_of.keys() - kept}
    patients = np.unique(read_columns(dataset)["patient_id"], return_inverse=True)[1]
    folds = make_folds(dataset.labels, dataset.groups, 6, seed=1337)
    assert find_straddling(patients, [validation for _, validation in folds]) == []
    for _, validation in folds:
        assert abs(dataset.labels[validation].mean() - dataset.labels.mean()) < 0.05
