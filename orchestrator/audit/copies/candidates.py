"""Which pictures may be one: pairs with many points that look alike, or alike as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.audit.copies.sketches import GRID, WHOLE, Sketch

ALIKE = 0.88
"""Correlation of their surroundings from which two points look alike."""

NEAREST = 4
"""Alike points that each point may have."""

FEWEST_POINTS, LEAST_POINTS = 4, 0.08
"""Alike points that make two pictures candidates: so many, and this share of the points of the poorer picture."""

MOST_CANDIDATES = 4
"""Candidates per picture that are looked at closely, those with most alike points first."""

ALIKE_WHOLE = 0.7
"""Correlation of the structure as a whole from which two pictures are candidates."""

CHUNK = 1024
POINTS_PER_CELL = 150

FLIPS = 4
"""As it is, left to right, upside down, both: the bits of a number."""

Wanted = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.bool_]]
Report = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Candidate:
    """Two pictures, by their places, that may be one when the second is flipped.

    `ours` and `theirs` are numbers of points that look alike; none where the pictures are alike as a whole.
    """

    first: int
    second: int
    flip: int
    ours: NDArray[np.int64]
    theirs: NDArray[np.int64]


def find_candidates(
    sketches: Sequence[Sketch], is_wanted: Wanted, report: Report | None = None
) -> list[Candidate]:
    """Pairs to look at closely, the likeliest first.

    Args:
        sketches: one per picture.
        is_wanted: told places of first and second pictures; whether each pair is of interest.
        report: called with (points looked up, all of them).
    """
    return [*_find_alike_points(sketches, is_wanted, report), *_find_unmoved(sketches, is_wanted)]


def count_needed(one: NDArray[np.int64] | int, other: NDArray[np.int64] | int) -> NDArray[np.float64]:
    """How many alike points two pictures with so many points must have."""
    return np.maximum(FEWEST_POINTS, LEAST_POINTS * np.minimum(one, other))


def flip_picture(values: NDArray[Any], flip: int) -> NDArray[Any]:
    """A picture flipped left to right (1), upside down (2) or both (3)."""
    turned = values[:, ::-1] if flip & 1 else values
    return np.ascontiguousarray(turned[::-1] if flip & 2 else turned)


def _find_alike_points(
    sketches: Sequence[Sketch], is_wanted: Wanted, report: Report | None
) -> list[Candidate]:
    counts = np.array([len(one.points) for one in sketches])
    if len(sketches) < 2 or not counts.any():
        return []
    descriptions = np.concatenate([one.descriptions for one in sketches])
    owner = np.repeat(np.arange(len(sketches)), counts)
    number = np.concatenate([np.arange(count) for count in counts])
    cells = _place_cells(descriptions)

    def sort(rows: NDArray[np.float32]) -> list[NDArray[np.int64]]:
        return _sort_into(
            _nearest_cells(rows, cells) if len(cells) > 1 else np.zeros(len(rows), int), len(cells)
        )

    members = sort(descriptions)
    hits = []
    looked, total = 0, FLIPS * len(owner)
    for flip in range(FLIPS):
        turned = _flip_rows(descriptions, flip)
        for rows, known in zip(sort(turned), members, strict=True):
            there = descriptions[known].T
            for begin in range(0, len(rows), CHUNK):
                some = rows[begin : begin + CHUNK]
                hits.append((flip, *_match(turned[some] @ there, owner, some, known)))
            looked += len(rows)
            if report:
                report(looked, total)
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
    fewest = count_needed(counts[keys[0, starts]], counts[keys[1, starts]])
    # Most pairs share a point or two by chance.
    many = ends - starts >= fewest
    candidates = []
    for start, end, least in zip(
        starts[many].tolist(), ends[many].tolist(), fewest[many].tolist(), strict=True
    ):
        one, other, flip = (int(value) for value in keys[:, start])
        ours, theirs = points[:, start:end]
        votes = min(len(np.unique(ours)), len(np.unique(theirs)))
        if votes >= least:
            candidates.append((votes, Candidate(one, other, flip, ours, theirs)))
    candidates.sort(key=lambda entry: -entry[0])
    return [candidate for _, candidate in candidates[: MOST_CANDIDATES * len(sketches)]]


def _match(
    likeness: NDArray[np.float32],
    owner: NDArray[np.int64],
    rows: NDArray[np.int64],
    known: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each asking point the few of other pictures that are most alike: asking points, and those.

    `likeness` has shape (rows, known).
    """
    asking, place = np.nonzero(likeness >= ALIKE)
    others = owner[rows[asking]] != owner[known[place]]
    asking, place = asking[others], place[others]
    if not len(asking):
        return rows[asking], known[place]
    order = np.lexsort((-likeness[asking, place], asking))
    asking, place = asking[order], place[order]
    begins = np.flatnonzero(np.r_[True, np.diff(asking) > 0])
    rank = np.arange(len(asking)) - np.repeat(begins, np.diff(np.r_[begins, len(asking)]))
    return rows[asking[rank < NEAREST]], known[place[rank < NEAREST]]


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
    for flip in range(FLIPS):
        turned = _flip_rows(whole, flip, WHOLE)
        for begin in range(0, len(whole), CHUNK):
            likeness = np.abs(whole[begin : begin + CHUNK] @ turned.T)
            first, second = np.nonzero(likeness >= ALIKE_WHOLE)
            values = likeness[first, second]
            first = first + begin
            kept = first < second
            kept[kept] = is_wanted(first[kept], second[kept])
            found += [
                (value, Candidate(one, other, flip, none, none))
                for value, one, other in zip(
                    values[kept].tolist(), first[kept].tolist(), second[kept].tolist(), strict=True
                )
            ]
    found.sort(key=lambda entry: -entry[0])
    return [candidate for _, candidate in found[: MOST_CANDIDATES * len(sketches)]]


def _flip_rows(descriptions: NDArray[np.float32], flip: int, side: int = GRID) -> NDArray[np.float32]:
    square = descriptions.reshape(-1, side, side)
    if flip & 1:
        square = square[:, :, ::-1]
    if flip & 2:
        square = square[:, ::-1, :]
    return np.ascontiguousarray(square).reshape(len(descriptions), -1)
