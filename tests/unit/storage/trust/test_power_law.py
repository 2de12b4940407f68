"""The law of a learning curve: it gives back what was put in, its uncertainty is that of an independent fit, and it says nothing of what is too far."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import curve_fit, minimize

from storage.metrics.intervals import student_quantile
from storage.trust.learning_curve import describe_learning_curve, extrapolate, judge_apart
from storage.trust.power_law import (
    Curve,
    PowerLaw,
    estimate_covariance,
    find_band,
    find_patients,
    fit_power_law,
    measure_misfit,
)

PATIENTS = np.array([30.0, 60, 120, 240, 480])


def make_curve(law: PowerLaw, error: float | np.ndarray = 0.01, shared: float = 0.0) -> Curve:
    """A curve without noise, whose sizes err alike to some part."""
    spread = np.full(len(PATIENTS), 1.0) * error
    covariance = np.outer(spread, spread) * (shared + (1 - shared) * np.eye(len(PATIENTS)))
    return Curve(PATIENTS, np.array([law.at(count) for count in PATIENTS]), covariance, 10, 1.0)


@pytest.mark.parametrize("law", [PowerLaw(0.9, 1.2, 0.6), PowerLaw(0.85, 0.5, 0.3), PowerLaw(0.95, 3.0, 0.9)])
def test_a_law_without_noise_is_found(law: PowerLaw) -> None:
    found = fit_power_law(make_curve(law))
    assert found.at(1000) == pytest.approx(law.at(1000), abs=1e-3)
    assert found.patients_for(law.at(1000)) == pytest.approx(1000, rel=0.05)


@pytest.mark.parametrize("shared", [0.0, 0.7])
def test_the_fit_is_that_of_scipy(shared: float) -> None:
    chance = np.random.default_rng(4)
    curve = make_curve(PowerLaw(0.9, 1.2, 0.6), np.array([0.03, 0.02, 0.015, 0.01, 0.01]), shared)
    noise = np.linalg.cholesky(curve.covariance) @ chance.standard_normal(5)
    curve = Curve(PATIENTS, curve.values + noise, curve.covariance, 10, 1.0)
    theirs, _ = curve_fit(
        lambda n, limit, factor, exponent: limit - factor * n**-exponent,
        PATIENTS,
        curve.values,
        p0=[0.9, 1, 0.5],
        sigma=curve.covariance,
        bounds=([0, 0, 0.1], [1, 50, 2]),
    )
    assert fit_power_law(curve).at(900) == pytest.approx(PowerLaw(*theirs).at(900), abs=2e-3)


def test_the_misfit_through_a_point_is_that_of_a_general_optimizer() -> None:
    curve = make_curve(PowerLaw(0.9, 1.2, 0.6), 0.01, 0.5)
    weights, at, value = np.linalg.inv(curve.covariance), 900.0, 0.86

    def misfit(constants: np.ndarray) -> float:
        factor, exponent = constants
        rest = curve.values - value - factor * (at**-exponent - PATIENTS**-exponent)
        return float(rest @ weights @ rest)

    theirs = min(
        minimize(misfit, [1.0, start], bounds=[(0, 50), (0.1, 2)]).fun for start in (0.2, 0.5, 1.0, 1.5)
    )
    assert float(measure_misfit(curve, np.array(at), np.array(value))) == pytest.approx(theirs, rel=0.02)


def test_band_and_interval_of_patients_say_the_same() -> None:
    law = PowerLaw(0.9, 1.2, 0.6)
    curve = make_curve(law, 0.002, 0.5)
    low, high = find_patients(curve, law.at(900)) or (math.nan, math.nan)
    assert 480 < low < 900 < high < 4800
    below, above = find_band(curve, np.array([low, high, 900.0]))
    assert above[0] == pytest.approx(law.at(900), abs=5e-4), "at the lower end the band's upper edge is there"
    assert below[1] == pytest.approx(law.at(900), abs=5e-4)
    assert below[2] < law.at(900) < above[2]


def test_without_a_law_to_choose_the_band_is_the_interval_of_a_mean() -> None:
    """Where values cannot rise, all that is left to fit is their mean, whose interval is Student's t."""
    curve = Curve(PATIENTS, np.full(5, 0.8), np.diag(np.full(5, 0.01**2)), 10)
    half = student_quantile(0.95, 10) * 0.01 / math.sqrt(5)
    below, above = find_band(curve, np.array([480.0]))
    assert 0.8 - below[0] == pytest.approx(half, rel=1e-6), "downwards no law is nearer than a flat one"
    assert above[0] - 0.8 > half
    flat = Curve(PATIENTS, curve.values, curve.covariance, 10, 0.8)
    assert fit_power_law(flat) == PowerLaw(0.8, 0.0, pytest.approx(0.1))


def test_a_target_has_an_interval_and_one_that_is_too_far_has_no_number() -> None:
    law = PowerLaw(0.9, 1.2, 0.6)
    near, far, never = extrapolate(make_curve(law, 0.002, 0.5), [law.at(900), 0.8999, 0.99])
    assert near["patients"] == pytest.approx(900, rel=0.1)
    assert near["low"] < 900 < near["high"]
    assert (far["patients"], never["patients"]) == (None, None)
    assert math.isinf(law.patients_for(0.99))


def test_a_curve_that_does_not_rise_promises_nothing() -> None:
    values = np.array([0.8, 0.79, 0.8, 0.8, 0.79])
    curve = Curve(PATIENTS, values, np.diag(np.full(5, 0.01**2)), 10)
    (row,) = extrapolate(curve, [0.85])
    assert row["patients"] is None
    assert fit_power_law(curve).at(10_000) < 0.82


def test_folds_that_judge_all_sizes_say_how_alike_their_errors_are() -> None:
    chance = np.random.default_rng(3)
    shared = chance.standard_normal((400, 6, 1))
    runs = 0.8 + 0.02 * (shared + chance.standard_normal((400, 6, 3)) * [1.0, 1.0, 2.0])
    covariance, freedom = estimate_covariance(runs)
    assert freedom == 400 * 5
    wanted = np.array([2.0, 2.0, 5.0]) * 0.02**2 / 6
    assert np.diag(covariance) == pytest.approx(wanted, rel=0.1)
    alike = covariance / np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    mean = (1 / 2 + 2 / math.sqrt(10)) / 3
    assert alike[0, 1] == pytest.approx(mean, abs=0.05)
    exact = estimate_covariance(np.repeat(shared[:2], 3, axis=2))[0]
    assert np.isfinite(np.linalg.inv(exact)).all(), "sizes that err exactly alike can be fitted, too"


def test_no_fold_has_a_part_in_choosing_the_epoch_that_it_is_read_at() -> None:
    curves = np.array([[0.9, 0.5, 0.6], [0.5, 0.8, 0.7], [0.5, 0.8, 0.6]])
    assert judge_apart(curves, "max_of_mean").tolist() == [0.5, 0.5, 0.5], "the others' best: 2, 1 and 1"
    assert judge_apart(curves, "mean_of_max").tolist() == [0.9, 0.8, 0.8]
    assert judge_apart(curves, "last").tolist() == [0.6, 0.7, 0.6]
    assert judge_apart(curves[:1], "max_of_mean").tolist() == [0.9]


def test_what_is_said_of_a_target() -> None:
    sizes = [{"patients": 50.0, "value": 0.8, "is_settled": True}]
    rows = [
        {"value": 0.85, "patients": 900.0, "low": 610.0, "high": None},
        {"value": 0.9, "patients": None, "low": 2000.0, "high": None},
        {"value": 0.95, "patients": None, "low": None, "high": None},
        {"value": 0.6, "patients": 0.0, "low": 0.0, "high": 20.0},
        {"value": 0.7, "patients": 20.0, "low": 0.0, "high": 30.0},
    ]
    said = describe_learning_curve(
        {"sizes": sizes, "law": {}, "targets": rows, "metric": "val_auc", "reason": None}
    )
    assert said == (
        "val_auc: 0.85 needs about 900 patients (95 % interval 610 to far more); 0.9 is not reached with 10 times these patients "
        "(95 % interval 2,000 to far more); 0.95 is not reached with 10 times these patients; 0.6 is reached with the fewest patients; "
        "0.7 needs about 20 patients (95 % interval fewer than 10 to 30)"
    )
    none = describe_learning_curve(
        {"sizes": sizes, "law": {}, "targets": rows[:1], "metric": "val_auc", "reason": "why"}
    )
    assert none == "val_auc: 0.85 needs about 900 patients (no interval: why)"


def test_no_law_whose_limit_is_impossible_has_a_part_in_the_band() -> None:
    curve = make_curve(PowerLaw(1.3, 1.5, 0.2), 0.002)
    assert max(curve.values) < 1
    free = Curve(curve.patients, curve.values, curve.covariance, curve.freedom)
    at = np.array([240.0])
    value = np.array([PowerLaw(1.3, 1.5, 0.2).at(240)])
    assert measure_misfit(free, at, value)[0] == pytest.approx(0, abs=1e-2)
    assert measure_misfit(curve, at, value)[0] > 1
