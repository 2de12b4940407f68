"""Every bad input has an error of its own, which names the file or the line, and leaves nothing behind."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from orchestrator.importing.choices import Choices
from orchestrator.importing.imports import import_dataset
from storage.errors import DataError
from tests.pictures import make_data, write_image, write_table

Rows = list[list[str]]


def cut(folder: Path, rows: Rows) -> None:
    path = folder / "images" / "p02-0.png"
    path.write_bytes(path.read_bytes()[:-300])


def cut_jpeg(folder: Path, rows: Rows) -> None:
    path = write_image(folder / "images" / "p99.jpg", seed=9, size=(200, 200))
    path.write_bytes(path.read_bytes()[:4000])
    rows.append(["p99.jpg", "patient 99", "1", "0", "1"])


def write_text(folder: Path, rows: Rows) -> None:
    (folder / "images" / "p02-0.png").write_text("this is no picture")


def write_nothing(folder: Path, rows: Rows) -> None:
    (folder / "images" / "p02-0.png").write_bytes(b"")


def write_gif(folder: Path, rows: Rows) -> None:
    Image.new("L", (8, 8)).save(folder / "images" / "p02-0.png", format="GIF")


def remove_image(folder: Path, rows: Rows) -> None:
    (folder / "images" / "p02-0.png").unlink()


def misspell(folder: Path, rows: Rows) -> None:
    rows[4][0] = "P02-0.png"


def add_image(folder: Path, rows: Rows) -> None:
    write_image(folder / "images" / "extra" / "q.png", seed=77)


def repeat_name(folder: Path, rows: Rows) -> None:
    rows.append(rows[4])


def repeat_by_path(folder: Path, rows: Rows) -> None:
    rows.append(["./p02-0.png", *rows[4][1:]])


def make_ambiguous(folder: Path, rows: Rows) -> None:
    for number, name in enumerate(("left", "right")):
        write_image(folder / "images" / name / "q.png", seed=50 + number)
    rows.append(["q.png", "patient 50", "1", "0", "1"])


def copy_image(folder: Path, rows: Rows) -> None:
    shutil.copy(folder / "images" / "p02-0.png", folder / "images" / "p05-1.png")


def spoil_label(folder: Path, rows: Rows) -> None:
    rows[4][3] = "yes"


def blank_group(folder: Path, rows: Rows) -> None:
    rows[4][1] = " "


def blank_name(folder: Path, rows: Rows) -> None:
    rows[4][0] = ""


def remove_rows(folder: Path, rows: Rows) -> None:
    rows.clear()


def remove_all_images(folder: Path, rows: Rows) -> None:
    shutil.rmtree(folder / "images")
    (folder / "images").mkdir()


def remove_folder(folder: Path, rows: Rows) -> None:
    shutil.rmtree(folder / "images")


def one_patient(folder: Path, rows: Rows) -> None:
    for row in rows:
        row[1] = "the only one"


BAD: list[tuple[Callable[[Path, Rows], None], str]] = [
    (cut, r"1 of 24 images .* cannot be read: p02-0.png \(image file is truncated"),
    (cut_jpeg, r"1 of 25 images .* cannot be read: p99.jpg \(image file is truncated"),
    (write_text, r"cannot be read: p02-0.png \(no image\)"),
    (write_nothing, r"cannot be read: p02-0.png \(the file is empty\)"),
    (write_gif, r"cannot be read: p02-0.png \(it is a GIF file, not JPEG, PNG, TIFF"),
    (remove_image, r"1 row of .* has no image in .*: p02-0.png \(line 6\)"),
    (misspell, r"has no image in .*: P02-0.png \(line 6\).*Did you mean p02-0.png"),
    (add_image, r"1 image in .* has no row in .*: extra/q.png"),
    (repeat_name, r"1 file name twice: p02-0.png \(lines 6, 26\)"),
    (repeat_by_path, r"1 file name twice: p02-0.png \(lines 6, 26\)"),
    (make_ambiguous, r"line 26: q.png is the name of 2 images \(left/q.png, right/q.png\)"),
    (
        copy_image,
        r"1 file has copies in different groups: p02-0.png \(line 6\) = p05-1.png \(line 13\)",
    ),
    (spoil_label, r"line 6: label 'a' is 'yes', not 0, 1 or blank"),
    (blank_group, r"group column 'patient' is blank in 1 row \(line 6\)"),
    (blank_name, r"line 6: no file name in column 'filename'"),
    (remove_rows, r"labels.csv is empty"),
    (remove_all_images, r"no JPEG, PNG, TIFF, WebP, BMP or DICOM"),
    (remove_folder, r"There is no image folder"),
    (one_patient, r"all images are of one group"),
]


@pytest.mark.parametrize(("spoil", "says"), BAD, ids=[spoil.__name__ for spoil, _ in BAD])
def test_bad_input_is_named_and_leaves_nothing(
    tmp_path: Path, spoil: Callable[[Path, Rows], None], says: str
) -> None:
    make_data(tmp_path)
    with (tmp_path / "labels.csv").open() as file:
        header, *rows = list(csv.reader(file))
    spoil(tmp_path, rows)
    write_table(tmp_path / "labels.csv", header, rows)
    with pytest.raises(DataError, match=says):
        import_dataset(
            tmp_path / "images",
            tmp_path / "labels.csv",
            tmp_path / "out",
            Choices(group_columns=("patient",)),
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        name for name in ("images", "labels.csv") if (tmp_path / name).exists()
    ]


@pytest.mark.parametrize(
    ("choices", "says"),
    [
        (Choices(filename_column="file"), "no column 'file'.*--filename-column.*Did you mean 'filename'"),
        (Choices(group_columns=("patients",)), "no column 'patients'.*--group.*Did you mean 'patient'"),
        (Choices(targets=("a", "bb")), "no column 'bb'.*--targets"),
        (Choices(split_column="visits"), "no column 'visits'.*--split.*Did you mean 'visit'"),
        (Choices(split_column="visit"), "lines 2, 3, .* and 19 more: '2' in the split column 'visit'"),
        (Choices(class_column="clas"), "no column 'clas'.*--class-column"),
        (Choices(targets=("visit",)), "lines 2, .*label 'visit' is '2'"),
        (Choices(targets=("a", "a")), "names no column, or one twice"),
        (Choices(holdout=1.0), "--holdout 1 is not a share"),
        (Choices(holdout=-0.1), "--holdout -0.1 is not a share"),
        (Choices(seed=-1), "--seed -1"),
    ],
)
def test_wrong_choices_are_named(tmp_path: Path, choices: Choices, says: str) -> None:
    images, labels = make_data(tmp_path)
    with pytest.raises(DataError, match=says):
        import_dataset(images, labels, tmp_path / "out", choices)
    assert not (tmp_path / "out").exists()


def test_a_split_column_that_tears_a_patient_apart_is_refused(tmp_path: Path) -> None:
    images, labels = make_data(tmp_path)
    with labels.open() as file:
        header, *rows = list(csv.reader(file))
    sides = ["test", "train"] * 12
    write_table(labels, [*header, "part"], [[*row, side] for row, side in zip(rows, sides, strict=True)])
    with pytest.raises(DataError, match=r"puts 12 groups on both sides.*p\d\d-0.png and p\d\d-1.png"):
        import_dataset(
            images, labels, tmp_path / "out", Choices(group_columns=("patient",), split_column="part")
        )


def test_a_split_column_without_development_is_refused(tmp_path: Path) -> None:
    images, labels = make_data(tmp_path)
    with labels.open() as file:
        header, *rows = list(csv.reader(file))
    write_table(labels, [*header, "part"], [[*row, "test"] for row in rows])
    with pytest.raises(DataError, match="only test rows"):
        import_dataset(images, labels, tmp_path / "out", Choices(split_column="part"))


def test_a_data_set_is_never_written_over(tmp_path: Path) -> None:
    images, labels = make_data(tmp_path)
    out = tmp_path / "out"
    before = import_dataset(images, labels, out).fingerprint
    manifest = (out / "manifest.json").read_bytes()
    with pytest.raises(DataError, match="is already a dataset folder"):
        import_dataset(images, labels, out, Choices(seed=2))
    assert (out / "manifest.json").read_bytes() == manifest
    assert before


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    images, labels = make_data(tmp_path)
    with pytest.raises(DataError, match="exists and is not an empty folder"):
        import_dataset(images, labels, images)


def test_missing_labels_file(tmp_path: Path) -> None:
    images, _ = make_data(tmp_path)
    with pytest.raises(DataError, match=r"none.csv cannot be read: No such file"):
        import_dataset(images, tmp_path / "none.csv", tmp_path / "out")


def test_several_problems_are_counted_and_the_first_are_named(tmp_path: Path) -> None:
    images, labels = make_data(tmp_path)
    for path in sorted(images.iterdir())[:9]:
        path.write_bytes(b"x")
    with pytest.raises(DataError, match=r"9 of 24 images .*p00-0.png.* and 4 more"):
        import_dataset(images, labels, tmp_path / "out")
