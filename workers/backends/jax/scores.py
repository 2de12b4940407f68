"""What the scores of an epoch are read from, counted on the device: the logits need not leave it.

A sorted list of scores has no place on a GPU, pairs have: the area under the ROC curve is the share of pairs of a positive and a negative
image in the right order, ties counting one half (Hanley and McNeil 1982), and a GPU compares all pairs of an epoch in a fraction of a
millisecond. Numbers of pairs and images are whole, so that no order of summing changes them: what
`workers.backends.jax.counts` makes of them is `storage.metrics.epoch` to the last bit. Losses and squared errors are sums in single precision.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storage.metrics.calibration import BINS
from storage.metrics.epoch import THRESHOLD

MOST_TRAINING, MOST_ENTRIES = 16_384, 32_768
"""Training images, and validation images times labels, of which pairs are counted: twice the pairs then fit into 31 bits."""

# A float32 lies above an edge when it lies above the largest float32 that is not above it.
_EDGES = np.linspace(0, 1, BINS + 1)[1:-1]
_ROUNDED = _EDGES.astype(np.float32)
EDGES = np.where(_ROUNDED > _EDGES, np.nextafter(_ROUNDED, np.float32(0)), _ROUNDED)


def can_count(training: int, validation: int, targets: int) -> bool:
    """Whether pairs are counted for folds of at most so many images; more are sorted on the host."""
    return training <= MOST_TRAINING and validation * targets <= MOST_ENTRIES


@functools.partial(jax.jit, static_argnames="rows")
def count_scores(
    labels: Any, training: tuple[Any, Any, Any], validation: tuple[Any, Any, Any], *, rows: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Count training and validation of every fold, as fields of `workers.backends.jax.counts.Counts`.

    Args:
        labels: shape (images, targets); 0, 1 or NaN (not assessed).
        training: images, shape (folds, padded), how many of them each fold has, and their logits, shape (folds, padded, targets).
        validation: the same of the validation images.
        rows: of the training images at most so many count.
    """
    order, counts, collected = training
    images, sizes, logits = validation
    return (
        count_entries(_label(labels, order[:, :rows], counts), collected[:, :rows], medical=False),
        count_entries(_label(labels, images, sizes), logits, medical=True),
    )


def count_entries(labels: Any, logits: Any, *, medical: bool) -> dict[str, Any]:
    """Count one set of predictions of every fold.

    Args:
        labels: shape (folds, n, targets); 0, 1 or NaN (not assessed).
        logits: the same shape.
        medical: also what medical metrics are read from.
    """
    logits, labels = jnp.swapaxes(logits, 1, 2), jnp.swapaxes(labels, 1, 2)
    assessed, positive = ~jnp.isnan(labels), labels == 1
    negative = assessed & ~positive
    shrunk = jnp.exp(-jnp.abs(logits))
    scores = jnp.where(logits >= 0, 1, shrunk) / (1 + shrunk)
    called = scores > THRESHOLD
    known = jnp.where(assessed, labels, 0)
    losses = jnp.maximum(logits, 0) - logits * known + jnp.log1p(shrunk)
    found = {
        "true_positives": _count(called & positive),
        "false_positives": _count(called & negative),
        "false_negatives": _count(~called & positive),
        "true_negatives": _count(~called & negative),
        "unknown": _count(assessed & jnp.isnan(scores)),
        "doubled_wins": _doubled_wins(positive, negative, scores),
        "losses": jnp.sum(jnp.where(assessed, losses, 0), axis=-1),
    }
    if not medical:
        return found
    flat = [array.reshape(len(array), 1, -1) for array in (positive, negative, scores)]
    gaps = jnp.where(assessed, scores - known, 0)
    bins = jnp.sum(scores[..., None] > EDGES, axis=-1)
    members = bins[..., None] == jnp.arange(BINS)
    return {
        **found,
        "micro_doubled_wins": _doubled_wins(*flat)[:, 0],
        "precisions": _sum_of_precisions(positive, assessed, scores),
        "squared_errors": jnp.sum(jnp.square(gaps), axis=-1),
        "gaps": jnp.sum(jnp.where(members, gaps[..., None], 0), axis=-2),
    }


def _label(labels: Any, images: Any, sizes: Any) -> Any:
    """Labels of some images of every fold; those behind its size are not assessed."""
    inside = jnp.arange(images.shape[1]) < sizes[:, None]
    return jnp.where(inside[..., None], labels[images], jnp.nan)


def _count(entries: Any) -> Any:
    return jnp.sum(entries, axis=-1, dtype=jnp.int32)


def _doubled_wins(positive: Any, negative: Any, scores: Any) -> Any:
    """Twice the pairs in which the positive has the higher score, and once those in which both have the same."""
    mine, theirs = scores[..., :, None], scores[..., None, :]
    points = 2 * (mine > theirs).astype(jnp.int32) + (mine == theirs).astype(jnp.int32)
    return jnp.sum(jnp.where(positive[..., :, None] & negative[..., None, :], points, 0), axis=(-1, -2))


def _sum_of_precisions(positive: Any, assessed: Any, scores: Any) -> Any:
    """The sum, over positives, of the precision at their score: the area under the precision-recall curve times positives."""
    is_called = scores[..., None, :] >= scores[..., :, None]
    true = jnp.sum(is_called & positive[..., None, :], axis=-1, dtype=jnp.int32)
    called = jnp.sum(is_called & assessed[..., None, :], axis=-1, dtype=jnp.int32)
    return jnp.sum(jnp.where(positive, true / jnp.maximum(called, 1), 0), axis=-1)
