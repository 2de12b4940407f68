"""Importing real image files: what a data set is, and what leaves no trace in its fingerprint."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from orchestrator.importing.choices import Choices
from orchestrator.importing.imports import import_dataset
from orchestrator.planning.review import fill_in_data, side_warnings
from storage.data.datasets import Dataset, load_dataset, read_columns
from storage.data.grey import Scale
from storage.data.images import RESIZE, describe_decoding, read_image, scale_of
from storage.errors import DataError
from storage.spec import parse
from tests.pictures import MODES, make_data, write_image, write_table

GROUPED = Choices(group_columns=("patient",), holdout=0.25)


def import_from(tmp_path: Path, choices: Choices = GROUPED, *, out: str = "data") -> Dataset:
    return import_dataset(tmp_path / "images", tmp_path / "labels.csv", tmp_path / out, choices)


def test_a_data_set_is_read_back_as_it_was_imported(tmp_path: Path) -> None:
    make_data(tmp_path)
    dataset = import_from(tmp_path)
    assert dataset.targets == ("a", "b")
    assert dataset.grouped
    # A data set as small as this has no other fault.
    assert all("is small" in warning or "cannot score" in warning for warning in dataset.warnings)
    assert list(dataset.sha256) == sorted(dataset.sha256)
    assert dataset.labels.dtype == np.float32
    assert dataset.labels.shape == (len(dataset.files), 2)
    assert dataset.groups.dtype == np.int64
    held, kept = dataset.summary["holdout"], dataset.summary["development"]
    assert (held["groups"], kept["groups"]) == (3, 9)
    assert held["images"] + kept["images"] == 24
    assert kept["images"] == len(dataset.files) == len(dataset.groups)
    with (tmp_path / "labels.csv").open() as file:
        rows = {row["filename"]: row for row in csv.DictReader(file)}
    columns = read_columns(dataset)
    assert list(columns) == ["filename", "patient", "visit"]
    for place, path in enumerate(dataset.files):
        row = rows[path.name]
        assert columns["filename"][place] == path.name
        np.testing.assert_array_equal(
            dataset.labels[place], [float(row[name]) if row[name] else np.nan for name in ("a", "b")]
        )
    same_patient = np.array(columns["patient"])[:, None] == np.array(columns["patient"])[None, :]
    np.testing.assert_array_equal(same_patient, dataset.groups[:, None] == dataset.groups[None, :])


@pytest.mark.parametrize(
    ("suffix", "mode"),
    [*(("png", mode) for mode in MODES), *(("JPG", mode) for mode in ("L", "RGB", "CMYK"))],
)
def test_images_of_every_mode_are_taken(tmp_path: Path, suffix: str, mode: str) -> None:
    rows = []
    for number in range(4):
        write_image(tmp_path / "images" / f"{number}.{suffix}", seed=number, mode=mode, size=(31 + number, 9))
        rows.append([f"{number}.{suffix}", number % 2])
    write_table(tmp_path / "labels.csv", ["filename", "a"], rows)
    dataset = import_from(tmp_path, Choices(holdout=0))
    assert len(dataset.files) == 4
    assert dataset.summary["modes"] == {mode: 4}


def write_deep(folder: Path, tops: list[int]) -> Path:
    """Images of 16 bits whose brightest values are `tops`, and their table."""
    (folder / "images").mkdir()
    for place, top in enumerate(tops):
        values = np.random.default_rng(place).integers(0, top + 1, (16, 16)).astype(np.uint16)
        values[0, 0] = top
        Image.fromarray(values).save(folder / "images" / f"{place}.png")
    rows = [[f"{place}.png", place, place % 2] for place in range(len(tops))]
    return write_table(folder / "labels.csv", ["filename", "patient", "fx"], rows)


def test_the_depth_of_a_data_set_is_written_down_and_used_for_its_dark_files(tmp_path: Path) -> None:
    labels = write_deep(tmp_path, [4000, 900, 800, *[4095] * 13])
    dataset = import_dataset(
        tmp_path / "images", labels, tmp_path / "data", Choices(group_columns=("patient",), holdout=0)
    )
    assert dataset.summary["pixels"] == {
        "scale": {"depths": [10, 12], "low": None, "high": None},
        "rules": {"bits used": 16},
        "bits": {"10": 2, "12": 14},
    }
    assert [text for text in dataset.warnings if "bits" in text] == [
        "Images differ in how many bits they use: 10 bits (2 images), 12 bits (14 images). Each is scaled by its own depth; a "
        "model may learn the device instead of the finding."
    ]
    assert describe_decoding(dataset) != RESIZE


def test_one_depth_is_no_reason_to_warn(tmp_path: Path) -> None:
    labels = write_deep(tmp_path, [4000, 900, *[4095] * 14])
    dataset = import_dataset(
        tmp_path / "images", labels, tmp_path / "data", Choices(group_columns=("patient",), holdout=0)
    )
    assert scale_of(dataset) == Scale((12,))
    assert not [text for text in dataset.warnings if "bits" in text]
    dark = next(file for file in dataset.files if file.name == "1.png")
    assert read_image(dark, (16, 16), scale_of(dataset)).max() == round(255 * 900 / 4095)


def test_nothing_that_names_a_patient_is_in_the_manifest(tmp_path: Path) -> None:
    make_data(tmp_path)
    dataset = import_from(tmp_path)
    text = (dataset.folder / "manifest.json").read_text()
    assert "patient 1" not in text
    assert "p01" not in text


def test_the_fingerprint_forgets_names_identifiers_order_and_place(tmp_path: Path) -> None:
    make_data(tmp_path / "one")
    first = import_from(tmp_path / "one")
    other = tmp_path / "other"
    with (tmp_path / "one" / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    renamed = []
    for number, row in enumerate(reversed(rows)):
        name = f"sub/{number}/x.png"
        (other / "images" / name).parent.mkdir(parents=True)
        shutil.copy(tmp_path / "one" / "images" / row["filename"], other / "images" / name)
        renamed.append([row["visit"], name, f"Z{hash(row['patient'])}", row["a"], row["b"]])
    write_table(other / "labels.csv", ["follow-up", "image", "who", "a", "b"], renamed)
    second = import_from(other, Choices(filename_column="image", group_columns=("who",), holdout=0.25))
    assert second.fingerprint == first.fingerprint
    assert second.sha256 == first.sha256
    np.testing.assert_array_equal(second.groups, first.groups)
    np.testing.assert_array_equal(second.labels, first.labels)
    assert (other / "data" / "manifest.json").read_text() == (
        tmp_path / "one" / "data" / "manifest.json"
    ).read_text().replace('"patient"', '"who"')


@pytest.mark.parametrize("change", ["label", "blank", "image", "group", "seed", "target"])
def test_the_fingerprint_knows_what_a_study_depends_on(tmp_path: Path, change: str) -> None:
    make_data(tmp_path)
    before = import_from(tmp_path)
    choices = GROUPED
    with (tmp_path / "labels.csv").open() as file:
        header, *rows = list(csv.reader(file))
    if change == "label":
        rows[0][3] = str(1 - int(rows[0][3]))
    elif change == "blank":
        rows[1][4] = ""
    elif change == "image":
        write_image(tmp_path / "images" / rows[0][0], seed=999)
    elif change == "group":
        rows[0][1] = rows[2][1]
    elif change == "seed":
        choices = dataclasses.replace(GROUPED, seed=2)
    elif change == "target":
        choices = dataclasses.replace(GROUPED, targets=("a",))
    write_table(tmp_path / "labels.csv", header, rows)
    assert import_from(tmp_path, choices, out="after").fingerprint != before.fingerprint


def test_a_split_column_decides_the_sides(tmp_path: Path) -> None:
    make_data(tmp_path)
    with (tmp_path / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    sides = ["test", "valid", *["train"] * 10]
    table = [[*row.values(), sides[number // 2]] for number, row in enumerate(rows)]
    write_table(tmp_path / "labels.csv", [*rows[0], "part"], table)
    dataset = import_from(tmp_path, Choices(group_columns=("patient",), split_column="part"))
    assert dataset.targets == ("a", "b")
    assert not {"p00-0.png", "p00-1.png"} & {path.name for path in dataset.files}
    assert dataset.summary["split_column"] == {"test": 2, "valid": 2, "train": 20}
    assert dataset.summary["holdout"]["images"] == 2


def test_images_and_data_set_may_move_together(tmp_path: Path) -> None:
    make_data(tmp_path / "here")
    import_from(tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    dataset = load_dataset(tmp_path / "there" / "data")
    dataset.check_images()
    assert all(path.is_relative_to(tmp_path / "there") for path in dataset.files)


def test_a_data_set_may_move_alone(tmp_path: Path) -> None:
    make_data(tmp_path / "here")
    import_from(tmp_path / "here")
    (tmp_path / "far" / "away").mkdir(parents=True)
    shutil.move(tmp_path / "here" / "data", tmp_path / "far" / "away" / "data")
    load_dataset(tmp_path / "far" / "away" / "data").check_images()


def test_a_copied_image_with_a_new_time_is_still_the_same(tmp_path: Path) -> None:
    make_data(tmp_path)
    dataset = import_from(tmp_path)
    os.utime(dataset.files[0], (1, 1))
    seen: list[tuple[int, int]] = []
    load_dataset(dataset.folder).check_images(lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(dataset.files), len(dataset.files))


def test_images_that_moved_or_changed_are_named(tmp_path: Path) -> None:
    make_data(tmp_path)
    dataset = import_from(tmp_path)
    write_image(dataset.files[2], seed=12345, size=(33, 33))
    with pytest.raises(
        DataError, match=f"1 of .* images .* changed since the import: .*{dataset.files[2].name}"
    ):
        load_dataset(dataset.folder).check_images()
    dataset.files[1].unlink()
    with pytest.raises(
        DataError, match=f"1 of .* images .* are not where they were: .*{dataset.files[1].name}"
    ):
        load_dataset(dataset.folder).check_images()


def test_a_changed_image_of_equal_size_is_noticed(tmp_path: Path) -> None:
    make_data(tmp_path)
    dataset = import_from(tmp_path)
    content = bytearray(dataset.files[0].read_bytes())
    content[-1] ^= 1
    dataset.files[0].write_bytes(content)
    with pytest.raises(DataError, match="changed since the import"):
        load_dataset(dataset.folder).check_images()


@pytest.mark.parametrize("name", ["labels", "group", "images", "places", "half"])
def test_a_data_set_that_was_edited_is_refused(tmp_path: Path, name: str) -> None:
    make_data(tmp_path)
    folder = import_from(tmp_path).folder
    path = folder / ("places.json" if name == "places" else "manifest.json")
    document = json.loads(path.read_text())
    if name == "labels":
        document["images"][0]["labels"][0] = 1 - document["images"][0]["labels"][0]
    elif name == "group":
        document["images"][1]["group"] = document["images"][0]["group"] + 5
    else:
        del document["images"][-1]
    path.write_text(json.dumps(document)[:-20] if name == "half" else json.dumps(document))
    with pytest.raises(DataError, match=r"was changed since it was imported|is not valid JSON"):
        load_dataset(folder)


def test_a_folder_that_is_no_data_set_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is not a dataset folder.*orch data import"):
        load_dataset(tmp_path)


def test_the_sealed_rows_are_nowhere_else(tmp_path: Path) -> None:
    make_data(tmp_path)
    folder = import_from(tmp_path).folder
    sealed = json.loads((folder / "sealed.json").read_text())["images"]
    rest = "".join((folder / name).read_text() for name in ("manifest.json", "places.json", "columns.csv"))
    assert len(sealed) == 6
    for row in sealed:
        assert row["sha256"] not in rest
        assert row["path"] not in rest
    (folder / "sealed.json").unlink()
    load_dataset(folder).check_images()


def test_without_groups_a_warning_stays_with_the_data_set(tmp_path: Path) -> None:
    make_data(tmp_path)
    dataset = import_from(tmp_path, Choices())
    assert not dataset.grouped
    assert len(set(dataset.groups.tolist())) == len(dataset.groups)
    warning, *_ = load_dataset(dataset.folder).warnings
    assert warning.startswith("No group column was named")
    assert "--group patient" in warning


def test_copies_within_a_group_are_kept_and_warned_of(tmp_path: Path) -> None:
    make_data(tmp_path)
    shutil.copy(tmp_path / "images" / "p03-0.png", tmp_path / "images" / "p03-1.png")
    dataset = import_from(tmp_path, Choices(group_columns=("patient",), holdout=0))
    assert len(dataset.files) == 24
    assert any("1 image occurs more than once in the same group" in warning for warning in dataset.warnings)


def test_without_groups_copies_stay_on_one_side(tmp_path: Path) -> None:
    make_data(tmp_path)
    for number in range(4, 8):
        shutil.copy(tmp_path / "images" / "p03-0.png", tmp_path / "images" / f"p{number:02d}-1.png")
    dataset = import_from(tmp_path, Choices(holdout=0))
    digests = np.array(dataset.sha256)
    same = digests[:, None] == digests[None, :]
    np.testing.assert_array_equal(same, dataset.groups[:, None] == dataset.groups[None, :])


def test_labels_with_one_value_are_warned_of(tmp_path: Path) -> None:
    make_data(tmp_path)
    with (tmp_path / "labels.csv").open() as file:
        rows = list(csv.reader(file))
    write_table(tmp_path / "labels.csv", [*rows[0], "c"], [[*row, "1"] for row in rows[1:]])
    assert any("one value only" in warning and "c" in warning for warning in import_from(tmp_path).warnings)


def test_a_side_in_columns_or_labels_is_said_where_images_are_mirrored_and_not_elsewhere(
    tmp_path: Path,
) -> None:
    rows = []
    for number in range(12):
        write_image(tmp_path / "images" / f"{number}.png", seed=number, mode="L", size=(20, 20))
        rows.append([f"{number}.png", number % 2, number // 2 % 2, "LR"[number % 3 % 2], f"p{number}", "AP"])
    names = ["filename", "hip_left", "hip_right", "side", "patient", "view"]
    write_table(tmp_path / "labels.csv", names, rows)
    notes: list[str] = []
    choices = Choices(targets=("hip_left", "hip_right"), group_columns=("patient",), holdout=0)
    place = tmp_path / "images", tmp_path / "labels.csv", tmp_path / "data"
    dataset = import_dataset(*place, choices, note=notes.append)
    (said,) = [note for note in notes if "left or right" in note]
    assert said.startswith("the labels 'hip_left', 'hip_right' and the column 'side' say left or right")

    def warn(**sections: dict) -> list[str]:
        spec = parse({"study": {"name": "x"}, "cv": {"folds": 2}, **sections}, source="a test")
        return [
            text for text in side_warnings(fill_in_data(spec, dataset), dataset) if "exchanges left" in text
        ]

    (warned,) = warn()
    assert "'hip_left', 'hip_right' and the column 'side'" in warned
    for word in ("none", "vertical"):
        assert warn(training={"augmentation": word}) == []
    assert len(warn(search={"augmentation": {"type": "choice", "values": ["none", "horizontal"]}})) == 1
    # Of another label in the same data set the column is what is left to say.
    write_table(
        tmp_path / "labels.csv",
        ["filename", "fracture", "patient", "view"],
        [[*row[:2], *row[4:]] for row in rows],
    )
    notes.clear()
    choices = Choices(group_columns=("patient",), holdout=0)
    dataset = import_dataset(*place[:2], tmp_path / "other", choices, note=notes.append)
    assert not [note for note in notes if "left or right" in note]
    assert warn() == []


def test_the_shares_of_readers_are_kept_beside_the_merged_label(tmp_path: Path) -> None:
    rows = []
    for number in range(12):
        write_image(tmp_path / "images" / f"{number}.png", seed=number)
        yes = number % 4  # of three readers; a fourth one reads every third image
        said = [*(int(reader < yes) for reader in range(3)), *([1] if number % 3 == 0 else [])]
        rows += [
            [f"{number}.png", f"p{number}", f"r{reader}", one, ""] for reader, one in enumerate(said)
        ] + [[f"{number}.png", f"p{number}", "r0", 0, ""]]
    header = ["filename", "patient", "reader", "a", "b"]
    write_table(tmp_path / "labels.csv", header, rows)
    choices = Choices(
        group_columns=("patient",),
        holdout=0.25,
        merge_rows="majority",
        reader_column="reader",
        targets=("a", "b"),
    )
    plain = import_from(tmp_path, choices)
    soft = import_from(tmp_path, dataclasses.replace(choices, keeps_shares=True), out="soft")
    assert plain.shares is None
    np.testing.assert_array_equal(plain.labels, soft.labels)
    assert plain.fingerprint != soft.fingerprint
    shares = soft.shares_of(("b", "a"))
    assert shares is not None
    assert np.isnan(shares[:, 0]).all(), "nobody assessed it"
    for place, path in enumerate(soft.files):
        number = int(path.stem)
        votes = number % 4 + (number % 3 == 0), 3 + (number % 3 == 0)
        assert shares[place, 1] == pytest.approx(votes[0] / votes[1], abs=1e-6)
        wanted = np.nan if 2 * votes[0] == votes[1] else float(2 * votes[0] > votes[1])
        np.testing.assert_equal(float(soft.labels[place, 0]), wanted)
    assert '"shares":' not in (tmp_path / "soft" / "sealed.json").read_text()
    spec = parse({"study": {"name": "x", "trials": 1}, "training": {"soft_labels": True}}, source="test")
    assert fill_in_data(spec, soft).training.soft_labels
    with pytest.raises(DataError, match="keeps none"):
        fill_in_data(spec, plain)
    manifest = tmp_path / "soft" / "manifest.json"
    manifest.write_text(
        re.sub(r'"shares": ?\[[^]]*\]', '"shares": [0.123, null]', manifest.read_text(), count=1)
    )
    with pytest.raises(DataError, match="fingerprint no longer fits"):
        load_dataset(tmp_path / "soft")
    write_table(tmp_path / "labels.csv", header, [row for row in rows if row[2] == "r1"])
    with pytest.raises(DataError, match="no image has several rows"):
        import_from(tmp_path, dataclasses.replace(choices, keeps_shares=True), out="none")


def test_shares_are_of_yes_and_no(tmp_path: Path) -> None:
    make_data(tmp_path)
    rows = [
        [f"p{n:02d}-0.png", f"patient {n}", word] for n in range(12) for word in ("a", "b", "c")[: 1 + n % 3]
    ]
    write_table(tmp_path / "labels.csv", ["filename", "patient", "kind"], rows)
    choices = Choices(
        group_columns=("patient",),
        merge_rows="any",
        keeps_shares=True,
        class_column="kind",
        only_labelled=True,
    )
    assert import_from(tmp_path, dataclasses.replace(choices, task="labels")).shares is not None
    with pytest.raises(DataError, match="--soft-labels is of answers of yes and no"):
        import_from(
            tmp_path,
            dataclasses.replace(choices, task="ordered", targets=("a", "b", "c"), merge_rows="majority"),
            out="other",
        )
