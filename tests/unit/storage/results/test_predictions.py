"""Kept predictions: of repeated folds each image has the mean of what was said of it."""

from __future__ import annotations

import numpy as np

from storage.results.predictions import FoldPredictions, pool_predictions


def test_the_probabilities_of_an_image_are_averaged_over_the_repeats() -> None:
    # Two repeats of two folds over four images; the fifth was left out of all.
    said = [([0, 1], [0.1, 0.2]), ([2, 3], [0.3, 0.4]), ([3, 0], [0.8, 0.5]), ([1, 2], [0.6, 0.1])]
    folds = [
        FoldPredictions(number, 1, np.array(rows, np.int32), np.array(values, np.float64)[:, None])
        for number, (rows, values) in enumerate(said)
    ]
    np.testing.assert_allclose(pool_predictions(folds, 5)[:, 0], [0.3, 0.4, 0.2, 0.6, np.nan], atol=1e-12)
    np.testing.assert_allclose(pool_predictions(folds[:2], 4)[:, 0], [0.1, 0.2, 0.3, 0.4], atol=1e-12)
