"""Embeddings from elsewhere: three kinds of files, matched by name, kept beside the data set, and refused in words."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.importing.feature_tables import count_elsewhere, match_features, read_feature_table
from orchestrator.planning.review import fill_in_features
from storage.data.given_features import keep_features, list_given, open_given, read_given
from storage.errors import DataError, FeaturesError, SpecError
from storage.files import checked_rows
from tests.labelled_studies import make_dataset
from tests.studies import make_spec

NAMES = ["a/1.png", "a/2.png", "b/1.png", "elsewhere.png"]
VALUES = np.arange(12, dtype=np.float32).reshape(4, 3) / 8
FILES = [Path("/images/b/1.png"), Path("/images/a/2.png"), Path("/images/a/1.png")]


def write_csv(path: Path, header: list[str], rows: list[list[Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def as_csv(folder: Path) -> Path:
    rows = [
        [number, name, *row] for number, (name, row) in enumerate(zip(NAMES, VALUES.tolist(), strict=True))
    ]
    return write_csv(folder / "t.csv", ["", "filename", "x", "y", "z"], rows)


def as_npz(folder: Path) -> Path:
    np.savez(folder / "t.npz", names=np.array(NAMES), features=VALUES.astype(np.float64))
    return folder / "t.npz"


def as_npz_by_image(folder: Path) -> Path:
    np.savez(folder / "t.npz", **dict(zip(NAMES, VALUES.astype(np.float16), strict=True)))
    return folder / "t.npz"


def as_parquet(folder: Path) -> Path:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table({"image": NAMES, "embedding": VALUES.tolist()}), folder / "t.parquet")
    return folder / "t.parquet"


def as_parquet_of_columns(folder: Path) -> Path:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {"path": NAMES, **{f"f{place}": VALUES[:, place] for place in range(3)}}
    parquet.write_table(pyarrow.table(columns), folder / "t.parquet")
    return folder / "t.parquet"


@pytest.mark.parametrize("write", [as_csv, as_npz, as_npz_by_image, as_parquet, as_parquet_of_columns])
def test_every_kind_of_table_comes_into_the_order_of_the_images(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    table = read_feature_table(write(tmp_path))
    values, remarks = match_features(table, FILES)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, VALUES[[2, 1, 0]])
    assert "1 row of t." in remarks[0]
    assert count_elsewhere(table, FILES) == 1


def test_whole_paths_of_another_machine_are_matched_below_what_they_share(tmp_path: Path) -> None:
    rows = [[f"/data/them/{name}", *row] for name, row in zip(NAMES, VALUES.tolist(), strict=True)]
    table = read_feature_table(write_csv(tmp_path / "t.csv", ["path", "x", "y", "z"], rows))
    np.testing.assert_array_equal(match_features(table, FILES)[0], VALUES[[2, 1, 0]])


@pytest.mark.parametrize(
    ("header", "rows", "words"),
    [
        (
            ["filename", "x"],
            [["a/1.png", 1], ["a/2.png", "nan"]],
            "1 row of .* has features that are not finite numbers: a/2.png",
        ),
        (["filename", "x"], [["a/1.png", 1], ["a/2.png", ""]], "not finite"),
        (["filename", "x"], [["a/1.png", 1], ["a/2.png", 1e300]], "not finite"),
        (["filename", "x", "label"], [["a/1.png", 1, "yes"]], "line 2: a feature is no number"),
        (["filename", "x"], [["a/1.png", 1, 2]], "line 2: 3 cells"),
        (["patient", "x"], [["p", 1]], "no column of file names: patient, x"),
        (["filename"], [["a/1.png"]], "no table of features"),
        (["filename", "x"], [], "no table of features"),
    ],
)
def test_tables_that_are_none_are_refused(
    tmp_path: Path, header: list[str], rows: list[list[Any]], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        read_feature_table(write_csv(tmp_path / "t.csv", header, rows))


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.npz").write_bytes(b"PK\x03\x04 rubbish")
    (tmp_path / "t.parquet").write_bytes(b"PAR1 rubbish")
    (tmp_path / "t.pickle").write_bytes(b"")
    np.savez(tmp_path / "objects.npz", names=np.array(["a", None], dtype=object), features=VALUES[:2])
    for name, words in (
        ("t.npz", "cannot be read as .npz"),
        ("t.parquet", "no parquet file"),
        ("t.pickle", "none of .parquet"),
        ("objects.npz", "Python objects"),
        ("missing.csv", "cannot be read"),
    ):
        with pytest.raises(DataError, match=words):
            read_feature_table(tmp_path / name)


def test_images_without_a_row_or_with_two_are_named(tmp_path: Path) -> None:
    table = read_feature_table(as_csv(tmp_path))
    with pytest.raises(DataError, match=r"1 image has no row in .*: 9\.png"):
        match_features(table, [*FILES, Path("/images/9.png")])
    twice = write_csv(tmp_path / "t.csv", ["filename", "x"], [["a/1.png", 1], ["a/1.png", 2]])
    with pytest.raises(DataError, match=r"1 image twice: a/1\.png"):
        match_features(read_feature_table(twice), FILES[2:])
    bare = write_csv(tmp_path / "t.csv", ["filename", "x"], [["1.png", 1]])
    with pytest.raises(DataError, match=r"1\.png is the name of 2 images"):
        match_features(read_feature_table(bare), FILES)


def test_features_are_kept_with_the_data_set_and_known_by_their_hash(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data", patients=4)
    values = np.random.default_rng(0).normal(size=(len(dataset.files), 5)).astype(np.float32)
    kept = keep_features(dataset.folder, "dino", values, dataset.fingerprint, "t.npz")
    assert keep_features(dataset.folder, "dino", values, dataset.fingerprint, "t.npz") == kept
    assert list_given(dataset.folder) == ["dino"]
    with pytest.raises(DataError, match="other features under the name 'dino'"):
        keep_features(dataset.folder, "dino", values + 1, dataset.fingerprint, "t.npz")
    for name in ("../dino", "", "a b", ".dino"):
        with pytest.raises(DataError, match="cannot be called"):
            keep_features(dataset.folder, name, values, dataset.fingerprint, "t.npz")
    opened = open_given(dataset.folder, "dino", dataset.fingerprint, kept.sha256)
    np.testing.assert_array_equal(opened.values[:, 0], values)
    with pytest.raises(FeaturesError, match="not those of the study"):
        open_given(dataset.folder, "dino", dataset.fingerprint, "0" * 64)
    with pytest.raises(FeaturesError, match=r"has no features 'other' \(it has dino\)"):
        read_given(dataset.folder, "other")
    spec = fill_in_features(make_spec(**{"model.features": "dino"}), dataset)
    assert (spec.model.features_sha256, spec.model.features_width) == (kept.sha256, 5)
    assert spec.model.standardizes
    assert spec.uses_features
    assert spec.views == ("identity",)
    file = dataset.folder / "features" / "dino" / "values.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(FeaturesError, match="another SHA-256"):
        open_given(dataset.folder, "dino", dataset.fingerprint, kept.sha256)
    with pytest.raises(FeaturesError, match="damaged"):
        fill_in_features(make_spec(**{"model.features": "dino"}), dataset)


def test_damaged_features_from_elsewhere_are_refused_when_opened_and_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = make_dataset(tmp_path / "data", patients=4)
    values = np.arange(len(dataset.files) * 5, dtype=np.float32).reshape(-1, 5)
    known = keep_features(dataset.folder, "dino", values, dataset.fingerprint, "t.npz")
    file = dataset.folder / "features" / "dino" / "values.npy"
    content = file.read_bytes()
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        file.write_bytes(damaged)
        with pytest.raises(FeaturesError, match="are damaged"):
            open_given(dataset.folder, "dino", dataset.fingerprint, known.sha256)
    file.write_bytes(content)
    monkeypatch.setattr(checked_rows, "RECHECK_SECONDS", -1.0)
    opened = open_given(dataset.folder, "dino", dataset.fingerprint, known.sha256)
    with file.open("r+b") as writing:
        writing.seek(-1, os.SEEK_END)
        writing.write(b"\x55")
    np.testing.assert_array_equal(opened.values[:-1, 0], values[:-1])
    with pytest.raises(FeaturesError, match="damaged while it was in use") as told:
        opened.values[-1]
    assert "from where it was made" in str(told.value)
    assert file.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"model.trainable": "all"},
        {"model.kind": "lenet"},
        {"augmentation.rotation": 10},
        {"search.rotation": {"type": "float", "low": 0, "high": 10}},
        {"search.backbone": {"type": "choice", "values": ["MobileNetV2", "VGG16"]}},
    ],
)
def test_what_needs_images_is_refused_beside_features(changes: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match=r"no meaning beside model\.features"):
        make_spec(**{"model.features": "dino", **changes})
