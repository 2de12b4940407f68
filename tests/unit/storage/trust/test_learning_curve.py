"""The law of a learning curve: it gives back what was put in, and says nothing of what is too far."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import curve_fit

from storage.trust.learning_curve import PowerLaw, extrapolate, fit_power_law

PATIENTS = np.array([30.0, 60, 120, 240, 480])


@pytest.mark.parametrize("law", [PowerLaw(0.9, 1.2, 0.6), PowerLaw(0.85, 0.5, 0.3), PowerLaw(0.95, 3.0, 0.9)])
def test_a_law_without_noise_is_found(law: PowerLaw) -> None:
    values = np.array([law.at(count) for count in PATIENTS])
    found = fit_power_law(PATIENTS, values, np.full(5, 0.01), 1.0)
    assert found.at(1000) == pytest.approx(law.at(1000), abs=1e-3)
    assert found.patients_for(law.at(1000)) == pytest.approx(1000, rel=0.05)


def test_the_fit_is_that_of_scipy() -> None:
    chance = np.random.default_rng(4)
    law, errors = PowerLaw(0.9, 1.2, 0.6), np.array([0.03, 0.02, 0.015, 0.01, 0.01])
    values = np.array([law.at(count) for count in PATIENTS]) + errors * chance.standard_normal(5)
    theirs, _ = curve_fit(
        lambda n, limit, factor, exponent: limit - factor * n**-exponent,
        PATIENTS,
        values,
        p0=[0.9, 1, 0.5],
        sigma=errors,
        bounds=([0, 0, 0.1], [1, 50, 2]),
    )
    found = fit_power_law(PATIENTS, values, errors, 1.0)
    assert found.at(900) == pytest.approx(PowerLaw(*theirs).at(900), abs=2e-3)


def test_a_target_has_an_interval_and_one_that_is_too_far_has_no_number() -> None:
    law = PowerLaw(0.9, 1.2, 0.6)
    values = np.array([law.at(count) for count in PATIENTS])
    found, (near, far, never) = extrapolate(
        PATIENTS, values, np.full(5, 0.004), [law.at(900), 0.8999, 0.99], highest=1.0
    )
    assert near["patients"] == pytest.approx(900, rel=0.1)
    assert near["low"] < 900
    assert near["high"] is None or near["high"] > 900
    assert (far["patients"], never["patients"]) == (None, None)
    assert math.isinf(found.patients_for(0.99))


def test_a_curve_that_does_not_rise_promises_nothing() -> None:
    values = np.array([0.8, 0.79, 0.8, 0.8, 0.79])
    found, (row,) = extrapolate(PATIENTS, values, np.full(5, 0.01), [0.85])
    assert row["patients"] is None
    assert found.at(10_000) < 0.82
