"""What an evaluation is asked, and what it makes of predictions; no model needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from orchestrator.importing.reading.tables import Table
from orchestrator.models.answers import ANSWERS
from orchestrator.models.evaluation import check_columns, read_thresholds
from orchestrator.models.repeats import read_repeats
from orchestrator.models.scores import (
    check_subgroups,
    describe_curves,
    score_columns,
    score_pools,
    score_rust,
)
from orchestrator.terminal.console import show_interval
from storage.errors import DataError, UsageError
from storage.files.documents import without_nan
from storage.files.model_files import TrainingRecord
from storage.metrics.thresholds import choose_thresholds, choose_youden
from storage.tasks.kinds import TASKS
from tests.unit.orchestrator.models.test_clinical_reports import TARGETS, image

NO_CARD = Path("somebody-elses.h5")


def say(text: str) -> None:
    raise AssertionError(f"nothing was to be said: {text}")


def make_record(seed: int = 0, images: int = 80) -> TrainingRecord:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, (images, 2)).astype(np.float32)
    probabilities = np.clip(0.35 + 0.1 * labels + 0.2 * generator.random(labels.shape), 0, 1).astype(
        np.float16
    )
    return TrainingRecord(labels, probabilities, np.arange(images), frozenset())


def test_changes_at_test_time_are_read_with_their_units() -> None:
    repeats = read_repeats(NO_CARD, 5, "rotation=20, zoom=0.1,channel_shift=0.1", say=say)
    assert (repeats.effective, repeats.settings["rotation"], repeats.settings["zoom"]) == (5, 20, 0.1)
    assert read_repeats(NO_CARD, 0, "", say=say).effective == 0
    said: list[str] = []
    assert read_repeats(NO_CARD, 6, "flip", say=said.append).effective == 4
    assert said == ["Flips have 4 outcomes, so there are 4 repeats, not 6."]


@pytest.mark.parametrize("wrong", ["turn=20", "rotation", "rotation=much", "zoom=2", "rotation=nan", "=3"])
def test_a_change_that_does_not_exist_is_refused(wrong: str) -> None:
    with pytest.raises(UsageError, match="is no change"):
        read_repeats(NO_CARD, 3, wrong, say=say)


def test_without_augmentation_there_is_nothing_to_repeat() -> None:
    with pytest.raises(UsageError, match="nothing to change"):
        read_repeats(NO_CARD, 3, "", say=say)


def test_thresholds_are_chosen_on_out_of_fold_predictions_alone() -> None:
    record = make_record()
    chosen = read_thresholds("youden", record, 2)(record.labels, record.probabilities)
    by_hand = [choose_youden(record.labels[:, place], record.probabilities[:, place]) for place in range(2)]
    assert chosen == by_hand
    labels = np.ones((5, 2))
    labels[::2] = 0
    scored = score_pools(
        TASKS["labels"],
        ["a", "b"],
        labels,
        {"raw": np.full((5, 2), 0.9)},
        np.arange(5),
        read_thresholds("youden", record, 2),
        record,
        recalibrate=True,
        resamples=0,
        seed=0,
    )
    assert [scored["raw"]["labels"][name]["threshold"] for name in "ab"] == chosen
    assert scored["recalibrated"]["labels"]["a"]["threshold"] != chosen[0]


@pytest.mark.parametrize(
    "rule", ["best", "youdens", "sensitivity", "sensitivity=0", "1.5", "", "nan", "youden=1"]
)
def test_a_rule_that_does_not_exist_is_refused(rule: str) -> None:
    with pytest.raises(DataError, match="is no rule"):
        read_thresholds(rule, make_record(), 2)


@pytest.mark.parametrize(
    ("rule", "meant"),
    [
        ("youdn", "youden"),
        ("Youden", "youden"),
        ("sensitivty=0.8", "sensitivity=0.8"),
        ("youden=1", "youden"),
    ],
)
def test_a_mistyped_rule_is_answered_with_the_valid_ones_and_the_nearest(rule: str, meant: str) -> None:
    with pytest.raises(DataError) as caught:
        read_thresholds(rule, make_record(), 2)
    assert str(caught.value) == (
        f"--threshold {rule} is no rule. It is a number from 0 to 1, youden, or sensitivity=S with S above 0 and "
        f"at most 1. Did you mean --threshold {meant}?"
    )


@pytest.mark.parametrize("rule", ["best", "0,5", "sensitivity", "sensitivity=much", "nan"])
def test_a_rule_unlike_any_is_answered_without_the_words_of_python(rule: str) -> None:
    with pytest.raises(DataError, match=r"Say --threshold 0\.5, --threshold youden or") as caught:
        read_thresholds(rule, make_record(), 2)
    assert "convert" not in str(caught.value)


def test_an_unknown_column_is_answered_with_those_there_are_the_nearest_first() -> None:
    known = ["filename", "patient", "site", "Sex"]
    check_columns(Path("data"), ["site"], ["patient"], known)
    with pytest.raises(DataError) as caught:
        check_columns(Path("data"), ["sex"], [], known)
    assert str(caught.value) == (
        "data has no column 'sex' besides its labels, for --subgroup. There are Sex, site, patient, filename. "
        "Did you mean Sex?"
    )
    with pytest.raises(DataError, match=r"for --visit\. There are none\."):
        check_columns(Path("data"), [], ["colour"], [])
    with pytest.raises(DataError, match=r" and 2 more\. Import the images again .* another column\.$"):
        check_columns(Path("data"), [], ["colour"], [*known, *(f"z{number}" for number in range(8))])


@pytest.mark.parametrize("rule", ["youden", "sensitivity=0.9"])
def test_a_rule_without_out_of_fold_predictions_is_refused(rule: str) -> None:
    for record in (None, TrainingRecord(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0), frozenset())):
        with pytest.raises(DataError, match="carries none"):
            read_thresholds(rule, record, 2)
    assert choose_thresholds("0.4", np.zeros((0, 2)), np.zeros((0, 2))) == [0.4, 0.4]


def test_the_rust_score_takes_several_columns_as_a_visit_and_its_own_labels_only() -> None:
    labels = np.stack(
        [
            image("lateral", {"medial": 4, "lateral": 1}),
            image("ap", {"anterior": 2, "posterior": 3}),
            image("ap", {"anterior": 2, "posterior": 3}),
        ]
    )
    guesses = np.nan_to_num(labels)
    visits = [["7", "7", "7"], ["first", "first", "second"]]
    found = score_rust(visits, TARGETS, labels, guesses, np.zeros(3), resamples=5)
    assert found["scores"] == [{"visit": "7 first", "labelled": 10, "predicted": 10}]
    assert found["without_score"] == {"7 second": "no lateral image"}
    with pytest.raises(DataError, match="RUST score needs"):
        score_rust(visits, ["pneumonia"], labels[:, :1], guesses[:, :1], np.zeros(3), resamples=5)


def test_a_column_of_many_words_makes_no_subgroups() -> None:
    names = {"name": [f"n{place}" for place in range(40)]}
    with pytest.raises(DataError, match="40 different values"):
        check_subgroups(names)


def test_a_column_that_only_the_hold_out_has_too_many_values_in_costs_no_evaluation() -> None:
    columns = {"name": [f"n{place}" for place in range(40)], "sex": ["f", "m"] * 20}
    labels = np.tile([[0.0], [1.0]], (20, 1))
    said: list[str] = []
    found = score_columns(
        TASKS["labels"],
        columns,
        ["a"],
        labels,
        labels,
        np.arange(40),
        [0.5],
        resamples=0,
        seed=0,
        say=said.append,
    )
    assert list(found) == ["sex"]
    assert said == [
        "warning: The column 'name' has 40 different values here, too many for subgroups; it is left out."
    ]


def test_curves_are_thinned_with_their_ends_kept() -> None:
    generator = np.random.default_rng(2)
    labels = generator.integers(0, 2, (2000, 1)).astype(float)
    values, groups = generator.random((2000, 1)), np.arange(2000) // 2
    (curves,) = describe_curves(TASKS["labels"], ["a"], labels, values, groups).values()
    rates = curves["roc"]["true_positive_rate"]
    assert len(rates) == 200
    assert (rates[0], rates[-1]) == (0, 1)
    assert without_nan(curves)["precision_recall"]["precision"][0] is None
    assert sum(curves["calibration"]["images"]) == 2000
    band = curves["roc"]["band"]
    assert {len(ends) for ends in band.values()} == {60}
    grid = np.linspace(0, 1, 50)
    drawn = np.interp(grid, curves["roc"]["false_positive_rate"], rates)
    assert (np.interp(grid, band["lower_x"], band["lower_y"]) <= drawn).all()
    assert (np.interp(grid, band["upper_x"], band["upper_y"]) >= drawn).all()


def test_what_is_undefined_shows_as_a_dash() -> None:
    nan = float("nan")
    assert show_interval({"value": nan, "low": nan, "high": nan}) == "-"
    assert show_interval({"value": 0.5, "low": nan, "high": nan}) == "0.500"
    assert show_interval({"value": 0.5, "low": 0.25, "high": 0.75}) == "0.500 (0.250 to 0.750)"


def test_numbers_to_judge_by_are_read_as_an_import_reads_them() -> None:
    def read(*cells: str) -> list[float | None] | None:
        table = Table(Path("l.csv"), ("los",), [[cell] for cell in cells], list(range(2, 2 + len(cells))))
        return ANSWERS["number"].read_label(table, "los", [1, None, 0])

    assert read("1.200,5", "3,5") == [3.5, None, 1200.5]
    with pytest.raises(DataError, match=r"line 3: 'los' is '1\.013', which may be 1013 or 1\.013"):
        read("957,5", "1.013")
