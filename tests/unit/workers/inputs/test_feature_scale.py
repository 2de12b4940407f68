"""Mean and standard deviation of features over a fold's training images."""

from __future__ import annotations

import numpy as np

from workers.inputs.feature_set import SMALLEST_SHARE, measure_scale


def test_scale_is_measured_over_all_views_of_the_training_images_only() -> None:
    values = np.random.default_rng(0).normal(1e3, 1e-1, size=(700, 4, 5)).astype(np.float32)
    train = np.arange(600)
    expected = values[:600].astype(np.float64)
    mean, sd = measure_scale(values, train)
    assert np.allclose(mean, expected.mean(axis=(0, 1)), rtol=1e-6)
    assert np.allclose(sd, expected.std(axis=(0, 1)), rtol=1e-5)
    values[600:] = 1e9
    assert np.array_equal(measure_scale(values, train)[1], sd)


def test_a_nearly_constant_feature_gets_a_floor() -> None:
    values = np.random.default_rng(0).normal(size=(50, 1, 4)).astype(np.float32)
    values[..., 2] = 7
    _, sd = measure_scale(values, np.arange(50))
    assert 0.5 * SMALLEST_SHARE < sd[2] < 2 * SMALLEST_SHARE


def test_constant_features_do_not_divide_by_zero() -> None:
    _, sd = measure_scale(np.full((5, 4, 3), 2, np.float32), np.arange(5))
    assert (sd == 1).all()
