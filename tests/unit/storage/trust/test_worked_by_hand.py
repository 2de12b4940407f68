"""Statistics of a few images worked by hand: scores of drawn patients, and the interval of a nested cross-validation."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from sklearn.metrics import roc_auc_score

from storage.metrics import bootstrap
from storage.metrics.objectives import AUC, METRICS
from storage.trust import bias, nested

FOLDS = [np.arange(4), np.arange(4, 7)]
LABELS = np.array([[1, 0], [0, 0], [1, 0], [0, 0], [1, 1], [0, 0], [0, np.nan]], np.float64)
"""The second label has both classes in the second fold alone, and there on two images."""
TRIAL = [
    np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.3], [0.1, 0.4]]),
    np.array([[0.2, 0.7], [0.6, 0.3], [0.1, 0.9]]),
]
"""Of the first fold 3 of 4 pairs of the first label are in order, of the second 1 of 2; of the second label its only pair is."""


def weigh(*columns: list[int]) -> np.ndarray:
    return np.array(columns, np.float32).T


@pytest.mark.parametrize(
    ("weights", "first", "both"),
    [
        ([1, 1, 1, 1, 1, 1, 1], (3 / 4 + 1 / 2) / 2, (3 / 4 + (1 / 2 + 1) / 2) / 2),
        # (2 x 2 + 1) of 3 x 2 pairs, and 1 of 3.
        ([2, 1, 1, 1, 1, 2, 1], (5 / 6 + 1 / 3) / 2, (5 / 6 + (1 / 3 + 1) / 2) / 2),
        # The positive of the second fold is not drawn: the first label has there what it has in the first fold of this draw, and the second
        # label, which no fold of this draw has, the mean of the other draws.
        ([1, 1, 1, 1, 0, 1, 1], 3 / 4, (3 / 4 + (3 / 4 + 1) / 2) / 2),
    ],
)
def test_the_score_of_a_draw_is_the_mean_over_folds_of_the_labels_that_have_one(
    weights: list[int], first: float, both: float
) -> None:
    drawn = weigh(weights, [1] * 7)
    one = [values[:, :1] for values in TRIAL]
    assert bias.score_draws(AUC, one, LABELS[:, :1], FOLDS, drawn)[0] == pytest.approx(first, abs=1e-7)
    assert bias.score_draws(AUC, TRIAL, LABELS, FOLDS, drawn)[0] == pytest.approx(both, abs=1e-7)


def test_of_an_error_the_score_is_the_negative() -> None:
    squares = [np.mean([0.1**2, 0.8**2, 0.7**2, 0.1**2]), np.mean([0.8**2, 0.6**2, 0.1**2])]
    found = bias.score_draws(
        METRICS["neg_val_brier"], [values[:, :1] for values in TRIAL], LABELS[:, :1], FOLDS, weigh([1] * 7)
    )
    assert found == pytest.approx([-np.mean(squares)], abs=1e-6)


def test_without_a_label_that_has_both_classes_there_is_no_score() -> None:
    found = bias.score_draws(AUC, [TRIAL[0]], np.zeros((4, 2)), FOLDS[:1], weigh([1] * 4, [2] * 4))
    assert found.shape == (2,)
    assert np.isnan(found).all()


def test_the_interval_of_a_mean_of_outer_folds_is_that_of_a_mean_where_the_metric_is_one() -> None:
    """The squared error of a label that is 0 everywhere is the square of the probability; of 400 patients, spread evenly."""
    squares = np.random.default_rng(0).permutation(np.linspace(0.1, 0.5, 400))
    folds = [np.arange(200), np.arange(200, 400)]
    predictions = [np.sqrt(squares[rows])[:, None] for rows in folds]
    metric, labels = METRICS["neg_val_brier"], np.zeros((400, 1))
    found = nested.patients_interval(
        -float(squares.mean()), metric, predictions, labels, np.arange(400), folds, draws=1500
    )
    half = scipy.stats.t.ppf(0.975, 399) * squares.std(ddof=1) / 20
    assert (found.low, found.high) == pytest.approx((-0.3 - half, -0.3 + half), abs=0.1 * half)

    # A second image of each patient, like the first, says nothing new.
    twice = nested.patients_interval(
        -float(squares.mean()), metric, [np.repeat(one, 2, axis=0) for one in predictions], np.zeros((800, 1)),
        np.repeat(np.arange(400), 2), [np.arange(400), np.arange(400, 800)], draws=1500,
    )  # fmt: skip
    assert (twice.low, twice.high) == pytest.approx((found.low, found.high), abs=1e-6)


def test_the_interval_draws_patients_and_takes_the_area_within_each_fold() -> None:
    chance = np.random.default_rng(3)
    groups = np.repeat(np.arange(60), 2)
    labels = (chance.random(60) < 0.4)[groups].astype(np.float64)
    scores = np.round(labels + chance.standard_normal(120), 2)
    folds = [np.arange(60), np.arange(60, 120)]
    weights = bias.draw_weights(groups, 200, 5)
    without = np.array([groups != left for left in range(60)], float).T

    def areas(columns: np.ndarray) -> np.ndarray:
        return np.array(
            [
                np.mean(
                    [roc_auc_score(labels[rows], scores[rows], sample_weight=one[rows]) for rows in folds]
                )
                for one in columns.T
            ]
        )

    value = float(areas(np.ones((120, 1)))[0])
    expected = bootstrap.corrected_interval(value, areas(weights), areas(without))
    found = nested.patients_interval(
        value,
        AUC,
        [scores[rows][:, None] for rows in folds],
        labels[:, None],
        groups,
        folds,
        draws=200,
        seed=5,
    )
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-6)
    assert found.low < value < found.high


def test_where_every_draw_gives_the_same_there_is_no_interval() -> None:
    labels = np.tile([1.0, 0.0], 20)
    folds = [np.arange(20), np.arange(20, 40)]
    found = nested.patients_interval(
        1.0, AUC, [labels[rows][:, None] for rows in folds], labels[:, None], np.arange(40), folds, draws=50
    )
    assert found.reason
    assert np.isnan([found.low, found.high]).all()
