"""Sides and folds: patients never straddle, labels spread evenly, equal seeds give equal splits."""

from __future__ import annotations

import numpy as np
import pytest

from storage.data import folds as folds_module
from storage.data.folds import make_folds
from storage.data.splitting import (
    check_sides,
    choose_most_even,
    draw_seeds,
    find_straddling,
    split_holdout,
    summarise_groups,
)
from storage.errors import DataError


def make_patients(target_count: int, *, patients: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels with blanks, correlated within patients of one to six images each."""
    generator = np.random.default_rng(seed)
    groups = np.repeat(np.arange(patients), generator.integers(1, 7, patients))
    groups = groups[generator.permutation(len(groups))]
    risk = generator.uniform(0.02, 0.5, target_count) * generator.uniform(0.3, 1.7, (patients, 1))
    labels = (generator.random((len(groups), target_count)) < risk[groups]).astype(np.float32)
    labels[generator.random(labels.shape) < 0.1] = np.nan
    return labels, groups


def worst_deviation(labels: np.ndarray, sides: list[np.ndarray]) -> float:
    """The largest difference of a label's prevalence in a side from that of all images, in standard errors."""
    overall = np.nanmean(labels, axis=0)
    worst = 0.0
    for side in sides:
        error = np.sqrt(overall * (1 - overall) / len(side))
        worst = max(worst, float(np.max(np.abs(np.nanmean(labels[side], axis=0) - overall) / error)))
    return worst


@pytest.mark.parametrize("target_count", [1, 2, 18])
@pytest.mark.parametrize("count", [2, 6, 10])
def test_folds_keep_every_patient_on_one_side(target_count: int, count: int) -> None:
    labels, groups = make_patients(target_count)
    folds = make_folds(labels, groups, count, seed=1337)
    assert len(folds) == count
    for train, validation in folds:
        assert train.dtype == validation.dtype == np.int64
        assert not set(groups[train]) & set(groups[validation])
        np.testing.assert_array_equal(np.sort(np.concatenate([train, validation])), np.arange(len(groups)))
    np.testing.assert_array_equal(
        np.sort(np.concatenate([fold[1] for fold in folds])), np.arange(len(groups))
    )


@pytest.mark.parametrize("target_count", [1, 2, 18])
def test_folds_spread_labels_and_sizes_evenly(target_count: int) -> None:
    labels, groups = make_patients(target_count)
    validations = [validation for _, validation in make_folds(labels, groups, 6, seed=1337)]
    sizes = [len(validation) for validation in validations]
    assert max(sizes) < 1.15 * min(sizes)
    # Patients dealt out at random deviate by 1.5, 2.0 and 2.6 (medians of 20 draws).
    assert worst_deviation(labels, validations) < {1: 0.3, 2: 1.3, 18: 1.9}[target_count]


@pytest.mark.parametrize("target_count", [1, 2, 18])
@pytest.mark.parametrize("share", [0.15, 0.5])
def test_the_holdout_is_of_its_share_and_like_the_rest(target_count: int, share: float) -> None:
    labels, groups = make_patients(target_count)
    held = split_holdout(labels, groups, share, seed=1337)
    assert not set(groups[held]) & set(groups[~held])
    assert abs(held.mean() - share) < 0.02
    # Patients drawn at random deviate by 0.6, 1.2 and 2.0 (medians of 20 draws).
    assert worst_deviation(labels, [np.flatnonzero(held)]) < {1: 0.2, 2: 0.8, 18: 1.8}[target_count]


@pytest.mark.parametrize("target_count", [1, 3])
def test_equal_seeds_give_equal_splits_and_other_seeds_others(target_count: int) -> None:
    labels, groups = make_patients(target_count)
    first, again, other = (split_holdout(labels, groups, 0.15, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    first_folds, again_folds, other_folds = (make_folds(labels, groups, 5, seed) for seed in (1, 1, 2))
    assert all((one[1] == two[1]).all() for one, two in zip(first_folds, again_folds, strict=True))
    assert any(set(one[1]) != set(two[1]) for one, two in zip(first_folds, other_folds, strict=True))


def test_folds_do_not_depend_on_how_groups_are_numbered() -> None:
    labels, groups = make_patients(3)
    for (_, one), (_, two) in zip(
        make_folds(labels, groups, 5, 7), make_folds(labels, groups * 11 + 4, 5, 7), strict=True
    ):
        np.testing.assert_array_equal(one, two)


def test_without_groups_each_image_is_its_own() -> None:
    labels, _ = make_patients(4, patients=40)
    folds = make_folds(labels, np.arange(len(labels)), 6, seed=0)
    assert (
        max(len(validation) for _, validation in folds) - min(len(validation) for _, validation in folds) <= 2
    )


@pytest.mark.parametrize("target_count", [1, 2, 5])
@pytest.mark.parametrize("seed", range(8))
def test_hardly_more_groups_than_folds_leave_no_fold_empty(target_count: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    for count in range(2, 9):
        groups = np.arange(2 * count) // 2
        labels = (generator.random((len(groups), target_count)) < 0.3).astype(np.float32)
        labels[generator.random(labels.shape) < 0.2] = np.nan
        assert all(len(validation) for _, validation in make_folds(labels, groups, count, seed))
        held = split_holdout(labels, groups, 0.15, seed)
        assert held.any()
        assert not held.all()


@pytest.mark.parametrize("target_count", [1, 3])
@pytest.mark.parametrize("count", [2, 3, 7])
def test_the_smallest_and_the_largest_holdout_leave_one_group(target_count: int, count: int) -> None:
    groups = np.arange(3 * count) // 3
    labels = (np.random.default_rng(count).random((len(groups), target_count)) < 0.4).astype(np.float32)
    for seed in range(4):
        for share, held in ((0.001, 1), (0.999, count - 1)):
            assert len(set(groups[split_holdout(labels, groups, share, seed)])) == held


def test_the_most_even_of_twenty_draws_is_chosen() -> None:
    assert len(set(draw_seeds(3))) == 20
    groups, labels = np.array([0, 1, 1, 2, 3]), np.float32([[1, 0], [0, 1], [0, 0], [1, 1], [0, 0]])
    # The last one makes sides of 3 and 2 images, each with one positive of both labels.
    draws = [np.array([0, 1, 0, 1]), np.array([0, 1, 1, 0]), np.array([0, 0, 1, 1])]
    chosen = choose_most_even(labels, groups, np.array([0.5, 0.5]), draws)
    np.testing.assert_array_equal(chosen, draws[2])


def test_fewer_groups_than_folds_is_refused() -> None:
    labels, groups = make_patients(2, patients=5)
    with pytest.raises(DataError, match="5 groups cannot fill 6 folds"):
        make_folds(labels, groups, 6, seed=0)


def test_one_group_cannot_be_split() -> None:
    with pytest.raises(DataError, match="all images are of one group"):
        split_holdout(np.zeros((4, 2), np.float32), np.zeros(4, np.int64), 0.15, seed=0)


def test_a_patient_carries_a_label_if_any_image_does() -> None:
    labels = np.float32([[0, np.nan], [1, np.nan], [0, 0], [np.nan, 1]])
    table = summarise_groups(labels, np.array([0, 0, 1, 1]))
    np.testing.assert_array_equal(table[:, :2], [[True, False], [False, True]])
    np.testing.assert_array_equal(table[:, 2:], [[False], [True]])


def test_a_planted_leak_is_found() -> None:
    groups = np.array([0, 0, 1, 1, 2])
    assert find_straddling(groups, [np.array([0, 1]), np.array([2, 3, 4])]) == []
    assert find_straddling(groups, [np.array([0, 1, 2]), np.array([3, 4])]) == [1]
    with pytest.raises(DataError, match="1 groups have images on both sides of a split: 1"):
        check_sides(groups, [np.array([0, 1, 2]), np.array([3, 4])])


def test_folds_that_would_leak_a_patient_are_never_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    """The image of a patient is moved to another fold inside, as a mistake in the splitting would."""
    labels, groups = make_patients(2)
    assert (groups == groups[0]).sum() > 1
    monkeypatch.setattr(folds_module, "_fill_empty", lambda sides, count, seed: _Torn(sides))
    with pytest.raises(DataError, match="on both sides"):
        make_folds(labels, groups, 6, seed=0)


class _Torn:
    """Folds of groups that give the last image of one patient to another fold."""

    def __init__(self, sides: np.ndarray) -> None:
        self.sides = sides

    def __getitem__(self, groups: np.ndarray) -> np.ndarray:
        sides = self.sides[groups].copy()
        last = np.flatnonzero(groups == groups[0])[-1]
        sides[last] = (sides[last] + 1) % 6
        return sides
