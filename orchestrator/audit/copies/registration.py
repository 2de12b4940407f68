"""Whether two pictures are one: the second is laid over the first, and every part of the first is asked.

The change between them is flip, turn, size and shift, found from points that look alike (random sample consensus, Fischler
and Bolles 1981) and refined by least squares on the structure itself (Lucas and Kanade 1981). The share of parts that
agree decides, so that neither a marker nor a frame stands for the whole. Straight edges lie on each other in any two pictures of
long bones, so a part counts for as much as it varies in every direction (the structure tensor of Förstner and Gülch 1987).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

MOST_DEGREES, LEAST_SIZE, MOST_SIZE = 12.0, 0.6, 1.7
NEAR = 7.0
"""Pixels within which a point is where the change brings it."""

BLOCK = 16
"""Parts are squares of this many pixels."""

EVEN = 0.3
"""The ratio of the least to the greatest variation of a part, over all directions, from which it counts whole."""

FEWEST_PARTS = 40
AGREES = 0.6
"""The correlation from which a part agrees."""

STEPS = 8


@dataclass(frozen=True)
class Agreement:
    """How well one picture lies on another.

    Attributes:
        likeness: of the parts that both show, the share that agree and the mean correlation, each part counted by how much it varies
            in every direction; the mean of the two.
        share: of the parts that both show, how many agree.
        correlation: the median over parts.
        overlap: the share of its parts that both show, of the picture that has fewer (a saturated copy shows less).
        inverted: whether dark is bright.
        degrees: by how much it is turned.
        size: by how much it is larger.
    """

    likeness: float
    share: float
    correlation: float
    overlap: float
    inverted: bool
    degrees: float
    size: float


NONE = Agreement(0.0, 0.0, 0.0, 0.0, False, 0.0, 1.0)


def find_change(first: Floats, second: Floats, seed: int = 0) -> tuple[NDArray[np.float64], int] | None:
    """The change that brings most points of the first picture to theirs in the second.

    Args:
        first: rows and columns, shape (n, 2).
        second: where points that look alike are, shape (n, 2).
        seed: of the pairs that are tried.

    Returns:
        A matrix of shape (2, 3), from (row, column, 1) of the first to (row, column) of the second, and how many points it
        brings to theirs; None where no change that is allowed brings at least four.
    """
    count = len(first)
    if count < 4:
        return None
    ones, others = np.triu_indices(count, 1)
    if len(ones) > 400:
        chosen = np.random.default_rng(seed).choice(len(ones), 400, replace=False)
        ones, others = ones[chosen], others[chosen]
    ours, theirs = (
        points[:, 0] + 1j * points[:, 1] for points in (first.astype(float), second.astype(float))
    )
    across = ours[others] - ours[ones]
    far = np.abs(across) > 20
    ones, others, across = ones[far], others[far], across[far]
    if not len(ones):
        return None
    factor = (theirs[others] - theirs[ones]) / across
    allowed = (np.abs(factor) > LEAST_SIZE) & (np.abs(factor) < MOST_SIZE)
    allowed &= np.abs(np.angle(factor, deg=True)) <= MOST_DEGREES
    ones, factor = ones[allowed], factor[allowed]
    if not len(ones):
        return None
    moved = factor[:, None] * (ours[None] - ours[ones][:, None]) + theirs[ones][:, None]
    near = np.abs(moved - theirs[None]) <= NEAR
    best = int(near.sum(axis=1).argmax())
    inside = near[best]
    if inside.sum() < 4:
        return None
    # Turn, size and shift by least squares over the points that agree.
    centre, aim = ours[inside].mean(), theirs[inside].mean()
    spread = ours[inside] - centre
    turn = (np.conj(spread) @ (theirs[inside] - aim)) / max((np.abs(spread) ** 2).sum(), 1e-6)
    offset = aim - turn * centre
    matrix = np.array([[turn.real, -turn.imag, offset.real], [turn.imag, turn.real, offset.imag]])
    return matrix, int(inside.sum())


def refine(
    first: Floats,
    second: Floats,
    mask: NDArray[np.bool_],
    change: NDArray[np.float64],
    smooth: float = 1.0,
) -> NDArray[np.float64]:
    """Move a change to where the structures fit best, in a few steps; any straight distortion is allowed.

    Args:
        first: structure of the first picture.
        second: structure of the second, perhaps inverted.
        mask: what of the first is content.
        change: where to begin, shape (2, 3).
        smooth: pixels over which both are smoothed first; the further away the change may be, the more.
    """
    from scipy import ndimage

    step = max(3, round(max(first.shape) / 85))
    rows, columns = (axis[::step, ::step].ravel() for axis in np.mgrid[: first.shape[0], : first.shape[1]])
    kept = mask[rows, columns]
    rows, columns = rows[kept], columns[kept]
    if len(rows) < 200:
        return change
    ours = ndimage.gaussian_filter(first, smooth)[rows, columns]
    smooth = ndimage.gaussian_filter(second, smooth)
    down, right = np.gradient(smooth)
    places = np.stack([rows, columns, np.ones(len(rows))])
    for _ in range(STEPS):
        there = change @ places
        inside = (there > 1).all(axis=0) & (there[0] < second.shape[0] - 2) & (there[1] < second.shape[1] - 2)
        if inside.sum() < 200:
            return change
        at = there[:, inside]
        value, slope_down, slope_right = (
            ndimage.map_coordinates(image, at, order=1) for image in (smooth, down, right)
        )
        sign = 1.0 if value @ ours[inside] >= 0 else -1.0
        gain = np.sqrt((ours[inside] @ ours[inside]) / max(value @ value, 1e-9))
        rest = ours[inside] - sign * gain * value
        weight = 1 / np.maximum(np.abs(rest), 0.3)
        slopes = sign * gain * np.vstack([slope_down * places[:, inside], slope_right * places[:, inside]])
        left = (slopes * weight) @ slopes.T + 1e-6 * np.eye(6)
        change = change + np.linalg.solve(left, (slopes * weight) @ rest).reshape(2, 3)
    return change


def agree(
    first: Floats,
    second: Floats,
    masks: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    change: NDArray[np.float64],
) -> Agreement:
    """Lay the structure of the second picture over the first, and compare them part by part."""
    from scipy import ndimage

    height, width = (length // BLOCK * BLOCK for length in first.shape)
    if not height or not width:
        return NONE
    offset = change[:, 2]
    laid = ndimage.affine_transform(second, change[:, :2], offset, (height, width), order=1)
    known = ndimage.affine_transform(
        masks[1].astype(np.float32), change[:, :2], offset, (height, width), order=1
    )
    both = (masks[0][:height, :width] & (known > 0.99)).astype(np.float64)
    ours, theirs = first[:height, :width] * both, laid * both

    def total(values: Floats) -> NDArray[np.float64]:
        squares = values.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK)
        return np.asarray(squares.sum(axis=(1, 3)).ravel(), np.float64)

    counted = np.maximum(total(both), 1)
    covariance = total(ours * theirs) - total(ours) * total(theirs) / counted
    variances = [total(one * one) - total(one) ** 2 / counted for one in (ours, theirs)]
    turn = complex(change[0, 0] + change[1, 1], change[1, 0] - change[0, 1]) / 2
    size = max(abs(turn), 1e-3)
    fewer = min(int(masks[0].sum()), masks[1].sum() / size**2) / BLOCK**2
    parts = (counted >= 0.7 * BLOCK**2) & (variances[0] > 0.02 * BLOCK**2)
    if parts.sum() < FEWEST_PARTS:
        return NONE
    correlations = covariance[parts] / np.sqrt(np.maximum(variances[0][parts] * variances[1][parts], 1e-9))
    sign = -1.0 if np.median(correlations) < 0 else 1.0
    agrees = sign * correlations >= AGREES
    (least, even), (other_least, other_even) = (_vary(one, both, total) for one in (ours, theirs))
    detail = np.sqrt(np.maximum(np.minimum(least, other_least), 0))[parts] + 1e-6
    evenness = np.clip(np.minimum(even, other_even) / EVEN, 0, 1)[parts] + 1e-6
    return Agreement(
        likeness=float(np.average(sign * correlations, weights=detail) + np.average(agrees, weights=evenness))
        / 2,
        share=float(agrees.mean()),
        correlation=float(np.median(sign * correlations)),
        overlap=float(parts.sum() / max(fewer, 1)),
        inverted=sign < 0,
        degrees=float(np.degrees(np.angle(turn))),
        size=float(size),
    )


def _vary(
    values: Floats, known: Floats, total: Callable[[Floats], NDArray[np.float64]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How much each part varies in the direction in which it varies least, and the ratio of that to the greatest variation."""
    down, right = (slope * known for slope in np.gradient(values))
    rows, columns, both = total(down * down), total(right * right), total(down * right)
    mean, spread = (rows + columns) / 2, np.hypot((rows - columns) / 2, both)
    return mean - spread, (mean - spread) / np.maximum(mean + spread, 1e-9)
