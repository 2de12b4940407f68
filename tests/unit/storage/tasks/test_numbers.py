"""What studies of numbers say and ask, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from storage.tasks.number_metrics import LIMITS
from storage.tasks.numbers import Numbers

NAN = float("nan")
TASK = Numbers()


def test_one_number_is_judged_by_its_error_and_several_by_their_share() -> None:
    assert [TASK.default_metric(count) for count in (1, 2, 5)] == ["neg_val_mae", "val_r2", "val_r2"]
    assert not TASK.has_probabilities


def test_numbers_are_described_by_those_that_are_known() -> None:
    labels = np.array([[1.0, NAN, 7.25, NAN], [2.0, NAN, NAN, 1 / 3], [4.5, NAN, NAN, 2 / 3]])
    assert TASK.describe(["some", "none", "one", "two"], labels) == {
        "some": {"assessed": 3, "mean": 2.5, "sd": 1.802776, "least": 1.0, "most": 4.5},
        "none": {"assessed": 0, "mean": None, "sd": None, "least": None, "most": None},
        "one": {"assessed": 1, "mean": 7.25, "sd": None, "least": 7.25, "most": 7.25},
        "two": {"assessed": 2, "mean": 0.5, "sd": 0.235702, "least": 1 / 3, "most": 2 / 3},
    }


def test_the_question_is_whether_a_number_is_above_its_median() -> None:
    labels = np.array([[1.0, NAN], [3.0, NAN], [3.0, NAN], [NAN, NAN], [9.0, NAN]])
    values = labels + 1
    asked = TASK.questions(["age", "none"], labels, values)
    assert asked.names == ("age above 3", "none above nan")
    np.testing.assert_array_equal(asked.labels, [[0, NAN], [0, NAN], [0, NAN], [NAN, NAN], [1, NAN]])
    assert asked.values is values
    assert asked.labels.dtype == np.float32
    assert TASK.questions(["a"], np.array([[1.23456], [1.23456]])).names == ("a above 1.235",)


def test_strata_are_fifths_and_fewer_where_many_numbers_are_equal() -> None:
    labels = np.array([[float(number)] for number in range(10)])
    np.testing.assert_array_equal(TASK.strata(labels).sum(axis=0), [2] * 5)
    np.testing.assert_array_equal(TASK.strata(labels).argmax(axis=1), np.arange(10) // 2)
    # Nine of ten are equal: two parts, and no column that nobody is in.
    equal = np.array([[5.0]] * 9 + [[6.0]])
    np.testing.assert_array_equal(TASK.strata(equal), [[1.0, 0.0]] * 9 + [[0.0, 1.0]])
    np.testing.assert_array_equal(TASK.strata(np.full((3, 1), 5.0)), [[1.0]] * 3)
    blank = np.array([[1.0, NAN], [NAN, NAN], [2.0, NAN]])
    found = TASK.strata(blank)
    assert np.isnan(found[1]).all()
    assert np.isnan(found[:, -1]).all()
    assert found.shape == (3, 3)


def test_outputs_are_in_units_of_the_spread_and_the_loss_too() -> None:
    settings = {"centre": np.float32([10, 0]), "spread": np.float32([2, 5])}
    outputs = np.float32([[1, 0], [0, 2]])
    values = TASK.values(outputs, settings)
    np.testing.assert_array_equal(values, [[12, 0], [10, 10]])
    assert values.dtype == np.float32
    scores = TASK.score(np.float32([[10, NAN], [14, 0]]), outputs, settings)
    # Off by 1 and 2 units, and by 2.
    assert scores.loss == pytest.approx((1 + 4 + 4) / 3)
    assert scores.labels_left_out == 0
    assert TASK.score(np.float32([[10, NAN], [14, NAN]]), outputs, settings).labels_left_out == 1
    none = TASK.score(np.full((2, 2), NAN, np.float32), outputs, settings)
    assert np.isnan(none.loss)
    assert none.labels_left_out == 2


def test_a_card_counts_images_and_patients_of_each_number() -> None:
    labels = np.array([[1.0, 5.0], [2.0, NAN], [3.0, 7.0], [4.0, NAN]])
    values = labels + np.array([[0.5, 1.0], [-0.5, 1.0], [0.5, -1.0], [-0.5, 1.0]])
    values[np.isnan(values)] = 0.0
    card = TASK.card(["a", "b"], labels, values, np.array([0, 0, 1, 2]), resamples=0)
    assert (card["images"], card["groups"], card["resamples"]) == (4, 3, 0)
    assert [(row["assessed"], row["assessed_groups"]) for row in card["labels"].values()] == [(4, 3), (2, 2)]
    assert card["labels"]["a"]["metrics"]["mae"]["value"] == pytest.approx(0.5)
    assert card["labels"]["b"]["metrics"]["mae"]["value"] == pytest.approx(1.0)
    limits = {kind: one["value"] for kind, one in card["labels"]["a"]["limits_of_agreement"].items()}
    half = 1.96 * np.std([0.5, -0.5, 0.5, -0.5], ddof=1)
    assert limits == pytest.approx({"bias": 0, "lower_limit": -half, "upper_limit": half}, rel=1e-4)


def test_the_limits_of_agreement_of_weighted_images() -> None:
    truth, guess, counts = np.array([1.0, 2.0]), np.array([4.0, 7.0]), np.array([3.0, 1.0])
    half = 1.96 * np.std([3, 3, 3, 5], ddof=1)
    found = {kind: float(measure(truth, guess, counts)) for kind, measure in LIMITS.items()}
    assert found == pytest.approx(
        {"bias": 3.5, "lower_limit": 3.5 - half, "upper_limit": 3.5 + half}, rel=1e-4
    )


def test_numbers_are_marked_and_written_as_they_were_given() -> None:
    assert TASK.mark([1, None, 0.1]) == "1.0,-,0.1"
    assert TASK.to_plain([0.1, NAN, 2]) == [0.1, None, 2.0]


def test_the_unit_of_an_error_is_the_mean_spread() -> None:
    labels = np.array([[0.0, 1.0], [2.0, 1.0], [NAN, 7.0], [4.0, 7.0]])
    spread = (np.std([0, 2, 4]) + 3) / 2
    for metric, unit in {
        "neg_val_mae": spread,
        "neg_val_rmse": spread,
        "val_r2": 2.0,
        "val_pearson": 1.0,
    }.items():
        assert TASK.unit(metric, labels) == pytest.approx(unit)
    assert TASK.unit("neg_val_mae", np.ones((4, 1))) == 1.0
