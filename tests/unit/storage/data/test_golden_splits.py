"""Splits that may never change silently: a running study would be refused by its workers, or judged on other patients."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from storage.data.folds import check_folds, digest_folds, make_folds
from storage.data.splitting import split_holdout
from storage.errors import DataError
from workers.training.class_balance import oversample

GOLDEN_FOLDS = {
    (1, 6, 1337): "d8606762b30e74db",
    (1, 10, 0): "fe8ccd1284f0e5ec",
    (3, 6, 1337): "4b96febc028514e1",
    (18, 10, 7): "89d3ff7878949602",
}
"""(labels, folds, seed) -> the first 16 digits of the digest that a study keeps. A change of one is a line of the changelog."""
GOLDEN_HOLDOUTS = {
    (1, 0.15, 1337): "ff24f752f974a55d",
    (3, 0.15, 1337): "7fe42d0b92eec2d2",
    (18, 0.25, 7): "96acf1851a4729d3",
}
"""(labels, share, seed) -> the first 16 digits of a digest of the images that are held out."""
FEW = (1, 6, 5), "bad842f99aa706b1"
"""One label that is rarer than the folds in each of its classes: another splitter serves it."""


def drawn(target_count: int, patients: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Labels with blanks, of patients with one to four images: drawn by SHA-256, so that no library can change them."""
    labels, groups = [], []
    for patient in range(patients):
        for image in range(1 + hashlib.sha256(f"size {patient}".encode()).digest()[0] % 4):
            bits = hashlib.sha256(f"{patient} {image}".encode()).digest()
            labels.append([np.nan if bit < 20 else float(bit < 90) for bit in bits[:target_count]])
            groups.append(patient)
    return np.array(labels, np.float32), np.array(groups)


def short_digest(chosen: np.ndarray) -> str:
    return hashlib.sha256(np.flatnonzero(chosen).astype("<i8").tobytes()).hexdigest()[:16]


@pytest.mark.parametrize(("target_count", "count", "seed"), GOLDEN_FOLDS)
def test_folds_are_those_of_every_earlier_version(target_count: int, count: int, seed: int) -> None:
    folds = make_folds(*drawn(target_count), count, seed)
    found = digest_folds(folds).removeprefix("sha256:")[:16]
    assert found == GOLDEN_FOLDS[target_count, count, seed]


@pytest.mark.parametrize(("target_count", "share", "seed"), GOLDEN_HOLDOUTS)
def test_holdouts_are_those_of_every_earlier_version(target_count: int, share: float, seed: int) -> None:
    held = split_holdout(*drawn(target_count), share, seed)
    assert short_digest(held) == GOLDEN_HOLDOUTS[target_count, share, seed]


def test_folds_of_a_label_rarer_than_they_are_stay_too() -> None:
    (target_count, count, seed), golden = FEW
    labels, groups = drawn(target_count, patients=count)
    keep = np.unique(groups, return_index=True)[1]
    labels = np.resize(np.float32([0, 1, np.nan, 0, 1, np.nan]), (len(keep), 1))
    assert digest_folds(make_folds(labels, groups[keep], count, seed)).removeprefix("sha256:")[:16] == golden


def test_images_that_come_once_more_stay_the_same() -> None:
    labels, _ = drawn(2)
    repeats = oversample(np.arange(len(labels)), labels, [0], 1.1, (1337, 3, 2))[len(labels) :]
    assert repeats.tolist() == [305, 316, 291, 24, 45, 318, 119, 241]


def test_other_folds_than_those_of_the_study_are_refused() -> None:
    labels, groups = drawn(3)
    folds = make_folds(labels, groups, 6, 1)
    check_folds({}, folds)
    check_folds({"folds_digest": digest_folds(folds)}, folds)
    for others in (make_folds(labels, groups, 6, 2), folds[:-1], folds[::-1]):
        with pytest.raises(DataError, match="are not those that the study was made with"):
            check_folds({"folds_digest": digest_folds(folds)}, others)


def test_where_a_fold_ends_is_part_of_its_name() -> None:
    nothing = np.array([], np.int64)
    one = [(nothing, np.array([0, 1])), (nothing, np.array([2]))]
    other = [(nothing, np.array([0])), (nothing, np.array([1, 2]))]
    assert digest_folds(one) != digest_folds(other)
