"""Images that are one picture: saved again, resized, brightened, inverted, flipped, turned a little, cut or framed.

Candidates (`candidates`) are laid over each other and compared part by part (`registration`), because any two radiographs of
one kind share what is coarse; what agrees is compared again in the full resolution of the poorer of both, where pictures
of different patients differ most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from orchestrator.audit.copies.candidates import (
    Candidate,
    Report,
    Wanted,
    count_needed,
    find_candidates,
    flip_picture,
)
from orchestrator.audit.copies.registration import NONE, Agreement, agree, find_change, refine
from orchestrator.audit.copies.sketches import SIDE, Sketch, find_structure

CERTAIN, POSSIBLE = 0.90, 0.80
"""The likeness from which two pictures are surely, or perhaps, one. Chest X-rays of different patients reach 0.42, drawn bones 0.7 to 0.9;
copies among chest X-rays have 0.9 and more (bench.leaks)."""

CERTAIN_CORRELATION = 0.92
"""Median correlation of the parts below which two pictures are perhaps one, and never surely. An error must be true; a warning shows both
pictures."""

LEAST_OVERLAP = 0.45
LEAST_CORRELATION = 0.15
"""The median correlation of parts below which a first try is not refined."""

FULL_SIDE = 1024
"""Pixels along the longer side up to which pictures are compared again."""

FINER = 1.3
"""How much finer the files must be for a second look to show more."""

FINE = 0.40
"""Likeness in full resolution below which two pictures are surely one no more, or not perhaps: drawn bones of different patients reach
0.31, copies of them that were saved as poor JPEG 0.45 and more."""

MOST_PAIRS = 3
"""Pairs that two pictures are each told in before their own pair is not looked at any more."""

AT_ONCE = 32
"""Pairs that are compared side by side before it is known which others need no look."""

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


Read = Callable[[int], NDArray[np.uint8]]
Compare = Callable[[Sequence[Candidate]], Iterable[Agreement]]
Stage = Callable[[str, int, int], None]


def find_duplicates(
    sketches: Sequence[Sketch],
    is_wanted: Wanted,
    compare: Compare | None = None,
    report: Stage | None = None,
) -> list[Duplicate]:
    """Every pair of pictures that are one.

    Args:
        sketches: one per picture.
        is_wanted: told places of first and second pictures; whether each pair is of interest.
        compare: says of some candidates how well they agree, in their order. Without it pictures are compared as they are sketched.
        report: called with (what is done, how much of it, out of how much).

    Returns:
        Pairs with first < second, by place; of many copies of one picture some pairs that name them all.
    """

    def tell(what: str) -> Report | None:
        return (lambda done, total: report(what, done, total)) if report else None

    candidates = find_candidates(sketches, is_wanted, tell("looking for copies"))
    found: dict[tuple[int, int], Duplicate] = {}
    told: Counter[int] = Counter()

    def is_known(one: Candidate) -> bool:
        known = found.get((one.first, one.second))
        return (known is not None and known.certain) or min(told[one.first], told[one.second]) >= MOST_PAIRS

    tick = tell("comparing pairs")
    for begin in range(0, len(candidates), AT_ONCE):
        some = [one for one in candidates[begin : begin + AT_ONCE] if not is_known(one)]
        agreements = (
            compare(some)
            if compare
            else [compare_pair(sketches[one.first], sketches[one.second], one) for one in some]
        )
        for one, agreement in zip(some, agreements, strict=True):
            if is_known(one) or agreement.likeness < POSSIBLE:
                continue
            certain = agreement.likeness >= CERTAIN and agreement.correlation >= CERTAIN_CORRELATION
            pair = one.first, one.second
            if certain:
                told.update(pair)
            if pair not in found or certain:
                found[pair] = Duplicate(
                    *pair, agreement.correlation, _say_change(one.flip, agreement), certain
                )
        if tick:
            tick(min(begin + AT_ONCE, len(candidates)), len(candidates))
    return [found[pair] for pair in sorted(found)]


def compare_pair(
    first: Sketch, second: Sketch, candidate: Candidate, read: tuple[Read, Read] | None = None
) -> Agreement:
    """Lay the second picture over the first, as well as it fits; then again in full resolution where they agree.

    Args:
        first: of the candidate.
        second: of the candidate.
        candidate: how the second is flipped, and which points look alike.
        read: of each picture, told the pixels that its longer side may have; the whole picture in grey. Without it they are compared as they
            are sketched.
    """
    if len(candidate.ours):
        change = _find_change(first, second, candidate)
    else:
        change = np.zeros((2, 3))
        change[[0, 1], [0, 1]] = np.divide(second.picture.shape, first.picture.shape)
    if change is None:
        return NONE
    ours = _look(first.picture, first.mask(), 0)
    theirs = _look(second.picture, second.mask(), candidate.flip)
    agreement, change = _lay(ours, theirs, change)
    if agreement.overlap < LEAST_OVERLAP or agreement.likeness < POSSIBLE or read is None:
        return agreement if agreement.overlap >= LEAST_OVERLAP else NONE
    finer = _compare_finely((first, second), candidate.flip, change, read)
    if finer is None:
        return agreement
    # A copy may have lost its finest detail to compression; where the detail of both differs, the verdict is one step milder.
    differs = finer.likeness < FINE
    return replace(agreement, likeness=agreement.likeness - (CERTAIN - POSSIBLE)) if differs else agreement


def _compare_finely(
    sketches: tuple[Sketch, Sketch], flipped: int, change: NDArray[np.float64], read: tuple[Read, Read]
) -> Agreement | None:
    """The same in the resolution of the poorer picture; None where that is no better than the sketches'."""
    contents = [_cut(whole(FULL_SIDE), coarse.box) for whole, coarse in zip(read, sketches, strict=True)]
    side = min(max(content.shape) for content in contents)
    if side < FINER * SIDE:
        return None
    looks, scales, shifts = [], [], []
    for coarse, content, flip in zip(sketches, contents, (0, flipped), strict=True):
        shape = tuple(max(1, round(length * side / SIDE)) for length in coarse.picture.shape)
        known = _resize(coarse.mask() * np.uint8(255), shape) > 127
        looks.append(_look(_resize(content, shape), known, flip))
        scale = np.divide(shape, coarse.picture.shape)
        scales.append(scale)
        shifts.append((scale - 1) / 2)
    # Centres of pixels: place' = scale * place + (scale - 1) / 2 in both pictures.
    matrix = scales[1][:, None] * change[:, :2] / scales[0][None]
    offset = scales[1] * change[:, 2] + shifts[1] - matrix @ shifts[0]
    finer = np.column_stack([matrix, offset])
    for smooth in (float(max(scales[0])), 1.0):
        finer = refine(looks[0][0], looks[1][0], looks[0][1], finer, smooth)
    return agree(looks[0][0], looks[1][0], (looks[0][1], looks[1][1]), finer)


def _cut(picture: NDArray[np.uint8], box: tuple[float, float, float, float]) -> NDArray[np.uint8]:
    height, width = picture.shape
    top, left, bottom, right = (
        round(share * length) for share, length in zip(box, (height, width, height, width), strict=True)
    )
    return picture[top : max(bottom, top + 1), left : max(right, left + 1)]


def _resize(picture: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """A picture in another shape (height, width)."""
    from PIL import Image

    resized = Image.fromarray(picture).resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
    return np.asarray(resized, np.uint8)


def _find_change(first: Sketch, second: Sketch, candidate: Candidate) -> NDArray[np.float64] | None:
    height, width = second.picture.shape
    there = second.points[candidate.theirs].copy()
    if candidate.flip & 1:
        there[:, 1] = width - 1 - there[:, 1]
    if candidate.flip & 2:
        there[:, 0] = height - 1 - there[:, 0]
    found = find_change(first.points[candidate.ours], there)
    if found is None or found[1] < count_needed(len(first.points), len(second.points)):
        return None
    return found[0]


Looked = tuple[NDArray[np.float32], NDArray[np.bool_]]


def _look(picture: NDArray[np.uint8], mask: NDArray[np.bool_], flip: int) -> Looked:
    """Structure and mask of a picture, flipped."""
    return flip_picture(find_structure(picture, mask), flip), flip_picture(mask, flip)


def _lay(first: Looked, second: Looked, change: NDArray[np.float64]) -> tuple[Agreement, NDArray[np.float64]]:
    """Lay the second picture over the first, as well as it fits: how well, and by which change."""
    masks = first[1], second[1]
    if agree(first[0], second[0], masks, change).correlation < LEAST_CORRELATION:
        return NONE, change
    change = refine(first[0], second[0], first[1], change)
    return agree(first[0], second[0], masks, change), change


def _say_change(flip: int, agreement: Agreement) -> str:
    parts = [FLIPS[flip]] if flip else []
    parts += ["inverted"] if agreement.inverted else []
    if abs(agreement.degrees) >= 0.5:
        parts.append(f"turned by {abs(agreement.degrees):.1f} degrees")
    if abs(agreement.size - 1) >= 0.03:
        parts.append("cut or framed differently")
    return ", ".join(parts) or FLIPS[0]
