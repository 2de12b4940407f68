"""Files of a paper: what LaTeX would obey is printed as it is."""

from __future__ import annotations

import io
import re

import pytest

from dashboards.pages.columns import share_width
from dashboards.pages.paper import _as_data, to_latex
from dashboards.pages.word import to_docx
from dashboards.tables.references import REFERENCES, to_bibtex
from dashboards.tables.view import Table


def test_nothing_in_a_table_is_obeyed_by_latex() -> None:
    table = Table(("label_name", "n & %"), [("\\input{secret}", 0.81239), ("50 ± 3 < 4", None)])
    text = to_latex(table, "$x$ {y}", "results")
    assert r"\textbackslash{}input\{secret\} & 0.8124 \\" in text
    assert r"50~$\pm$~3 $<$ 4 & -- \\" in text
    assert r"label name & n \& \% \\" in text
    assert r"\caption{\$x\$ \{y\}}" in text
    assert text.count(r"\begin") == text.count(r"\end") == 2
    noted = to_latex(table, "x", "results", "100 % & more")
    assert r"\footnotesize 100 \% \& more" + "\n\\end{table}" in noted


def test_a_table_wider_than_a_page_breaks_its_lines() -> None:
    cell = "0.933 (no interval: fewer than 3 patients of a class)"
    text = to_latex(
        Table(("label", "judged on", "AUC", "PPV"), [("edema", "hold-out", cell, cell)]), "x", "two-results"
    )
    shares = [float(share) for share in re.findall(r"p\{([.\d]+)\\linewidth\}", text)]
    assert len(shares) == 4
    assert 0.85 < sum(shares) <= 0.95
    assert shares[2] == shares[3] > shares[0]
    assert r"\label{tab:two-results}" in text
    assert "linewidth" not in to_latex(Table(("label", "AUC"), [("edema", "0.9")]), "x", "results")
    assert r"\begin{tabular}{ll}" in to_latex(Table(("label", "AUC"), []), "x", "results")


def test_no_interval_is_torn_and_what_is_indented_stays_so() -> None:
    rows = [("\N{EN SPACE}women", "-0.011 (-0.081 to 0.100)", "0.9 (0.8 to 1)"), ("all", "1 of 20", "-")]
    table = Table(("group", "kappa", "area"), rows)
    text = to_latex(table, "x", "groups")
    assert r"\quad women & $-$0.011 ($-$0.081~to~0.100) & 0.9 (0.8~to~1) \\" in text
    assert "all & 1~of~20 & - " in text
    # Letters of a page with many intervals are smaller, so that each stays on a line of its column.
    many = Table(("label", *(f"metric {n}" for n in range(6))), [("edema", *["0.910 (0.871 to 0.938)"] * 6)])
    wide = to_latex(many, "x", "results")
    assert r"\scriptsize" in wide
    assert r"\footnotesize" not in wide
    shares = share_width(many)
    assert sum(shares) == pytest.approx(1)
    assert min(shares[1:]) > shares[0] > 0
    docx = pytest.importorskip("docx", reason="python-docx is not installed (extra publish)")
    (drawn,) = docx.Document(io.BytesIO(to_docx(many, "x"))).tables
    widths = [cell.width for cell in drawn.rows[0].cells]
    assert widths[1] > widths[0]
    assert [column.width for column in drawn.columns] == widths
    assert drawn.rows[1].cells[1].text == "0.910 (0.871\xa0to\xa00.938)"


@pytest.mark.parametrize("rows", [40, 60])
def test_a_table_longer_than_a_page_goes_on_on_the_next(rows: int) -> None:
    text = to_latex(Table(("label", "n"), [("medial_cortex_1", 3)] * rows), "x", "results", "A note.")
    is_long = rows > 45
    assert (r"\begin{longtable}{ll}" in text, r"\endhead" in text) == (is_long, is_long)
    assert (r"\begin{table}" in text) != is_long
    assert text.count("label & n") == 1 + is_long
    assert text.count(r"\begin") == text.count(r"\end{")
    assert text.count("{") == text.count("}")
    # A name is broken at its underscores, or it would run into the next column.
    assert r"medial\_\allowbreak{}cortex\_\allowbreak{}1 & 3" in text


def test_a_spreadsheet_gets_a_minus_and_no_sign_of_a_formula() -> None:
    table = _as_data(Table(("a", "b", "c"), [("-1.2 ± 1.4", "-", 0.5), ("0.1 (-0.2 to 0.3)", "=1+1", None)]))
    assert table.to_csv() == "a,b,c\n−1.2 ± 1.4,,0.5\n0.1 (−0.2 to 0.3),'=1+1,\n"


def test_a_work_has_its_volume_and_its_pages_apart() -> None:
    text = to_bibtex(REFERENCES.values())
    for entry in (
        "journal = {BMJ},\n  volume = {385},\n  pages = {e078378}",
        "booktitle = {KDD},\n  pages = {2623--2631}",
        "journal = {Insights into Imaging},\n  volume = {15},\n  pages = {8}",
        "booktitle = {ICLR},\n  year",
        "journal = {Radiology: Artificial Intelligence},\n  volume = {6}",
        "booktitle = {SAS Global Forum, paper 335}",
    ):
        assert entry in text  # fmt: skip


def test_a_document_holds_the_table_as_it_is_whatever_its_texts_are() -> None:
    docx = pytest.importorskip("docx", reason="python-docx is not installed (extra publish)")
    table = Table(("label_name", "n"), [("<b>&\x00 \ud800", 0.81239), ("50 ± 3 < 4", None)])
    document = docx.Document(io.BytesIO(to_docx(table, "Study & co: results")))
    assert document.paragraphs[0].text == document.core_properties.title == "Study & co: results"
    [drawn] = document.tables
    assert [[cell.text for cell in row.cells] for row in drawn.rows] == [
        ["label name", "n"], ["<b>&? ?", "0.8124"], ["50\xa0±\xa03 < 4", "\N{EN DASH}"],
    ]  # fmt: skip
    noted = docx.Document(io.BytesIO(to_docx(table, "x", "Of approximate\x00 intervals.")))
    assert noted.paragraphs[-1].text == "Of approximate? intervals."
    # Numbers stand to the right, and the head is repeated on the next page.
    assert drawn.rows[1].cells[1].paragraphs[0].alignment == 2
    assert "tblHeader" in drawn.rows[0]._tr.xml
    assert "tblHeader" not in drawn.rows[1]._tr.xml
    wide = docx.Document(io.BytesIO(to_docx(Table(tuple("abcdefg"), [tuple(range(7))]), "Wide"))).sections[0]
    assert wide.page_width > wide.page_height
