"""What a model means in practice: hand-worked cases, sums in a loop, and promises that hold on simulated data."""

from __future__ import annotations

import math

import numpy as np
import pytest

from storage.metrics.intervals import Interval, wilson_interval
from storage.metrics.scorecard import score
from storage.practice.abstention import abstention_curve
from storage.practice.conformal import describe_sets, find_sets
from storage.practice.decisions import decision_curve, net_benefit
from storage.practice.prevalence import predictive_values
from storage.practice.review import review, review_units
from storage.practice.subgroups import compare_sides, review_subgroups
from storage.practice.units import name_visits, pool_units


def draw(seed: int, patients: int = 120, gap: float = 1.5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    groups = np.repeat(np.arange(patients), generator.integers(1, 4, patients))
    labels = (generator.random(patients) < 0.35)[groups].astype(float)
    logits = gap * (labels - 0.5) * 2 + generator.standard_normal(len(groups)) - 0.5
    return groups, labels, 1 / (1 + np.exp(-logits))


def test_net_benefit_by_hand() -> None:
    # Ten images, at 20 %: acting on 4 finds 2 of 3 and alarms twice: 2/10 - 2/10 * 0.2/0.8.
    labels = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 0])
    probabilities = np.array([0.9, 0.6, 0.1, 0.5, 0.3, 0.2, 0.1, 0.1, 0.0, 0.0])
    assert float(net_benefit(labels, probabilities, 0.2)) == pytest.approx(0.2 - 0.2 * 0.25)
    # Acting on all: prevalence less the rest by the odds.
    assert float(net_benefit(labels, np.ones(10), 0.2)) == pytest.approx(0.3 - 0.7 * 0.25)
    twice = net_benefit(labels, probabilities, 0.2, np.full((1, 10), 2.0))
    assert twice[0] == pytest.approx(float(net_benefit(labels, probabilities, 0.2)))


def test_a_decision_curve_has_intervals_about_its_values() -> None:
    groups, labels, probabilities = draw(1)
    labels[:3] = np.nan
    rows = decision_curve(labels, probabilities, groups, thresholds=(0.1, 0.5), resamples=200)
    for row in rows:
        assert row["net_benefit"]["low"] < row["net_benefit"]["value"] < row["net_benefit"]["high"]
        known = ~np.isnan(labels)
        assert row["act_on_all"] == pytest.approx(
            labels[known].mean() - (1 - labels[known].mean()) * row["threshold"] / (1 - row["threshold"])
        )
        assert row["gain"]["value"] == pytest.approx(row["net_benefit"]["value"] - max(row["act_on_all"], 0))
    assert rows[1]["gain"]["low"] > 0
    assert rows[1]["is_better"]
    assert decision_curve(np.full(3, np.nan), np.zeros(3), np.arange(3)) == []


def test_the_interval_of_a_net_benefit_is_close_to_that_of_a_mean_and_the_gain_has_the_lesser_ends() -> None:
    groups, labels, probabilities = draw(1)
    groups = np.arange(len(groups))
    (row,) = decision_curve(labels, probabilities, groups, thresholds=(0.2,), resamples=50)
    worth = {
        "over none": (probabilities > 0.2) * np.where(labels == 1, 1, -0.25),
        "over all": ((probabilities > 0.2) - 1.0) * np.where(labels == 1, 1, -0.25),
    }
    ends = []
    for each in worth.values():
        error = each.std(ddof=1) / math.sqrt(len(each))
        ends.append((each.mean() - 1.97 * error, each.mean() + 1.97 * error))
    close = pytest.approx(ends[0], abs=0.003)
    assert (row["net_benefit"]["low"], row["net_benefit"]["high"]) == close
    lesser = pytest.approx((min(low for low, _ in ends), min(high for _, high in ends)), abs=0.008)
    assert (row["gain"]["low"], row["gain"]["high"]) == lesser
    # Acting on no image of this sample is not acting on none of the next one: its interval holds 0, and is wide where a false alarm costs much.
    (nothing,) = decision_curve(labels, np.zeros(len(labels)), groups, thresholds=(0.9,), resamples=50)
    assert nothing["net_benefit"]["value"] == 0.0
    assert nothing["net_benefit"]["low"] < -0.1 < 0 < nothing["net_benefit"]["high"] < 0.03


@pytest.mark.thorough
def test_a_useless_model_is_seldom_called_better_at_any_threshold_and_a_good_one_often() -> None:
    called = [0, 0]
    for seed in range(60):
        generator = np.random.default_rng(seed)
        labels = (generator.random(200) < 0.3).astype(float)
        useless = generator.beta(2, 4.7, 200)
        useful = 1 / (1 + np.exp(-(2 * labels - 1.5 + generator.standard_normal(200))))
        for place, values in enumerate((useless, useful)):
            rows = decision_curve(labels, values, np.arange(200), resamples=150, seed=seed)
            called[place] += any(row["is_better"] for row in rows)
    # One threshold at a time, with its own 95 % interval, a fifth of the useless ones were called better somewhere.
    assert called[0] <= 6
    assert called[1] >= 55
    assert not any(row["is_better"] for row in decision_curve(labels, useful, np.arange(200), resamples=0))


def test_predictive_values_at_another_prevalence_by_bayes() -> None:
    # Altman and Bland (BMJ 1994): sensitivity .90, specificity .82; at 25 % the PPV is 63 %.
    found = predictive_values((0.90, Interval(0.85, 0.94)), (0.82, Interval(0.75, 0.88)), 0.25)
    assert found["ppv"]["value"] == pytest.approx(0.9 * 0.25 / (0.9 * 0.25 + 0.18 * 0.75))
    assert found["npv"]["value"] == pytest.approx(0.82 * 0.75 / (0.82 * 0.75 + 0.10 * 0.25))
    assert found["ppv"]["low"] < found["ppv"]["value"] < found["ppv"]["high"] < 1
    rare = predictive_values((0.90, Interval(0.85, 0.94)), (0.82, Interval(0.75, 0.88)), 0.01)
    assert rare["ppv"]["high"] < found["ppv"]["low"]
    perfect = predictive_values((1.0, Interval(0.88, 1.0)), (1.0, Interval(0.9, 1.0)), 0.1)
    assert (perfect["ppv"]["value"], perfect["ppv"]["high"]) == (1.0, 1.0)
    assert 0.3 < perfect["ppv"]["low"] < 1
    nothing = predictive_values((0.5, Interval.none("few")), (0.9, Interval(0.8, 0.95)), 0.1)
    assert math.isnan(nothing["ppv"]["low"])
    assert "few" in nothing["ppv"]["note"]


def test_predictive_values_hold_the_truth() -> None:
    generator = np.random.default_rng(2)
    truth = 0.8 * 0.1 / (0.8 * 0.1 + 0.15 * 0.9)
    held = []
    for _ in range(400):
        hits, alarms = generator.binomial(60, 0.8), generator.binomial(120, 0.15)
        sensitivity = (hits / 60, wilson_interval(hits / 60, 60, 1.96))
        specificity = (1 - alarms / 120, wilson_interval(1 - alarms / 120, 120, 1.96))
        ppv = predictive_values(sensitivity, specificity, 0.1)["ppv"]
        held.append(ppv["low"] <= truth <= ppv["high"])
    assert 0.92 < np.mean(held) < 0.985


def test_a_patient_has_a_finding_where_any_image_has_it() -> None:
    labels = np.array([[0.0, np.nan], [1.0, np.nan], [0.0, 1.0], [np.nan, 0.0]])
    values = np.array([[0.2, 0.5], [0.6, 0.7], [0.1, 0.9], [0.8, 0.3]])
    truth, mean, first = pool_units(labels, values, [7, 7, 5, 5], "mean")
    assert truth.tolist()[0] == [0.0, 1.0]
    assert truth[1, 0] == 1.0
    assert np.isnan(truth[1, 1])
    # Of an assessed label, the images that were assessed; where none was, all.
    assert mean == pytest.approx(np.array([[0.1, 0.6], [0.4, 0.6]]))
    assert first.tolist() == [2, 0]
    assert pool_units(labels, values, [7, 7, 5, 5], "max")[1][1].tolist() == [0.6, 0.7]
    assert name_visits(np.array([1, 1, 2]), [["a", "b", "a"]]) == [0, 1, 2]


@pytest.mark.parametrize("level", [0.8, 0.9])
def test_conformal_sets_hold_what_they_promise_for_each_class(level: float) -> None:
    held: list[list[float]] = [[], []]
    for seed in range(30):
        generator = np.random.default_rng(seed)
        labels = (generator.random(300) < 0.3).astype(int)
        folds = generator.integers(5, size=300)
        values = 1 / (1 + np.exp(-(2 * labels - 1 + generator.standard_normal(300))))
        sets = find_sets(labels, values, folds, level)
        for side in (0, 1):
            held[side].append(sets[labels == side, side].mean())
    for side in (0, 1):
        assert np.mean(held[side]) == pytest.approx(level, abs=0.02)


def test_conformal_sets_by_hand_and_from_too_few() -> None:
    # Class 1: others of other folds have strangeness .1, .2, .3, .4; mine .35: one is stranger: (1 + 1) / (1 + 4) = .4.
    labels, values = np.array([1, 1, 1, 1, 1]), np.array([0.65, 0.9, 0.8, 0.7, 0.6])
    folds = np.array([0, 1, 1, 1, 1])
    assert find_sets(labels, values, folds, 0.55)[0, 1] == (0.4 > 0.45)
    assert find_sets(labels, values, folds, 0.65)[0, 1]
    assert not find_sets(labels, values, folds, 0.6)[0, 1], "more than alpha, not as much"
    # Class 0 is strange by the probability itself: .35 among .1, .2, .3, .4 as before.
    assert [find_sets(1 - labels, 1 - values, folds, at)[0, 0] for at in (0.55, 0.6, 0.65)] == [
        False,
        False,
        True,
    ]
    assert describe_sets(labels.astype(float), values, folds, folds) == []
    groups, truth, guesses = draw(3)
    rows = describe_sets(truth, guesses, groups % 5, groups)
    assert [row["level"] for row in rows] == [0.8, 0.9, 0.95]
    assert all(row["one"] + row["both"] + row["none"] == pytest.approx(1) for row in rows)
    for row in rows:
        sets = find_sets(truth.astype(int), guesses, groups % 5, row["level"])
        for side, name in ((0, "held_absent"), (1, "held_present")):
            assert row[name] == pytest.approx(sets[truth == side, side].mean())
        assert row["both"] == pytest.approx(sets.all(axis=1).mean())
        assert row["none"] == pytest.approx((~sets).all(axis=1).mean())
    assert all(row["held"]["low"] < row["held"]["value"] < row["held"]["high"] for row in rows)


def test_what_is_kept_is_surer_and_more_often_right() -> None:
    groups, labels, probabilities = draw(4, patients=300)
    rows = abstention_curve(labels, probabilities, groups)
    assert rows[0]["kept"] == 1.0
    assert rows[0]["accuracy"]["value"] == pytest.approx(((probabilities > 0.5) == (labels == 1)).mean())
    assert rows[-1]["accuracy"]["value"] > rows[0]["accuracy"]["value"] + 0.03
    assert all(row["accuracy"]["low"] <= row["accuracy"]["value"] <= row["accuracy"]["high"] for row in rows)
    assert abstention_curve(np.full(4, np.nan), np.zeros(4), np.arange(4)) == []


def test_kept_images_that_are_all_right_have_an_interval_of_their_number() -> None:
    # The surest 20 of 40 are all right, those near the place where the model begins to abstain are not.
    labels = np.repeat([1.0, 0.0], 20)
    values = np.r_[np.full(10, 0.9), np.full(10, 0.45), np.full(10, 0.1), np.full(10, 0.55)]
    (half,) = abstention_curve(labels, values, np.arange(40), shares=(0.5,))
    assert half["accuracy"]["value"] == half["accuracy"]["high"] == 1.0
    assert half["accuracy"]["low"] == pytest.approx(20 / (20 + 1.959964**2))


def test_patients_that_move_the_place_of_abstention_widen_its_interval_by_hand() -> None:
    # Of the surest 20 of 40 the first 15 are right, then 3 of 5; of the next five 1, so that .4 of the ten about the place are.
    # A right one that is kept adds .6 - .5 * (.9 - .4) = .35, a wrong one -.65, each of the others -.25: squares of 4.3, a variance of 20/19 * 4.3 / 20^2.
    right = np.r_[np.ones(15), 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, np.ones(15)]
    labels = np.ones(40)
    sure = np.linspace(0.49, 0.01, 40)
    values = np.where(right == 1, 0.5 + sure, 0.5 - sure)
    (half,) = abstention_curve(labels, values, np.arange(40), shares=(0.5,))
    assert half["accuracy"]["value"] == pytest.approx(0.9)
    size = 0.9 * 0.1 / (20 / 19 * 4.3 / 400)
    expected = wilson_interval(0.9, size, 1.959964)
    assert (half["accuracy"]["low"], half["accuracy"]["high"]) == pytest.approx(
        (expected.low, expected.high), abs=1e-6
    )


def test_sure_is_how_far_a_probability_lies_from_the_threshold_by_hand() -> None:
    # At .3: (.9 - .3) / .7 = .86, (.3 - .1) / .3 = .67, .17 and (.4 - .3) / .7 = .14; the two surest are the first two.
    values, patients = np.array([0.9, 0.1, 0.25, 0.4]), np.array([4, 3, 2, 1])
    (half,) = abstention_curve(np.array([1.0, 1.0, 0.0, 0.0]), values, patients, 0.3, shares=(0.5,))
    assert (half["kept"], half["accuracy"]["value"], half["sensitivity"]) == (0.5, 0.5, 0.5)
    # Just above no threshold at all: (.004 - .001) / .004 = .75, and (.5 - .004) / .996 = .498.
    (half,) = abstention_curve(
        np.array([1.0, 1.0]), np.array([0.001, 0.5]), patients[:2], 0.004, shares=(0.5,)
    )
    assert (half["kept"], half["accuracy"]["value"]) == (0.5, 0.0)


def test_a_gain_is_judged_by_how_far_the_gain_itself_spreads() -> None:
    # All are acted on but 40 of 100 without the finding: certainly better at .2, though the worth of acting on all varies more.
    labels = np.repeat([1.0, 0.0], 100)
    values = np.r_[np.ones(160), np.zeros(40)]
    (row,) = decision_curve(labels, values, np.arange(200), thresholds=(0.2,), resamples=300)
    assert row["gain"]["value"] == pytest.approx(0.2 * 0.25)
    assert row["is_better"]


def test_a_share_of_nothing_has_the_other_end_of_its_interval() -> None:
    none_found = predictive_values((0.0, Interval(0.0, 0.2)), (0.9, Interval(0.8, 0.95)), 0.25)["ppv"]
    odds = 0.25 / 0.75
    assert (none_found["value"], none_found["low"]) == (0.0, 0.0)
    assert none_found["high"] == pytest.approx(odds * 0.2 / (odds * 0.2 + 0.05))
    all_right = predictive_values((0.9, Interval(0.8, 0.95)), (1.0, Interval(0.8, 1.0)), 0.25)["ppv"]
    assert all_right["low"] == pytest.approx(odds * 0.8 / (odds * 0.8 + 0.2))


def test_a_subgroup_that_is_served_worse_is_named_and_equal_ones_are_not() -> None:
    groups, labels, probabilities = draw(5, patients=400, gap=1.2)
    site = groups % 2
    worse = np.where(site == 1, 1 - probabilities, probabilities)
    cells = [("north", "south")[one] for one in site]
    thresholds = [0.5]
    found = review_subgroups(cells, ["x"], labels[:, None], worse[:, None], groups, thresholds, resamples=200)
    south = found["south"]["differences"]["x"]["auc"]
    assert south["value"] == pytest.approx(
        found["south"]["labels"]["x"]["metrics"]["auc"]["value"]
        - found["north"]["labels"]["x"]["metrics"]["auc"]["value"]
    )
    assert south["high"] < 0
    assert south["p_holm"] < 0.001
    equal = review_subgroups(
        cells, ["x"], labels[:, None], probabilities[:, None], groups, thresholds, resamples=200
    )
    assert equal["south"]["differences"]["x"]["auc"]["p_holm"] > 0.01
    alone = review_subgroups(["a"] * len(labels), ["x"], labels[:, None], worse[:, None], groups, thresholds)
    assert alone["a"]["differences"] == {}


def test_the_difference_of_a_subgroup_joins_the_intervals_of_the_two_sides_and_its_p_value_agrees() -> None:
    """56 of 70 less 48 of 80: .0524 to .3339 by Newcombe's method 10 (1998), with one image a patient but for n - 1; p of that table is .008 by the score test."""
    called = np.repeat([1.0, 0.0, 1.0, 0.0], [56, 14, 48, 32])
    inside = np.arange(150) < 70
    labels, groups = np.ones(150), np.arange(150)
    found = compare_sides(labels, called, inside, groups, 0.5)["sensitivity"]
    assert found["value"] == pytest.approx(0.2)
    assert (found["low"], found["high"]) == pytest.approx((0.0524, 0.3339), abs=0.003)
    assert found["p"] == pytest.approx(0.008, abs=0.003)
    # At the limit: the p-value is below 5 % exactly where the interval leaves 0 out.
    for hits in range(40, 56):
        called[:70] = np.arange(70) < hits
        one = compare_sides(labels, called, inside, groups, 0.5)["sensitivity"]
        assert (one["p"] < 0.05) == (one["low"] > 0 or one["high"] < 0)
    # The same patients on both sides: what makes a patient hard cancels.
    paired = compare_sides(
        np.ones(160), np.tile(called[70:], 2), np.arange(160) < 80, np.arange(160) % 80, 0.5
    )
    assert paired["sensitivity"]["high"] - paired["sensitivity"]["low"] < 0.05


def test_a_review_has_a_place_for_each_label_and_unit() -> None:
    groups, labels, probabilities = draw(6)
    known = (["x"], labels[:, None], probabilities[:, None], groups)
    scored = score(*known, thresholds=[0.5], resamples=50)
    found = review(*known, [0.5], scored, folds=groups % 4, prevalences=(0.05,), resamples=50)
    assert set(found["x"]) == {"decision_curve", "abstention", "at_prevalence", "sets"}
    assert found["x"]["at_prevalence"][0]["ppv"]["value"] < scored["labels"]["x"]["metrics"]["ppv"]["value"]
    units = review_units(*known, groups.tolist(), [0.5], resamples=50)
    assert units["mean"]["images"] == len(np.unique(groups))
    # The mean of several looks at one patient is surer than one look.
    assert (
        units["mean"]["labels"]["x"]["metrics"]["auc"]["value"]
        > scored["labels"]["x"]["metrics"]["auc"]["value"]
    )
