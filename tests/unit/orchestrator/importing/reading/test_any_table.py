"""Tables of any cells and labels in any spelling: what is written is what is read."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from orchestrator.importing.reading.cells import Rules, read_cells
from orchestrator.importing.reading.labels import read_labels
from orchestrator.importing.reading.tables import INVISIBLE, read_table
from storage.errors import DataError

QUICK = settings(max_examples=80, deadline=None, derandomize=True)
SPELLINGS = (
    (("1", "1.0", " 1 ", "1,0", "+1", "1e0", "'1"), ("0", "0.0", "0,00", "-0", "0e3")),
    (("yes", "YES", "y"), ("no", "No", "n")),
    (("TRUE", "true", "t"), ("FALSE", "False", "f")),
    (("ja", "j", "wahr"), ("nein", "falsch")),
    (("+",), ("-", "\u2212")),
)
BLANKS = ("", "  ", "NA", "unknown", "n/a")
CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)


@st.composite
def columns(draw: st.DrawFn) -> tuple[list[str], list[float]]:
    """Cells in one way of writing yes and no, with blanks, and what they mean."""
    yes, no = draw(st.sampled_from(SPELLINGS))
    meanings = draw(st.lists(st.sampled_from([1.0, 0.0, np.nan]), min_size=2, max_size=30))
    assume({0.0, 1.0} <= set(meanings))
    cells = [draw(st.sampled_from(yes if one == 1 else no if one == 0 else BLANKS)) for one in meanings]
    return cells, meanings


@QUICK
@given(columns())
def test_every_spelling_of_yes_and_no_is_read(column: tuple[list[str], list[float]]) -> None:
    cells, meanings = column
    reading = read_cells(cells, Rules())
    assert reading.fits
    np.testing.assert_array_equal(reading.values, meanings)
    assert reading.given == sum(one == one for one in meanings)
    turned = read_cells(cells[::-1], Rules())
    np.testing.assert_array_equal(turned.values, meanings[::-1])
    filled = read_cells(cells, Rules(blank="negative")).values
    for cell, meant, found in zip(cells, meanings, filled, strict=True):
        # What somebody wrote as unknown is no blank.
        assert found == meant or (found != found and cell.strip()) or (found == 0 and not cell.strip())


@QUICK
@given(columns(), st.data())
def test_a_cell_of_another_kind_is_wrong_wherever_it_stands(
    column: tuple[list[str], list[float]], data: st.DataObject
) -> None:
    cells, meanings = column
    place = data.draw(st.integers(0, len(cells) - 1))
    cells[place] = data.draw(st.sampled_from(["2", "-1", "maybe so", "x y z", "0.5", "1 0"]))
    reading = read_cells(cells, Rules())
    meanings[place] = np.nan
    if {0.0, 1.0} <= set(meanings):
        assert reading.wrong == [place] or reading.uncertain == [place]
        assert not reading.fits


@QUICK
@given(
    st.lists(st.lists(CELL, min_size=3, max_size=3), min_size=2, max_size=8),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_cells_are_read_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[list[str]],
    separator: str,
    encoding: str,
    ends: str,
) -> None:
    """Separators, quotes, line feeds and letters of any script within cells."""
    path = tmp_path_factory.getbasetemp() / "any.csv"
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator=ends, quoting=csv.QUOTE_ALL)
    names = [f"{number}.png" for number in range(len(rows))]
    writer.writerows(
        [["filename", "a", "b", "c"], *([name, *row] for name, row in zip(names, rows, strict=True))]
    )
    path.write_bytes(text.getvalue().encode(encoding))
    table = read_table(path)
    assert table.columns == ("filename", "a", "b", "c")
    assert [row[0] for row in table.rows] == names
    for written, read in zip(rows, table.rows, strict=True):
        assert [plain(cell) for cell in read[1:]] == [plain(cell) for cell in written]


def plain(cell: str) -> str:
    """A cell without blanks and marks that are not seen around it, and with one kind of line end."""
    return cell.replace("\r\n", "\n").replace("\r", "\n").strip().strip(INVISIBLE).strip()


@QUICK
@given(st.permutations(range(6)))
def test_labels_belong_to_their_rows_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, order: list[int]
) -> None:
    path = tmp_path_factory.getbasetemp() / "order.csv"
    values = [("1", "0"), ("0", "1"), ("", "1"), ("1", ""), ("0", "0"), ("1", "1")]
    path.write_text("filename,a,b\n" + "".join(f"{n}.png,{values[n][0]},{values[n][1]}\n" for n in order))
    labels = read_labels(read_table(path), targets=None, class_column=None, excluded=["filename"])
    for row, number in enumerate(order):
        np.testing.assert_array_equal(labels.values[row], [float(cell or "nan") for cell in values[number]])


@pytest.mark.parametrize(
    "text", ["filename,a\n", "", "\n\n", "filename,a,a\nx,1,1\n", "filename,a\nx,1,1\n", 'filename,a\nx,"1\n']
)
def test_a_table_that_is_none_is_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "none.csv"
    path.write_text(text)
    with pytest.raises(DataError):
        read_table(path)
