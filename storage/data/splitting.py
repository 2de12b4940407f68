"""Which groups (patients) go where: the hold-out here, the folds in `storage.data.folds`.

Groups are what is stratified: a group carries a label if any of its images does (the maximum over its images).
A label that was never assessed in a group counts as absent, and so that assessed images spread evenly too, each
label with blanks adds the column "assessed in this group".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from storage.errors import DataError
from storage.wording import name_few

DRAWS = 20


def split_holdout(labels: np.ndarray, groups: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Choose the hold-out by group: iterative stratification, or for one label a greedy balance of its classes.

    Args:
        labels: shape (n, t), 0 or 1, NaN where not assessed.
        groups: shape (n,), whole numbers from 0, in an order that does not depend on names.
        share: the part to hold out, in (0, 1); of the groups for several labels, of the images for one.
        seed: any whole number from 0; equal input and seed give an equal split.

    Returns:
        bool, shape (n,): True for the images of the hold-out.

    Raises:
        DataError: fewer than two groups.
    """
    count = int(groups.max()) + 1
    if count < 2:
        raise DataError(
            "A hold-out cannot be split off: all images are of one group.",
            why="A group (patient) never stands on both sides.",
            next_step="Use --holdout 0, or another --group.",
        )
    if labels.shape[1] == 1:
        held = _balance_one_label(labels[:, 0], groups, share, seed)
    else:
        table = summarise_groups(labels, groups)
        held = choose_most_even(
            labels,
            groups,
            np.array([1 - share, share]),
            [_stratify_iteratively(table, share, draw) for draw in draw_seeds(seed)],
        ).astype(bool)
    if not 0 < held.sum() < count:
        # Too few groups for the share: one is the least that is a hold-out, or a development side.
        chosen = np.random.default_rng(seed).integers(count)
        held = np.arange(count) == chosen if not held.any() else np.arange(count) != chosen
    return np.asarray(held[groups], dtype=bool)


def summarise_groups(labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """One row of labels per group: the maximum over its images, then "assessed" for each label with blanks.

    Args:
        labels: shape (n, t), 0 or 1, NaN where not assessed.
        groups: shape (n,), whole numbers from 0.

    Returns:
        bool, shape (groups, t + number of differing patterns of blanks).
    """
    count = int(groups.max()) + 1
    present = np.zeros((count, labels.shape[1]), dtype=bool)
    assessed = np.zeros_like(present)
    np.logical_or.at(present, groups, labels == 1)
    np.logical_or.at(assessed, groups, ~np.isnan(labels))
    partly = assessed[:, ~assessed.all(axis=0)]
    return np.hstack([present, np.unique(partly, axis=1)]) if partly.size else present


def draw_seeds(seed: int) -> list[int]:
    """The seeds of the draws among which `choose_most_even` chooses."""
    return [int(draw) for draw in np.random.SeedSequence(seed).generate_state(DRAWS)]


def choose_most_even(
    labels: np.ndarray, groups: np.ndarray, shares: np.ndarray, draws: Sequence[np.ndarray]
) -> np.ndarray:
    """Choose the draw that spreads images and labels most evenly.

    Groups are of unequal size, so draws that are equally even over groups differ over images.

    Args:
        labels: shape (n, t), 0 or 1, NaN where not assessed.
        groups: shape (n,), whole numbers from 0.
        shares: shape (sides,), the wanted part of each side.
        draws: each the side of every group, shape (groups,).

    Returns:
        The draw with the least sum of squared deviations, each in standard deviations of a random split.
    """
    counted = np.hstack([np.ones((len(labels), 1)), labels == 1, labels == 0])
    wanted = np.maximum(np.outer(shares, counted.sum(axis=0)), 1e-9)

    def unevenness(draw: np.ndarray) -> float:
        side = draw[groups].astype(np.int64)
        found = np.stack([counted[side == number].sum(axis=0) for number in range(len(shares))])
        return round(float(((found - wanted) ** 2 / wanted).sum()), 9)

    return min(draws, key=unevenness)


def find_straddling(groups: np.ndarray, sides: Sequence[np.ndarray]) -> list[int]:
    """The groups that have images on more than one side; `sides` are arrays of indices."""
    seen: dict[int, int] = {}
    straddling = set()
    for number, side in enumerate(sides):
        for group in np.unique(groups[side]).tolist():
            if seen.setdefault(group, number) != number:
                straddling.add(group)
    return sorted(straddling)


def check_sides(groups: np.ndarray, sides: Sequence[np.ndarray]) -> None:
    """Make sure that no group, and so no image, stands on two sides.

    Raises:
        DataError: names the groups.
    """
    straddling = find_straddling(groups, sides)
    if straddling:
        raise DataError(
            f"{len(straddling)} groups have images on both sides of a split: {name_few(map(str, straddling))}.",
            why="A model would be judged on patients that it has seen.",
            next_step="This is an error in orch; please report it.",
        )


def _stratify_iteratively(table: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Sechidis, Tsoumakas and Vlahavas (2011), over groups: bool, shape (groups,)."""
    from iterstrat.ml_stratifiers import MultilabelStratifiedShuffleSplit

    held = np.zeros(len(table), dtype=bool)
    size = min(max(round(share * len(table)), 1), len(table) - 1)
    splitter = MultilabelStratifiedShuffleSplit(
        n_splits=1, test_size=size, train_size=len(table) - size, random_state=seed
    )
    _, chosen = next(splitter.split(table, table))
    held[chosen] = True
    return held


def _balance_one_label(label: np.ndarray, groups: np.ndarray, share: float, seed: int) -> np.ndarray:
    """StratifiedGroupKFold's rule for two sides of unequal size: bool, shape (groups,).

    Groups come in order of how uneven they are, and each goes where the classes (0, 1, not assessed) then fill both
    sides most alike.
    """
    classes = np.where(np.isnan(label), 2, label).astype(np.int64)
    counts = np.zeros((int(groups.max()) + 1, 3))
    np.add.at(counts, (groups, classes), 1)
    counts = counts[:, counts.any(axis=0)]
    wanted = np.outer([1 - share, share], counts.sum(axis=0))
    order = np.random.default_rng(seed).permutation(len(counts))
    order = order[np.argsort(-counts[order].std(axis=1), kind="stable")]
    held = np.zeros(len(counts), dtype=bool)
    # Plain numbers: of two sides and three classes NumPy's calls would take ten times as long as the sums.
    goals = wanted.tolist()
    filled = [[0.0] * len(goals[0]) for _ in range(2)]
    for group, own in zip(order.tolist(), counts[order].tolist(), strict=True):
        unevenness = []
        for side in range(2):
            trial = [
                [have + more for have, more in zip(row, own, strict=True)] if number == side else row
                for number, row in enumerate(filled)
            ]
            # The standard deviation of two numbers is half their distance.
            apart = [
                abs(one / goal - other / aim) / 2
                for one, goal, other, aim in zip(trial[0], goals[0], trial[1], goals[1], strict=True)
            ]
            unevenness.append((round(sum(apart) / len(apart), 12), sum(trial[side])))
        side = unevenness.index(min(unevenness))
        filled[side] = [have + more for have, more in zip(filled[side], own, strict=True)]
        held[group] = side == 1
    return held
