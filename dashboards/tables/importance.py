"""How much each hyperparameter mattered, and whether chance explains it.

PED-ANOVA (Watanabe, Bansal and Hutter 2023) as Optuna 5 computes it for one objective without conditions, in NumPy, since Optuna's
own comes with scikit-learn and seconds of start-up; a test holds the two to the same numbers. Its shares add up to 1 whatever the data, so
they cannot be tested one by one: where two hyperparameters matter equally, each share lies where chance puts it, too. Whether one matters
is therefore tested by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboards.tables.view import StudyView
from storage.spec import StudySpec, frozen, is_whole
from storage.spec.distributions import ends

SHUFFLES = 999
FEWEST_TRIALS = 10
SIGNIFICANT = 0.05
DEGREE = 3
"""Of the polynomial that a value may follow along one hyperparameter; less where there are few trials."""

TOP = 0.1
STEPS = 50
PRIOR_WEIGHT = 1.0

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Importance:
    """The importance of one hyperparameter; those of a study add up to 1.

    Attributes:
        estimate: share for reaching the top tenth of the values.
        p_value: how often chance alone would explain the values as much better, given the other hyperparameters.
    """

    name: str
    estimate: float
    p_value: float

    @property
    def is_significant(self) -> bool:
        """Whether chance explains it in fewer than 1 of 20 cases."""
        return self.p_value <= SIGNIFICANT


def estimate_importance(view: StudyView, *, shuffles: int = SHUFFLES, seed: int = 0) -> list[Importance]:
    """Estimate the importance of every searched hyperparameter, the largest first; empty with too few trials."""
    spec, points = view.study.spec, [point for point in view.ranked if point.params]
    every = {
        name: np.array([name in (point.params or {}) for point in points], np.bool_) for name in view.searched
    }
    # What acts in a few trials only cannot be judged.
    acting = {name: acts for name, acts in every.items() if acts.sum() >= FEWEST_TRIALS}
    if len(points) < FEWEST_TRIALS or len(view.searched) < 2 or not acting:
        return []
    values = np.array([float(point.value or 0) for point in points])
    grids = {
        name: place_on_grid(
            spec,
            name,
            [params[name] for params in (point.params or {} for point in points) if name in params],
        )
        for name in acting
    }
    shares = share_importance(list(grids.values()), values, list(acting.values()))
    bases = []
    for name, acts in acting.items():
        basis = grids[name].basis(DEGREE if len(points) >= 30 else 1)
        spread = np.zeros((len(points), basis.shape[1]))
        spread[acts] = basis
        bases.append(spread)
    chances = find_chances(bases, values, shuffles, seed)
    found = [
        Importance(name, float(shares[place]), float(chances[place])) for place, name in enumerate(acting)
    ]
    return sorted(found, key=lambda one: -one.estimate)


def find_chances(bases: list[Array], values: Array, shuffles: int, seed: int) -> Array:
    """The p-value of each hyperparameter, the others given.

    An additive regression of the ranks of the values on a polynomial of each hyperparameter; the test statistic is F's for leaving one of
    them out, and its distribution under chance comes from shuffling the residuals of the smaller model (Freedman and Lane 1983).

    Args:
        bases: for each hyperparameter, shape (trials, columns): its polynomial, or its categories.
        values: shape (trials,).
        shuffles: how often.
        seed: of the shuffles.

    Returns:
        Shape (hyperparameters,); 1 where too few trials are left to test.
    """
    generator, count = np.random.default_rng(seed), len(values)
    # Ranks, so that one trial that went wild does not decide.
    ranks = (values[:, None] > values).sum(axis=1) + (values[:, None] == values).sum(axis=1) / 2
    outcome = (ranks - ranks.mean()) / count
    ones, chances = np.ones((count, 1)), np.ones(len(bases))
    for place in range(len(bases)):
        smaller = _orthonormal(
            np.hstack([ones, *(basis for other, basis in enumerate(bases) if other != place)])
        )
        larger = _orthonormal(np.hstack([smaller, bases[place]]))
        if larger.shape[1] == smaller.shape[1] or count - larger.shape[1] < 3:
            continue
        fitted = smaller @ (smaller.T @ outcome)
        shuffled = np.stack([generator.permutation(outcome - fitted) for _ in range(shuffles)], axis=1)
        drawn = np.concatenate([outcome[:, None], shuffled + fitted[:, None]], axis=1)
        total = (drawn**2).sum(axis=0)
        left = np.maximum(total - ((larger.T @ drawn) ** 2).sum(axis=0), 1e-12)
        gained = ((larger.T @ drawn) ** 2).sum(axis=0) - ((smaller.T @ drawn) ** 2).sum(axis=0)
        chances[place] = float((gained / left >= gained[0] / left[0] - 1e-12).mean())
    return chances


def _orthonormal(columns: Array) -> Array:
    """An orthonormal basis of what the columns span."""
    left, sizes, _ = np.linalg.svd(columns, full_matrices=False)
    basis: Array = np.asarray(left[:, sizes > 1e-9 * sizes[0]], np.float64)
    return basis


@dataclass(frozen=True)
class Grid:
    """The cells of a grid that the values of one hyperparameter fall into.

    Attributes:
        cells: shape (trials,).
        size: how many cells there are.
        has_order: False for categories.
    """

    cells: NDArray[np.int64]
    size: int
    has_order: bool = True

    def diverge(self, top: NDArray[np.bool_]) -> float:
        """Pearson's divergence of the density of the chosen trials from that of all, by the square of their share."""
        if self.size < 2:
            return 0.0
        best = self._estimate(self.cells[top])
        return float(top.mean() ** 2 * (self._every @ ((best / self._every - 1) ** 2)))

    def basis(self, degree: int) -> Array:
        """Columns that a regression on this hyperparameter takes: a polynomial of the cell, or a column for each category."""
        if not self.has_order:
            return (self.cells[:, None] == np.arange(self.size)[1:]).astype(np.float64)
        distinct = len(np.unique(self.cells))
        scaled = 2 * self.cells / max(self.size - 1, 1) - 1
        columns = np.polynomial.legendre.legvander(scaled, min(degree, max(distinct - 1, 0)))[:, 1:]
        return np.asarray(columns, np.float64)

    @cached_property
    def _every(self) -> Array:
        return self._estimate(self.cells)

    def _estimate(self, cells: NDArray[np.int64]) -> Array:
        density = _density if self.has_order else _category_density
        return density(cells, self.size) + 1e-12


def place_on_grid(spec: StudySpec, name: str, values: list[Any]) -> Grid:
    """Return the cells of the values of one searched hyperparameter."""
    searched = spec.search[name]
    is_listed = searched.type == "grid" and spec.sampler.name != "grid"
    if (
        is_listed
        or searched.type == "choice"
        or any(isinstance(value, str) for value in searched.values or ())
    ):
        choices = [frozen(value) for value in searched.values or ()]
        return Grid(
            np.array([choices.index(frozen(value)) for value in values]), len(choices), has_order=False
        )
    low, high = ends(searched)
    steps = STEPS
    if is_whole(name) or searched.type == "int":
        width = high - low + 1
        steps = min(math.ceil(math.log2(width)) + 1 if searched.log else round(width), STEPS)
    numbers = np.asarray(values, np.float64)
    if searched.log:
        low, high, numbers = math.log(low), math.log(high), np.log(numbers)
    if steps < 2 or high == low:
        return Grid(np.zeros(len(numbers), np.int64), 1)
    cells = np.ceil((numbers - low) / ((high - low) / (steps - 1)) - 0.5).astype(np.int64)
    return Grid(np.clip(cells, 0, steps - 1), steps)


def share_importance(
    grids: list[Grid], values: Array, acting: Sequence[NDArray[np.bool_]] | None = None
) -> Array:
    """Return each hyperparameter's share, shape (hyperparameters,); equal shares where nothing differs.

    One that does not act in every trial is judged among those in which it acts, and counts by their share.

    Args:
        grids: of each hyperparameter, the cells of the trials in which it acts.
        values: shape (trials,).
        acting: for each, in which trials it acts, shape (trials,); all where left out.
    """
    masks = acting if acting is not None else [np.ones(len(values), np.bool_)] * len(grids)
    raw = np.array(
        [
            float(acts.mean()) * grid.diverge(_top(values[acts]))
            for grid, acts in zip(grids, masks, strict=True)
        ]
    )
    total = raw.sum()
    result: Array = raw / total if total > 0 else np.full(len(raw), 1 / len(raw))
    return result


def _top(values: Array) -> NDArray[np.bool_]:
    count = math.ceil(TOP * len(values))
    cutoff = np.partition(-values, count - 1)[count - 1]
    top: NDArray[np.bool_] = -values <= cutoff
    return top


def _density(cells: NDArray[np.int64], size: int) -> Array:
    """A Parzen estimate on the grid: truncated normal kernels of Scott's width and one broad prior; shape (size,)."""
    counts = np.bincount(cells, minlength=size)
    places: NDArray[np.int64] = np.flatnonzero(counts)
    weights = counts[places]
    total, sums = int(weights.sum()), np.cumsum(weights)
    mean = (places @ weights) / total
    deviation = math.sqrt(((places - mean) ** 2 @ weights) / max(1, total - 1))
    lower = places[np.searchsorted(sums, total // 4, side="left")]
    upper = places[min(places.size - 1, int(np.searchsorted(sums, total * 3 // 4, side="right")))]
    scott = 1.059 * min(float(upper - lower) / 1.34, deviation) * total**-0.2
    width: float = max(scott, 0.5 / 1.64)
    # Cells lie whole numbers apart, so that one row of error functions serves every kernel.
    known = np.array([math.erf((shift - 0.5) / (width * math.sqrt(2))) for shift in range(-size, size + 1)])
    edges = known[np.arange(size + 1) - places[:, None] + size]
    kernels = np.diff(edges, axis=1) / (edges[:, -1:] - edges[:, :1])
    mixed: Array = (weights @ kernels + PRIOR_WEIGHT * _prior(size)) / (total + PRIOR_WEIGHT)
    return mixed


@lru_cache(maxsize=32)
def _prior(size: int) -> Array:
    centre, width = (size - 1) / 2, size * math.sqrt(2)
    edges = np.array([math.erf((place - 0.5 - centre) / width) for place in range(size + 1)])
    kernel: Array = np.diff(edges) / (edges[-1] - edges[0])
    return kernel


def _category_density(cells: NDArray[np.int64], size: int) -> Array:
    counts = np.bincount(cells, minlength=size)
    places = np.flatnonzero(counts)
    kernels = np.full((len(places) + 1, size), PRIOR_WEIGHT / (len(places) + 1))
    kernels[np.arange(len(places)), places] += 1
    kernels /= kernels.sum(axis=1, keepdims=True)
    mixed = np.append(counts[places], PRIOR_WEIGHT)
    density: Array = mixed / mixed.sum() @ kernels
    return density
