"""Folds as somebody gives them: read from a column or from nnU-Net's file, and refused where they tear a patient."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from orchestrator.importing.given_folds import fill_in_folds, read_given_folds
from storage.data.datasets import COLUMNS, Dataset
from storage.data.folds import make_folds
from storage.errors import DataError, SpecError
from storage.spec import StudySpec, from_toml, pack_folds, to_toml, unpack_folds
from tests.labelled_studies import make_dataset
from tests.studies import make_spec

SITES = ("north", "south", "east")


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return make_dataset(tmp_path / "data", patients=12)


def write_columns(dataset: Dataset, **columns: Sequence[object]) -> None:
    with (dataset.folder / COLUMNS).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["sha256", *columns])
        writer.writerows(zip(dataset.sha256, *columns.values(), strict=True))


def write_splits(dataset: Dataset, fold_of_image: Sequence[int], *, more: Sequence[str] = ()) -> Path:
    names = [file.stem for file in dataset.files]
    splits = [
        {
            "train": [*[n for n, f in zip(names, fold_of_image, strict=True) if f != fold], *more],
            "val": [n for n, f in zip(names, fold_of_image, strict=True) if f == fold],
        }
        for fold in range(max(fold_of_image) + 1)
    ]
    path = dataset.folder.parent / "splits_final.json"
    path.write_text(json.dumps(splits))
    return path


@pytest.mark.parametrize(
    ("by", "column"), [("site", "site"), ("site", "Hospital ID"), ("site", "Center"), ("Scanner", "scanner")]
)
def test_each_value_of_a_column_is_a_fold(dataset: Dataset, by: str, column: str) -> None:
    write_columns(
        dataset, remark=["x"] * len(dataset.files), **{column: [SITES[group % 3] for group in dataset.groups]}
    )
    given = read_given_folds(by, dataset)
    assert given.names == ("east", "north", "south")
    assert [given.names[fold] for fold in given.fold_of_image] == [SITES[g % 3] for g in dataset.groups]


def test_folds_that_are_numbers_keep_their_order(dataset: Dataset) -> None:
    write_columns(dataset, fold=[10 if group % 2 else 9 for group in dataset.groups])
    assert read_given_folds("fold", dataset).names == ("9", "10")


def test_the_file_of_nnu_net_is_read_by_case_and_what_is_elsewhere_is_said(dataset: Dataset) -> None:
    folds = [int(group) % 5 for group in dataset.groups]
    given = read_given_folds(str(write_splits(dataset, folds, more=["case_of_the_holdout"])), dataset)
    assert given.fold_of_image.tolist() == folds
    assert "1 name of splits_final.json are not among" in given.notes[0]


def torn(dataset: Dataset) -> None:
    write_columns(dataset, site=[SITES[place % 3] for place in range(len(dataset.files))])


def blank(dataset: Dataset) -> None:
    write_columns(dataset, site=["", *["a"] * (len(dataset.files) - 1)])


def same(dataset: Dataset) -> None:
    write_columns(dataset, site=["a"] * len(dataset.files))


def two_columns(dataset: Dataset) -> None:
    cells = [SITES[group % 3] for group in dataset.groups]
    write_columns(dataset, hospital=cells, clinic=cells)


@pytest.mark.parametrize(
    ("prepare", "words", "kind"),
    [
        (torn, r"puts \d+ groups \(patients\) into more than one fold", DataError),
        (blank, "1 image has nothing in the column 'site'", DataError),
        (same, "gives 1 fold; there must be 2 to 100", DataError),
        (two_columns, "may mean 'hospital' or 'clinic'", SpecError),
    ],
)
def test_what_are_no_folds_is_said(
    dataset: Dataset, prepare: Callable[[Dataset], None], words: str, kind: type[Exception]
) -> None:
    prepare(dataset)
    with pytest.raises(kind, match=words):
        read_given_folds("site", dataset)


def test_files_of_folds_that_are_none_are_refused(dataset: Dataset) -> None:
    write_columns(dataset)
    folds = [int(group) % 3 for group in dataset.groups]
    path = write_splits(dataset, folds)
    whole = json.loads(path.read_text())
    moved = whole[0]["val"][0]
    for change, words in (
        ([{**whole[0], "val": whole[0]["val"][1:]}, *whole[1:]], "1 image validates in no fold"),
        ([{**whole[0], "train": whole[0]["train"][1:]}, *whole[1:]], "does not train on all images"),
        (
            [whole[0], {**whole[1], "val": [*whole[1]["val"], moved]}, whole[2]],
            "validates in the folds 0 and 1",
        ),
        ({"folds": whole}, "not a file of folds as nnU-Net writes it"),
        ([{"train": "all", "val": []}], "not a file of folds as nnU-Net writes it"),
    ):
        path.write_text(json.dumps(change))
        with pytest.raises(DataError, match=words):
            read_given_folds(str(path), dataset)
    with pytest.raises(SpecError, match="cannot be read"):
        read_given_folds("elsewhere.json", dataset)
    with pytest.raises(SpecError, match="names no column"):
        read_given_folds("colour", dataset)


def make_given(dataset: Dataset) -> StudySpec:
    write_columns(dataset, site=[SITES[group % 3] for group in dataset.groups])
    return fill_in_folds(make_spec(**{"cv.by": "site", "cv.folds": 6}), dataset)[0]


def test_a_study_has_its_folds_with_it(dataset: Dataset, tmp_path: Path) -> None:
    spec = make_given(dataset)
    assert (spec.cv.folds, spec.fold_count, spec.fold_words) == (3, 3, "3 folds as given by site")
    folds = make_folds(dataset.labels, dataset.groups, **spec.fold_plan)
    for number, (train, validation) in enumerate(folds):
        assert {SITES[group % 3] for group in dataset.groups[validation]} == {sorted(SITES)[number]}
        assert sorted([*train, *validation]) == list(range(len(dataset.files)))
    (tmp_path / "spec.toml").write_text(to_toml(spec))
    assert from_toml(tmp_path / "spec.toml") == spec
    with pytest.raises(DataError, match="are for"):
        make_folds(dataset.labels[1:], dataset.groups[1:], **spec.fold_plan)
    with pytest.raises(DataError, match="into more than one fold"):
        make_folds(dataset.labels, np.zeros(len(dataset.groups), int), **spec.fold_plan)


def test_repeats_draw_other_folds_each_time_and_the_first_are_those_of_one(dataset: Dataset) -> None:
    once, twice = make_spec(), make_spec(**{"cv.repeats": 2})
    folds = make_folds(dataset.labels, dataset.groups, **twice.fold_plan)
    assert (twice.fold_count, twice.fold_words, len(folds)) == (6, "2 repeats of 3 folds", 6)
    first = make_folds(dataset.labels, dataset.groups, **once.fold_plan)
    assert all(np.array_equal(one[1], other[1]) for one, other in zip(folds, first, strict=False))
    assert not all(np.array_equal(one[1], other[1]) for one, other in zip(folds[3:], first, strict=True))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cv.by": "site", "cv.repeats": 2}, "leave one of them out"),
        ({"cv.folds": 60, "cv.repeats": 2}, "more than 100 models"),
        ({"cv.assigned": pack_folds([0, 1])}, "there is no cv.by"),
        ({"cv.by": "site", "cv.assigned": "rubbish"}, "written by orch"),
    ],
)
def test_contradictions_are_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        make_spec(**changes)


def test_packed_folds_read_back() -> None:
    folds = np.random.default_rng(0).integers(0, 100, 5000).tolist()
    assert unpack_folds(pack_folds(folds)) == folds
