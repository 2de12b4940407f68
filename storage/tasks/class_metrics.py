"""Metrics of classes that exclude each other, for many weightings of the images at once.

`labels` and `values` have shape (n, classes), a row of labels being one 1 among 0s; `counts` says how often each image counts, shape
(.., n). Everything returns shape (..), NaN where undefined. An image without a class counts nowhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from storage.metrics.curves import Array, auc, divide
from storage.tasks.contract import mean_defined

Numbers = NDArray[np.floating]

SMALLEST = 1e-7
"""A probability is kept so far from 0 before its logarithm is taken: those that are kept are rounded to float16."""


def keep_known(labels: Numbers, values: Numbers, counts: Numbers) -> tuple[Numbers, Array, Array]:
    """The images that have a class: labels, values and counts in double precision."""
    known = ~np.isnan(labels).any(axis=1)
    return (
        labels[known],
        np.asarray(values, np.float64)[known],
        np.asarray(counts, np.float64)[..., known],
    )


def call_likeliest(values: Numbers) -> NDArray[np.int64]:
    """The class with the highest probability, the first of equals: a definition; shape (n,)."""
    return np.asarray(values.argmax(axis=1))


def call_median(values: Numbers) -> NDArray[np.int64]:
    """The grade at which the probability of it and those below passes one half: a definition; of all calls the least expected absolute error."""
    above = 1 - np.cumsum(np.asarray(values, np.float64), axis=1)[:, :-1]
    return np.asarray((above > 0.5).sum(axis=1))


def confusion(truth: NDArray[np.int64], called: NDArray[np.int64], size: int, counts: Numbers) -> Array:
    """Images by class (row) and call (column): a definition; shape (.., size, size)."""
    cells = truth * size + called
    flat = np.asarray(counts, np.float64) @ (cells[:, None] == np.arange(size**2)).astype(np.float64)
    return np.asarray(flat.reshape(*flat.shape[:-1], size, size))


def accuracy(table: Array) -> Array:
    """The share of images that are called what they are: a definition."""
    return divide(np.trace(table, axis1=-2, axis2=-1), table.sum(axis=(-2, -1)))


def balanced_accuracy(table: Array) -> Array:
    """The mean over the classes that are there of the share of their images that are called so (two classes: Brodersen et al. 2010)."""
    right = np.diagonal(table, axis1=-2, axis2=-1)
    return mean_defined(np.moveaxis(divide(right, table.sum(axis=-1)), -1, 0))


def macro_f1(table: Array) -> Array:
    """The mean over classes of F1, 2 TP / (2 TP + FP + FN); a class that is neither there nor called is left out.

    F1 is that of van Rijsbergen (1979); that the mean is over the classes' own F1 is a definition ("averaged F1" of Opitz and Burst 2019).
    """
    right = np.diagonal(table, axis1=-2, axis2=-1)
    return mean_defined(np.moveaxis(divide(2 * right, table.sum(axis=-1) + table.sum(axis=-2)), -1, 0))


def kappa(table: Array, power: int = 0) -> Array:
    """Cohen's kappa (1960), 1 - sum w O / sum w E; with a power the credit falls with |i - j| ** power (Cohen 1968)."""
    size = table.shape[-1]
    apart = np.abs(np.subtract.outer(np.arange(size), np.arange(size))).astype(np.float64)
    weights = apart**power if power else (apart > 0).astype(np.float64)
    total = table.sum(axis=(-2, -1))
    seen = (weights * table).sum(axis=(-2, -1))
    rows, columns = table.sum(axis=-1), table.sum(axis=-2)
    expected = divide(np.einsum("...i,ij,...j->...", rows, weights, columns), total)
    return 1 - divide(seen, expected)


def grade_error(table: Array) -> Array:
    """The mean number of grades between call and truth: a definition."""
    size = table.shape[-1]
    apart = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
    return divide((apart * table).sum(axis=(-2, -1)), table.sum(axis=(-2, -1)))


def log_loss(labels: Numbers, values: Array, counts: Array) -> Array:
    """The mean of -log of the probability of what an image is, in nats (Good 1952): shape (1, ..)."""
    own = np.clip((labels * values).sum(axis=1), SMALLEST, 1)
    return divide(counts @ -np.log(own), counts.sum(axis=-1))[None]


def brier(labels: Numbers, values: Array, counts: Array) -> Array:
    """The mean of the sum over classes of (p - y)^2 (Brier 1950), from 0 to 2: shape (1, ..)."""
    return divide(counts @ ((values - labels) ** 2).sum(axis=1), counts.sum(axis=-1))[None]


def one_against_rest(labels: Numbers, values: Array, counts: Array) -> Array:
    """The AUC of each class against the others: shape (classes, ..); their mean is by definition the macro one-against-rest AUC."""
    return np.stack([auc(labels[:, t], values[:, t], counts) for t in range(labels.shape[1])])


def cut(labels: Numbers) -> Numbers:
    """Grades, or probabilities of them, as cuts (Frank and Hall 2001): above the first grade, above the second, ..; shape (n, classes - 1)."""
    below: Numbers = np.cumsum(labels, axis=1)[:, :-1]
    return 1 - below
