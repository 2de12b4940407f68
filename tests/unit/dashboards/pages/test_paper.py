"""Files of a paper: what LaTeX would obey is printed as it is."""

from __future__ import annotations

from dashboards.pages.paper import to_latex
from dashboards.tables.view import Table


def test_nothing_in_a_table_is_obeyed_by_latex() -> None:
    table = Table(("label_name", "n & %"), [("\\input{secret}", 0.81239), ("50 ± 3 < 4", None)])
    text = to_latex(table, "$x$ {y}", "results")
    assert r"\textbackslash{}input\{secret\} & 0.8124 \\" in text
    assert r"50 $\pm$ 3 $<$ 4 & -- \\" in text
    assert r"label name & n \& \% \\" in text
    assert r"\caption{\$x\$ \{y\}}" in text
    assert text.count(r"\begin") == text.count(r"\end") == 2
