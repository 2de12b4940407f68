"""What goes into a paper beside the page: tables as CSV, LaTeX and .docx, the methods section, the references."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from dashboards.pages.chapter import Chapter
from dashboards.pages.columns import (
    NO_BREAK,
    keep_together,
    list_texts,
    longest_word,
    print_signs,
    share_width,
)
from dashboards.pages.word import to_docx
from dashboards.tables.methods import to_markdown, write_methods
from dashboards.tables.patients import list_populations, tabulate_patients
from dashboards.tables.performance import (
    RUST_TITLE,
    tabulate_overall,
    tabulate_performance,
    tabulate_rust,
    tabulate_subgroups,
)
from dashboards.tables.references import GUIDELINES, Reference, cite, to_bibtex
from dashboards.tables.view import Table
from storage.metrics.intervals import ABOUT_INTERVALS

SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "<": r"$<$", ">": r"$>$", "\N{MINUS SIGN}": "$-$", NO_BREAK: "~"} | {
    sign: f"\\{sign}" for sign in "&%$#_{}"
}  # fmt: skip

PAGE_CHARACTERS = 85
"""More than these in a line are wider than a page of text."""

FOOTNOTE_CHARACTERS = 105
"""As many fit into a line of footnote size; of more the letters are smaller."""

PAGE_LINES = 45
"""More lines than these do not fit on a page with its caption; such a table goes on on the next one."""

WITH_INTERVALS = ("results", "classes", "rust", "subgroups")
"""Tables whose intervals are those of `storage.metrics.intervals`."""


def collect_texts(chapter: Chapter, versions: Mapping[str, str | None], prefix: str = "") -> dict[str, str]:
    """The texts of one study by name of the file: `table-*.csv`, `table-*.tex`, `table-notes.txt` (what a CSV file has no place for) and `methods.md`.

    Args:
        chapter: of the study.
        versions: of the libraries.
        prefix: of the labels of its tables, which are those of one of several studies in a paper.
    """
    files: dict[str, str] = {}
    notes = []
    for name, caption, table, note in list_tables(chapter):
        files[f"table-{name}.csv"] = _as_data(table).to_csv()
        files[f"table-{name}.tex"] = to_latex(table, caption, prefix + name, note)
        notes += [f"table-{name}: {caption}. {note}".strip()]
    files["table-notes.txt"] = "\n".join(notes) + "\n"
    methods = write_methods(
        chapter.view, chapter.data_summary, chapter.openings, chapter.evaluations, versions
    )
    files["methods.md"] = to_markdown(methods)
    return files


def collect_documents(chapter: Chapter) -> dict[str, bytes]:
    """The same tables by name of the file: `table-*.docx`.

    Raises:
        ImportError: python-docx is not installed.
    """
    return {
        f"table-{name}.docx": to_docx(table, caption, note)
        for name, caption, table, note in list_tables(chapter)
    }


def collect_references(chapters: Sequence[Chapter], versions: Mapping[str, str | None]) -> str:
    """Every work that the methods of these studies cite, and the reporting guidelines, as BibTeX."""
    cited: list[Reference] = []
    for chapter in chapters:
        cited += write_methods(
            chapter.view, chapter.data_summary, chapter.openings, chapter.evaluations, versions
        ).references
    return to_bibtex(cite([*(one.key for one in cited), *GUIDELINES]))


def to_latex(table: Table, caption: str, label: str, note: str = "") -> str:
    """A table for LaTeX with the packages booktabs, array and longtable, a note below it; every text is escaped.

    One that is wider than a page has smaller letters and columns that break their lines, of widths by what is in them.
    """
    columns = list_texts(table)
    is_wide = sum(max(map(len, column)) for column in columns) > PAGE_CHARACTERS
    # What no line ends within decides how small the letters are.
    least = sum(max(map(longest_word, column)) + 2 for column in columns)
    is_small = least > FOOTNOTE_CHARACTERS
    size = (r"\scriptsize" if is_small else r"\footnotesize") + r"\setlength{\tabcolsep}{3pt}"
    shape = _share_page(table) if is_wide else "l" * len(table.columns)
    head = [
        r"\toprule",
        " & ".join(escape_latex(name.replace("_", " ")) for name in table.columns) + r" \\",
        r"\midrule",
    ]
    rows = [" & ".join(_cell(cell) for cell in row) + r" \\" for row in table.rows]
    caption = rf"\caption{{{escape_latex(caption)}}}"
    name = rf"\label{{tab:{re.sub(r'[^a-z0-9-]', '', label.lower())}}}"
    below = [rf"\par\smallskip\footnotesize {escape_latex(note)}"] if note else []
    if _count_lines(table, columns, is_wide=is_wide) > PAGE_LINES:
        lines = [
            "{" + (size if is_wide else ""),
            rf"\begin{{longtable}}{{{shape}}}",
            caption + name + r"\\",
            *head,
            r"\endfirsthead",
            *head,
            r"\endhead",
            r"\bottomrule",
            r"\endfoot",
            *rows,
            r"\end{longtable}",
            *below,
            "}",
        ]
    else:
        lines = [
            r"\begin{table}",
            r"\centering",
            caption,
            name,
            *([size] if is_wide else []),
            rf"\begin{{tabular}}{{{shape}}}",
            *head,
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            *below,
            r"\end{table}",
        ]
    return "\n".join(lines) + "\n"


def _count_lines(table: Table, columns: Sequence[Sequence[str]], *, is_wide: bool) -> int:
    """Lines that a table takes on paper, about."""
    if not is_wide:
        return len(table.rows)
    room = [max(1.0, share * FOOTNOTE_CHARACTERS) for share in share_width(table)]
    return sum(
        max(math.ceil(len(text) / wide) for text, wide in zip(row, room, strict=True))
        for row in zip(*columns, strict=True)
    )


def _as_data(table: Table) -> Table:
    """The table for a spreadsheet: a minus before negative numbers, which no spreadsheet takes for a formula, and nothing where there is nothing."""

    def say(cell: Any) -> Any:
        return cell if not isinstance(cell, str) else "" if cell == "-" else print_signs(cell)

    return Table(table.columns, [tuple(map(say, row)) for row in table.rows])


def _share_page(table: Table) -> str:
    """Columns of paragraphs that fill a page."""
    shares = share_width(table)
    free = 0.98 - 0.013 * len(shares)
    return "".join(rf">{{\raggedright\arraybackslash}}p{{{free * share:.3f}\linewidth}}" for share in shares)


def escape_latex(text: str) -> str:
    """A text from anywhere, which LaTeX prints as it is and obeys in nothing."""
    indent = r"\quad " if text.startswith("\N{EN SPACE}") else ""
    kept = keep_together(" ".join(text.split()))
    return indent + "".join(SPECIAL.get(sign, sign) for sign in kept).replace(r"\_", r"\_\allowbreak{}")


def _cell(value: object) -> str:
    if value is None or value != value:
        return "--"
    return escape_latex(f"{value:.4g}" if isinstance(value, float) else str(value))


def list_tables(chapter: Chapter) -> list[tuple[str, str, Table, str]]:
    """The tables of a paper that have rows: short name, caption, table, and the note below those that have intervals."""
    found: list[tuple[str, str, Table | None]] = []
    parts = list_populations(chapter.population, chapter.evaluations)
    if parts:
        has_labels = chapter.view.study.spec.task.has_probabilities
        found.append(
            (
                "patients",
                "characteristics of patients",
                tabulate_patients(parts, chapter.data_summary, with_labels=has_labels),
            )
        )
    measured = chapter.measure()
    if measured:
        found.append(("results", "results per label, 95 % intervals", tabulate_performance(measured)))
        found.append(("classes", "all classes together, 95 % intervals", tabulate_overall(measured)))
    found.append(("rust", RUST_TITLE, tabulate_rust(chapter.judged)))
    found.append(("subgroups", "results within subgroups", tabulate_subgroups(chapter.evaluations)))
    answers = [(line.what, line.value, line.remark) for line in chapter.answer]
    found.append(("answer", "main results", Table(("result", "value", "remark"), answers)))
    study = chapter.view.study.name
    return [
        (name, f"{study}: {caption}", table, ABOUT_INTERVALS if name in WITH_INTERVALS else "")
        for name, caption, table in found
        if table is not None and table.rows
    ]
