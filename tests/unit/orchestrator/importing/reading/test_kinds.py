"""What kind of label columns hold: guessed, said, named with --task, refused where it is not so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from orchestrator.importing.reading.cells import Rules
from orchestrator.importing.reading.classes import Labels
from orchestrator.importing.reading.kinds import (
    KINDS,
    Asked,
    find_order,
    find_positive,
    read_kind,
    shape_kind,
)
from orchestrator.importing.reading.tables import Table
from storage.errors import DataError
from storage.tasks.kinds import TASKS

ROWS = 24


def table(**columns: list[str]) -> Table:
    rows = [list(cells) for cells in zip(*columns.values(), strict=True)]
    return Table(Path("labels.csv"), tuple(columns), rows, list(range(2, len(rows) + 2)))


def read(
    found: Table,
    task: str | None = None,
    targets: tuple[str, ...] | None = None,
    column: str | None = None,
    positive: str | None = None,
) -> tuple[Labels, list[str]]:
    notes: list[str] = []
    asked = Asked(targets, column, (), Rules(positive=positive), rows_name_findings=False, note=notes.append)
    return shape_kind(read_kind(found, asked, task), asked, task), notes


def cycle(*cells: str) -> list[str]:
    return [cells[number % len(cells)] for number in range(ROWS)]


def test_every_kind_of_label_can_be_imported() -> None:
    assert list(KINDS) == list(TASKS)


@pytest.mark.parametrize(
    ("columns", "task", "targets", "classes"),
    [
        ({"a": cycle("1", "0"), "b": cycle("1", "1", "0")}, "labels", ("a", "b"), ()),
        ({"no_finding": cycle("1", "0"), "pneumonia": cycle("0", "1")}, "two-classes", ("pneumonia",), ("no_finding", "pneumonia")),
        ({"dx": cycle("healthy", "fracture")}, "two-classes", ("dx=fracture",), ("healthy", "fracture")),
        ({"dx": cycle("nv", "mel", "bcc")}, "classes", ("dx=bcc", "dx=mel", "dx=nv"), ("bcc", "mel", "nv")),
        ({"dx": cycle("grade 2", "grade 10", "grade 1")}, "ordered", ("dx=grade 1", "dx=grade 2", "dx=grade 10"), ("grade 1", "grade 2", "grade 10")),
        ({"dx": cycle("mild", "severe", "none", "moderate")}, "ordered", ("dx=none", "dx=mild", "dx=moderate", "dx=severe"), ("none", "mild", "moderate", "severe")),
        ({"a": cycle("1", "0", "0"), "b": cycle("0", "1", "0"), "c": cycle("0", "0", "1")}, "classes", ("a", "b", "c"), ("a", "b", "c")),
        ({"a": cycle("1", "0"), "b": cycle("0", "1", "0", "")}, "labels", ("a", "b"), ()),
    ],
)  # fmt: skip
def test_the_kind_is_guessed_from_the_columns_and_said(
    columns: dict[str, list[str]], task: str, targets: tuple[str, ...], classes: tuple[str, ...]
) -> None:
    found, notes = read(table(**columns))
    assert (found.task, found.targets, found.classes) == (task, targets, classes)
    assert bool(notes) == (task != "labels")
    side_by_side, _ = read(table(**columns), "labels")
    assert (side_by_side.task, side_by_side.classes) == ("labels", ())


def test_few_rows_exclude_each_other_by_chance() -> None:
    found, _ = read(table(a=["1", "0", "1"], b=["0", "1", "0"]))
    assert found.task == "labels"


def test_the_positive_class_is_named_or_the_one_that_is_not_normal() -> None:
    assert find_positive(("Normal", "COVID"), ("c=Normal", "c=COVID"), None) == 1
    assert find_positive(("frac", "norm"), ("c=frac", "c=norm"), None) == 0
    assert find_positive(("AP", "lateral"), ("c=AP", "c=lateral"), None) == 1
    assert find_positive(("AP", "lateral"), ("c=AP", "c=lateral"), "ap") == 0
    found, _ = read(table(dx=cycle("AP", "lateral")), positive="AP")
    assert (found.targets, found.classes) == (("dx=AP",), ("lateral", "AP"))
    assert found.values[:2, 0].tolist() == [1, 0]
    found, _ = read(table(a=cycle("1", "0"), b=cycle("0", "1")), positive="a")
    assert found.targets == ("a",)
    with pytest.raises(DataError, match="--positive PA is neither of the classes 'AP' and 'lateral'"):
        read(table(dx=cycle("AP", "lateral")), positive="PA")


def test_an_image_without_a_class_is_not_assessed() -> None:
    found, notes = read(table(dx=cycle("a", "b", "c", "d", "")), "classes", ("a", "b", "c"), "dx")
    assert found.targets == ("dx=a", "dx=b", "dx=c")
    assert found.values[0].tolist() == [1, 0, 0]
    assert np.isnan(found.values[3:5]).all()
    assert any("without one of the classes" in note for note in notes)


def test_what_is_named_must_be_so() -> None:
    both = table(a=cycle("1", "0"), b=cycle("1", "1", "0"))
    with pytest.raises(DataError, match="have several of the classes"):
        read(both, "classes")
    with pytest.raises(DataError, match="needs two classes; there are 3"):
        read(table(dx=cycle("x", "y", "z")), "two-classes")
    with pytest.raises(DataError, match="orch does not know the order of nv, x"):
        read(table(dx=cycle("nv", "x")), "ordered")
    with pytest.raises(DataError, match="needs at least two classes"):
        read(table(a=cycle("1", "0")), "classes")
    with pytest.raises(DataError, match="--task grades is not labels, two-classes"):
        read(both, "grades")


def test_grades_come_in_the_order_that_is_named() -> None:
    found, notes = read(table(dx=cycle("lo", "hi", "mid")), "ordered", ("lo", "mid", "hi"), "dx")
    assert found.classes == ("lo", "mid", "hi")
    assert found.values[1].tolist() == [0, 0, 1]
    assert any("lo < mid < hi" in note for note in notes)


@pytest.mark.parametrize(
    ("classes", "order"),
    [
        (["10", "9", "1"], [2, 1, 0]),
        (["KL-2", "KL-0"], [1, 0]),
        (["II", "I", "IV"], [1, 0, 2]),
        (["grade 1", "stage 2"], None),
        (["1", "1.0"], None),
        (["a", "b"], None),
    ],
)
def test_an_order_is_read_off_numbers_and_known_words(classes: list[str], order: list[int] | None) -> None:
    assert find_order(classes) == order


def test_numbers_are_read_however_they_are_written() -> None:
    found, _ = read(table(age=["12,5", " 7 ", "", "NA", "1e2", "-3"]), "number", ("age",))
    assert (found.task, found.kind) == ("number", "numbers")
    np.testing.assert_array_equal(found.values[:, 0], np.float32([12.5, 7, np.nan, np.nan, 100, -3]))
    with pytest.raises(DataError, match=r"line 3.* 'old', which is no number"):
        read(table(age=["1", "old"]), "number", ("age",))
    with pytest.raises(DataError, match=r"has 1 different number"):
        read(table(age=["1", "1", ""]), "number", ("age",))
    with pytest.raises(DataError, match="not which column holds the number") as raised:
        read(table(name=["a", "b"], age=["1", "2"]), "number")
    assert raised.value.next_step == "Name it: --targets age"
    with pytest.raises(DataError, match="no number"):
        read(table(age=["1", "1e60"]), "number", ("age",))


@pytest.mark.parametrize(
    ("cells", "number"),
    [
        (("1.200,5", "3,5"), 1200.5),
        (("1,200.5", "3"), 1200.5),
        (("1 200", "3"), 1200),
        (("1'200", "3"), 1200),
        (("1,234,567", "3"), 1234567),
        (("1\u00a0200,5", "3,5"), 1200.5),
        (("1,200", "0,5"), 1.2),
        (("1.200", "0.5"), 1.2),
        (("1.200", "0.5", "0,7"), 1.2),
        (("1.234", "987"), 1.234),
        (("1'200.125", "3.125"), 1200.125),
    ],
)
def test_thousands_that_are_set_apart(cells: tuple[str, ...], number: float) -> None:
    labels, _ = read(table(los=cycle(*cells)), "number", ("los",))
    assert labels.values[0, 0] == np.float32(number)


@pytest.mark.parametrize(
    ("cells", "line", "says"),
    [
        (("1,200", "3"), 2, r"1,200', which may be 1200 or 1\.200"),
        (("957,5", "1.013"), 3, r"1\.013', which may be 1013 or 1\.013"),
        (("1.200", "1.200,5"), 2, r"1\.200', which may be 1200 or 1\.200"),
        (("1.234.567", "1.234"), 3, "1234 or"),
        (("1,234,567", "3,5", "1,234"), 4, "1234 or"),
        (("3", "1,200", "1,200.5"), 3, "1200 or"),
    ],
)
def test_a_number_that_may_be_read_in_two_ways_is_refused(
    cells: tuple[str, ...], line: int, says: str
) -> None:
    with pytest.raises(DataError, match=rf"line {line}: 'los' is '.*{says}"):
        read(table(los=cycle(*cells)), "number", ("los",))


def test_columns_of_words_are_named_before_columns_of_numbers() -> None:
    with pytest.raises(DataError, match="--class-column side"):
        read(table(height=cycle("3", "4", "7"), side=cycle("L", "R"), birads=cycle("a", "b", "c")))
