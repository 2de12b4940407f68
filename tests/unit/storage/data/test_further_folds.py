"""Folds that are given, drawn again, nested, or made smaller: each by what it must hold, and none of them may ever change silently."""

from __future__ import annotations

import numpy as np
import pytest

from storage.data.folds import digest_folds, draw_outer_folds, make_folds
from storage.data.splitting import choose_most_even
from storage.errors import DataError
from tests.unit.storage.data.test_golden_splits import drawn

LABELS, GROUPS = drawn(1, patients=40)
IMAGES = np.arange(len(GROUPS))


def test_given_folds_are_taken_as_they_are() -> None:
    groups, given = np.array([5, 5, 7, 9, 9]), [1, 1, 0, 2, 2]
    folds = make_folds(np.zeros((5, 1)), groups, 3, 0, given=given)
    assert [(train.tolist(), held.tolist()) for train, held in folds] == [
        ([0, 1, 3, 4], [2]),
        ([2, 3, 4], [0, 1]),
        ([0, 1, 2], [3, 4]),
    ]
    for wrong in ([1, 1, 0, 2], [1, 1, 0, 0, 0], [1, 1, 0, 3, 3], [1, 1, 0, 2, 2, 0]):
        with pytest.raises(DataError, match=f"are for {len(wrong)} images in {len(set(wrong))} folds"):
            make_folds(np.zeros((5, 1)), groups, 3, 0, given=wrong)
    with pytest.raises(DataError, match="1 groups"):
        make_folds(np.zeros((5, 1)), groups, 3, 0, given=[1, 0, 0, 2, 2])


def test_repeated_folds_begin_with_those_drawn_once_and_differ_afterwards() -> None:
    once, thrice = make_folds(LABELS, GROUPS, 4, 7), make_folds(LABELS, GROUPS, 4, 7, repeats=3)
    assert len(thrice) == 12
    assert digest_folds(thrice[:4]) == digest_folds(once)
    rounds = [thrice[start : start + 4] for start in (0, 4, 8)]
    assert len({digest_folds(folds) for folds in rounds}) == 3
    for folds in rounds:
        assert sorted(np.concatenate([held for _, held in folds]).tolist()) == IMAGES.tolist()
    assert digest_folds(thrice)[7:23] == "39d4f03c4a7f51c0"


def test_nested_folds_never_see_the_outer_fold() -> None:
    outer = draw_outer_folds(LABELS, GROUPS, 5, 7)
    assert digest_folds(outer) != digest_folds(make_folds(LABELS, GROUPS, 5, 7)), "drawn otherwise"
    for number, (train, held) in enumerate(outer, start=1):
        inner = make_folds(LABELS, GROUPS, 4, 7, outer=(number, 5))
        assert len(inner) == 4
        for learned, judged in inner:
            assert not set(GROUPS[learned]) & set(GROUPS[judged])
            assert sorted([*learned, *judged]) == train.tolist()
        assert len(make_folds(LABELS, GROUPS, 4, 7, outer=(number, 5), repeats=2)) == 8
        ((tested_on, tested),) = make_folds(LABELS, GROUPS, 4, 7, outer=(number, 5), is_test=True)
        assert (tested_on.tolist(), tested.tolist()) == (train.tolist(), held.tolist())
    nested = [fold for number in range(1, 6) for fold in make_folds(LABELS, GROUPS, 4, 7, outer=(number, 5))]
    assert digest_folds([*outer, *nested])[7:23] == "63c1293aaada33a9"


def test_a_part_of_the_patients_trains_and_the_validation_stays() -> None:
    whole = make_folds(LABELS, GROUPS, 4, 7)
    parts = {percent: make_folds(LABELS, GROUPS, 4, 7, train_percent=percent) for percent in (1, 30, 60)}
    for fold, (train, held) in enumerate(whole):
        everybody = set(GROUPS[train].tolist())
        smaller: set[int] = set()
        for percent, folds in parts.items():
            some, judged = folds[fold]
            assert judged.tolist() == held.tolist()
            chosen = set(GROUPS[some].tolist())
            assert len(chosen) == max(1, round(len(everybody) * percent / 100))
            assert smaller <= chosen < everybody, "fewer are among more"
            assert some.tolist() == [image for image in train if GROUPS[image] in chosen], "whole patients"
            smaller = chosen
    assert len({tuple(GROUPS[some]) for some, _ in parts[30]}) == 4, "each fold draws for itself"
    assert digest_folds([(held, some) for some, held in parts[30]])[7:23] == "e06ff964e1e239c3"


def test_images_and_labels_weigh_alike_in_the_most_even_draw() -> None:
    # Eight images, four positive; halves wanted. Five and three: 1 for images, 1 for the three and one negatives, wanted two each.
    labels, groups = np.array([[1.0]] * 4 + [[0.0]] * 4), np.arange(8)
    by_labels = np.array([0, 0, 1, 1, 0, 0, 0, 1])  # .5 for images, 1 for negatives
    by_images = np.array([0, 0, 0, 1, 0, 1, 1, 1])  # 1 for positives, 1 for negatives
    chosen = choose_most_even(labels, groups, np.array([0.5, 0.5]), [by_images, by_labels])
    assert chosen.tolist() == by_labels.tolist()
