"""Which images train and which validate, the same for every trial of a study."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from storage.data.splitting import (
    check_sides,
    choose_most_even,
    draw_seeds,
    find_straddling,
    summarise_groups,
)
from storage.errors import DataError


def make_folds(
    labels: np.ndarray,
    groups: np.ndarray,
    count: int,
    seed: int,
    *,
    repeats: int = 1,
    given: Sequence[int] | None = None,
    outer: tuple[int, int] | None = None,
    is_test: bool = False,
    train_percent: int = 100,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The folds of a study: drawn once, drawn several times, or as they are given.

    Args:
        labels: shape (n, t), 0 or 1, NaN where not assessed.
        groups: shape (n,), any whole numbers; without groups, a number of its own for each image.
        count: how many folds, at least 2.
        seed: equal input and seed give equal folds.
        repeats: how often they are drawn, each time otherwise; the folds of the first draw come first.
        given: the fold that each image validates in, length n; takes the place of drawing.
        outer: the number of an outer fold, from 1, and how many there are: the folds are drawn of the other images.
        train_percent: the percentage of the groups of each training part that train; fewer are always among more.
        is_test: one fold, in which those other images train and the outer fold validates.

    Returns:
        For each fold the int64 indices that train and those that validate, both ascending.

    Raises:
        DataError: fewer groups than folds; or given folds that are for other images, or tear a group.
    """
    if train_percent < 100:
        whole = make_folds(
            labels, groups, count, seed, repeats=repeats, given=given, outer=outer, is_test=is_test
        )
        return [
            (_take_groups(groups, train, train_percent, [seed, 3, number]), held)
            for number, (train, held) in enumerate(whole)
        ]
    if outer is not None:
        train, held = draw_outer_folds(labels, groups, outer[1], seed)[outer[0] - 1]
        if is_test:
            return [(train, held)]
        inner = make_folds(labels[train], groups[train], count, seed, repeats=repeats)
        return [(train[first], train[second]) for first, second in inner]
    if given is not None:
        return _take_folds(groups, count, np.asarray(given, np.int64))
    folds = _draw_folds(labels, groups, count, seed)
    for repeat in range(1, repeats):
        again = int(np.random.SeedSequence([seed, repeat]).generate_state(1)[0])
        folds += _draw_folds(labels, groups, count, again)
    return folds


def draw_outer_folds(
    labels: np.ndarray, groups: np.ndarray, count: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The outer folds of a nested cross-validation, drawn otherwise than those of the study itself.

    Args:
        labels, groups, count, seed: as of `make_folds`.

    Raises:
        DataError: fewer groups than folds.
    """
    return _draw_folds(
        labels, groups, count, int(np.random.SeedSequence([seed, 0, count]).generate_state(1)[0])
    )


def _take_groups(groups: np.ndarray, images: np.ndarray, percent: int, seed: Sequence[int]) -> np.ndarray:
    """The images of a percentage of their groups, at least of one; ascending."""
    present = np.unique(groups[images])
    drawn = np.random.default_rng(list(seed)).permutation(present)
    kept = drawn[: max(1, round(len(present) * percent / 100))]
    return np.asarray(images[np.isin(groups[images], kept)])


def _take_folds(
    groups: np.ndarray, count: int, fold_of_image: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    if len(fold_of_image) != len(groups) or not np.array_equal(np.unique(fold_of_image), np.arange(count)):
        raise DataError(
            f"The folds of the study are for {len(fold_of_image)} images in {len(np.unique(fold_of_image))} folds; "
            f"the data set has {len(groups)}, and the spec {count} folds.",
            why="cv.folds or cv.assigned was changed by hand, or the folds were given for another data set.",
            next_step="Create the study again with cv.by alone.",
        )
    folds = [
        (np.flatnonzero(fold_of_image != fold), np.flatnonzero(fold_of_image == fold))
        for fold in range(count)
    ]
    straddling = find_straddling(groups, [validation for _, validation in folds])
    if straddling:
        raise DataError(
            f"The given folds put {len(straddling)} groups (patients) into more than one fold.",
            why="A model would be judged on patients that it has seen.",
            next_step="Correct the folds so that all images of a patient are in one.",
        )
    return folds


def _draw_folds(
    labels: np.ndarray, groups: np.ndarray, count: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split into folds that keep every group on one side and spread the labels evenly.

    Several labels: iterative stratification (Sechidis et al. 2011) over the groups; a group's label is the maximum
    over its images, and a label with blanks is balanced for "assessed" as well; of some draws, the one that is most
    even over images. One label: StratifiedGroupKFold, "not assessed" being a class of its own.

    Args:
        labels: shape (n, t), 0 or 1, NaN where not assessed.
        groups: shape (n,), any whole numbers; without groups, a number of its own for each image.
        count: how many folds, at least 2.
        seed: equal input and seed give equal folds.

    Returns:
        For each fold the int64 indices that train and those that validate, both ascending.

    Raises:
        DataError: fewer groups than folds.
    """
    _, groups = np.unique(groups, return_inverse=True)
    group_count = int(groups.max()) + 1 if len(groups) else 0
    if group_count < count:
        raise DataError(
            f"{group_count} groups cannot fill {count} folds: every fold needs a group (patient) of its own.",
            why="Images of one group never stand on both sides of a fold.",
            next_step="Choose fewer folds with --set cv.folds=N, or bring more groups.",
        )
    if labels.shape[1] == 1:
        fold_of_group = _fold_one_label(labels[:, 0], groups, count, seed)
    else:
        table = summarise_groups(labels, groups)
        draws = [_fold_groups(table, count, draw) for draw in draw_seeds(seed)]
        fold_of_group = choose_most_even(labels, groups, np.full(count, 1 / count), draws)
    fold_of_image = _fill_empty(fold_of_group, count, seed)[groups]
    folds = [
        (np.flatnonzero(fold_of_image != fold), np.flatnonzero(fold_of_image == fold))
        for fold in range(count)
    ]
    check_sides(groups, [validation for _, validation in folds])
    return folds


def digest_folds(folds: Sequence[tuple[np.ndarray, np.ndarray]]) -> str:
    """A name for these folds: SHA-256 over the validation images of each."""
    digest = hashlib.sha256()
    for _, validation in folds:
        digest.update(np.ascontiguousarray(validation, "<i8").tobytes() + b"|")
    return "sha256:" + digest.hexdigest()


def check_folds(facts: Mapping[str, Any], folds: Sequence[tuple[np.ndarray, np.ndarray]]) -> None:
    """Make sure that these are the folds that a study was made with, where its facts name them.

    Raises:
        DataError: they are others.
    """
    if facts.get("folds_digest") not in (None, digest_folds(folds)):
        raise DataError(
            "The folds that this machine makes are not those that the study was made with.",
            why="Another version of scikit-learn, iterative-stratification or numpy draws them otherwise.",
            next_step="Install the locked versions: make setup, or requirements/cpu.txt.",
        )


def _fold_one_label(label: np.ndarray, groups: np.ndarray, count: int, seed: int) -> np.ndarray:
    from sklearn.model_selection import StratifiedGroupKFold

    classes = np.where(np.isnan(label), 2, label).astype(np.int64)
    if np.bincount(classes).max() < count:
        # StratifiedGroupKFold refuses when every class has fewer images than there are folds.
        table = np.stack([np.bincount(groups, classes == value) > 0 for value in range(3)], axis=1)
        return _fold_groups(table, count, seed)
    fold_of_group = np.zeros(int(groups.max()) + 1, dtype=np.int64)
    splitter = StratifiedGroupKFold(n_splits=count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class rarer than the folds is said in orch's own words where the study is made.
        warnings.simplefilter("ignore", UserWarning)
        for fold, (_, validation) in enumerate(splitter.split(classes, classes, groups)):
            fold_of_group[groups[validation]] = fold
    return fold_of_group


def _fold_groups(table: np.ndarray, count: int, seed: int) -> np.ndarray:
    from iterstrat.ml_stratifiers import MultilabelStratifiedKFold

    fold_of_group = np.zeros(len(table), dtype=np.int64)
    splitter = MultilabelStratifiedKFold(n_splits=count, shuffle=True, random_state=seed)
    for fold, (_, validation) in enumerate(splitter.split(table, table)):
        fold_of_group[validation] = fold
    return fold_of_group


def _fill_empty(fold_of_group: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Give every fold a group: with hardly more groups than folds, stratifying alone may leave one empty."""
    filled = fold_of_group.copy()
    generator = np.random.default_rng(seed)
    for fold in range(count):
        if not (filled == fold).any():
            largest = int(np.bincount(filled, minlength=count).argmax())
            filled[generator.choice(np.flatnonzero(filled == largest))] = fold
    return filled
