"""Label cells as spreadsheets, programs and people write them, and columns that are no labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from orchestrator.importing.reading.cells import Rules, read_cells
from orchestrator.importing.reading.labels import describe_column, read_labels
from orchestrator.importing.reading.tables import Table
from storage.errors import DataError

NAN = np.nan


def table(**columns: list[str]) -> Table:
    rows = [list(cells) for cells in zip(*columns.values(), strict=True)]
    return Table(Path("l.csv"), tuple(columns), rows, list(range(2, len(rows) + 2)))


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["0", "1", ""], [0, 1, NAN]),
        (["0.000000", "1.0", "1"], [0, 1, 1]),
        (["0,0", "1,00", "1"], [0, 1, 1]),
        (["１", "０", "1\u200b"], [1, 0, 1]),
        (["'1'", "'0", "1"], [1, 0, 1]),
        (["TRUE", "False", "true "], [1, 0, 1]),
        (["WAHR", "FALSCH", "NA"], [1, 0, NAN]),
        (["Yes ", "NO", "y"], [1, 0, 1]),
        (["positive", "Negative", "pos"], [1, 0, 1]),
        (["oui", "non", ""], [1, 0, NAN]),
        (["+", "-", "+"], [1, 0, 1]),
        (["1", "-", "0"], [1, NAN, 0]),
        (["1", "NA", "NaN"], [1, NAN, NAN]),
        (["0", "unknown", "?"], [0, NAN, NAN]),
    ],
)
def test_yes_and_no_in_every_spelling(cells: list[str], values: list[float]) -> None:
    reading = read_cells(cells, Rules())
    assert reading.fits
    np.testing.assert_array_equal(reading.values, values)


@pytest.mark.parametrize(("uncertain", "value"), [("blank", NAN), ("positive", 1.0), ("negative", 0.0)])
@pytest.mark.parametrize("cell", ["-1", "-1.0", "-1,0", "uncertain", "−1"])
def test_uncertain_becomes_what_was_said(uncertain: str, value: float, cell: str) -> None:
    np.testing.assert_array_equal(read_cells(["1", cell], Rules(uncertain=uncertain)).values, [1, value])
    assert read_cells(["1", cell], Rules()).uncertain == [1]


def test_blank_becomes_what_was_said() -> None:
    np.testing.assert_array_equal(read_cells(["1", "", "NA"], Rules(blank="negative")).values, [1, 0, NAN])


def test_a_named_value_means_yes() -> None:
    np.testing.assert_array_equal(
        read_cells(["1", "2", "", "2.0"], Rules(positive="2")).values, [0, 1, NAN, 1]
    )
    assert read_cells(["1", "2", "3"], Rules(positive="2")).wrong == [2]
    np.testing.assert_array_equal(
        read_cells(["x", "", "X"], Rules(positive="x", blank="negative")).values, [1, 0, 1]
    )


@pytest.mark.parametrize(
    "cells", [["1", "yes", "0"], ["0", "1", "2"], ["yes", "no", "perhaps"], ["0", "1", "0.5"]]
)
def test_a_column_in_two_codes_is_wrong(cells: list[str]) -> None:
    assert read_cells(cells, Rules()).wrong


@pytest.mark.parametrize(
    ("name", "cells", "kind", "taken"),
    [
        ("fracture", ["0", "1"] * 6, "labels", True),
        ("fracture", ["NA"] * 20 + ["1", "0"], "labels", True),
        ("fracture", ["-1"] * 20 + ["1", "0"], "labels", True),
        ("fracture", ["pending"] * 20 + ["1", "0"], "labels", True),
        ("Follow-up #", ["0", "1"] * 6, "labels", False),
        ("male", ["True", "False"] * 6, "labels", False),
        ("is_test", ["0", "1"] * 6, "labels", False),
        ("cv_fold", ["0", "1", "2"] * 4, "numbers", False),
        ("threefold", ["0", "1"] * 6, "labels", True),
        ("ok", ["yes"] * 12, "labels", False),
        ("fracture", ["1", "2"] * 6, "coded", False),
        ("fracture", ["x", ""] * 6, "coded", False),
        ("grade", ["0", "1", "2", "3", "4"] * 3, "numbers", False),
        ("age", ["61", "47"] * 6, "numbers", False),
        ("finding", ["normal", "fracture"] * 6, "classes", False),
        ("note", [f"text {number}" for number in range(12)], "text", False),
        ("empty", [""] * 12, "blank", False),
    ],
)
def test_what_a_column_is_taken_for(name: str, cells: list[str], kind: str, taken: bool) -> None:
    column = describe_column(name, cells, Rules())
    assert (column.kind, column.taken) == (kind, taken)


def test_what_is_not_taken_is_said_with_its_reason() -> None:
    notes: list[str] = []
    columns = table(a=["0", "1"] * 6, code=["1", "2"] * 6, age=[str(number) for number in range(40, 52)])
    labels = read_labels(columns, targets=None, class_column=None, excluded=[], note=notes.append)
    assert labels.targets == ("a",)
    assert "code (1 and 2: which of them means yes?)" in notes[0]
    assert "age (12 different numbers)" in notes[0]


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        (["1", "2"] * 6, r"If 'a' is a label.*--targets a --positive VALUE"),
        (["0", "1", "-1"] * 4, r"-1 usually means 'uncertain'.*--uncertain blank, positive or negative"),
        (["pending"] * 9 + ["0", "1", "1"], r"label 'a' is 'pending'"),
        (["0", "1", "9"] * 4, r"label 'a' is '9'"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_advice(cells: list[str], says: str) -> None:
    with pytest.raises(DataError, match=says):
        read_labels(table(a=cells), targets=None, class_column=None, excluded=[])


def test_a_named_column_of_two_values_asks_which_means_yes() -> None:
    with pytest.raises(DataError, match=r"--positive 2"):
        read_labels(table(a=["1", "2"] * 6), targets=["a"], class_column=None, excluded=[])


def test_what_means_yes_is_said_for_named_columns_that_have_it() -> None:
    with pytest.raises(DataError, match="not in which columns"):
        read_labels(
            table(a=["1", "2"]), targets=None, class_column=None, excluded=[], rules=Rules(positive="2")
        )
    with pytest.raises(DataError, match="no cell of the label 'a' is '3'"):
        read_labels(
            table(a=["1", "1"]), targets=["a"], class_column=None, excluded=[], rules=Rules(positive="3")
        )


def test_how_words_were_taken_is_said() -> None:
    notes: list[str] = []
    columns = table(a=["TRUE", "False", "true", "NA"], b=["1", "0", "1", ""])
    read_labels(columns, targets=None, class_column=None, excluded=[], note=notes.append)
    assert notes[0] == "'a' is not written as 0 and 1: true = 1, false = 0."


@pytest.mark.parametrize(
    "pair", ["Pos Neg.", "да нет", "是 否", "evet hayır", "tak nie", "kyllä ei", "ja nej", "✓ ✗", "☑ ☐"]
)
def test_yes_and_no_in_other_words_and_marks(pair: str) -> None:
    yes, no = pair.split()
    assert read_cells([yes, no, yes], Rules()).values == [1, 0, 1]


@pytest.mark.parametrize("mark", ["✔", "+", "x", "●"])
def test_a_mark_in_some_cells_is_asked_about_and_never_dropped(mark: str) -> None:
    column = describe_column("fx", [mark, "", "", mark], Rules())
    assert (column.kind, column.taken) == ("coded", False)
    assert f"--positive {mark} --blank negative" in column.reason
    marked = read_labels(
        table(fx=[mark, "", "", mark]),
        targets=["fx"],
        class_column=None,
        excluded=[],
        rules=Rules(positive=mark, blank="negative"),
    )
    assert marked.values[:, 0].tolist() == [1, 0, 0, 1]


def test_an_uncertain_word_is_named_as_one() -> None:
    with pytest.raises(DataError) as raised:
        read_labels(
            table(fx=["positive", "negative", "equivocal"]), targets=None, class_column=None, excluded=[]
        )
    assert "-1" not in str(raised.value)
