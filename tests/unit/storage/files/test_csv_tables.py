"""Tables for spreadsheets: no text becomes a formula, and each is read back as it was."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dashboards.tables.view import Table
from storage.files.csv_tables import guard, to_csv, unguard

RISKY = (
    "=cmd|' /C calc'!A0.png",
    "+1+1.png",
    "@SUM(1).png",
    "-2.png",
    "\t=1.png",
    "\r=1",
    "\n=1",
    "\uff1d1",
    "=",
    "-",
    "|x",
    "%x",
)


@pytest.mark.parametrize("text", RISKY)
def test_a_text_that_begins_like_a_formula_stays_a_text(text: str) -> None:
    (header, row) = csv.reader(io.StringIO(to_csv([text], [[text]]), newline=""))
    assert header == row == [f"'{text}"]
    assert unguard(row[0]) == text


@pytest.mark.parametrize(
    "cell", [-0.5, 3, "-0.5", "+1e3", "-2", "a=b", "1.png", "", "'quoted'", "x'=y", None, float("nan")]
)
def test_other_cells_are_as_they_were(cell: object) -> None:
    (_, row) = csv.reader(io.StringIO(to_csv(["a"], [[cell]]), newline=""))
    blank = cell is None or cell != cell
    assert row == ["" if blank else str(cell)]


@given(st.text())
@example("'=x")
@example("''")
@example("'-1")
def test_every_text_is_read_back(text: str) -> None:
    guarded = guard(text)
    assert unguard(guarded) == text
    assert guarded == text or guarded == f"'{text}"


def test_the_tables_of_studies_are_written_so_too() -> None:
    assert Table(("=a",), [("=1+1",), (None,)]).to_csv().splitlines()[:2] == ["'=a", "'=1+1"]
