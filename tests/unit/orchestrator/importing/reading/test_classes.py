"""Columns of classes and of lists of findings: cleaned, or refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from orchestrator.importing.reading.cells import Rules
from orchestrator.importing.reading.classes import Labels, read_classes
from orchestrator.importing.reading.tables import Table
from storage.errors import DataError

NAN = np.nan


def read(
    cells: list[str],
    rules: Rules | None = None,
    chosen: list[str] | None = None,
    *,
    as_findings: bool = False,
) -> tuple[Labels, list[str]]:
    notes: list[str] = []
    table = Table(Path("l.csv"), ("f",), [[cell] for cell in cells], list(range(2, len(cells) + 2)))
    labels = read_classes(
        table,
        "f",
        option="--class-column",
        rules=rules or Rules(),
        note=notes.append,
        chosen=chosen,
        as_findings=as_findings,
    )
    return labels, notes


@pytest.mark.parametrize(
    "cells",
    [
        ["Normal", "normal", "Fracture", "fracture "],
        ["normal", "NORMAL", "fracture.", "fracture"],
        ["normal", "normal\u200b", "frac ture", "frac\u00a0 ture"],
        ["normal", "ｎｏｒｍａｌ", "fracture", "FRACTURE"],
        ["1", "1.0", "2", "2,0"],
    ],
)
def test_spellings_of_one_class_are_one(cells: list[str]) -> None:
    labels, notes = read(cells)
    assert len(labels.targets) == 2
    np.testing.assert_array_equal(labels.values[0], labels.values[1])
    np.testing.assert_array_equal(labels.values[2], labels.values[3])
    assert "taken as one" in notes[0]


@pytest.mark.parametrize(
    "pair", [("Épanchement", "Epanchement"), ("non-displaced", "nondisplaced"), ("left hip", "left_hip")]
)
def test_classes_that_differ_in_accents_or_hyphens_are_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(DataError, match=f"differ only in accents.*{pair[1]!r}"):
        read([*pair, "normal"])


@pytest.mark.parametrize(
    "pair", [("HER2+", "HER2-"), ("T1", "T2"), ("grade 1", "grade 11"), ("<5", ">5"), ("left", "right")]
)
def test_classes_that_differ_in_what_they_mean_stay_apart(pair: tuple[str, str]) -> None:
    labels, _ = read([*pair, "normal"] * 3)
    assert len(labels.targets) == 3


def test_what_is_not_known_is_not_a_class() -> None:
    labels, notes = read(["NA", "unknown", "", "?", "a", "b"])
    assert labels.targets == ("f=a", "f=b")
    assert np.isnan(labels.values[:4]).all()
    assert notes == ["3 cells of 'f' say NA, unknown or the like: counted as not assessed."]


def test_none_is_a_class_and_is_said() -> None:
    labels, notes = read(["none", "mild", "severe"])
    assert "f=none" in labels.targets
    assert "'none'" in notes[0]


def test_a_rare_slip_is_named() -> None:
    _, notes = read(["Fracture"] * 20 + ["Fracutre"] + ["Normal"] * 5)
    assert "'Fracutre' of 'f' (1 image) may be a typing error for 'Fracture'" in notes[0]


@pytest.mark.parametrize(
    ("cells", "rules"),
    [
        (["A|B", "B", "No Finding", ""], Rules()),
        (["['A', 'B']", "['B']", "['No Finding']", "[]"], Rules()),
        (['["A", "B"]', "['B ']", "['no finding']", ""], Rules()),
        (["[A, B]", "[B]", "[No Finding]", "NA"], Rules()),
        (["A;B", "B", "No Finding", ""], Rules(separator=";")),
        (["A, B", "b", "normal", ""], Rules(separator=",")),
        (["A\nB", "B", "No Finding", ""], Rules(separator="\n")),
    ],
)
def test_lists_of_findings_are_labels_side_by_side(cells: list[str], rules: Rules) -> None:
    labels, _ = read(cells, rules)
    assert labels.targets == ("A", "B") or [name.upper() for name in labels.targets] == ["A", "B"]
    assert labels.kind == "flags"
    np.testing.assert_array_equal(labels.values, [[1, 1], [0, 1], [0, 0], [NAN, NAN]])


@pytest.mark.parametrize("between", ["; ", ", ", "/", " + ", " & ", " and ", "\n"])
def test_cells_that_seem_to_name_several_are_refused(between: str) -> None:
    with pytest.raises(DataError, match="seem to name several findings"):
        read([f"Effusion{between}Mass", "Mass", "Effusion", "Normal"])
    labels, _ = read([f"Effusion{between}Mass", "Mass", "Effusion", "Normal"], Rules(separator=""))
    assert len(labels.targets) == 4


def test_a_comma_within_a_class_is_no_list() -> None:
    labels, _ = read(["fracture, distal", "fracture, proximal", "normal"])
    assert len(labels.targets) == 3


def test_blank_lists_may_mean_none() -> None:
    labels, _ = read(["A|B", ""], Rules(blank="negative"))
    np.testing.assert_array_equal(labels.values, [[1, 1], [0, 0]])


def test_undecided_words_leave_an_image_unassessed() -> None:
    labels, _ = read(["['A']", "['exclude']", "['exclude', 'A']"], Rules(undecided=("exclude",)))
    np.testing.assert_array_equal(labels.values, [[1], [NAN], [1]])


def test_wanted_classes_only() -> None:
    labels, _ = read(["A|B", "C", "B"], chosen=["b", "f=C"])
    assert labels.targets == ("B", "C")
    with pytest.raises(DataError, match=r"has no class 'Bb'.*Did you mean 'B'"):
        read(["A|B", "C", "B"], chosen=["Bb"])


def test_one_finding_in_each_of_several_rows() -> None:
    labels, _ = read(["A", "B", "No finding"], as_findings=True)
    assert labels.targets == ("A", "B")
    assert labels.kind == "flags"


@pytest.mark.parametrize(
    "cells",
    [
        ["['A' 'B']", "['A']", "[]", "['B']"],
        ["{'A', 'B'}", "{'A'}", "{}", "{'B'}"],
        ["('A', 'B')", "('A',)", "()", "('B',)"],
        ['["A", "B"]', '["A"]', "[]", '["B"]'],
        ["A｜B", "A", "No finding", "B"],
    ],
)
def test_lists_as_programs_write_them(cells: list[str]) -> None:
    labels, _ = read(cells)
    assert labels.targets == ("A", "B")
    np.testing.assert_array_equal(labels.values, [[1, 1], [1, 0], [0, 0], [0, 1]])


@pytest.mark.parametrize(
    "cells", [["a, b", "b, c", "a, c"], ["a and b", "a", "none", "b"], ["a\tb", "a", "b", "b"]]
)
def test_lists_without_a_finding_that_stands_alone_are_asked_about(cells: list[str]) -> None:
    with pytest.raises(DataError, match="seem to name several findings"):
        read(cells)


def test_words_that_have_their_place_are_one_class() -> None:
    labels, _ = read(["left, upper", "left, lower", "right, upper", "right, lower"])
    assert len(labels.targets) == 4


@pytest.mark.parametrize("cells", [["BI-RADS 1", "BIRADS 1", "BIRADS 2"], ["grade-1", "grade 1", "grade 2"]])
def test_a_hyphen_before_a_number_is_no_other_class(cells: list[str]) -> None:
    with pytest.raises(DataError, match="differ only in accents, hyphens"):
        read(cells)


def test_signs_and_quotes() -> None:
    assert len(read(["T1-2", "T12", "score -1", "score 1"])[0].targets) == 4
    assert len(read(["'NORMAL'", "NORMAL", "other"])[0].targets) == 2
