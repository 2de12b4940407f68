"""Images that are one picture: saved again, resized, brightened, inverted, flipped, turned a little, cut or framed.

Candidates are pairs whose distinct points look alike (`sketches`); each is laid over the other and compared part by part
(`registration`), because any two radiographs of one kind share what is coarse.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.audit.registration import NONE, Agreement, agree, find_change, refine
from orchestrator.audit.sketches import GRID, WHOLE, Sketch, find_structure

ALIKE = 0.88
"""Correlation of their surroundings from which two points look alike."""

NEAREST = 4
"""Alike points that each point may have."""

FEWEST_POINTS, LEAST_POINTS = 4, 0.08
"""Alike points that make two pictures candidates: so many, and this share of the points of the poorer picture."""

MOST_CANDIDATES = 4
"""Candidates per picture that are looked at closely, those with most alike points first."""

CERTAIN, POSSIBLE = 0.70, 0.55
"""The share of parts that must agree for two pictures to be surely, or perhaps, one; see bench/bench_leaks.py."""

CERTAIN_CORRELATION = 0.92
"""Median correlation of the parts below which two pictures are perhaps one, and never surely: drawn radiographs of different patients,
which are more alike than real ones, reach 0.89. An error must be true; a warning shows both pictures."""

LEAST_OVERLAP = 0.45
LEAST_CORRELATION = 0.15
"""The median correlation of parts below which a first try is not refined."""

ALIKE_WHOLE = 0.7
"""Correlation of the structure as a whole from which two pictures are candidates."""

MOST_PAIRS = 3
"""Pairs that two pictures are each told in before their own pair is not looked at any more."""

CHUNK = 1024
POINTS_PER_CELL = 150

FLIPS = ("as it is", "flipped left to right", "flipped upside down", "turned by half")


@dataclass(frozen=True)
class Duplicate:
    """Two pictures, by their places, that are one.

    Attributes:
        first: place of the one.
        second: place of the other.
        correlation: median correlation of their parts.
        change: what was done to the other, in words.
        certain: whether they surely are one; else somebody should look at both.
    """

    first: int
    second: int
    correlation: float
    change: str
    certain: bool


Wanted = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.bool_]]


def find_duplicates(sketches: Sequence[Sketch], is_wanted: Wanted) -> list[Duplicate]:
    """Every pair of pictures that are one.

    Args:
        sketches: one per picture.
        is_wanted: told places of first and second pictures; whether each pair is of interest.

    Returns:
        Pairs with first < second, by place; of many copies of one picture some pairs that name them all.
    """
    candidates = [*_find_candidates(sketches, is_wanted), *_find_unmoved(sketches, is_wanted)]

    @lru_cache(maxsize=256)
    def look(place: int, flip: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        one = sketches[place]
        mask = one.mask()
        return _flip(find_structure(one.picture, mask), flip), _flip(mask, flip)

    found: dict[tuple[int, int], Duplicate] = {}
    told: Counter[int] = Counter()
    for first, second, flip, ours, theirs in candidates:
        if (first, second) in found and found[first, second].certain:
            continue
        if min(told[first], told[second]) >= MOST_PAIRS:
            continue
        if len(ours):
            change = _find_change(sketches, first, second, flip, ours, theirs)
        else:
            change = np.zeros((2, 3))
            change[[0, 1], [0, 1]] = np.divide(sketches[second].picture.shape, sketches[first].picture.shape)
        if change is None:
            continue
        agreement = _lay(look(first, 0), look(second, flip), change)
        if agreement.overlap < LEAST_OVERLAP or agreement.share < POSSIBLE:
            continue
        certain = agreement.share >= CERTAIN and agreement.correlation >= CERTAIN_CORRELATION
        if certain:
            told.update((first, second))
        if (first, second) not in found or certain:
            found[first, second] = Duplicate(
                first, second, agreement.correlation, _say_change(flip, agreement), certain
            )
    return [found[pair] for pair in sorted(found)]


Candidate = tuple[int, int, int, NDArray[np.int64], NDArray[np.int64]]


def _find_candidates(sketches: Sequence[Sketch], is_wanted: Wanted) -> list[Candidate]:
    """Pairs with many alike points, those with most first: first, second, flip, and the points of each."""
    counts = np.array([len(one.points) for one in sketches])
    if len(sketches) < 2 or not counts.any():
        return []
    descriptions = np.concatenate([one.descriptions for one in sketches])
    owner = np.repeat(np.arange(len(sketches)), counts)
    number = np.concatenate([np.arange(count) for count in counts])
    cells = _place_cells(descriptions)
    members = _sort_into(
        np.argmax(descriptions @ cells.T, axis=1) if len(cells) > 1 else np.zeros(len(owner), int), len(cells)
    )
    hits = []
    for flip in range(len(FLIPS)):
        turned = _flip_rows(descriptions, flip)
        asking = _sort_into(
            _nearest_cells(turned, cells) if len(cells) > 1 else np.zeros(len(owner), int), len(cells)
        )
        for rows, known in zip(asking, members, strict=True):
            for begin in range(0, len(rows), 1024):
                hits.append((flip, *_match(turned, descriptions, owner, rows[begin : begin + 1024], known)))
    flips = np.concatenate([np.full(len(ours), flip) for flip, ours, _ in hits])
    asked, given = (np.concatenate([hit[place] for hit in hits]) for place in (1, 2))
    # The one that was flipped to find the other is the second; a flip is its own inverse, so either may be.
    first, second = owner[given], owner[asked]
    points = np.stack([number[given], number[asked]])
    swap = first > second
    first, second = np.where(swap, second, first), np.where(swap, first, second)
    points = np.where(swap, points[::-1], points)
    kept = first < second
    kept[kept] = is_wanted(first[kept], second[kept])
    first, second, flips, points = first[kept], second[kept], flips[kept], points[:, kept]
    order = np.lexsort((points[1], points[0], flips, second, first))
    keys = np.stack([first, second, flips])[:, order]
    points = points[:, order]
    if not len(order):
        return []
    starts = np.flatnonzero(np.r_[True, (np.diff(keys, axis=1) != 0).any(axis=0)])
    ends = np.r_[starts[1:], len(order)]
    candidates = []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        one, other, flip = (int(value) for value in keys[:, start])
        ours, theirs = points[:, start:end]
        votes = min(len(np.unique(ours)), len(np.unique(theirs)))
        if votes >= _needed(counts[one], counts[other]):
            candidates.append((votes, (one, other, flip, ours, theirs)))
    candidates.sort(key=lambda entry: -entry[0])
    return [candidate for _, candidate in candidates[: MOST_CANDIDATES * len(sketches)]]


def _match(
    turned: NDArray[np.float32],
    descriptions: NDArray[np.float32],
    owner: NDArray[np.int64],
    rows: NDArray[np.int64],
    known: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each asking point the few of other pictures that are most alike: asking points, and those."""
    if not len(rows) or not len(known):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    likeness = turned[rows] @ descriptions[known].T
    likeness[owner[rows][:, None] == owner[known][None]] = -1
    if len(known) > NEAREST:
        best = np.argpartition(likeness, len(known) - NEAREST, axis=1)[:, -NEAREST:]
    else:
        best = np.broadcast_to(np.arange(len(known)), likeness.shape)
    near = np.take_along_axis(likeness, best, axis=1) >= ALIKE
    asking, place = np.nonzero(near)
    return rows[asking], known[best[asking, place]]


def _place_cells(descriptions: NDArray[np.float32]) -> NDArray[np.float32]:
    """Centres of cells that hold some points each, shape (cells, description): points are compared within a cell."""
    count = min(2048, len(descriptions) // POINTS_PER_CELL)
    if count < 8:
        return descriptions[:1]
    generator = np.random.default_rng(0)
    sample = descriptions[
        generator.choice(len(descriptions), min(len(descriptions), 20 * count), replace=False)
    ]
    centres = sample[:count].copy()
    for _ in range(5):
        nearest = _nearest_cells(sample, centres)
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, sample)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(lengths > 1e-6, sums / np.maximum(lengths, 1e-6), centres)
    return centres


def _nearest_cells(rows: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.int64]:
    parts = [np.argmax(rows[begin : begin + 8192] @ centres.T, axis=1) for begin in range(0, len(rows), 8192)]
    return np.concatenate(parts)


def _sort_into(cells: NDArray[np.int64], count: int) -> list[NDArray[np.int64]]:
    order = np.argsort(cells, kind="stable")
    return np.split(order, np.searchsorted(cells[order], np.arange(1, count)))


def _find_unmoved(sketches: Sequence[Sketch], is_wanted: Wanted) -> list[Candidate]:
    """Pairs whose structure as a whole is alike in one of the flips: pictures with few points, or with very many copies."""
    whole = (
        np.stack([one.whole for one in sketches]) if sketches else np.zeros((0, WHOLE * WHOLE), np.float32)
    )
    none = np.zeros(0, np.int64)
    found: list[tuple[float, Candidate]] = []
    for flip in range(len(FLIPS)):
        turned = _flip_rows(whole, flip, WHOLE)
        for begin in range(0, len(whole), CHUNK):
            likeness = np.abs(whole[begin : begin + CHUNK] @ turned.T)
            first, second = np.nonzero(likeness >= ALIKE_WHOLE)
            values = likeness[first, second]
            first = first + begin
            kept = first < second
            kept[kept] = is_wanted(first[kept], second[kept])
            found += [
                (value, (one, other, flip, none, none))
                for value, one, other in zip(
                    values[kept].tolist(), first[kept].tolist(), second[kept].tolist(), strict=True
                )
            ]
    found.sort(key=lambda entry: -entry[0])
    return [candidate for _, candidate in found[: MOST_CANDIDATES * len(sketches)]]


def _find_change(
    sketches: Sequence[Sketch],
    first: int,
    second: int,
    flip: int,
    ours: NDArray[np.int64],
    theirs: NDArray[np.int64],
) -> NDArray[np.float64] | None:
    height, width = sketches[second].picture.shape
    there = sketches[second].points[theirs].copy()
    if flip & 1:
        there[:, 1] = width - 1 - there[:, 1]
    if flip & 2:
        there[:, 0] = height - 1 - there[:, 0]
    found = find_change(sketches[first].points[ours], there)
    if found is None or found[1] < _needed(len(sketches[first].points), len(sketches[second].points)):
        return None
    return found[0]


Looked = tuple[NDArray[np.float32], NDArray[np.bool_]]


def _lay(first: Looked, second: Looked, change: NDArray[np.float64]) -> Agreement:
    """Lay the second picture (structure and mask) over the first, as well as it fits."""
    masks = first[1], second[1]
    if agree(first[0], second[0], masks, change).correlation < LEAST_CORRELATION:
        return NONE
    return agree(first[0], second[0], masks, refine(first[0], second[0], first[1], change))


def _needed(one: int, other: int) -> float:
    return max(FEWEST_POINTS, LEAST_POINTS * min(one, other))


def _flip_rows(descriptions: NDArray[np.float32], flip: int, side: int = GRID) -> NDArray[np.float32]:
    square = descriptions.reshape(-1, side, side)
    if flip & 1:
        square = square[:, :, ::-1]
    if flip & 2:
        square = square[:, ::-1, :]
    return np.ascontiguousarray(square).reshape(len(descriptions), -1)


def _flip(values: NDArray[Any], flip: int) -> NDArray[Any]:
    turned = values[:, ::-1] if flip & 1 else values
    return np.ascontiguousarray(turned[::-1] if flip & 2 else turned)


def _say_change(flip: int, agreement: Agreement) -> str:
    parts = [FLIPS[flip]] if flip else []
    parts += ["inverted"] if agreement.inverted else []
    if abs(agreement.degrees) >= 0.5:
        parts.append(f"turned by {abs(agreement.degrees):.1f} degrees")
    if abs(agreement.size - 1) >= 0.03:
        parts.append("cut or framed differently")
    return ", ".join(parts) or FLIPS[0]
