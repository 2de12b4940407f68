"""An inverse power law through the values of a learning curve, with its uncertainty.

The law is value = limit - factor * patients ^ -exponent (Mukherjee et al. 2003, "Estimating dataset size requirements for classifying DNA
microarray data"; Viering and Loog 2023, "The shape of learning curves", on how far it may be trusted). It is fitted by generalised least
squares, because the sizes share the patients that judge them. Its uncertainty is that of the profile likelihood (Venzon and Moolgavkar 1988;
for least squares Bates and Watts 1988, section 6.1): a value at a number of patients is in the band where the best law through that very point
fits hardly worse than the best law of all. Read at one number of patients this is the interval of the value, read at one value it is the interval
of the number of patients, so that figure and sentence say the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.metrics.intervals import student_quantile

EXPONENTS = np.linspace(0.1, 2.0, 77)
FARTHEST = 10.0
"""Times the patients that were trained on: further out the law says nothing."""
CLOSEST = 0.2
"""Times the fewest patients that were trained on: an interval of a number of patients begins no lower."""
PLACES = 400
"""Numbers of patients at which an interval is looked for, evenly over their logarithm."""
MOST_ALIKE = 0.95
"""Above this correlation of two sizes the fit would follow differences between them that are rounding."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PowerLaw:
    """value = limit - factor * patients ** -exponent."""

    limit: float
    factor: float
    exponent: float

    def at(self, patients: float) -> float:
        """The value with this number of patients."""
        return float(self.limit - self.factor * patients**-self.exponent)

    def patients_for(self, value: float) -> float:
        """How many patients a value needs; infinite where the law never reaches it."""
        if value >= self.limit:
            return math.inf
        return float((self.factor / (self.limit - value)) ** (1 / self.exponent)) if self.factor else 0.0


@dataclass(frozen=True)
class Curve:
    """What was measured at several sizes.

    Attributes:
        patients: shape (sizes,), that were trained on.
        values: shape (sizes,), more is better.
        covariance: of the values, shape (sizes, sizes).
        freedom: degrees of freedom of the covariance.
        highest: the limit of a law is no higher.
    """

    patients: Array
    values: Array
    covariance: Array
    freedom: int
    highest: float = math.inf


def fit_power_law(curve: Curve) -> PowerLaw:
    """The law nearest to the values in the metric of their covariance; it never falls with more patients."""
    weights = np.linalg.inv(curve.covariance)
    ones, values = np.ones(len(curve.values)), curve.values
    best, found = math.inf, PowerLaw(curve.highest, 0.0, 1.0)
    for exponent in EXPONENTS.tolist():
        falling = curve.patients**-exponent
        columns = np.stack([ones, -falling], axis=1)
        limit, factor = np.linalg.solve(columns.T @ weights @ columns, columns.T @ weights @ values).tolist()
        if factor < 0:
            limit, factor = float(ones @ weights @ values / (ones @ weights @ ones)), 0.0
        if limit > curve.highest:
            limit = curve.highest
            gap = limit - values
            factor = max(float(falling @ weights @ gap / (falling @ weights @ falling)), 0.0)
        rest = values - limit + factor * falling
        missed = float(rest @ weights @ rest)
        if missed < best:
            best, found = missed, PowerLaw(limit, factor, exponent)
    return found


def measure_misfit(curve: Curve, patients: Array, values: Array) -> Array:
    """How badly the best law through a point fits: its sum of squares in the metric of the covariance.

    Args:
        curve: what was measured.
        patients, values: of the points, of shapes that broadcast to (..).

    Returns:
        Shape (..).
    """
    at, value = np.broadcast_arrays(np.asarray(patients, np.float64), np.asarray(values, np.float64))
    weights = np.linalg.inv(curve.covariance)
    # Through (at, value) goes value + factor * (at ^ -e - patients ^ -e) for each exponent e, with one factor that is left to fit.
    own = at[..., None] ** -EXPONENTS
    basis = own[..., None] - curve.patients ** -EXPONENTS[:, None]
    gaps = (curve.values - value[..., None])[..., None, :]
    weighted = basis @ weights
    factor = (weighted * gaps).sum(axis=-1) / np.maximum((weighted * basis).sum(axis=-1), 1e-300)
    most = np.maximum(curve.highest - value, 0)[..., None] / own
    rest = gaps - np.clip(factor, 0, most)[..., None] * basis
    return np.asarray((rest @ weights * rest).sum(axis=-1).min(axis=-1))


def find_patients(curve: Curve, value: float) -> tuple[float, float] | None:
    """The 95 % interval of the number of patients that a value needs; None where no law that fits reaches it within `FARTHEST`.

    Returns:
        Its ends; the upper one is infinite where a law that fits reaches the value only beyond `FARTHEST` times the patients, and the lower
        one is 0 where one that fits has it with less than `CLOSEST` times the fewest.
    """
    nearest, farthest = CLOSEST * float(curve.patients.min()), FARTHEST * float(curve.patients.max())
    places = np.geomspace(nearest, farthest, PLACES)
    held = np.flatnonzero(measure_misfit(curve, places, np.array(value)) <= _find_limit(curve))
    if not len(held):
        return None
    low = 0.0 if held[0] == 0 else float(places[held[0]])
    return low, math.inf if held[-1] == PLACES - 1 else float(places[held[-1]])


def find_band(curve: Curve, patients: Array) -> tuple[Array, Array]:
    """The 95 % interval of the value at each of these numbers of patients, shapes as `patients`: (places,)."""
    law, limit = fit_power_law(curve), _find_limit(curve)
    middle = np.array([law.at(one) for one in patients.tolist()])
    ends = []
    for way in (-1.0, 1.0):
        # By halving: the misfit grows with the distance from the law.
        near, far = np.zeros(len(patients)), np.full(len(patients), 4 * _widest(curve))
        for _ in range(8):
            held = measure_misfit(curve, patients, middle + way * far) <= limit
            far = np.where(held, 2 * far, far)
        for _ in range(30):
            half = (near + far) / 2
            held = measure_misfit(curve, patients, middle + way * half) <= limit
            near, far = np.where(held, half, near), np.where(held, far, half)
        ends.append(middle + way * near)
    return ends[0], np.minimum(ends[1], curve.highest)


def estimate_covariance(runs: Array) -> tuple[Array, int]:
    """The covariance of the means of several sizes, from folds that judge all of them.

    A fold judges every size on the same patients, so the sizes err alike. Each size has a variance of its own; what any two have in common is one
    correlation for all pairs, because a few folds cannot tell more. The variance of a mean is that of a fold divided by the folds of a run, averaged
    over the runs, which have the same patients in other folds (`storage.trust.noise.mean_interval` says when that holds).

    Args:
        runs: shape (runs, folds, sizes), without NaN, of at least two folds.

    Returns:
        Shape (sizes, sizes), and the degrees of freedom.
    """
    count, folds, sizes = runs.shape
    centred = runs - runs.mean(axis=1, keepdims=True)
    raw = np.einsum("rfa,rfb->ab", centred, centred) / ((folds - 1) * count * folds)
    spread = np.sqrt(np.maximum(np.diag(raw), 1e-12))
    alike = raw / np.outer(spread, spread)
    shared = float((alike.sum() - np.trace(alike)) / max(sizes * (sizes - 1), 1))
    shared = min(max(shared, 0.0), MOST_ALIKE)
    return np.outer(spread, spread) * (shared + (1 - shared) * np.eye(sizes)), count * (folds - 1)


def _find_limit(curve: Curve) -> float:
    """The misfit up to which a law is in the band."""
    law = fit_power_law(curve)
    rest = curve.values - np.array([law.at(one) for one in curve.patients.tolist()])
    least = float(rest @ np.linalg.inv(curve.covariance) @ rest)
    return float(least + student_quantile(0.95, curve.freedom) ** 2)


def _widest(curve: Curve) -> float:
    return float(np.sqrt(np.diag(curve.covariance).max()))
