"""Each published collection, drawn small with its own conventions, is imported in one go to the right labels and patients."""

from __future__ import annotations

import csv
import json
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from orchestrator.importing.choices import Choices
from orchestrator.importing.guessing import guess_import
from orchestrator.importing.imports import import_dataset
from orchestrator.importing.reading.cells import Rules
from storage.data.datasets import Dataset, read_columns
from storage.data.images import read_picture, scale_of
from storage.errors import DataError
from tests import published

Run = Callable[..., subprocess.CompletedProcess[str]]


def load(
    folder: Path,
    images: Path,
    table: Path | None,
    preset: str | None,
    choices: Choices | None = None,
    out: str = "data",
) -> Dataset:
    return import_dataset(images, table, folder / out, choices, preset=preset)


def labels_of(dataset: Dataset, target: str) -> dict[str, float]:
    """Path of each development image in the folder -> its label."""
    place = dataset.targets.index(target)
    return {
        file.as_posix(): float(value)
        for file, value in zip(dataset.files, dataset.labels[:, place], strict=True)
    }


def sides(dataset: Dataset) -> tuple[int, int]:
    held = dataset.summary["holdout"]
    return dataset.summary["development"]["images"], held["images"] if held else 0


def assert_12_bits(dataset: Dataset, read: Callable[[Path], np.ndarray]) -> None:
    """Black is 0 and white 4095 in every picture, as training sees it."""
    for file in dataset.files:
        seen = read_picture(file, scale_of(dataset))
        assert np.array_equal(seen[..., 0], np.rint(read(file) * 255.0 / 4095))


def test_nih(tmp_path: Path) -> None:
    dataset = load(tmp_path, *published.nih(tmp_path), "nih")
    assert dataset.targets == ("Atelectasis", "Effusion", "Mass")
    assert sides(dataset) == (36, 12)
    assert dataset.summary["groups"] == 24
    found = read_columns(dataset)
    for words, row in zip(found["Follow-up #"], dataset.labels, strict=True):
        assert words in ("0", "1")
        assert not np.isnan(row).any()
    effusion = labels_of(dataset, "Effusion")
    assert sum(effusion.values()) == 18
    assert effusion[str(tmp_path / "images/images_003/images/00000002_000.png")] == 0
    assert effusion[str(tmp_path / "images/images_001/images/00000002_001.png")] == 1
    assert effusion[str(tmp_path / "images/images_002/images/00000001_001.png")] == 1


@pytest.mark.parametrize(
    ("uncertain", "blank"), [(None, None), ("positive", "negative"), ("negative", "not-assessed")]
)
def test_chexpert(tmp_path: Path, uncertain: str | None, blank: str | None) -> None:
    choices = Choices()
    if uncertain and blank:
        choices = Choices(rules=Rules(uncertain=uncertain, blank=blank))
    dataset = load(tmp_path, *published.chexpert(tmp_path), "chexpert", choices)
    assert dataset.targets == published.CHEXPERT
    assert sides(dataset) == (32, 12)
    assert dataset.summary["groups"] == 22
    cardiomegaly = labels_of(dataset, "Cardiomegaly")
    folder = tmp_path / "CheXpert-v1.0-small" / "train"
    seen = [
        cardiomegaly[str(folder / f"patient{number:05d}/study1/view1_frontal.jpg")] for number in (1, 2, 3, 4)
    ]
    doubt = {None: np.nan, "positive": 1.0, "negative": 0.0}[uncertain]
    np.testing.assert_array_equal(seen, [0.0, doubt, 0.0 if blank == "negative" else np.nan, 1.0])


def test_mimic(tmp_path: Path) -> None:
    dataset = load(tmp_path, *published.mimic(tmp_path), "mimic")
    assert dataset.targets == ("Edema", "Fracture")
    assert sides(dataset) == (20, 4)
    assert dataset.summary["groups"] == 6
    assert dataset.summary["split_column"] == {"train": 16, "valid": 4, "test": 4}
    edema = labels_of(dataset, "Edema")
    path = "files/p10/p10000032/s50414267/00000000-1a2b-4c5d.jpg"
    assert edema[str(tmp_path / path)] == 1
    # As published, a few studies have images and no labels.
    published.draw(tmp_path / "files", ["p10/p10000099/s1/0-1.jpg"])
    again = load(
        tmp_path, tmp_path / "files", tmp_path / "mimic-cxr-2.0.0-chexpert.csv.gz", "mimic", out="again"
    )
    assert sides(again) == (20, 4)


def test_vindr(tmp_path: Path) -> None:
    dataset = load(tmp_path, *published.vindr(tmp_path), "vindr", Choices(holdout=0))
    assert dataset.targets == ("Cardiomegaly",)
    labels = labels_of(dataset, "Cardiomegaly")
    # Images 0, 2, 4.. are named by all readers, 1, 5, 9.. by one of three.
    assert [labels[str(tmp_path / f"train/{number:032x}.dicom")] for number in range(4)] == [1, 0, 1, 0]
    assert set(read_columns(dataset)["rad_id"]) == {"R8|R9|R10"}
    choices = Choices(holdout=0, merge_rows="any")
    either = import_dataset(
        tmp_path / "train", tmp_path / "train.csv", tmp_path / "any", choices, preset="vindr"
    )
    labels = labels_of(either, "Cardiomegaly")
    assert [labels[str(tmp_path / f"train/{number:032x}.dicom")] for number in range(4)] == [1, 1, 1, 0]


def test_rsna(tmp_path: Path) -> None:
    dataset = load(tmp_path, *published.rsna(tmp_path), "rsna", Choices(holdout=0))
    assert dataset.targets == ("Target",)
    assert (dataset.summary["images"], dataset.summary["groups"]) == (20, 20)
    assert sum(labels_of(dataset, "Target").values()) == 7
    assert_12_bits(dataset, lambda file: dcmread(file).pixel_array)


def test_padchest(tmp_path: Path) -> None:
    dataset = load(tmp_path, *published.padchest(tmp_path), "padchest", Choices(holdout=0))
    assert dataset.targets == ("cardiomegaly", "infiltrates", "pneumonia")
    assert dataset.summary["groups"] == 10
    labels = [
        dataset.labels[dataset.files.index(tmp_path / f"images/{number}_1_3A_{number:03d}.png")]
        for number in range(5)
    ]
    nan = [np.nan] * 3
    np.testing.assert_array_equal(labels, [[0, 0, 0], [0, 1, 1], [1, 0, 0], nan, [0, 0, 1]])
    assert_12_bits(dataset, lambda file: np.asarray(Image.open(file)))


@pytest.mark.parametrize("listed", [True, False])
def test_mura(tmp_path: Path, listed: bool) -> None:
    images, table = published.mura(tmp_path)
    dataset = load(tmp_path, images, table if listed else None, "mura")
    assert dataset.targets == ("abnormal",)
    assert sides(dataset) == (24, 8)
    assert dataset.summary["groups"] == 16
    for path, value in labels_of(dataset, "abnormal").items():
        assert value == ("positive" in path)


def test_mura_by_its_list_of_studies_and_in_part(tmp_path: Path) -> None:
    images, _ = published.mura(tmp_path)
    studies = sorted(
        {f"MURA-v1.1/{path.parent.relative_to(images)}/" for path in images.rglob("train/**/*.png")}
    )
    table = published.write(
        tmp_path / "train_labeled_studies.csv", None, [[study, int("positive" in study)] for study in studies]
    )
    assert sides(load(tmp_path, images, table, "mura")) == (24, 8)
    part = next(path for path in sorted((images / "train").iterdir()) if path.is_dir())
    dataset = load(tmp_path, part, None, "mura", out="part")
    assert dataset.summary["images"] == len(list(part.rglob("*.png")))
    assert dataset.summary["holdout"]["images"] > 0


def test_ham10000(tmp_path: Path) -> None:
    dataset = load(tmp_path, *published.ham10000(tmp_path), "ham10000", Choices(holdout=0))
    assert dataset.targets == ("dx=bcc", "dx=bkl", "dx=mel", "dx=nv")
    assert dataset.summary["groups"] == 16
    assert (
        labels_of(dataset, "dx=nv")[str(tmp_path / "HAM10000/HAM10000_images_part_1/ISIC_0024000.jpg")] == 1
    )


def test_isic(tmp_path: Path) -> None:
    dataset = load(tmp_path, *published.isic(tmp_path), "isic", Choices(holdout=0))
    assert dataset.targets == ("MEL", "NV", "BCC")
    # Four images of unknown lesions are each their own; the other twenty are of ten lesions.
    assert dataset.summary["groups"] == 14


@pytest.mark.parametrize("year", [2016, 2017, 2018])
def test_earlier_isic_challenges(tmp_path: Path, year: int) -> None:
    names = [f"ISIC_{number:07d}" for number in range(24)]
    published.draw(tmp_path / "input", [f"{name}.jpg" for name in names])
    table = tmp_path / "Training_GroundTruth.csv"
    if year == 2016:
        published.write(
            table, None, [[name, ("benign", "malignant")[place % 2]] for place, name in enumerate(names)]
        )
        target = "column 2=malignant"
    elif year == 2017:
        published.write(
            table, ["image_id", "melanoma"], [[name, f"{place % 2:.1f}"] for place, name in enumerate(names)]
        )
        published.write(tmp_path / "Test_metadata.csv", ["image_id", "sex"], [["ISIC_9999999", "male"]])
        published.write(
            tmp_path / "Training_metadata.csv", ["image_id", "sex"], [[name, "male"] for name in names]
        )
        published.draw(tmp_path / "input", [f"{name}_superpixels.png" for name in names])
        target = "melanoma"
    else:
        rows = [[name, f"{place % 2:.1f}", f"{1 - place % 2:.1f}"] for place, name in enumerate(names)]
        published.write(table, ["image", "MEL", "NV"], rows)
        lesions = [[name, f"HAM_{place // 4}"] for place, name in enumerate(names)]
        published.write(tmp_path / "Training_LesionGroupings.csv", ["image", "lesion_id"], lesions)
        target = "MEL"
    dataset = load(
        tmp_path,
        tmp_path / "input",
        table,
        "isic",
        Choices(holdout=0, task="labels" if year == 2018 else None),
    )
    assert labels_of(dataset, target) == {
        str(tmp_path / f"input/{name}.jpg"): place % 2 for place, name in enumerate(names)
    }
    assert dataset.summary["groups"] == (6 if year == 2018 else 24)


def test_later_editions_of_kermany(tmp_path: Path) -> None:
    names = [
        f"{side}/{folder}/{kind}-{number}-000{n}.jpeg"
        for side, first in (("train", 100), ("test", 200))
        for folder, kind in (("NORMAL", "NORMAL"), ("PNEUMONIA", "BACTERIA"), ("PNEUMONIA", "VIRUS"))
        for number in range(first, first + 3)
        for n in (1, 2)
    ]
    published.draw(tmp_path / "chest_xray", names)
    dataset = load(tmp_path, tmp_path / "chest_xray", None, "kermany")
    assert sides(dataset) == (18, 18)
    assert dataset.summary["groups"] == 18
    # The archive of one mirror holds everything twice.
    published.draw(tmp_path / "chest_xray", [f"chest_xray/{name}" for name in names])
    with pytest.raises(DataError, match="neither a side nor a class"):
        load(tmp_path, tmp_path / "chest_xray", None, "kermany", out="again")


def test_kermany(tmp_path: Path) -> None:
    dataset = load(tmp_path, *published.kermany(tmp_path), "kermany")
    assert dataset.targets == ("class=PNEUMONIA",)
    assert dataset.classes == ("NORMAL", "PNEUMONIA")
    assert sides(dataset) == (30, 13)
    assert dataset.summary["split_column"] == {"train": 24, "valid": 6, "test": 13}
    assert dataset.summary["groups"] == 29


def test_boneage_is_a_number(tmp_path: Path) -> None:
    images, table = published.boneage(tmp_path)
    dataset = load(tmp_path, images, table, "boneage", Choices(holdout=0), out="number")
    assert (dataset.task.name, dataset.targets) == ("number", ("boneage",))
    with table.open(newline="") as file:
        ages = {row["id"]: float(row["boneage"]) for row in csv.DictReader(file)}
    assert {file.stem: age for file, (age,) in zip(dataset.files, dataset.labels, strict=True)} == ages
    assert not (tmp_path / "data").exists()
    dataset = load(tmp_path, images, table, "boneage", Choices(targets=("male",), holdout=0))
    assert sum(labels_of(dataset, "male").values()) == 10


@pytest.mark.parametrize("split", [True, False])
def test_keras_folders(tmp_path: Path, split: bool) -> None:
    images = published.keras_folders(tmp_path / "images", split=split)
    dataset = load(tmp_path, images, None, None, Choices() if split else Choices(holdout=0))
    assert dataset.targets == ("class=PNEUMONIA",)
    assert dataset.classes == ("NORMAL", "PNEUMONIA")
    assert sides(dataset) == ((24, 12) if split else (12, 0))
    for path, value in labels_of(dataset, "class=PNEUMONIA").items():
        assert value == ("PNEUMONIA" in path)


def test_a_hold_out_that_was_asked_for_counts_before_published_folders(tmp_path: Path) -> None:
    images = published.keras_folders(tmp_path / "images", split=True)
    dataset = load(tmp_path, images, None, None, Choices(holdout=0.3))
    assert dataset.targets == ("class=PNEUMONIA",)
    assert dataset.classes == ("NORMAL", "PNEUMONIA")
    assert dataset.summary["holdout"]["images"] == 10


def test_a_table_of_a_known_collection_is_recognised(tmp_path: Path) -> None:
    images, table = published.nih(tmp_path)
    notes: list[str] = []
    choices = Choices(class_column="Finding Labels", group_columns=("Patient ID",))
    import_dataset(images, table, tmp_path / "data", choices, note=notes.append)
    assert "this looks like NIH ChestX-ray14: --preset nih knows its conventions." in notes


@pytest.mark.parametrize(
    "name",
    [
        "nih",
        "chexpert",
        "mimic",
        "vindr",
        "rsna",
        "padchest",
        "mura",
        "ham10000",
        "isic",
        "kermany",
        "boneage",
    ],
)
def test_a_guess_knows_the_collection(tmp_path: Path, name: str) -> None:
    images, table = getattr(published, name)(tmp_path)
    document = guess_import(images, [table] if table else [], Choices())
    assert document["preset"]["name"] == name
    assert document["preset"]["sure"] > 0.6
    assert f"--preset {name}" in document["command"]
    # What the command would make is found out by reading as it would read.
    assert document["open"] is None
    dataset = load(tmp_path, images, table, name)
    assert document["becomes"]["targets"] == list(dataset.targets)
    assert document["becomes"]["images"] == dataset.summary["images"]
    assert document["becomes"]["groups"] in (dataset.summary["groups"], None)


def test_the_installed_command_takes_a_collection(run_orch: Run, tmp_path: Path) -> None:
    published.nih(tmp_path)
    done = run_orch(
        *(
            "data",
            "import",
            "images",
            "--labels",
            "Data_Entry_2017.csv",
            "--preset",
            "nih",
            "--out",
            "nih",
            "--json",
        )
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["targets"] == ["Atelectasis", "Effusion", "Mass"]
    assert document["holdout"]["images"] == 12
    guessed = run_orch("data", "import", "images", "--labels", "Data_Entry_2017.csv", "--guess")
    assert guessed.returncode == 0, guessed.stderr
    assert "nih (sure: 100%)" in guessed.stdout


def test_a_guess_keeps_what_was_said_and_names_what_is_open(tmp_path: Path) -> None:
    images = tmp_path / "images"
    names = [f"{n}.png" for n in range(8)]
    published.draw(images, names)
    rows = [[name, f"p{n // 2}", ("1", "0", "-1", "")[n % 4]] for n, name in enumerate(names)]
    table = published.write(tmp_path / "labels.csv", ["image", "patient", "fx"], rows)
    open_question = guess_import(images, [table], Choices())
    assert open_question["becomes"] is None
    assert "--uncertain blank" in open_question["open"]
    document = guess_import(images, [table], Choices(rules=Rules(uncertain="positive"), holdout=0.25))
    assert document["open"] is None
    assert document["becomes"]["targets"] == ["fx"]
    words = shlex.split(document["command"])
    assert words[words.index("--uncertain") + 1] == "positive"
    assert words[words.index("--holdout") + 1] == "0.25"
    assert words[words.index("--group") + 1] == "patient"


RECIPES = re.findall(
    r"(?m)(?:^    |`)(orch data import .*? --out \S+?)`?(?: \||$)",
    (Path(__file__).resolve().parents[2] / "docs" / "data.md").read_text(encoding="utf-8"),
)


def draw_own(folder: Path) -> None:
    """A collection of somebody's own, to which every further recipe of the page can be applied."""
    names = [
        f"{kind}/person{number}_{kind}_{number}.png"
        for number in range(12)
        for kind in ("fracture", "normal")
    ]
    for where in ("images", "radiographs"):
        published.draw(folder / where, names)
    header = ["filename", "image_id", "study_id", "patient_id", "rad_id", "fx"]
    rows = [
        [name, name, place // 2, place // 2, "R1", int("fracture/" in name)]
        for place, name in enumerate(names)
    ]
    published.write(folder / "labels.csv", header, rows)
    published.write(
        folder / "patients.csv", ["study_id", "patient"], [[row[2], f"P{row[3]}"] for row in rows[::2]]
    )
    published.write(folder / "test_list.txt", None, [[name] for name in names[:4]])


@pytest.mark.parametrize("recipe", RECIPES)
def test_each_recipe_of_the_page_can_be_pasted(
    recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from orchestrator.cli import run

    words = shlex.split(recipe)[1:]
    preset = words[words.index("--preset") + 1] if "--preset" in words else None
    if preset:
        getattr(published, preset)(tmp_path)
    else:
        draw_own(tmp_path)
        if "--group" in words and words[words.index("--group") + 1] == "patient" and "--join" not in words:
            text = (tmp_path / "labels.csv").read_text().replace("patient_id", "patient", 1)
            (tmp_path / "labels.csv").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORCH_CACHE", str(tmp_path / "cache"))
    assert run(words) == 0, capsys.readouterr().err
    assert (tmp_path / words[words.index("--out") + 1] / "manifest.json").exists()


def test_the_page_has_its_recipes() -> None:
    assert len(RECIPES) >= 16
