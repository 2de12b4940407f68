"""Splits of any data set whatever: any labels with blanks, any structure of groups, any number of folds."""

from __future__ import annotations

import hashlib
import math
import random
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.data.folds import make_folds
from storage.data.splitting import choose_most_even, draw_seeds, split_holdout, summarise_groups
from storage.errors import DataError

GOLDEN = "b2189996185298a7"
"""A digest over splits of small data sets of any kind: see `test_small_data_sets_are_split_as_ever`."""

QUICK = settings(max_examples=25, deadline=None, derandomize=True)


@st.composite
def data_sets(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Labels of shape (n, t) with blanks, and groups of any size, in any order of images."""
    sizes = draw(st.lists(st.integers(1, 6), min_size=2, max_size=14))
    groups = np.array(draw(st.permutations([group for group, size in enumerate(sizes) for _ in range(size)])))
    targets = draw(st.integers(1, 3))
    cells = draw(
        st.lists(st.sampled_from([0.0, 0.0, 1.0, math.nan]), min_size=len(groups) * targets, max_size=len(groups) * targets)
    )  # fmt: skip
    return np.array(cells, np.float32).reshape(len(groups), targets), groups


@QUICK
@given(data_sets(), st.floats(0.01, 0.99), st.integers(0, 2**32 - 1))
def test_a_holdout_takes_whole_groups_and_leaves_some(
    data: tuple[np.ndarray, np.ndarray], share: float, seed: int
) -> None:
    labels, groups = data
    held = split_holdout(labels, groups, share, seed)
    assert (held.dtype, held.shape) == (np.bool_, groups.shape)
    assert not set(groups[held]) & set(groups[~held])
    assert held.any()
    assert not held.all()
    np.testing.assert_array_equal(held, split_holdout(labels, groups, share, seed))
    if labels.shape[1] > 1:
        count = groups.max() + 1
        wanted = min(max(round(share * count), 1), count - 1)
        assert abs(len(set(groups[held])) - wanted) <= 1


@QUICK
@given(data_sets(), st.integers(2, 14), st.integers(0, 2**32 - 1))
def test_every_image_validates_once_beside_its_group(
    data: tuple[np.ndarray, np.ndarray], count: int, seed: int
) -> None:
    labels, groups = data
    if count > groups.max() + 1:
        with pytest.raises(DataError, match=f"{groups.max() + 1} groups cannot fill {count} folds"):
            make_folds(labels, groups, count, seed)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        folds = make_folds(labels, groups, count, seed)
    assert len(folds) == count
    assert sorted(np.concatenate([validation for _, validation in folds])) == list(range(len(groups)))
    for train, validation in folds:
        assert len(validation)
        assert sorted(np.concatenate([train, validation])) == list(range(len(groups)))
        assert not set(groups[train]) & set(groups[validation])
    again = make_folds(labels, groups * 3 + 5, count, seed)
    assert all((one[1] == two[1]).all() for one, two in zip(folds, again, strict=True))


@QUICK
@given(data_sets(), st.integers(2, 4), st.integers(0, 99))
def test_the_most_even_draw_is_the_one_of_least_chi_square(
    data: tuple[np.ndarray, np.ndarray], sides: int, seed: int
) -> None:
    labels, groups = data
    chance = random.Random(seed)
    shares = np.full(sides, 1 / sides)
    draws = [np.array([chance.randrange(sides) for _ in range(groups.max() + 1)]) for _ in range(5)]

    def unevenness(draw: np.ndarray) -> float:
        """Counts of images, of findings and of their absence in each side, against those of an even spread."""
        total = 0.0
        for side in range(sides):
            here = draw[groups] == side
            counts = [(here.sum(), len(here))]
            for target in range(labels.shape[1]):
                counts += [
                    ((labels[here, target] == v).sum(), (labels[:, target] == v).sum()) for v in (0, 1)
                ]
            total += sum((found - n / sides) ** 2 / (n / sides) for found, n in counts if n)
        return total

    chosen = choose_most_even(labels, groups, shares, draws)
    assert unevenness(chosen) == pytest.approx(min(map(unevenness, draws)), abs=1e-6)


@QUICK
@given(data_sets())
def test_a_group_has_what_any_of_its_images_has(data: tuple[np.ndarray, np.ndarray]) -> None:
    labels, groups = data
    table, targets = summarise_groups(labels, groups), labels.shape[1]
    patterns = set()
    for target in range(targets):
        assessed = []
        for group in range(groups.max() + 1):
            own = labels[groups == group, target]
            assert table[group, target] == (own == 1).any()
            assessed.append(bool((~np.isnan(own)).any()))
        if not all(assessed):
            patterns.add(tuple(assessed))
    assert {tuple(column) for column in table[:, targets:].T.tolist()} == patterns
    assert table.shape[1] == targets + len(patterns)


def test_several_labels_are_drawn_twenty_times() -> None:
    seeds = draw_seeds(1337)
    assert (len(seeds), seeds[0], seeds[-1]) == (20, 2427099340, 473438316)


def test_small_data_sets_are_split_as_ever() -> None:
    """Forty data sets drawn by SHA-256, one label and several, with blanks, rare classes and hardly more groups than folds."""
    digest = hashlib.sha256()
    for number in range(40):
        bits = [byte for part in range(20) for byte in hashlib.sha256(f"{number} {part}".encode()).digest()]
        count, targets = 3 + bits[0] % 12, 1 if number % 4 else 2 + bits[1] % 2
        sizes = [1 + bits[2 + group] % 5 for group in range(count)]
        groups = np.repeat(np.arange(count), sizes)
        rarity = (40, 90, 200)[bits[20] % 3]
        cells = np.array(
            [np.nan if bit < 25 else float(bit < rarity) for bit in bits[30 : 30 + len(groups) * targets]]
        )
        labels = cells.astype(np.float32).reshape(len(groups), targets)
        for share in (0.15, 0.4):
            digest.update(split_holdout(labels, groups, share, number).astype("u1").tobytes() + b"|")
        for _, validation in make_folds(labels, groups, 2 + bits[21] % min(count - 1, 6), number):
            digest.update(validation.astype("<i8").tobytes() + b"|")
    assert digest.hexdigest()[:16] == GOLDEN
