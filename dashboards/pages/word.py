"""A table as a document of a word processor (.docx), ruled as journals print tables; needs python-docx (extra `publish`)."""

from __future__ import annotations

import io
import re
from importlib.util import find_spec
from typing import Any

from dashboards.pages.columns import keep_together, share_width
from dashboards.pages.html import prepare_table
from dashboards.tables.view import Table

MOST_UPRIGHT = 6
"""Columns that a page has room for upright; a table of more of them is printed across."""
FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that XML cannot hold."""


def can_write() -> bool:
    """Whether python-docx is installed."""
    return find_spec("docx") is not None


def to_docx(table: Table, caption: str, note: str = "") -> bytes:
    """The file: the caption above the table, a note below, lines above and below it and below its head, which is repeated on every page.

    Args:
        table: its texts are taken as they are; what XML cannot hold becomes a question mark.
        caption: one sentence.
        note: sentences below the table; none where it is empty.

    Raises:
        ImportError: python-docx is not installed.
    """
    import docx
    from docx.enum.section import WD_ORIENT
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Mm, Pt

    document = docx.Document()
    for property_ in ("author", "comments", "title"):
        setattr(document.core_properties, property_, _plain(caption)[:255] if property_ == "title" else "")
    section = document.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.left_margin = section.right_margin = Mm(20)
    if len(table.columns) > MOST_UPRIGHT:
        section.orientation = WD_ORIENT.LANDSCAPE
        section.page_width, section.page_height = section.page_height, section.page_width
    document.styles["Normal"].font.size = Pt(8 if len(table.columns) > MOST_UPRIGHT else 9)
    document.add_paragraph().add_run(_plain(caption)).bold = True
    shown = prepare_table(table)
    cells = [
        [name.replace("_", " ") for name in table.columns],
        *([_cell(one) for one in row] for row in table.rows),
    ]
    drawn = document.add_table(len(cells), len(table.columns))
    drawn.autofit = False
    room = section.page_width - section.left_margin - section.right_margin
    widths = [round(room * share) for share in share_width(table, breaks_names=False)]
    for column, width in zip(drawn.columns, widths, strict=True):
        column.width = width  # LibreOffice reads those of the columns, Word those of the cells.
    # Its own lists of rows and cells are made again at every look.
    for number, (row, texts) in enumerate(zip(drawn.rows, cells, strict=True)):
        for place, (cell, text) in enumerate(zip(row.cells, texts, strict=True)):
            cell.width = widths[place]
            paragraph = cell.paragraphs[0]
            paragraph.paragraph_format.space_after = Pt(0)
            paragraph.add_run(_plain(keep_together(text))).bold = number == 0 or None
            if shown.numeric[place]:
                paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
            _rule(cell, above=number == 0, below=number in (0, len(cells) - 1))
    _set(drawn.rows[0]._tr.get_or_add_trPr(), "tblHeader", val="true")
    if note:
        document.add_paragraph(_plain(note))
    content = io.BytesIO()
    document.save(content)
    return content.getvalue()


def _rule(cell: Any, *, above: bool, below: bool) -> None:
    """Lines of half a point above and below a cell."""
    from docx.oxml import OxmlElement

    if not above and not below:
        return
    borders = OxmlElement("w:tcBorders")
    for side, is_drawn in (("top", above), ("bottom", below)):
        if is_drawn:
            _set(borders, side, val="single", sz="4", space="0", color="auto")
    cell._tc.get_or_add_tcPr().append(borders)


def _set(parent: Any, name: str, **attributes: str) -> None:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    element = OxmlElement(f"w:{name}")
    for key, value in attributes.items():
        element.set(qn(f"w:{key}"), value)
    parent.append(element)


def _cell(value: object) -> str:
    if value is None or value != value:
        return "\N{EN DASH}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _plain(text: str) -> str:
    return FORBIDDEN.sub("?", text)
