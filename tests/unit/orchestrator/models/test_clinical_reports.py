"""Agreement of readers, the RUST score, intervals over patients, scorecards and subgroups."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import sklearn.metrics as reference

from storage.metrics import agreement, bootstrap, rust, scorecard
from storage.practice.subgroups import name_subgroups, review_subgroups
from tests.conftest import REPOSITORY

EXACT = 1e-12
CORTICES = ("medial", "lateral", "anterior", "posterior")
SHROUT_AND_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
)
TARGETS = (
    "view_antpr",
    "view_later",
    *(
        f"{cortex}_cortex_{grade}"
        for cortex in ("medial", "lateral", "anterior", "posterior")
        for grade in range(1, 5)
    ),
)


@pytest.mark.parametrize("weights", ["linear", "quadratic"])
def test_weighted_kappa_equals_scikit_learn(weights: str) -> None:
    generator = np.random.default_rng(1)
    one = generator.integers(4, 17, 300)
    for other in (one, np.clip(one + generator.integers(-3, 4, 300), 4, 16), generator.integers(4, 17, 300)):
        expected = reference.cohen_kappa_score(one, other, weights=weights, labels=range(4, 17))
        assert agreement.weighted_kappa(one, other, weights=weights) == pytest.approx(expected, abs=EXACT)


def test_kappa_of_one_grade_for_all_is_undefined() -> None:
    assert np.isnan(agreement.weighted_kappa(np.full(5, 2), np.full(5, 2)))
    assert np.isnan(agreement.weighted_kappa(np.array([]), np.array([])))


def test_the_intraclass_correlation_is_that_of_the_published_table() -> None:
    """Shrout and Fleiss 1979, tables 2 to 4: ICC(2,1) = .29, from BMS 11.24, JMS 32.49, EMS 1.02."""
    found = agreement.intraclass_correlation(SHROUT_AND_FLEISS)
    assert round(found, 2) == 0.29
    between, judges, rest = 11.0 + 29 / 120, 32.0 + 35 / 72, 1.0 + 7 / 360
    by_hand = (between - rest) / (between + 3 * rest + 4 * (judges - rest) / 6)
    assert found == pytest.approx(by_hand, abs=EXACT)
    assert np.isnan(agreement.intraclass_correlation(np.ones((4, 2))))
    assert agreement.intraclass_correlation(np.array([[1, 1], [2, 2], [5, 5]])) == 1


def image(view: str, grades: dict[str, int], *, blank: bool = True) -> np.ndarray:
    """The 18 labels of one radiograph; cortices that it does not grade are blank, or coded 0 as in the study."""
    row = np.zeros(len(TARGETS))
    row[TARGETS.index("view_antpr" if view == "ap" else "view_later")] = 1
    for cortex in rust.CORTICES:
        places = [TARGETS.index(f"{cortex}_cortex_{grade}") for grade in range(1, 5)]
        if cortex in grades:
            row[places[grades[cortex] - 1]] = 1
        elif blank:
            row[places] = np.nan
    return row


@pytest.mark.parametrize("blank", [True, False])
def test_a_visit_is_scored_over_its_pair_and_one_without_is_named(blank: bool) -> None:
    labels = np.stack(
        [
            image("lateral", {"medial": 4, "lateral": 1}, blank=blank),
            image("ap", {"anterior": 2, "posterior": 3}, blank=blank),
            image("ap", {"anterior": 4, "posterior": 4}, blank=blank),
            image("ap", {}, blank=blank),
            image("lateral", {"medial": 1, "lateral": 1}, blank=blank),
        ]
    )
    guesses = np.nan_to_num(labels) * 0.8 + 0.1
    guesses[0, TARGETS.index("medial_cortex_3")] = 0.95
    # An AP radiograph says nothing of the medial cortex, however sure the model is.
    guesses[1, TARGETS.index("medial_cortex_1")] = 0.99
    columns = rust.find_columns(TARGETS)
    assert columns is not None
    visits = rust.score_visits(columns, ["a", "a", "b", "c", "c"], labels, guesses, np.array([0, 0, 1, 2, 2]))
    assert [visit.labelled_score for visit in visits] == [10, None, None]
    assert visits[0].predicted_score == 9
    assert visits[0].predicted == {"anterior": 2, "posterior": 3, "medial": 3, "lateral": 1}
    assert visits[1].predicted_score is None
    report = rust.compare_scores(visits, resamples=20)
    assert report["without_score"] == {"b": "no lateral image", "c": "not graded"}
    assert report["scores"] == [{"visit": "a", "labelled": 10, "predicted": 9}]
    assert report["agreement"]["mean_absolute_difference"]["value"] == 1
    assert np.isnan(report["agreement"]["icc"]["value"])


def test_the_agreement_of_scores_is_that_of_visits_not_of_readers() -> None:
    pairs = [(4, 5), (8, 7), (12, 12), (6, 9), (10, 8)]

    def grade(score: int) -> dict[str, int | None]:
        return {cortex: score // 4 + (place < score % 4) for place, cortex in enumerate(CORTICES)}

    visits = [
        rust.Visit(str(place), grade(one), grade(other), place, "")
        for place, (one, other) in enumerate(pairs)
    ]
    agreement = rust.compare_scores(visits, resamples=20)["agreement"]
    # ICC(2,1) by hand (Shrout and Fleiss 1979): mean squares of visits 14.85, of readers 0.1, of what is left 1.85.
    assert agreement["icc"]["value"] == pytest.approx((14.85 - 1.85) / (14.85 + 1.85 + 2 * (0.1 - 1.85) / 5))
    assert agreement["mean_absolute_difference"]["value"] == pytest.approx(7 / 5)


def test_an_unlabelled_image_is_of_the_likelier_view() -> None:
    labels = np.full((2, len(TARGETS)), np.nan)
    guesses = np.stack(
        [
            image("lateral", {"medial": 2, "lateral": 2}, blank=False),
            image("ap", {"anterior": 3, "posterior": 4}, blank=False),
        ]
    )
    columns = rust.find_columns(TARGETS)
    assert columns is not None
    (visit,) = rust.score_visits(columns, ["v", "v"], labels, guesses, np.zeros(2))
    assert (visit.labelled_score, visit.predicted_score) == (None, 11)


def test_other_labels_have_no_rust_score() -> None:
    assert rust.find_columns(TARGETS[:-1]) is None
    assert rust.find_columns(("pneumonia",)) is None


def test_the_published_labels_give_the_published_visits(chest_xray) -> None:
    path = chest_xray.parent / "reference-study" / "rust-labels.csv"
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    labels = np.array([[float(row[name]) for name in TARGETS] for row in rows])
    names = [f"{row['study_id']} {row['record_id']} {row['event_arm']}" for row in rows]
    columns = rust.find_columns(TARGETS)
    assert columns is not None
    visits = rust.score_visits(columns, names, labels, labels, np.arange(len(labels)))
    scores = [visit.labelled_score for visit in visits if visit.labelled_score is not None]
    assert (len(visits), len(scores)) == (1510, 1118)
    assert (min(scores), max(scores)) == (4, 16)
    assert sum("image" in visit.missing for visit in visits) == 84
    report = rust.compare_scores(visits, resamples=10)
    assert report["agreement"]["weighted_kappa"]["value"] == 1


def test_groups_are_resampled_whole_and_the_same_seed_draws_the_same() -> None:
    groups = np.array([5, 5, 5, 9, 9, 2])
    draws = np.concatenate(list(bootstrap.draw_counts(groups, 600, seed=3)))
    assert draws.shape == (600, 6)
    assert (draws[:, 0] == draws[:, 1]).all()
    assert (draws[:, 3] == draws[:, 4]).all()
    assert (draws[:, [0, 3, 5]].sum(axis=1) == 3).all()
    assert draws.mean() == pytest.approx(1, abs=0.1)
    again = np.concatenate(list(bootstrap.draw_counts(groups, 600, seed=3)))
    assert np.array_equal(draws, again)


def draw(images: int = 120, labels: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(5)
    truth = generator.integers(0, 2, (images, labels)).astype(float)
    truth[generator.random(truth.shape) < 0.2] = np.nan
    scores = np.clip(np.nan_to_num(truth) * 0.3 + 0.7 * generator.random(truth.shape), 0, 1)
    return truth, scores, np.arange(images) // 2


def test_the_mean_of_one_label_has_the_interval_of_that_label() -> None:
    truth, scores, groups = draw()
    alone = scorecard.score(["a"], truth[:, :1], scores[:, :1], groups, thresholds=[0.5], resamples=50)
    assert repr(alone["macro"]["metrics"]) == repr(alone["labels"]["a"]["metrics"])
    # So has the mean over labels of which one alone has a value.
    truth[:, 1] = np.nan
    one = scorecard.score(["a", "b"], truth[:, :2], scores[:, :2], groups, thresholds=[0.5] * 2, resamples=50)
    assert repr(one["macro"]["metrics"]) == repr(one["labels"]["a"]["metrics"])


def test_a_scorecard_holds_each_label_their_mean_and_all_together() -> None:
    truth, scores, groups = draw()
    card = scorecard.score(
        ["a", "b", "c"], truth, scores, groups, thresholds=[0.5, 0.6, 0.4], resamples=200, seed=1
    )
    seen = ~np.isnan(truth)
    aucs = [
        reference.roc_auc_score(truth[kept, place], scores[kept, place]) for place, kept in enumerate(seen.T)
    ]
    assert [card["labels"][name]["metrics"]["auc"]["value"] for name in "abc"] == pytest.approx(
        aucs, abs=EXACT
    )
    assert card["macro"]["metrics"]["auc"]["value"] == pytest.approx(np.mean(aucs), abs=EXACT)
    micro = reference.roc_auc_score(truth[seen], scores[seen])
    assert card["micro"]["metrics"]["auc"]["value"] == pytest.approx(micro, abs=EXACT)
    called = scores > np.array([0.5, 0.6, 0.4])
    together = reference.recall_score(truth[seen], called[seen])
    assert card["micro"]["metrics"]["sensitivity"]["value"] == pytest.approx(together, abs=EXACT)
    for part in (*card["labels"].values(), card["macro"], card["micro"]):
        for name in scorecard.METRICS:
            metric = part["metrics"][name]
            if name == "calibration_error":
                assert "biased" in metric["note"]
            elif part is card["macro"] and name in scorecard.RATIOS:
                assert "read those of the labels" in metric["note"]
            else:
                assert metric["low"] < metric["high"], name
                assert metric["low"] <= metric["value"] <= metric["high"], name
    assert card["warnings"] == []


def test_a_label_with_one_class_is_left_out_of_the_mean_and_warned_of() -> None:
    truth, scores, groups = draw()
    truth[:, 1] = 0
    card = scorecard.score(["a", "b", "c"], truth, scores, groups, thresholds=[0.5] * 3, resamples=50)
    assert np.isnan(card["labels"]["b"]["metrics"]["auc"]["value"])
    others = [card["labels"][name]["metrics"]["auc"]["value"] for name in "ac"]
    assert card["macro"]["metrics"]["auc"]["value"] == pytest.approx(np.mean(others), abs=EXACT)
    assert any(warning.startswith("b: only 0 patients") for warning in card["warnings"])


def test_subgroups_are_the_same_metric_on_fewer_images() -> None:
    truth, scores, groups = draw()
    sites = ["" if place % 10 == 0 else "north" if place % 3 else "south" for place in range(len(truth))]
    found = review_subgroups(sites, ["a", "b", "c"], truth, scores, groups, [0.5] * 3, resamples=0)
    assert list(found) == ["(blank)", "north", "south"]
    north = np.array([site == "north" for site in sites])
    alone = scorecard.score(["a", "b", "c"], truth[north], scores[north], groups[north], thresholds=[0.5] * 3)
    assert found["north"]["labels"]["a"]["metrics"]["auc"]["value"] == pytest.approx(
        alone["labels"]["a"]["metrics"]["auc"]["value"], abs=EXACT
    )
    assert found["north"]["images"] == north.sum()


def test_many_different_numbers_become_quarters_and_many_words_are_refused() -> None:
    ages = [str(age) for age in range(1, 101)]
    quarters = name_subgroups(ages)
    assert [quarters.count(name) for name in sorted(set(quarters))] == [25, 25, 25, 25]
    with pytest.raises(ValueError, match="could not convert"):
        name_subgroups([f"word {place}" for place in range(100)])


def test_metrics_need_neither_keras_nor_scikit_learn() -> None:
    text = "".join(path.read_text() for path in (REPOSITORY / "storage" / "clinical").glob("*.py"))
    assert not any(f"import {name}" in text for name in ("keras", "tensorflow", "sklearn", "scipy"))
