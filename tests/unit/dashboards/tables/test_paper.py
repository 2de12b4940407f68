"""The tables of the report that read like a paper: estimates, check lists, references."""

from __future__ import annotations

import math
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dashboards.tables import checklist, methods
from dashboards.tables.answer import RANKS, _list_doubts, _rank, compare_without_anatomy
from dashboards.tables.guidelines import GUIDELINES
from dashboards.tables.outcomes import Outcomes
from dashboards.tables.patients import Population, _count_labels, tabulate_patients
from dashboards.tables.performance import (
    has_tested_subgroups,
    measure_outcomes,
    read_scored,
    say_estimate,
    tabulate_performance,
    tabulate_rust,
    tabulate_subgroups,
)
from dashboards.tables.references import REFERENCES, to_bibtex
from orchestrator.audit.admission import ACCEPTED
from storage.metrics.objectives import AUC, METRICS
from storage.results.evaluations import Evaluation, EvaluationKind, name_images
from tests.conftest import REPOSITORY

PIXELS = [{"predictor": "brightness, border, corners", "auc": 0.839}, {"predictor": "words of the file name", "auc": 0.546}]  # fmt: skip


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ({"value": 0.8124, "low": 0.7641, "high": 0.8552}, "0.812 (0.764 to 0.855)"),
        ({"value": 0.8, "low": math.nan, "high": math.nan, "note": "no interval: one patient"}, "0.800 (no interval: one patient)"),
        ({"value": 0.8, "low": None, "high": None}, "0.800 (no interval)"),
        ({"value": None}, "-"),
        ({"value": math.nan}, "-"),
        (None, "-"),
    ],
)  # fmt: skip
def test_a_number_has_its_interval_or_says_why_not(metric: Any, said: str) -> None:
    assert say_estimate(metric) == said


def test_every_label_is_judged_on_every_set_of_images() -> None:
    chance = np.random.default_rng(0)
    labels = chance.integers(0, 2, (60, 2)).astype(float)
    labels[:5, 1] = np.nan
    values = np.clip(np.nan_to_num(labels, nan=0.5) * 0.4 + chance.random((60, 2)) * 0.6, 0, 1)
    halves = [(labels[:30], values[:30]), (labels[30:], values[30:])]
    found = measure_outcomes(Outcomes(("a", "b"), halves, groups=np.arange(60) // 2))
    assert found.labels["b"]["assessed"] == 55
    area = found.labels["a"]["metrics"]["auc"]
    assert area["low"] < area["value"] < area["high"]
    elsewhere = read_scored(
        "hold-out",
        {"labels": {"a": {"assessed": 9, "positive": 3, "threshold": 0.3712, "metrics": {"auc": area}}}},
    )
    table = tabulate_performance([found, elsewhere])
    assert [row[:4] for row in table.rows] == [
        ("a", "cross-validation (out of fold)", f"{int(labels[:, 0].sum())} / 60", "0.5"),
        ("a", "hold-out", "3 / 9", "0.371"),
        ("b", "cross-validation (out of fold)", f"{int(np.nansum(labels[:, 1]))} / 55", "0.5"),
    ]  # fmt: skip
    assert table.columns[3:] == ("threshold", "AUC", "sensitivity", "specificity", "PPV", "NPV")


def test_the_first_table_compares_every_part_with_development() -> None:
    age = {"kind": "number", "n": 40, "missing": 2, "mean": 50.0, "sd": 10.0}
    sex = {"kind": "category", "n": 40, "missing": 0, "counts": {"F": 20, "M": 20}}
    older = {**age, "mean": 60.0, "missing": 0}
    parts = [
        Population("development", {"images": 80, "groups": 42, "columns": {"age": age, "sex": sex}}),
        Population("hold-out", {"images": 20, "groups": 40, "columns": {"age": older, "sex": sex}}),
    ]
    summary = {"development": {"labels": {"a": {"positive": 10, "assessed": 40}}}}
    table = tabulate_patients(parts, summary, with_labels=True)
    rows = {row[0].strip(): row[1:] for row in table.rows}
    assert table.columns == (
        "characteristic",
        "development",
        "hold-out",
        "hold-out: SMD",
        "hold-out: p",
    )
    assert rows["age (mean ± SD)"] == ("50.0 ± 10.0", "60.0 ± 10.0", "1.00", "< 0.001")
    assert rows["sex, n (%)"][2:] == ("0.00", "1.000")
    # Labels of data from elsewhere are those that the evaluation counted.
    elsewhere = Population("external abc", parts[1].described, {"a": {"positive": 3, "assessed": 12}})
    table = tabulate_patients([parts[0], elsewhere], summary, with_labels=True)
    assert {row[0]: row[1:3] for row in table.rows}["\N{EN SPACE}a"] == (
        "10 of 40 (25%)",
        "3 of 12 (25%)",
    )
    assert rows["F"][:2] == ("20 (50%)", "20 (50%)")
    assert rows["a"][:2] == ("10 of 40 (25%)", "-")


def test_grades_and_numbers_are_counted_as_what_they_are() -> None:
    described = {"images": 12, "groups": 9, "columns": {}}
    grades = {"g=low": {"positive": 10, "assessed": 40}, "g=high": {"positive": 30, "assessed": 40}}
    scored = {
        "classes": ["g=low", "g=high"],
        "confusion": [[2, 1], [4, 5]],
        "labels": {"above g=low": {"positive": 9, "assessed": 12}},
    }
    parts = [Population("development", described), Population("external", described, _count_labels(scored))]
    table = tabulate_patients(parts, {"development": {"labels": grades}}, with_labels=True)
    assert [row[:3] for row in table.rows[2:]] == [
        ("g, images (%)", "", ""),
        ("\N{EN SPACE}low", "10 of 40 (25%)", "3 of 12 (25%)"),
        ("\N{EN SPACE}high", "30 of 40 (75%)", "9 of 12 (75%)"),
    ]
    ages = {"age": {"assessed": 40, "mean": 52.04, "sd": 17.6}}
    table = tabulate_patients(parts, {"development": {"labels": ages}}, with_labels=False)
    assert table.rows[-1][:3] == ("age, to be predicted, by image (mean ± SD)", "52.0 ± 17.6", "-")


def test_a_column_with_one_value_says_nothing_of_patients() -> None:
    readers = {"kind": "category", "n": 9, "missing": 0, "counts": {"A|B|C": 9}}
    sex = {"kind": "category", "n": 9, "missing": 0, "counts": {"F": 9}}
    parts = [
        Population("development", {"images": 9, "groups": 9, "columns": {"reader": readers, "sex": sex}}),
        Population(
            "external",
            {"images": 9, "groups": 9, "columns": {"reader": readers, "sex": {**sex, "counts": {"M": 9}}}},
        ),
    ]
    table = tabulate_patients(parts, {}, with_labels=True)
    assert [row[0].strip() for row in table.rows] == ["patients", "images", "sex, n (%)", "F", "M"]


def test_the_modified_rust_score_is_in_a_table() -> None:
    kappa = {"value": 0.628, "low": 0.33, "high": 0.813}
    rust = {
        "visits": 33,
        "compared": 30,
        "agreement": {"weighted_kappa": kappa, "icc": kappa, "mean_absolute_difference": {"value": 2.1}},
    }
    held = make_evaluation(EvaluationKind.HOLD_OUT, "a" * 12, {"rust": rust})
    table = tabulate_rust([held, make_evaluation(EvaluationKind.EXTERNAL, "b" * 12, {})])
    assert table is not None
    assert table.rows == [("hold-out", "30 of 33", *["0.628 (0.330 to 0.813)"] * 2, "2.100 (no interval)")]
    assert tabulate_rust([]) is None


def make_evaluation(kind: EvaluationKind, fingerprint: str, document: dict[str, Any]) -> Evaluation:
    return Evaluation(kind, 0.0, "", "0", None, None, f"sha256:{fingerprint}", document)


def test_data_from_elsewhere_have_a_name_of_their_own_only_where_there_are_several() -> None:
    one, other = (make_evaluation(EvaluationKind.EXTERNAL, name * 12, {}) for name in "ab")
    held = make_evaluation(EvaluationKind.HOLD_OUT, "c" * 12, {})
    assert [name_images(each, [held, one]) for each in (held, one)] == ["hold-out", "external data"]
    assert name_images(one, [held, one, other]) == "external data aaaaaa"


def test_subgroups_have_a_column_for_each_metric_and_none_that_is_empty() -> None:
    area = {"value": 0.8, "low": 0.7, "high": 0.9}
    part = {
        "images": 20,
        "groups": 15,
        "labels": {f"above g={g}": {"metrics": {"auc": area, "sensitivity": area}} for g in "ab"},
    }
    one = make_evaluation(EvaluationKind.HOLD_OUT, "a" * 12, {"subgroups": {"sex": {"F": part}}})
    table = tabulate_subgroups([one])
    assert table is not None
    assert table.columns == ("judged on", "subgroup", "images / patients", "label", "AUC", "sensitivity")
    assert table.rows[0] == ("hold-out", "sex = F", "20 / 15", "above a", *["0.800 (0.700 to 0.900)"] * 2)
    assert not has_tested_subgroups([one])
    tested = {**part, "differences": {"above g=a": {"auc": area, "sensitivity": {"p_holm": 0.04}}}}
    one = make_evaluation(EvaluationKind.HOLD_OUT, "a" * 12, {"subgroups": {"sex": {"F": tested}}})
    table = tabulate_subgroups([one])
    assert table is not None
    assert table.columns[-2:] == ("AUC less all others", "p (Holm), sensitivity")
    assert has_tested_subgroups([one])


def test_numbers_have_their_bias_and_limits_of_agreement() -> None:
    limits = {
        "bias": {"value": -1.25, "low": -2.0, "high": -0.5},
        "lower_limit": {"value": -20.1},
        "upper_limit": {"value": 17.6},
    }
    row = {
        "assessed": 9,
        "metrics": {"mae": {"value": 8.0, "low": 7.0, "high": 9.5}},
        "limits_of_agreement": limits,
    }
    table = tabulate_performance([read_scored("hold-out", {"labels": {"age": row}})])
    assert table.columns == (
        "number",
        "judged on",
        "assessed",
        "mean absolute error",
        "bias",
        "limits of agreement",
    )
    assert table.rows == [
        ("age", "hold-out", "9", "8.000 (7.000 to 9.500)", "-1.250 (-2.000 to -0.500)", "-20.100 to 17.600")
    ]


def test_the_check_lists_have_every_item_once_and_ask_for_answers_that_exist() -> None:
    for guideline, count in (("CLAIM 2024", 44), ("TRIPOD+AI", 27), ("METRICS", 30)):
        assert [number for number, *_ in GUIDELINES[guideline]] == [str(n) for n in range(1, count + 1)]
    source = Path(checklist.__file__).read_text(encoding="utf-8")
    source = re.sub(r"^PLACES = \{.*?^\}", "", source, flags=re.MULTILINE | re.DOTALL)
    asked = {key for items in GUIDELINES.values() for *_, key in items}
    assert {key for key in asked if f'"{key}": ' not in source} == {"authors"}
    # What the page answers stands at a place of the page, but for these, whose row says all there is.
    assert asked - checklist.PLACES.keys() == {
        "authors",
        "identifiers",
        "segmentation",
        "handcrafted",
        "baselines",
    }
    assert set(checklist.PLACES.values()) <= checklist.HEADINGS.keys()


def test_every_citation_leads_to_a_reference() -> None:
    source = Path(methods.__file__).read_text(encoding="utf-8")
    assert set(re.findall(r"\[@([a-z0-9]+)\]", source)) - {"key"} <= REFERENCES.keys()
    text = to_bibtex(REFERENCES.values())
    assert text.count("@") == len(REFERENCES)
    assert text.count("{") == text.count("}")


@pytest.mark.parametrize(
    ("kept", "metric", "selection", "said", "is_doubt"),
    [
        (PIXELS, AUC, {"corrected_value": 0.771}, "The corrected value, 0.771, does not exceed them, so the study does not show", True),
        (PIXELS, AUC, {"corrected_at_most": 0.83}, "The corrected value, at most 0.830, does not exceed them", True),
        (PIXELS, AUC, {"corrected_value": 0.9}, "brightness, border, corners 0.839; words of the file name 0.546 (mean AUC over the folds; no interval was computed). The corrected value, 0.900, exceeds them", False),
        (PIXELS, AUC, {"corrected_value": 0.9, "corrected_low": 0.85}, "The corrected value, 0.900, exceeds them", False),
        (PIXELS, AUC, {"corrected_value": 0.9, "corrected_low": 0.7}, "exceeds them, but its 95 % interval begins at 0.700: it may be no better", False),
        (PIXELS, AUC, {"corrected_at_most": 0.9}, "The corrected value, at most 0.900, may or may not exceed them", False),
        (PIXELS, AUC, None, "A model must exceed 0.839 before one may say that it reads anatomy", False),
        # Of a study that is judged by something else, or was made before the scores were kept, nothing is said.
        (PIXELS, METRICS["val_f1"], {"corrected_value": 0.771}, "", False),
        ([], AUC, {"corrected_value": 0.771}, "", False),
    ],
)  # fmt: skip
def test_a_value_is_read_against_models_that_see_no_anatomy(
    kept: list[dict], metric: Any, selection: Any, said: str, is_doubt: bool
) -> None:
    view: Any = SimpleNamespace(
        study=SimpleNamespace(facts={"without_anatomy": kept} if kept else {}), metric=metric
    )
    text, doubt = compare_without_anatomy(view, selection)
    assert (said in text, bool(text), doubt) == (True, bool(said), is_doubt)
    if doubt:
        assert _rank(f"{text}.") == _rank("trivial-pixels: brightness alone")


def test_what_makes_a_number_wrong_comes_before_what_could_be_better() -> None:
    said = [
        "No trial is complete, so there is no best trial.",
        f"{ACCEPTED}holdout-in-training: 32 of 76 development images are sealed in the hold-out of 3 other data sets",
        "14 of the development images are sealed in the hold-out of another data set (sha256:1b960110b3a4..)",
        "No group column was named: every image counts as a separate patient.",
        "metadata-baseline: Without a single pixel, column 'rust' scores a macro AUC of 0.831 on the same folds.",
        "The study was stopped: 3 of 8 trials have no result yet.",
        "4 of 4 trials failed; their errors are in the table of trials.",
        "The hold-out is small: the 95 % interval would be about 0.24 wide for a (27 patients with it, 25 without).",
        "val_f1 has no value in an epoch of a fold where no image was predicted positive at 0.5",
        "The objective includes every label of the data set, because no targets were chosen.",
        "The best epoch (9) of the best trial is the last one: longer training might score higher.",
        "10 images have no label at all (every one is blank); nothing is learned from them.",
        "99% of the batch-size range is equivalent",
        "The best of 4 completed trials was selected by this very value",
    ]
    assert [_rank(one) for one in said] == list(range(len(RANKS) + 2))


def test_labels_with_few_patients_share_one_sentence_whichever_version_judged_them() -> None:
    rows = {
        name: {"positive_groups": count, "negative_groups": 80}
        for name, count in zip("abc", (9, 3, 10), strict=True)
    }
    before = [
        "a: only 9 patients (groups) are positive; its intervals are unreliable.",
        "b: only 3 patients (groups) are positive; its intervals are not to be relied on.",
        "another",
    ]
    found = _list_doubts({"warnings": before, "results": {"raw": {"labels": rows}}})
    assert found == [
        "2 of 3 labels have fewer than 10 patients (groups) that are positive, so their intervals are unreliable: a (9), b (3).",
        "another",
    ]
    assert _list_doubts({"warnings": found, "results": {"raw": {"labels": rows}}}) == found
    assert _rank(f"hold-out: {found[0]}") < len(RANKS)
    numbers = {"age": {"assessed_groups": 4}, "n": {"assessed_groups": 40}}
    assert _list_doubts({"results": {"raw": {"labels": numbers}}}) == [
        "age: only 4 patients (groups) are assessed; its intervals are unreliable."
    ]


def test_every_warning_of_the_audit_has_its_place_by_its_name() -> None:
    page = (REPOSITORY / "docs" / "audit.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[a-z-]+`(?:, `[a-z-]+`)*) \| ([a-z, ]+) \|", page, re.MULTILINE)
    names = {
        name for cell, severity in rows if "warning" in severity for name in re.findall(r"[a-z-]+", cell)
    }
    assert len(names) > 10
    assert [name for name in sorted(names) if _rank(f"{name}: ") == len(RANKS)] == []
    ranked = "".join(f"{name}: " for name in names)
    for group in re.findall(r"\^\(?([a-z-]+(?:\|[a-z-]+)*)\)?: ", "\n".join(RANKS)):
        assert all(f"{name}: " in ranked for name in group.split("|")), group
