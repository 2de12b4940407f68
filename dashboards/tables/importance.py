"""How much each hyperparameter mattered, and how much it would seem to matter if it did not.

PED-ANOVA (Watanabe, Bansal and Hutter 2023) as Optuna 5 computes it for one objective without conditions, in NumPy: the
null band needs the estimate some hundred times, and Optuna's own comes with scikit-learn and seconds of start-up. A
test holds the two to the same numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from dashboards.tables.view import StudyView
from storage.spec.distributions import ends
from storage.spec.study import WHOLE_NUMBERS, StudySpec

SHUFFLES = 200
FEWEST_TRIALS = 10
BAND = (0.05, 0.95)
TOP = 0.1
STEPS = 50
PRIOR_WEIGHT = 1.0

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Importance:
    """The importance of one hyperparameter; those of a study add up to 1.

    Attributes:
        estimate: share for reaching the top tenth of the values.
        null_low: 5 % quantile of the same estimate on shuffled values.
        null_high: 95 % quantile.
    """

    name: str
    estimate: float
    null_low: float
    null_high: float

    @property
    def is_told_from_chance(self) -> bool:
        """Whether the estimate lies above the null band."""
        return self.estimate > self.null_high


def estimate_importance(view: StudyView, *, shuffles: int = SHUFFLES, seed: int = 0) -> list[Importance]:
    """Estimate the importance of every searched hyperparameter, the largest first; empty with too few trials."""
    names = view.searched
    points = [point for point in view.ranked if point.params and point.params.keys() >= set(names)]
    if len(points) < FEWEST_TRIALS or len(names) < 2:
        return []
    grids = [
        place_on_grid(view.study.spec, name, [(point.params or {})[name] for point in points])
        for name in names
    ]
    values = np.array([float(point.value or 0) for point in points])
    real = share_importance(grids, values)
    generator = np.random.default_rng(seed)
    null = np.array([share_importance(grids, generator.permutation(values)) for _ in range(shuffles)])
    low, high = np.quantile(null, BAND, axis=0)
    found = [
        Importance(name, float(real[place]), float(low[place]), float(high[place]))
        for place, name in enumerate(names)
    ]
    return sorted(found, key=lambda one: -one.estimate)


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

    @cached_property
    def _every(self) -> Array:
        return self._estimate(self.cells)

    def _estimate(self, cells: NDArray[np.int64]) -> Array:
        density = _density if self.has_order else _category_density
        return density(cells, self.size) + 1e-12


def place_on_grid(spec: StudySpec, name: str, values: list[float]) -> Grid:
    """Return the cells of the values of one searched hyperparameter."""
    searched = spec.search[name]
    if searched.type == "grid" and spec.sampler.name != "grid":
        choices = list(searched.values or ())
        return Grid(np.array([choices.index(value) for value in values]), len(choices), has_order=False)
    low, high = ends(searched)
    steps = STEPS
    if name in WHOLE_NUMBERS or searched.type == "int":
        width = high - low + 1
        steps = min(math.ceil(math.log2(width)) + 1 if searched.log else round(width), STEPS)
    numbers = np.asarray(values, np.float64)
    if searched.log:
        low, high, numbers = math.log(low), math.log(high), np.log(numbers)
    if steps < 2 or high == low:
        return Grid(np.zeros(len(numbers), np.int64), 1)
    cells = np.ceil((numbers - low) / ((high - low) / (steps - 1)) - 0.5).astype(np.int64)
    return Grid(np.clip(cells, 0, steps - 1), steps)


def share_importance(grids: list[Grid], values: Array) -> Array:
    """Return each hyperparameter's share, shape (hyperparameters,); equal shares where nothing differs."""
    count = math.ceil(TOP * len(values))
    cutoff = np.partition(-values, count - 1)[count - 1]
    top = -values <= cutoff
    raw = np.array([grid.diverge(top) for grid in grids])
    total = raw.sum()
    result: Array = raw / total if total > 0 else np.full(len(raw), 1 / len(raw))
    return result


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
