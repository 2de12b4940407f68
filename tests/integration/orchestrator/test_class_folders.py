"""Class folders, and the reference study's own table, are read as they are."""

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.importing.class_folders import read_class_folders
from storage.data.datasets import load_dataset
from storage.errors import DataError
from tests.pictures import write_image, write_table

Run = Callable[..., subprocess.CompletedProcess[str]]


def write_classes(folder: Path, **counts: int) -> Path:
    seed = 0
    for name, count in counts.items():
        for number in range(count):
            # The same names in both folders, as cameras and exports number them.
            write_image(folder / name / f"{number}.png", seed=(seed := seed + 1))
    return folder


def test_each_folder_is_a_class(run_orch: Run, tmp_path: Path) -> None:
    write_classes(tmp_path / "images", norm=12, frac=8)
    write_image(tmp_path / "images" / "frac" / "2021" / "9.png", seed=99)
    done = run_orch(
        "data", "import", "images", "--class-folders", "--holdout", "0.2", "--out", "data", "--json"
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["task"], document["targets"]) == ("two-classes", ["class=frac"])
    assert document["classes"] == ["norm", "frac"]
    assert "two classes, 'frac' (positive) against 'norm'" in done.stderr
    assert document["images"] == 21
    dataset = load_dataset(tmp_path / "data")
    for file, (fractured,) in zip(dataset.files, dataset.labels, strict=True):
        assert fractured == (file.relative_to(tmp_path / "images").parts[0] == "frac")


def test_each_folder_may_be_a_label_of_its_own(run_orch: Run, tmp_path: Path) -> None:
    write_classes(tmp_path / "images", norm=12, frac=8)
    done = run_orch(
        "data", "import", "images", "--class-folders", "--task", "labels", "--out", "data", "--json"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["targets"] == ["class=frac", "class=norm"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--labels", "x.csv", "--class-folders"], "Either --labels CSV or --class-folders"),
        ([], "Either --labels CSV or --class-folders"),
        (["--class-folders", "--group", "patient"], "goes without --group"),
    ],
)
def test_folders_and_a_table_exclude_each_other(
    run_orch: Run, tmp_path: Path, options: list[str], message: str
) -> None:
    write_classes(tmp_path / "images", norm=2, frac=2)
    done = run_orch("data", "import", "images", *options, "--out", "data")
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "data").exists()


def test_folders_that_are_no_classes(tmp_path: Path) -> None:
    write_classes(tmp_path, norm=2)
    with pytest.raises(DataError, match="1 class folder"):
        read_class_folders(tmp_path)
    write_image(tmp_path / "loose.png", seed=5)
    with pytest.raises(DataError, match=r"in no class folder: loose\.png"):
        read_class_folders(tmp_path)


def test_the_table_of_the_reference_study_as_it_is(run_orch: Run, chest_xray: Path, tmp_path: Path) -> None:
    """Its first 300 rows with drawn images, as the real ones were never published."""
    with (chest_xray.parent / "reference-study" / "rust-labels.csv").open(newline="") as file:
        header, *rows = list(csv.reader(file))
    rows = rows[:300]
    write_table(tmp_path / "rust-labels.csv", header, rows)
    for number, row in enumerate(rows):
        write_image(tmp_path / "images" / row[0], seed=number, size=(12, 12))
    done = run_orch(
        *("data", "import", "images", "--labels", "rust-labels.csv", "--group", "study_id,record_id"),
        *("--out", "data", "--json"),
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["targets"] == header[4:]
    assert len(document["targets"]) == 18
    assert document["groups"] == len({(row[1], row[2]) for row in rows})


CLASSES = ("NORMAL", "PNEUMONIA")


def write_all(folder: Path, names: list[str]) -> Path:
    for seed, name in enumerate(names):
        write_image(folder / name, seed=seed)
    return folder


@pytest.mark.parametrize(
    "sides",
    [
        ("Training", "Testing"),
        ("train_images", "test_images"),
        ("training_set", "test_set"),
        ("train", "holdout"),
    ],
)
@pytest.mark.parametrize(
    "form", ["{side}/{name}/{number}.png", "set/{side}/{name}/{number}.png", "{name}/{side}/{number}.png"]
)
def test_sides_of_a_split_are_no_classes(tmp_path: Path, sides: tuple[str, str], form: str) -> None:
    names = [
        form.format(side=side, name=name, number=number)
        for side in sides
        for name in CLASSES
        for number in range(2)
    ]
    table = read_class_folders(write_all(tmp_path, names))
    assert set(table.column("class", option="")) == set(CLASSES)
    assert set(table.column("split", option="")) == set(sides)


def test_numbered_folders_are_no_classes(tmp_path: Path) -> None:
    names = [f"fold{fold}/{name}/{fold}.png" for fold in (1, 2, 3) for name in CLASSES]
    table = read_class_folders(write_all(tmp_path, names))
    assert table.columns == ("filename", "class")
    assert set(table.column("class", option="")) == set(CLASSES)


def test_a_test_folder_without_classes_is_refused(tmp_path: Path) -> None:
    write_all(tmp_path, ["train/NORMAL/1.png", "train/PNEUMONIA/2.png", "test/3.png"])
    with pytest.raises(DataError, match="sides of a split, not classes, and 1 image"):
        read_class_folders(tmp_path)
