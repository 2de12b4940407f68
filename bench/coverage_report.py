"""What a cell of `bench.coverage` came to: how often its intervals hold the truth, and why they do so too seldom or too often."""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

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


@dataclass(frozen=True)
class Row:
    """What a cell came to; NaN where less than half of its data sets have an interval."""

    missing: float
    covered: float = math.nan
    below: float = math.nan
    above: float = math.nan
    width: float = math.nan
    reason: str = ""
    proof: float = 0.0

    def describe(self, wide: str) -> str:
        """The end of its line.

        Args:
            wide: why it is too wide where nothing else is the reason.
        """
        if math.isnan(self.covered):
            return f"   no interval in {self.missing:.0%}"
        reason = wide if self.reason == WIDE else self.reason
        said = f"   {reason}" + (f" ({self.proof:.3f})" if self.proof else "") if reason else ""
        return f" {self.covered:9.3f} {self.below:9.3f} {self.above:9.3f} {self.width:9.3f} {self.missing:8.0%}{said}"


@dataclass
class Tally:
    """Cells by what came of them.

    Attributes:
        cells: with an interval.
        outside: how many of them are outside 93 to 97 %, by reason.
        covered: the coverage of each.
    """

    cells: int = 0
    outside: Counter[str] = field(default_factory=Counter)
    covered: list[float] = field(default_factory=list)

    @property
    def is_reached(self) -> bool:
        """Whether every cell is inside, or cannot be."""
        return bool(self.cells) and not (self.outside[SELDOM] or self.outside[WIDE])

    def describe(self) -> str:
        """One line."""
        inside = self.cells - sum(self.outside.values())
        reasons = "".join(f"; {count} {name}" for name, count in self.outside.items())
        ends = (
            f", {min(self.covered):.3f} to {max(self.covered):.3f} (median {np.median(self.covered):.3f})"
            if self.covered
            else ""
        )
        return f"{inside} of {self.cells} cells within {LOWEST:.0%} to {HIGHEST:.0%} (one standard error for chance){reasons}{ends}"


class Report:
    """What was found of each interval, printed as it comes; what was counted is kept in a file, so that the next call goes on there.

    Attributes:
        tallies: by name of the interval.
        left: cells for which there was no time.
    """

    def __init__(self, keep: Path | None = None, minutes: float = math.inf, only: str = "") -> None:
        """Read what is kept of the same code.

        Args:
            keep: the file, one row a cell; None for none.
            minutes: after which no further cell is begun.
            only: what the names of the intervals that are wanted begin with.
        """
        self.tallies: dict[str, Tally] = {}
        self.left = 0
        self._keep, self._only, self._end = keep, only, time.monotonic() + 60 * minutes
        self._code = hash_code()
        self._rows: dict[tuple[str, Cell, int], Row] = {}
        lines = keep.read_text().splitlines() if keep and keep.exists() else []
        for line in map(json.loads, lines):
            if line["code"] == self._code:
                self._rows[line["name"], tuple(line["cell"]), line["sets"]] = Row(**line["row"])
        if others := len(lines) - len(self._rows):
            print(f"{others} kept cells are of other code, and counted again")

    def add(
        self,
        name: str,
        cells: Iterable[Cell],
        measure: Measure,
        sets: int,
        alike: Measure | None = None,
        columns: str = "patients, prevalence, truth",
        wide: str = WIDE,
    ) -> None:
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
        if not name.startswith(self._only):
            return
        tally = self.tallies[name] = Tally()
        print(f"\n{name}: {columns}, coverage, truth below, truth above, mean width, no interval")
        for cell in cells:
            row = self._rows.get((name, tuple(cell), sets))
            if row is None and time.monotonic() > self._end:
                self.left += 1
                continue
            if row is None:
                row = describe_cell(measure(*cell, sets), partial(alike, *cell, sets) if alike else None)
                if self._keep:
                    said = {"code": self._code, "name": name, "cell": cell, "sets": sets, "row": asdict(row)}
                    with self._keep.open("a") as file:
                        file.write(json.dumps(said, default=float) + "\n")
            place = f"{cell[0]:5.0f}" + "".join(f" {number:7.3f}" for number in cell[1:])
            print(f"{place}{row.describe(wide)}", flush=True)
            if not math.isnan(row.covered):
                reason = wide if row.reason == WIDE else row.reason
                tally.cells += 1
                tally.covered.append(row.covered)
                tally.outside.update([reason] if reason else [])
        print(f"{name}: {tally.describe()}")

    def conclude(self) -> int:
        """Print whether the goal is reached, and the cells outside by reason; the exit code: 0 reached, 1 missed, 3 not finished."""
        total = Tally(
            sum(one.cells for one in self.tallies.values()),
            sum((one.outside for one in self.tallies.values()), Counter()),
        )
        print(f"\nall: {total.describe()}")
        for name, said in REASONS.items():
            where = {of: one.outside[name] for of, one in self.tallies.items() if one.outside[name]}
            if where:
                print(f"  {name}: {', '.join(f'{of} {count}' for of, count in where.items())} - {said}")
        if self.left:
            print(f"NOT FINISHED  {self.left} cells are left; the same command goes on")
            return 3
        print(
            f"{'reached' if total.is_reached else 'MISSED '}  an interval holds the truth in {LOWEST:.0%} to {HIGHEST:.0%}, or more often for a reason that is proven"
        )
        return 0 if total.is_reached else 1


def read_command(description: str, *, sets: int) -> tuple[Report, int, bool]:
    """The report that the command line asks for, the data sets a cell, and whether it is only to see that it runs."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--sets", type=int, default=sets, help="data sets a cell")
    parser.add_argument("--only", default="", help="names that begin so")
    parser.add_argument("--small", action="store_true", help="few cells and sets, to see that it runs")
    parser.add_argument("--keep", type=Path, help="a file for what was counted; the next call goes on there")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin no further cell after these")
    chosen = parser.parse_args()
    return (
        Report(chosen.keep, chosen.minutes, chosen.only),
        40 if chosen.small else chosen.sets,
        chosen.small,
    )


def hash_code() -> str:
    """Of all code that a coverage depends on, and of NumPy's version."""
    root = Path(__file__).parent.parent
    files = [*sorted((root / "storage").rglob("*.py")), *sorted((root / "bench").glob("coverage*.py"))]
    code = hashlib.sha256(np.__version__.encode())
    for file in files:
        code.update(file.read_bytes())
    return code.hexdigest()


def describe_cell(found: Found, alike: Callable[[], Found] | None) -> Row:
    """Count what was found in one cell."""
    given = [one for one in found if not one[0].reason]
    missing = 1 - len(given) / max(len(found), 1)
    if len(given) < len(found) / 2 or not found:
        return Row(missing)
    covered, below, above = count_held(given)
    width = float(np.mean([interval.high - interval.low for interval, _, _ in given]))
    reason, proof = find_reason(covered, given, alike)
    return Row(missing, covered, below, above, width, reason, proof)


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
