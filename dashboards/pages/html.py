"""The HTML that a page is made of: figures, tables and texts of anybody, escaped, and scripts that need no network."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from dashboards.figures.drawing import Picture
from dashboards.figures.palette import list_swaps, make_template
from dashboards.tables.view import Table
from storage.metrics.objectives import METRICS

MEASURED = frozenset({"value", "fold_sd", *METRICS})
"""Columns whose numbers are compared by eye: all with four places. A hyperparameter stands as one writes it."""

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"


def wrap_page(title: str, said: str, parts: Sequence[str], drawn: dict[str, Any], links: str = "") -> str:
    """A whole page around its parts, which opens from a file and asks the network for nothing.

    Args:
        title: of the page.
        said: a sentence below it.
        parts: HTML.
        drawn: Plotly figures by the id of their element, as `show_figure` leaves them.
        links: HTML of the links to its parts.
    """
    templates = {theme: make_template(theme, transparent=True) for theme in ("light", "dark")}
    return "".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title><style>{read_asset('report.css')}</style></head><body>",
            f'<header><h1>{escape(title)}</h1><p class="soft">{escape(said)}</p><nav>{links}</nav>',
            "</header><noscript><p>The figures are drawn by a script in this page, which is switched off. Tables and "
            "texts do not need it.</p></noscript><main>",
            *parts,
            "</main>",
            f'<script type="application/json" id="templates">{embed_json(templates)}</script>',
            f'<script type="application/json" id="swaps">{embed_json(list_swaps())}</script>',
            f'<script type="application/json" id="figures">{embed_json(drawn)}</script>',
            f"<script>{read_plotly()}</script><script>{read_asset('report.js')}</script></body></html>",
        ]
    )


def show_pictures(title: str, said: str, pictures: Sequence[Picture]) -> str:
    """A page of figures, each above its numbers."""
    drawn: dict[str, Any] = {}
    parts = [
        f"<section>{show_figure(picture, 'p', drawn)}{show_table(picture.table)}</section>"
        for picture in pictures
    ]
    return wrap_page(title, said, parts, drawn)


def show_figure(picture: Picture, place: str, drawn: dict[str, Any]) -> str:
    """A figure with its title and caption; its drawing goes into `drawn`, for the script of the page.

    Args:
        picture: the figure.
        place: a prefix that makes its name unique on the page.
        drawn: Plotly figures of the page by the id of their element; this one is added.
    """
    name = f"{place}-{picture.name}"
    drawn[name] = picture.figure
    height = picture.figure["layout"].get("height", 420)
    broad = ' class="broad"' if picture.is_broad else ""
    title = picture.title.partition(": ")[2] or picture.title
    return (
        f"<figure{broad}><h3>{escape(title[:1].upper() + title[1:])}</h3>"
        f'<div class="plot" id="{name}" style="height:{height}px" role="img" aria-label="{escape(picture.title)}">'
        f"</div><figcaption>{show_prose(picture.caption)}</figcaption></figure>"
    )


def show_facts(pairs: Sequence[tuple[str, Any]]) -> str:
    """A table of two columns: what, and its value."""
    rows = "".join(
        f'<tr><th>{_breakable(key)}</th><td class="long">{escape(_flat(value))}</td></tr>'
        for key, value in pairs
    )
    return f'<div class="wide told"><table>{rows}</table></div>'


def _breakable(key: str) -> str:
    """The name of a setting that a narrow screen may break after a point or an underscore."""
    return escape(key).replace(".", ".<wbr>").replace("_", "_<wbr>")


def show_table(table: Table, *, best: int | None = None, look: str = "wide") -> str:
    """A table; columns of numbers stand to the right, the row whose first cell is `best` is marked."""
    numeric = [
        all(row[place] is None or isinstance(row[place], int | float) for row in table.rows)
        for place in range(len(table.columns))
    ]
    head = "".join(
        f"<th{' class=n' if right else ''}>{escape(name.replace('_', ' '))}</th>"
        for name, right in zip(table.columns, numeric, strict=True)
    )
    body = []
    for row in table.rows:
        cells = "".join(
            f"<td{' class=n' if right else ' class=long' if len(str(cell)) > 24 else ''}>{escape(_cell(cell, name))}</td>"
            for cell, right, name in zip(row, numeric, table.columns, strict=True)
        )
        body.append(f"<tr{' class=best' if best is not None and row[0] == best else ''}>{cells}</tr>")
    return f'<div class="{look}"><table><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'


def _cell(value: Any, name: str = "") -> str:
    if value is None or value == "" or value != value:
        return "-"
    if isinstance(value, float):
        return f"{value:.4f}" if name in MEASURED else f"{value:.4g}"
    return str(value)


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_flat(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_flat(item) for item in value)
    return _cell(value) if isinstance(value, float) else str(value)


def escape(value: Any) -> str:
    """A text from anywhere, which can bring no markup with it."""
    return html.escape(str(value))


def show_prose(value: str) -> str:
    """A text with its `commands` set as such."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(value))


def embed_json(value: Any) -> str:
    """JSON that can stand inside a script element."""
    text = json.dumps(_finite(value), separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    return text.replace("<", "\\u003c")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_asset(name: str) -> str:
    """The style or the script of the page."""
    return (files("dashboards.pages") / name).read_text(encoding="utf-8")


def read_plotly() -> str:
    """Plotly's script, as it can stand inside a script element."""
    # Not through Plotly's own import, which takes a second.
    text = (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
    return text.replace("</script", "<\\/script")
