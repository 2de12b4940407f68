"""Which image a name in a table means, and what a folder holds."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from orchestrator.importing.choices import Choices
from orchestrator.importing.doubts import _doubt_contradictions, _doubt_labels, describe_doubts
from orchestrator.importing.image_files import ImageFacts
from orchestrator.importing.matching import (
    Finder,
    find_column_for,
    find_filename_column,
    find_rows_of,
    match_rows,
)
from orchestrator.importing.precision import expect_width, patients_needed
from orchestrator.importing.reading.cells import Rules
from orchestrator.importing.reading.groups import find_in_names, read_groups
from orchestrator.importing.reading.tables import Table
from orchestrator.importing.scanning import scan_folder
from storage.data.images import ImageForm
from storage.errors import DataError

FOLDER = Path("/data/CheXpert-v1.0-small")


def table(names: list[str], column: str = "filename") -> Table:
    return Table(Path("l.csv"), (column,), [[name] for name in names], list(range(2, len(names) + 2)))


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("a/1.png", "a/1.png"),
        ("./a/1.png", "a/1.png"),
        ("a\\1.png", "a/1.png"),
        ("a//1.png", "a/1.png"),
        ("a/./1.png", "a/1.png"),
        (".\\a\\1.png", "a/1.png"),
        ("../CheXpert-v1.0-small/a/1.png", "a/1.png"),
        ("odd\\name.png", "odd\\name.png"),
        ("2.png", "a/2.png"),
        ("2", "a/2.png"),
        ("a/1", "a/1.png"),
        ("2.PNG", "a/2.png"),
        ("1.2.840.7", "b/1.2.840.7.dcm"),
        ("1.2.840.8", "b/1.2.840.8"),
        ("CheXpert-v1.0-small/a/1.png", "a/1.png"),
        ("data/CheXpert-v1.0-small/b/1.png", "b/1.png"),
        ("/data/CheXpert-v1.0-small/a/1.png", "a/1.png"),
        (unicodedata.normalize("NFD", "é.png"), "c/é.png"),
        ("c/é", "c/é.png"),
        ("lead.png", "d/ lead.png"),
        ("d/trail", "d/trail "),
    ],
)
def test_names_as_tables_write_them(name: str, image: str) -> None:
    images = ["a/1.png", "b/1.png", "a/2.png", "b/1.2.840.7.dcm", "b/1.2.840.8", "c/é.png", "odd\\name.png"]
    assert Finder([*images, "d/ lead.png", "d/trail "], FOLDER).find(name) == [image]


@pytest.mark.parametrize(
    "name", ["other/2.png", "A/1.png", "2.jpg", "other/a/1.png", "/elsewhere/a/1.png", "A1", "png"]
)
def test_a_name_of_another_image_means_none(name: str) -> None:
    assert Finder(["a/1.png", "a/2.png"], FOLDER).find(name) == []


def test_an_ambiguous_name_means_several() -> None:
    assert Finder(["a/1.png", "b/1.png"], FOLDER).find("1") == ["a/1.png", "b/1.png"]
    assert Finder(["1.png", "b/1.png"], FOLDER).find("1.png") == ["1.png"]
    assert Finder(["1.png", "1.jpg"], FOLDER).find("1") == ["1.jpg", "1.png"]


def test_the_name_of_the_collection_may_be_another_here() -> None:
    images = {name: name for name in ("train/p1/1.jpg", "valid/p2/1.jpg")}
    names = [f"CheXpert-v1.0/{name}" for name in images]
    assert match_rows(table(names), "filename", images, Path("/here")) == list(images)


def test_labels_for_a_prediction_are_those_of_the_same_image_only() -> None:
    folder = Path("/here/new")
    labels = table(["left/1.png", "other/1.png"])
    assert find_rows_of(labels, "filename", ["left/1.png", "right/1.png"], folder) == [0, None]
    with pytest.raises(DataError, match="is the name of 2 images"):
        find_rows_of(table(["1.png"]), "filename", ["left/1.png", "right/1.png"], folder)
    with pytest.raises(DataError, match=r"twice: left/1.png \(lines 2, 3\)"):
        find_rows_of(table(["left/1.png", "./left/1.png"]), "filename", ["left/1.png"], folder)


def test_the_column_of_file_names_is_found() -> None:
    columns = Table(Path("l.csv"), ("n", "id"), [["1", "a"], ["2", "b"], ["3", "c"]], [2, 3, 4])
    assert find_filename_column(columns, ["a.png", "b.png", "c.png"], FOLDER) == ("id", 1.0)
    assert find_filename_column(columns, ["x.png"], FOLDER) == (None, 0.0)


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def test_what_a_scan_leaves_out_is_counted_and_named(tmp_path: Path) -> None:
    fill(tmp_path, "a/1.png", "a/2.JPG", "a/3.gif", "b/4.heic", "b/5.svg", "labels.csv", "README", "c.nii")
    fill(tmp_path, ".hidden/6.png", "__MACOSX/a/._1.png", "a/Thumbs.db", "a/._1.png", ".DS_Store")
    (tmp_path / "pacs").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "1.2.3.4").write_bytes(bytes(128) + b"DICM")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "elsewhere").symlink_to(fill(tmp_path.parent / f"{tmp_path.name}-other", "7.png"))
    (tmp_path / "gone.png").symlink_to(tmp_path / "nothing")
    (tmp_path / "linked.png").symlink_to(tmp_path / "a" / "1.png")
    scan = scan_folder(tmp_path)
    assert sorted(scan.images) == ["1.2.3.4", "a/1.png", "a/2.JPG", "linked.png", "pacs"]
    said = scan.say_left_out()
    for part in (
        "7 files",
        "1 .gif (a/3.gif)",
        "1 .heic",
        "1 .svg",
        "1 .nii",
        "2 no plain files (gone.png, pipe.png)",
    ):
        assert part in said
    assert "links to folders (elsewhere)" in said
    assert "hidden or of the system" in scan.say_others()
    assert "1 .csv (labels.csv)" in scan.say_others()
    kept = scan.count_left_out()
    assert "7 picture files" in kept
    assert "3.gif" not in kept


def test_a_folder_of_nothing_but_images_leaves_nothing_out(tmp_path: Path) -> None:
    scan = scan_folder(fill(tmp_path, "1.png", "2.jpeg"))
    assert (scan.say_left_out(), scan.count_left_out(), scan.say_others()) == ("", "", "")


def test_a_name_that_is_not_utf_8_is_refused_by_name(tmp_path: Path) -> None:
    fill(tmp_path, "1.png")
    (Path(os.fsdecode(bytes(tmp_path) + b"/r\xf6ntgen.png"))).write_bytes(b"x")
    with pytest.raises(DataError, match=r"not UTF-8: r\\xf6ntgen\.png"):
        scan_folder(tmp_path)


def test_two_names_that_look_alike_are_refused(tmp_path: Path) -> None:
    fill(tmp_path, "é.png", unicodedata.normalize("NFD", "é.png"))
    with pytest.raises(DataError, match=r"1 file name occurs twice in .*, in two Unicode forms"):
        scan_folder(tmp_path)


@pytest.mark.parametrize(
    ("pattern", "names", "found"),
    [
        (r"(patient\d+)", [["train/patient1/1.png"], ["x.png", "patient2/x.png"]], ["patient1", "patient2"]),
        (r"p\d+", [["p1-a.png"], ["p22.png"]], ["p1", "p22"]),
        (r"(site\w)/(p\d+)", [["siteA/p1.png"], ["siteB/p1.png"]], ["siteA-p1", "siteB-p1"]),
        (r"(person\d+)|(IM-\d+)", [["person1_virus.png"], ["IM-2-1.png"]], ["person1", "IM-2"]),
    ],
)
def test_patients_are_found_in_names(pattern: str, names: list[list[str]], found: list[str]) -> None:
    assert find_in_names(pattern, "--group-pattern", names) == found


@pytest.mark.parametrize(
    ("pattern", "says"),
    [("(", "is not a regular expression"), (r"q\d", "finds nothing in 1 of 1 names: p1.png")],
)
def test_a_pattern_that_finds_nothing_is_refused(pattern: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        find_in_names(pattern, "--group-pattern", [["p1.png"]])


@pytest.mark.parametrize("cell", ["NA", "unknown", "-", "?", "None", "nan", "n/a"])
def test_who_is_not_known_is_no_patient(cell: str) -> None:
    patients = table(["p1", cell, cell], "patient")
    with pytest.raises(
        DataError, match=r"names no patient in 2 rows \(lines 3, 4\): .*--unknown-patient own"
    ):
        read_groups(patients, ["patient"])
    assert len(set(read_groups(patients, ["patient"], unknown_is_own=True))) == 3


def test_rounded_identifiers_are_refused() -> None:
    with pytest.raises(DataError, match=r"rounded numbers in 1 row \(line 3\), such as 1.23457E\+11"):
        read_groups(table(["17", "1.23457E+11"], "patient"), ["patient"])


def test_spellings_of_one_patient_are_one_group_and_are_said() -> None:
    notes: list[str] = []
    groups = read_groups(table(["17", "17.0", "p3", "P03 "], "patient"), ["patient"], note=notes.append)
    assert len(set(groups)) == 2
    assert "2 patients are written in more than one way" in notes[0]


def test_the_width_of_an_interval_follows_newcombe() -> None:
    # By hand from the formula, for an AUC of 0.8 and 50 with and 50 without: se = 0.0444.
    assert expect_width(50, 50) == pytest.approx(2 * 1.959964 * 0.0444, rel=0.01)
    assert expect_width(0, 50) == 1.0
    assert expect_width(5, 500) > expect_width(50, 455)
    needed = patients_needed(0.5)
    assert expect_width(needed // 2, needed // 2) <= 0.105


@pytest.mark.parametrize(
    ("names", "images"),
    [
        (["C:\\work\\xr\\a\\1.png", "C:\\work\\xr\\b\\1.png"], ["a/1.png", "b/1.png"]),
        (["//server/share/a/1.png", "//server/share/a/2.png"], ["a/1.png", "a/2.png"]),
        (["/home/me/set/1.png", "/home/me/set/2.png"], ["1.png", "2.png"]),
        (["1.dcm", "2.dcm"], ["1.png", "2.png"]),
        (["Img1.png", "Img2.png"], ["img1.PNG", "img2.PNG"]),
        (["7", "10"], ["0007.png", "0010.png"]),
        (["7.0", "10.0"], ["7.png", "10.png"]),
        (["/old/disk/7.dcm", "/old/disk/10.dcm"], ["0007.png", "0010.png"]),
    ],
)
def test_a_table_from_another_machine_or_program(tmp_path: Path, names: list[str], images: list[str]) -> None:
    notes: list[str] = []
    listed = {image: image for image in images}
    assert match_rows(table(names), "filename", listed, tmp_path, note=notes.append) == images
    assert len(notes) == 1
    assert find_rows_of(table(names), "filename", images, tmp_path) == [0, 1]


@pytest.mark.parametrize(
    ("names", "images"),
    [
        (["1.jpg", "2.jpg"], ["1.png", "2.png", "2.bmp"]),
        (["7", "07"], ["007.png", "08.png"]),
        (["b/1.png", "b/2.png"], ["a/1.png", "a/2.png"]),
        (["/x/a/1.png", "/x/b/1.png"], ["1.png", "c/1.png"]),
    ],
)
def test_what_may_be_another_image_is_refused(tmp_path: Path, names: list[str], images: list[str]) -> None:
    with pytest.raises(DataError):
        match_rows(table(names), "filename", {image: image for image in images}, tmp_path)


def test_masks_beside_images_are_left_out_and_said(tmp_path: Path) -> None:
    for name in ("COVID/images/1.png", "COVID/masks/1.png", "masks/9.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    scan = scan_folder(tmp_path)
    assert sorted(scan.images) == ["COVID/images/1.png", "masks/9.png"]
    assert "COVID/masks/1.png" in scan.say_left_out()


@pytest.mark.parametrize(
    "form",
    [
        "my%20picture%20{}.png",
        "https://host/files/my%20picture%20{}.png?download=1",
        "/files/my%20picture%20{}.png",
    ],
)
def test_names_as_web_addresses_write_them(form: str) -> None:
    images = {f"my picture {n}.png": f"my picture {n}.png" for n in range(3)}
    notes: list[str] = []
    found = match_rows(
        table([form.format(n) for n in range(3)]), "filename", images, FOLDER, note=notes.append
    )
    assert found == list(images)
    assert notes
    literal = {"a%20b.png": "a%20b.png"}
    assert match_rows(table(["a%20b.png"]), "filename", literal, FOLDER) == ["a%20b.png"]


def test_the_name_that_is_advised_is_the_same_one_with_another_suffix() -> None:
    images = {name: name for name in ("s/9.png", "s/12.JpG", "s/2.JpG")}
    with pytest.raises(DataError, match=r"1 row of .* has no image .*Did you mean s/2\.JpG\?"):
        match_rows(table(["s/2.png", "s/9.png"]), "filename", images, FOLDER)


def test_numbers_of_patients_are_not_taken_for_names_of_images() -> None:
    rows = [[f"{n // 2}", f"{n}.png", f"{n}"] for n in range(8)]
    found = Table(Path("l.csv"), ("patient", "file", "row"), rows, list(range(2, 10)))
    images = [f"{n}.png" for n in range(8)]
    assert find_filename_column(found, images, FOLDER) == ("file", 1.0)
    without = Table(Path("l.csv"), ("patient", "row"), [[row[0], row[2]] for row in rows], list(range(2, 10)))
    assert find_filename_column(without, images, FOLDER) == ("row", 1.0)


def test_the_column_of_names_is_found_though_a_spreadsheet_took_their_zeros() -> None:
    images = [f"{n:04d}.png" for n in range(1, 9)]
    rows = [[f"{n}", f"{n // 2}", f"{n + 100}"] for n in range(1, 9)]
    found = Table(Path("l.csv"), ("image id", "patient", "age"), rows, list(range(2, 10)))
    assert find_filename_column(found, images, FOLDER) == ("image id", 1.0)
    twice = Table(Path("l.csv"), ("image id", "row"), [[row[0], row[0]] for row in rows], list(range(2, 10)))
    assert find_filename_column(twice, images, FOLDER) == (None, 0.0)


@pytest.mark.parametrize(
    "form", [r"D:\Studie\{n}.JPG", "/old/disk/set/{n}.dcm", "https://host/set/{n}.png?raw=1", "{n}.TIFF"]
)
def test_the_column_of_names_is_found_as_another_machine_wrote_it(form: str) -> None:
    images = [f"s-{n}.png" for n in range(8)]
    rows = [[f"{n // 2}", form.format(n=f"S-{n}" if "http" not in form else f"s-{n}")] for n in range(8)]
    found = Table(Path("l.csv"), ("patient", "Datei"), rows, list(range(2, 10)))
    assert find_filename_column(found, images, FOLDER) == ("Datei", 1.0)
    assert find_filename_column(found, [*images[1:], "other.png"], FOLDER)[0] in (None, "Datei")


def test_images_in_whose_names_a_pattern_finds_no_patient_may_count_for_themselves() -> None:
    names = [["p1_a.png"], ["p1_b.png"], ["x.png"], ["y.png"]]
    cells = find_in_names(r"(p\d)", "--group-pattern", names, blank_where_none=True)
    assert cells == ["p1", "p1", "", ""]
    keys = read_groups(table(cells, "patient"), ["patient"], unknown_is_own=True)
    assert [keys.index(key) for key in keys] == [0, 0, 2, 3]


def test_the_column_for_a_prediction_is_the_one_that_names_its_images() -> None:
    rows = [[f"{n // 2}", f"SOP {n}", f"{n}"] for n in range(40)]
    whole = Table(Path("l.csv"), ("patient", "SOP", "row"), rows, list(range(2, 42)))
    assert find_column_for(whole, ["SOP 3.dcm", "SOP 4.dcm"], FOLDER) == "SOP"
    assert find_column_for(whole, ["x.dcm"], FOLDER) is None
    # Two rows for one image: the column names something else.
    assert find_column_for(whole, ["3.dcm"], FOLDER) == "row"


def test_how_many_folds_a_rare_label_allows_is_said_whatever_a_study_takes() -> None:
    labels = np.zeros((40, 2), np.float32)
    labels[:4, 0], labels[:20, 1] = 1, 1
    (said,) = _doubt_labels(("rare", "common"), labels, np.arange(40) // 2)
    assert "rare (2)" in said
    assert "common" not in said
    assert "With more folds than that number some folds cannot score it" in said


def test_an_image_without_a_finding_and_with_one_is_doubted() -> None:
    targets = ("No_Finding", "Mass", "Support Devices")
    labels = np.array([[1, 0, 1], [1, 1, 0], [0, 1, 1], [1, np.nan, 0]], np.float32)
    (said,) = _doubt_contradictions(targets, labels, Rules().no_finding)
    assert "'No_Finding' and have a finding at once: Mass (1)." in said
    assert _doubt_contradictions(targets, labels[[0, 2, 3]], Rules().no_finding) == []
    assert _doubt_contradictions(targets[1:], labels[:, 1:], Rules().no_finding) == []


def test_an_import_says_that_labels_contradict_and_that_dicom_calls_two_files_one_picture() -> None:
    labels = np.array([[1, 0], [1, 1], [0, 1], [0, 0]], np.float32)
    forms = [ImageForm("L", (8, 8), instance=number) for number in ("1.2", "1.2", "1.3", "")]
    groups, held, names = np.arange(4), np.array([False, False, False, True]), ["a", "b", "c", "d"]

    def warn(digests: str, forms: list[ImageForm], labels: np.ndarray) -> str:
        facts = [ImageFacts(digest, 1, 1, form) for digest, form in zip(digests, forms, strict=True)]
        targets = ("No Finding", "Mass")
        return " ".join(describe_doubts(table(names), targets, labels, groups, held, facts, Choices()))

    said = warn("abcd", forms, labels)
    assert "'No Finding' and have a finding at once: Mass (1)." in said
    assert (
        "1 SOP Instance UID stands in several DICOM files that differ: 1 of them in different groups, 1 with differing"
        in said
    )
    # The same bytes twice are a copy, and that is said elsewhere; clean data say nothing of either.
    assert "SOP Instance UID" not in warn("aacd", forms, labels)
    clean = warn("abcd", [ImageForm("L", (8, 8))] * 4, labels[[0, 2, 3, 3]])
    assert "SOP Instance UID" not in clean
    assert "at once" not in clean
