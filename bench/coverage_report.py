"""What a cell of `bench.coverage` came to: how often its intervals hold the truth, and why they do so too seldom or too often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from storage.metrics.intervals import Interval

LOWEST, HIGHEST = 0.93, 0.97
TAIL = 0.025
"""What each end of an interval may miss."""

SELDOM, ONE_END, ALIKE, WIDE = "too seldom", "one end cannot miss", "images alike", "too wide"
BY_DEFINITION, LEAVING_OUT = "by definition", "by leaving out"
REASONS = {
    SELDOM: "below 93 %: a fault",
    ONE_END: "conservative: the estimate is at its bound so often that an interval whose ends miss 2.5 % each, and which follows the estimate, holds the truth this often at least",
    ALIKE: "conservative: the interval cannot know how alike the images of a patient are, and where they are all alike it holds the truth this often, or cannot hold it less often",
    BY_DEFINITION: "conservative: it is meant to hold more than one number at once",
    LEAVING_OUT: "conservative: the variance from leaving out patients is too large on average (Efron and Stein 1981, The jackknife estimate of variance)",
    WIDE: "conservative, and without a proof that it must be",
}
Found = list[tuple[Interval, float, float]]
"""Of each data set its interval, the truth and the estimate."""
Cell = tuple[float, ...]
Measure = Callable[..., Found]


@dataclass
class Tally:
    """Cells by what came of them.

    Attributes:
        cells: with an interval.
        outside: how many of them are outside 93 to 97 %, by reason.
    """

    cells: int = 0
    outside: Counter[str] = field(default_factory=Counter)

    @property
    def is_reached(self) -> bool:
        """Whether every cell is inside, or cannot be."""
        return not (self.outside[SELDOM] or self.outside[WIDE])

    def describe(self) -> str:
        """One line."""
        inside = self.cells - sum(self.outside.values())
        reasons = "".join(f"; {count} {name}" for name, count in self.outside.items())
        return f"{inside} of {self.cells} cells within {LOWEST:.0%} to {HIGHEST:.0%} (one standard error for chance){reasons}"


def report(
    name: str,
    cells: Iterable[Cell],
    measure: Measure,
    sets: int,
    alike: Measure | None = None,
    columns: str = "patients, prevalence, truth",
    wide: str = WIDE,
) -> Tally:
    """Print what each cell came to, and count.

    Args:
        name: of the metric.
        cells: the first arguments of `measure`, the first of them the number of patients.
        measure: gives what was found in so many data sets.
        sets: data sets a cell.
        alike: the same where all images of a patient are alike; None where that says nothing.
        columns: what the numbers of a cell are.
        wide: why a cell is too wide where nothing else is the reason.
    """
    tally = Tally()
    print(f"\n{name}: {columns}, coverage, truth below, truth above, mean width, no interval")
    for cell in cells:
        found = measure(*cell, sets)
        place = f"{cell[0]:5.0f}" + "".join(f" {number:7.3f}" for number in cell[1:])
        given = [one for one in found if not one[0].reason]
        missing = 1 - len(given) / max(len(found), 1)
        if len(given) < len(found) / 2 or not found:
            print(f"{place}   no interval in {missing:.0%}")
            continue
        covered, below, above = count_held(given)
        width = np.mean([interval.high - interval.low for interval, _, _ in given])
        again = partial(alike, *cell, sets) if alike else None
        reason, proof = find_reason(covered, given, again)
        reason = wide if reason == WIDE else reason
        tally.cells += 1
        tally.outside.update([reason] if reason else [])
        said = f"   {reason}" + (f" ({proof:.3f})" if proof else "") if reason else ""
        print(
            f"{place} {covered:9.3f} {below:9.3f} {above:9.3f} {width:9.3f} {missing:8.0%}{said}", flush=True
        )
    print(f"{name}: {tally.describe()}")
    return tally


def count_held(given: Found) -> tuple[float, float, float]:
    """The share of intervals that hold the truth, and of those that it lies below and above."""
    below = float(np.mean([truth < interval.low for interval, truth, _ in given]))
    above = float(np.mean([truth > interval.high for interval, truth, _ in given]))
    return 1 - below - above, below, above


def find_reason(covered: float, given: Found, alike: Callable[[], Found] | None) -> tuple[str, float]:
    """Why a cell is outside the goal, and the coverage that proves it; empty where it is inside."""
    chance = float(np.sqrt(0.95 * 0.05 / len(given)))
    if covered < LOWEST - chance:
        return SELDOM, 0.0
    if covered <= HIGHEST + chance:
        return "", 0.0
    least = attainable([estimate for _, _, estimate in given])
    if least > HIGHEST:
        return ONE_END, least
    if alike is not None:
        there = [one for one in alike() if not one[0].reason]
        held, least = count_held(there)[0], attainable([estimate for _, _, estimate in there])
        if held <= HIGHEST + chance or least > HIGHEST:
            return ALIKE, min(held, least) if least > HIGHEST else held
    return WIDE, 0.0


def attainable(estimates: Iterable[float]) -> float:
    """The least coverage of an interval whose ends rise with the estimate and miss the truth in at most 2.5 % each.

    By such an interval the truth is missed from below where the estimate is small, and from above where it is large: for a set of smallest values and
    for a set of largest ones. Each set is the largest of at most 2.5 %. Where more than that have the highest value of all, no large value can miss.

    Args:
        estimates: of all data sets, which stand for its distribution.
    """
    values = np.asarray(list(estimates), np.float64)
    values = values[~np.isnan(values)]
    missed = 0.0
    for side in (values, -values):
        _, counts = np.unique(side, return_counts=True)
        shares = np.cumsum(counts) / max(len(side), 1)
        missed += float(shares[shares <= TAIL + 1e-12].max(initial=0.0))
    return 1 - missed


def conclude(tallies: dict[str, Tally]) -> int:
    """Print whether the goal is reached, and the cells outside by reason; the exit code."""
    total = Tally(
        sum(one.cells for one in tallies.values()),
        sum((one.outside for one in tallies.values()), Counter()),
    )
    print(f"\nall: {total.describe()}")
    for name, said in REASONS.items():
        where = {of: one.outside[name] for of, one in tallies.items() if one.outside[name]}
        if where:
            print(f"  {name}: {', '.join(f'{of} {count}' for of, count in where.items())} - {said}")
    print(
        f"{'reached' if total.is_reached else 'MISSED '}  an interval holds the truth in {LOWEST:.0%} to {HIGHEST:.0%}, or more often for a reason that is proven"
    )
    return 0 if total.is_reached else 1
