"""The synthetic radiographs: equal for equal seeds, labelled as the published study, and learnable."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from orchestrator.demo.radiographs import TARGETS, draw_radiographs
from orchestrator.importing.choices import Choices
from orchestrator.importing.imports import import_dataset
from storage.data.folds import make_folds


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("radiographs")
    draw_radiographs(folder, patients=40, size=96)
    return folder


def test_equal_seeds_draw_equal_images(tmp_path: Path) -> None:
    first, again, other = (
        draw_radiographs(tmp_path / name, patients=2, size=64, seed=seed).parent
        for name, seed in (("first", 1), ("again", 1), ("other", 2))
    )
    names = sorted(path.name for path in (first / "images").iterdir())
    assert names == sorted(path.name for path in (again / "images").iterdir())
    for name in names:
        assert (first / "images" / name).read_bytes() == (again / "images" / name).read_bytes()
    assert (first / "labels.csv").read_bytes() == (again / "labels.csv").read_bytes()
    shared = set(names) & {path.name for path in (other / "images").iterdir()}
    assert shared
    assert all(
        (first / "images" / name).read_bytes() != (other / "images" / name).read_bytes() for name in shared
    )


def test_each_view_carries_its_two_cortices(drawn: Path) -> None:
    with (drawn / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    seen = {"AP": set(), "lateral": set()}
    for row in rows:
        assert (row["view_antpr"], row["view_later"]) == (("1", "0") if row["view"] == "AP" else ("0", "1"))
        for cortex in ("medial", "lateral", "anterior", "posterior"):
            grades = [row[f"{cortex}_cortex_{grade}"] for grade in (1, 2, 3, 4)]
            assert grades == [""] * 4 or sorted(grades) == ["0", "0", "0", "1"]
            if grades != [""] * 4:
                seen[row["view"]].add(cortex)
    assert seen == {"AP": {"anterior", "posterior"}, "lateral": {"medial", "lateral"}}
    assert all({"0", "1"} <= {row[target] for row in rows} for target in TARGETS)
    with Image.open(drawn / "images" / rows[0]["filename"]) as image:
        assert (image.mode, image.size, image.format) == ("L", (96, 96), "JPEG")


def test_they_import_and_can_be_learned(drawn: Path, tmp_path: Path) -> None:
    dataset = import_dataset(
        drawn / "images", drawn / "labels.csv", tmp_path / "data", Choices(group_columns=("patient_id",))
    )
    assert dataset.targets == TARGETS
    pixels = np.stack([np.asarray(Image.open(path).resize((24, 24))).ravel() for path in dataset.files]) / 255
    scores = []
    for train, validation in make_folds(dataset.labels, dataset.groups, 2, seed=0):
        for labels in dataset.labels.T:
            known, judged = (side[~np.isnan(labels[side])] for side in (train, validation))
            if len(set(labels[judged])) == 2:
                model = LogisticRegression(C=0.05, solver="liblinear").fit(pixels[known], labels[known])
                scores.append(roc_auc_score(labels[judged], model.decision_function(pixels[judged])))
    assert np.mean(scores) > 0.65
