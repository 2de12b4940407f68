"""The audit finds what is planted in a table of labels, and nothing in a clean one."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.audit.admission import note_baselines, note_findings, refuse_errors
from orchestrator.audit.baselines import encode_column, encode_tokens, judge_baselines
from orchestrator.audit.evidence import Evidence, from_table
from orchestrator.audit.findings import Finding
from orchestrator.audit.report import Audit, audit_evidence
from orchestrator.audit.splits import count_straddling, find_split_patients
from orchestrator.audit.trivial_pixels import describe_pixels
from storage.errors import DataError, UsageError


def make_evidence(
    count: int = 400, *, targets: int = 4, seed: int = 0, group: str | None = "patient", **changes: Any
) -> Evidence:
    """Labels of chance, patients of some two images, a column of ages."""
    from storage.data.folds import make_folds

    generator = np.random.default_rng(seed)
    patients = generator.integers(count // 2, size=count)
    labels = (generator.random((count, targets)) < 0.3).astype(np.float32)
    groups = np.unique(patients, return_inverse=True)[1] if group else np.arange(count)
    values: dict[str, Any] = {
        "source": "test",
        "targets": tuple(f"t{number}" for number in range(targets)),
        "labels": labels,
        "groups": groups,
        "grouped": group is not None,
        "group_columns": (group,) if group else (),
        "columns": {"age": [str(age) for age in generator.integers(20, 90, size=count)]},
        "identifiers": {} if group else {"patient": [str(patient) for patient in patients]},
        "names": [f"image{number}.png" for number in range(count)],
        "sides": None,
    } | changes
    values["folds"] = make_folds(values["labels"], values["groups"], 4, 1)
    return Evidence(**values)


def names(audit: Audit) -> set[str]:
    return {finding.name for finding in audit.findings}


def test_a_clean_table_gives_no_finding_and_a_baseline_of_one_half() -> None:
    audit = audit_evidence(make_evidence())
    assert [finding for finding in audit.findings if finding.severity != "note"] == []
    assert all(abs(one.macro_others - 0.5) < 0.06 for one in audit.baselines)


def test_patients_that_nobody_named_as_group_are_an_error_with_its_figures() -> None:
    audit = audit_evidence(make_evidence(group=None))
    (finding,) = [finding for finding in audit.findings if finding.severity == "error"]
    assert finding.name == "patients-split"
    assert finding.details["column"] == "patient"
    assert finding.details["validation_images"] > 0.6
    assert "--group patient" in finding.advice


def test_straddling_is_counted_as_one_would_by_hand() -> None:
    patients = np.array([0, 0, 1, 1, 2, 3])
    folds = [(np.array([3, 4, 5]), np.array([0, 1, 2])), (np.array([0, 1, 2]), np.array([3, 4, 5]))]
    # Patient 1 alone is in both folds; two of six validation images are hers.
    assert count_straddling(patients, folds) == (1 / 4, 2 / 6)


def test_file_names_that_repeat_like_patients_are_named() -> None:
    names = [f"{number // 2:05d}_{number % 2}.png" for number in range(400)]
    audit = audit_evidence(make_evidence(group=None, identifiers={}, names=names))
    (finding,) = [finding for finding in audit.findings if finding.name == "patients-unknown"]
    assert finding.details == {"part_of_file_name": 1, "values": 200}
    # Folders repeat, too: of parts that may be patients the one with the most values is.
    nested = [f"sub{number % 30}/{name}" for number, name in enumerate(names)]
    audit = audit_evidence(make_evidence(group=None, identifiers={}, names=nested))
    (finding,) = [finding for finding in audit.findings if finding.name == "patients-unknown"]
    assert finding.details == {"part_of_file_name": 2, "values": 200}


def test_copies_and_complements_are_named() -> None:
    labels = make_evidence().labels
    labels = np.column_stack([labels[:, 0], labels[:, 0], 1 - labels[:, 1], labels[:, 1]])
    audit = audit_evidence(make_evidence(labels=labels))
    pairs = {
        finding.name: finding.details["targets"] for finding in audit.findings if "targets" in finding.name
    }
    assert pairs == {"copy-targets": ["t0", "t1"], "complement-targets": ["t2", "t3"]}


def test_a_view_that_decides_what_can_be_assessed_is_found_and_grades_are_not() -> None:
    generator = np.random.default_rng(3)
    view = generator.integers(2, size=600)
    grades = np.eye(4)[generator.integers(4, size=600)]
    labels = np.column_stack([view, 1 - view, grades * view[:, None], grades * (1 - view)[:, None]])
    audit = audit_evidence(make_evidence(600, targets=10, labels=labels.astype(np.float32)))
    blanks = {
        finding.details["column"]: finding.details["targets"]
        for finding in audit.findings
        if finding.name == "blank-advised"
    }
    assert blanks == {"t0": ["t6", "t7", "t8", "t9"], "t1": ["t2", "t3", "t4", "t5"]}
    confounds = [finding for finding in audit.findings if finding.name == "target-confounds"]
    assert [finding.details["advised_against"] for finding in confounds] == [["t0", "t1"]]
    only_grades = audit_evidence(make_evidence(600, labels=grades.astype(np.float32)))
    assert "blank-advised" not in names(only_grades)


def test_a_column_that_gives_the_label_away_is_found_on_grouped_folds() -> None:
    evidence = make_evidence()
    scanner = np.where(evidence.labels[:, 2] == 1, "A", "B").tolist()
    audit = audit_evidence(make_evidence(columns={"scanner": scanner}))
    (finding,) = [finding for finding in audit.findings if finding.name == "target-known-without-pixels"]
    assert finding.details["advised_against"] == ["t2"]


def test_a_label_with_one_class_in_a_fold_is_named() -> None:
    labels = make_evidence().labels
    labels[:, 0] = 0
    labels[:2, 0] = 1
    assert "single-class-folds" in names(audit_evidence(make_evidence(labels=labels)))


@pytest.mark.parametrize(("count", "severity"), [(4, "error"), (8, "warning"), (12, "warning"), (90, "note")])
def test_groups_that_carry_the_label_are_an_error_where_no_fold_can_score_it(
    count: int, severity: str
) -> None:
    """Twelve patients whose images are all ill or all well are a small study, and their folds are honest."""
    groups = np.repeat(np.arange(count), 6)
    labels = (groups % 2).astype(np.float32)[:, None]
    audit = audit_evidence(make_evidence(6 * count, targets=1, labels=labels, groups=groups))
    (finding,) = [finding for finding in audit.findings if finding.name == "groups-carry-label"]
    assert finding.severity == severity
    assert f"{count} groups" in finding.message or f"number of groups ({count})" in finding.message


def test_numbers_are_put_in_classes_and_what_never_varies_is_left_out() -> None:
    block = encode_column([str(number) for number in range(200)])
    assert block is not None
    assert block.shape == (200, 10)
    assert (block.sum(axis=1) == 1).all()
    assert encode_column(["same"] * 200) is None


def test_an_error_refuses_a_study_until_it_is_accepted_and_then_stays_visible() -> None:
    findings = [Finding("patients-split", "error", "Patients straddle.", "Group them.")]
    with pytest.raises(DataError, match="--accept patients-split"):
        refuse_errors(findings, [])
    refuse_errors(findings, ["patients-split"])
    with pytest.raises(UsageError, match="nothing of that name"):
        refuse_errors(findings, ["patients-split", "something"])
    facts: dict[str, Any] = {}
    note_findings(facts, findings, ["patients-split"])
    assert facts["accepted"] == ["patients-split"]
    assert "Patients straddle." in facts["warnings"][0]


def test_the_label_file_of_the_reference_study(reference_study: Path) -> None:
    """The figures of docs/what-went-wrong.md."""
    labels = reference_study / "rust-labels.csv"
    evidence = from_table(
        labels,
        filename_column="filename",
        group_columns=("study_id", "record_id"),
        targets=None,
        class_column=None,
        split_column=None,
        fold_count=6,
        seed=1337,
    )
    audit = audit_evidence(evidence)
    (confounds,) = [finding for finding in audit.findings if finding.name == "target-confounds"]
    assert confounds.details["macro_auc"] == pytest.approx(0.806, abs=0.002)
    assert confounds.details["macro_auc_others"] == pytest.approx(0.781, abs=0.002)
    assert "with all columns 0.869" in confounds.message
    assert confounds.details["other_targets"] == 16
    assert confounds.details["advised_against"] == ["view_antpr", "view_later"]
    blanks = {f.details["column"]: f.details["targets"] for f in audit.findings if f.name == "blank-advised"}
    grades = [f"{cortex}_cortex_{grade}" for cortex in ("medial", "lateral") for grade in range(1, 5)]
    assert blanks["view_antpr"] == grades
    assert [name.split("_")[0] for name in blanks["view_later"]] == ["anterior"] * 4 + ["posterior"] * 4
    with labels.open() as file:
        assert len(evidence.labels) == len(list(csv.DictReader(file))) == 2936
    ungrouped = from_table(
        labels,
        filename_column="filename",
        group_columns=(),
        targets=None,
        class_column=None,
        split_column=None,
        fold_count=6,
        seed=1337,
    )
    (split,) = find_split_patients(ungrouped)
    assert "84.9% of the patients in column 'record_id'" in split.message
    assert "89.6% of validation images" in split.message


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_classes_that_exclude_each_other_are_no_finding(classes: int) -> None:
    labels = np.eye(classes, dtype=np.float32)[np.random.default_rng(1).integers(classes, size=400)]
    names_of = [
        f"train/{['NORMAL', 'PNEUMONIA', 'c', 'd', 'e', 'f', 'g'][row.argmax()]}/{n}.png"
        for n, row in enumerate(labels)
    ]
    targets = tuple(f"class={name}" for name in ("NORMAL", "PNEUMONIA", "c", "d", "e", "f", "g")[:classes])
    audit = audit_evidence(make_evidence(targets=classes, labels=labels, names=names_of, columns={}))
    assert [finding.name for finding in audit.findings if finding.severity != "note"] == []
    assert not [one for one in audit.baselines if one.kind == "target"]
    assert encode_tokens(names_of, targets) is None
    assert encode_tokens(names_of) is not None


def test_two_complements_among_other_targets_are_still_named() -> None:
    evidence = make_evidence()
    labels = np.column_stack([evidence.labels, evidence.labels[:, 0], 1 - evidence.labels[:, 0]])
    found = names(audit_evidence(make_evidence(targets=6, labels=labels)))
    assert {"copy-targets", "complement-targets"} <= found


def test_a_number_that_does_not_exist_is_no_finding() -> None:
    labels = np.zeros((24, 2), np.float32)
    labels[:2] = 1
    evidence = make_evidence(
        24, targets=2, labels=labels, names=[f"{'a' if n < 2 else 'b'}/{n}.png" for n in range(24)]
    )
    said = " ".join(finding.text for finding in audit_evidence(evidence).findings)
    assert "nan" not in said.split()
    assert "nan." not in said


def draw_pictures(change: str, labels: np.ndarray) -> np.ndarray:
    generator = np.random.default_rng(2)
    rows = []
    for label in labels:
        middle, spread = generator.uniform(90, 140), generator.uniform(30, 50)
        grey = np.clip(generator.normal(middle, spread, (60, 60)), 0, 235)
        if label and change == "border":
            grey[:3] = grey[-3:] = grey[:, :3] = grey[:, -3:] = 255
        if label and change == "marker":
            grey[3:9, 50:56] = 255
        if label and change == "brightness":
            grey += 20
        rows.append(describe_pixels(grey.astype(np.uint8)))
    return np.stack(rows)


@pytest.mark.parametrize("change", ["nothing", "border", "marker", "brightness"])
def test_trivial_pixels_that_follow_a_label_are_found(change: str) -> None:
    evidence = make_evidence(300, targets=2)
    audit = audit_evidence(evidence, trivial=draw_pictures(change, evidence.labels[:, 1]))
    facts: dict[str, Any] = {}
    note_baselines(facts, audit)
    kept = {one["predictor"]: one["auc"] for one in facts["without_anatomy"]}
    assert "brightness, border, corners" in kept
    assert not set(kept) & set(evidence.targets)
    assert list(kept.values()) == sorted(kept.values(), reverse=True)
    of_numbers = replace(audit, evidence=replace(evidence, has_auc=False))
    assert audit.without_anatomy
    assert of_numbers.without_anatomy == [], "no model of numbers has an AUC"
    assert "must exceed" not in str(judge_baselines(audit.baselines, {}, has_auc=False))
    (one,) = [baseline for baseline in audit.baselines if baseline.kind == "trivial pixels"]
    found = [finding for finding in audit.findings if finding.name == "trivial-pixels"]
    assert one.auc["t0"] < 0.75
    if change == "nothing":
        assert (found, one.auc["t1"] < 0.75) == ([], True)
    else:
        assert one.auc["t1"] > 0.9
        assert found[0].severity == "warning"
        assert "t1 (" in found[0].message
        assert "t0 (" not in found[0].message


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (8, 8)])
def test_trivial_pixels_of_pictures_of_any_shape(shape: tuple[int, int]) -> None:
    numbers = describe_pixels(np.full(shape, 7, np.uint8))
    assert np.isfinite(numbers).all()
    assert len(numbers) == len(describe_pixels(np.zeros((50, 60), np.uint8)))
