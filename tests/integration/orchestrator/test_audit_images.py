"""The audit with real image files: copies, form of the files, the sealed hold-out, and what a study is told."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from orchestrator.audit.copies import apart
from orchestrator.audit.evidence import from_dataset
from orchestrator.audit.report import Audit, audit_dataset
from orchestrator.importing.choices import Choices
from orchestrator.importing.imports import import_dataset
from storage.data.datasets import Dataset
from tests.integration.storage.test_dicom import write_dicom
from tests.pictures import draw_image, sketch_each_picture_once, write_table

PATIENTS = 24


@pytest.fixture(autouse=True)
def _quick_audits(monkeypatch: pytest.MonkeyPatch) -> None:
    sketch_each_picture_once(monkeypatch)


def make_images(folder: Path) -> list[list[object]]:
    """Two images of each patient; returns the rows of the table."""
    rows: list[list[object]] = []
    for patient in range(PATIENTS):
        for number in range(2):
            name = f"i{patient:02d}{number}.png"
            draw_image(folder / name, seed=100 * patient + number)
            rows.append([name, f"p{patient}", (patient // 2 + number) % 2, patient % 2])
    return rows


def bring_in(folder: Path, rows: list[list[object]], out: str = "data", **choices: object) -> Dataset:
    labels = write_table(folder / "labels.csv", ["filename", "patient", "a", "b"], rows)
    options: dict = {"group_columns": ("patient",), "holdout": 0.25} | choices
    return import_dataset(folder / "images", labels, folder / out, Choices(**options), cache=folder / "cache")


def audit(dataset: Dataset, folder: Path) -> Audit:
    evidence = from_dataset(dataset, (), 3, 1)
    return audit_dataset(dataset, evidence, cache=folder / "cache", database=None)


def errors(found: Audit) -> dict[str, str]:
    return {finding.name: finding.message for finding in found.findings if finding.severity == "error"}


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "resized": lambda image: image.resize((160, 150)),
    "brightened": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "flipped": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "upside down": lambda image: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
}


def test_different_pictures_are_no_copies(tmp_path: Path) -> None:
    assert errors(audit(bring_in(tmp_path, make_images(tmp_path / "images")), tmp_path)) == {}


@pytest.mark.main_tier("flipped")
@pytest.mark.parametrize("change", CHANGES)
def test_a_copy_under_another_patient_is_found(tmp_path: Path, change: str) -> None:
    rows = make_images(tmp_path / "images")
    with Image.open(tmp_path / "images" / "i000.png") as image:
        CHANGES[change](image).save(tmp_path / "images" / "copy.jpg", quality=50)
    rows.append(["copy.jpg", "somebody else", 0, 1])
    found = audit(bring_in(tmp_path, rows, holdout=0.0), tmp_path)
    assert list(errors(found)) == ["near-duplicates"]
    assert "copy.jpg" in errors(found)["near-duplicates"]


def test_a_second_audit_opens_no_image_and_a_damaged_file_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = make_images(tmp_path / "images")
    with Image.open(tmp_path / "images" / "i000.png") as image:
        image.resize((160, 150)).save(tmp_path / "images" / "copy.jpg", quality=50)
    rows.append(["copy.jpg", "somebody else", 0, 1])
    dataset = bring_in(tmp_path, rows)
    first = audit(dataset, tmp_path).to_document()
    opened: list[Path] = []
    read = apart.read_grey
    monkeypatch.setattr(apart, "read_grey", lambda path, *rest: (opened.append(path), read(path, *rest))[1])
    assert audit(dataset, tmp_path).to_document() == first
    assert opened == []
    (kept,) = (tmp_path / "cache" / "audits").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    whole = kept.read_bytes()
    for damaged in (b"", b"[]", b"\xff", whole[:-20], whole.replace(b'"mode": ["L"', b'"mode": ["X"')):
        assert damaged != whole
        kept.write_bytes(damaged)
        opened.clear()
        assert audit(dataset, tmp_path).to_document() == first
        assert set(opened) > {file.absolute() for file in dataset.files}, (
            "and the sealed ones, for their pictures alone"
        )
        assert kept.read_bytes() == whole


def test_a_page_shows_both_pictures_of_a_pair(
    tmp_path: Path, run_orch: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    rows = make_images(tmp_path / "images")
    with Image.open(tmp_path / "images" / "i000.png") as image:
        ImageOps.invert(image.rotate(4)).save(tmp_path / "images" / "<copy>.jpg", quality=50)
    rows.append(["<copy>.jpg", "somebody else", 0, 1])
    bring_in(tmp_path, rows, holdout=0.0)
    audited = run_orch("data", "audit", "data", "--folds", "3", "--html", "audit.html")
    assert audited.returncode == 1
    page = (tmp_path / "audit.html").read_text()
    shown = page[page.index("near-duplicates") :]
    assert "&lt;copy&gt;.jpg" in shown
    assert "<copy>" not in page
    assert shown.count("data:image/jpeg;base64,") == 2
    assert "http" not in page
    assert len(page) < 100_000
    refused = run_orch("data", "audit", "--labels", "labels.csv", "--html", "x.html")
    assert (refused.returncode, (tmp_path / "x.html").exists()) == (2, False)
    assert "--html shows images" in refused.stderr


def test_bytes_of_a_file_are_no_metadata(tmp_path: Path) -> None:
    rows = make_images(tmp_path / "images")
    for row in rows:
        path = tmp_path / "images" / str(row[0])
        with Image.open(path) as image:
            image.save(path, compress_level=0 if row[2] else 9)
    found = audit(bring_in(tmp_path, rows, holdout=0.0), tmp_path)
    assert "target-known-without-pixels" not in {finding.name for finding in found.findings}


def test_dicom_and_deep_files_are_audited_and_differing_depths_are_said(tmp_path: Path) -> None:
    rows = make_images(tmp_path / "images")
    for place, row in enumerate(rows):
        path = tmp_path / "images" / str(row[0])
        with Image.open(path) as image:
            values = np.asarray(image, np.uint16)
        if place % 4 == 0:
            path.unlink()
            row[0] = f"i{place}.dcm"
            write_dicom(path.with_name(str(row[0])), values * 16, WindowCenter=2048, WindowWidth=4096)
        else:
            Image.fromarray(values * (257 if place % 4 == 1 else 16)).save(path)
    found = audit(bring_in(tmp_path, rows, holdout=0.25), tmp_path)
    assert errors(found) == {}
    (finding,) = [one for one in found.findings if one.name == "pixel-ranges"]
    assert finding.severity == "warning"
    assert "12 bits (24 images), 16 bits (12 images)" in finding.message


def test_a_copy_within_a_group_is_no_leak(tmp_path: Path) -> None:
    rows = make_images(tmp_path / "images")
    with Image.open(tmp_path / "images" / "i000.png") as image:
        image.save(tmp_path / "images" / "copy.jpg", quality=50)
    rows.append(["copy.jpg", "p0", 0, 1])
    assert errors(audit(bring_in(tmp_path, rows, holdout=0.0), tmp_path)) == {}


def test_a_copy_of_a_sealed_picture_is_found_without_opening_the_holdout(tmp_path: Path) -> None:
    rows = make_images(tmp_path / "images")
    with Image.open(tmp_path / "images" / "i000.png") as image:
        image.save(tmp_path / "images" / "copy.jpg", quality=50)
    rows.append(["copy.jpg", "somebody else", 0, 1])
    sides = [["test" if row[1] == "p0" else "train"] for row in rows]
    labels = write_table(
        tmp_path / "labels.csv",
        ["filename", "patient", "a", "b", "part"],
        [row + side for row, side in zip(rows, sides, strict=True)],
    )
    choices = Choices(group_columns=("patient",), split_column="part")
    dataset = import_dataset(
        tmp_path / "images", labels, tmp_path / "data", choices, cache=tmp_path / "cache"
    )
    assert list(errors(audit(dataset, tmp_path))) == ["holdout-near-duplicates"]
    assert not (dataset.folder / "openings.jsonl").exists()


def test_what_is_sealed_elsewhere_is_an_error_in_training(tmp_path: Path) -> None:
    rows = make_images(tmp_path / "images")
    bring_in(tmp_path, rows)
    again = bring_in(tmp_path, rows, out="again", holdout=0.0)
    found = audit(again, tmp_path)
    assert "holdout-in-training" in errors(found)
    assert f"of {2 * PATIENTS} development images" in errors(found)["holdout-in-training"]


def test_the_form_of_a_file_that_tells_the_label_is_found(tmp_path: Path) -> None:
    rows = make_images(tmp_path / "images")
    for row in rows:
        if row[2]:
            with Image.open(tmp_path / "images" / str(row[0])) as image:
                larger = image.resize((128, 128))
            larger.save(tmp_path / "images" / str(row[0]))
    found = audit(bring_in(tmp_path, rows, holdout=0.0), tmp_path)
    (finding,) = [one for one in found.findings if one.name == "target-known-without-pixels"]
    assert finding.details["advised_against"] == ["a"]


def test_the_command_refuses_and_accepts(
    tmp_path: Path, run_orch: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    rows = make_images(tmp_path / "images")
    bring_in(tmp_path, rows, group_columns=(), holdout=0.0)
    audited = run_orch("data", "audit", "data", "--folds", "3", "--json")
    document = json.loads(audited.stdout)
    assert audited.returncode == 1
    assert [finding["name"] for finding in document["findings"] if finding["severity"] == "error"] == [
        "patients-split"
    ]
    create = ("study", "create", "s", "--regime", "I", "--trials", "2", "--data", "data")
    few = ("--set", "cv.folds=3", "--set", "model.weights=none")
    refused = run_orch(*create, *few)
    assert refused.returncode == 2
    assert "--accept patients-split" in refused.stderr
    assert not (tmp_path / "orch.db").exists()
    made = run_orch(*create, *few, "--accept", "patients-split")
    assert made.returncode == 0, made.stderr
    shown = json.loads(run_orch("study", "show", "s", "--json").stdout)
    assert shown["facts"]["accepted"] == ["patients-split"]
    assert any("Accepted" in warning for warning in shown["facts"]["warnings"])
    shutil.rmtree(tmp_path / "images")
    blind = run_orch(*create, *few, "--accept", "patients-split", "--dry-run")
    assert "did not look at the images" in blind.stderr
