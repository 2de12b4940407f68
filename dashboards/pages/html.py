"""The HTML that a page is made of: templates, figures, tables and texts of anybody, escaped, and scripts that need no network."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from dashboards.figures.drawing import Picture
from dashboards.figures.palette import list_swaps, make_template
from dashboards.pages.columns import print_signs
from dashboards.tables.methods import CITED
from dashboards.tables.view import Table
from storage.metrics.objectives import METRICS

COLUMN_NAMES = {"fold_sd": "SD over folds"}
MEASURED = frozenset(
    {"value", *COLUMN_NAMES.values(), *(f"validation {one.label}" for one in METRICS.values())}
)
"""Columns whose numbers are compared by eye: all with four places. A hyperparameter stands as one writes it."""

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"
WHOLE = re.compile(r"\([\d.\u2212]+ to [\d.\u2212]+\)[;,.]?|(?<![\w-])--?[a-z][\w-]*")
"""What no line ends within: an interval, which torn after "to" takes three lines, and an option, which is torn at its hyphens."""
SQUARE = frozenset({"roc", "calibration", "decisions", "agreement", "differences"})
"""Figures whose two axes are alike, or that journals print square: the last part of their names."""


@dataclass(frozen=True)
class ShownTable:
    """A table and which of its columns are numbers, which stand to the right."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    numeric: Sequence[bool]


@dataclass(frozen=True)
class ShownFigure:
    """A figure as the page names it; `look` is "square", "broad" or empty, `height` in pixels."""

    id: str
    title: str
    label: str
    caption: str
    height: int
    look: str


def render(name: str, **values: Any) -> str:
    """Fill in a template of `dashboards/pages/page-templates`; every value is escaped."""
    return str(_environment().get_template(name).render(**values))


def render_page(template: str, title: str, said: str, drawn: Mapping[str, Any], **values: Any) -> str:
    """A whole page that opens from a file and asks the network for nothing.

    Args:
        template: that extends `layout.html`.
        title: of the page.
        said: a sentence below it.
        drawn: Plotly figures by the id of their element, as `prepare_figure` leaves them.
        values: what the template shows.
    """
    from markupsafe import Markup

    themes = {theme: make_template(theme, transparent=True) for theme in ("light", "dark")}
    # Our own files, and JSON that cannot end its element: the only texts that are not escaped.
    trusted = {
        "policy": POLICY,
        "style": read_asset("report.css"),
        "script": read_asset("report.js"),
        "plotly": read_plotly(),
        "templates": embed_json(themes),
        "swaps": embed_json(list_swaps()),
        "drawn": embed_json(dict(drawn)),
    }
    whole = {name: Markup(text) for name, text in trusted.items()}
    return render(template, title=title, said=said, **whole, **values)


def show_pictures(title: str, said: str, pictures: Sequence[Picture]) -> str:
    """A page of figures, each above its numbers."""
    drawn: dict[str, Any] = {}
    shown = [
        {"figure": prepare_figure(picture, "p", drawn), "table": prepare_table(picture.table)}
        for picture in pictures
    ]
    return render_page("pictures.html", title, said, drawn, pictures=shown)


def prepare_figure(picture: Picture, place: str, drawn: dict[str, Any]) -> ShownFigure:
    """A figure as a template shows it; its drawing goes into `drawn`, for the script of the page.

    Args:
        picture: the figure.
        place: a prefix that makes its name unique on the page.
        drawn: Plotly figures of the page by the id of their element; this one is added.
    """
    name = f"{place}-{picture.name}"
    drawn[name] = picture.figure
    title = picture.title.partition(": ")[2] or picture.title
    look = "broad" if picture.is_broad else "square" if is_square(picture) else ""
    height = int(picture.figure["layout"].get("height", 420))
    return ShownFigure(name, title[:1].upper() + title[1:], picture.title, picture.caption, height, look)


def is_square(picture: Picture) -> bool:
    """Whether a figure is drawn as high as it is wide."""
    return picture.name.rpartition("-")[2] in SQUARE


def prepare_table(table: Table) -> ShownTable:
    """A table as a template shows it: metrics as they are measured, under their names."""
    table = _measure(table)
    numeric = [
        all(row[place] is None or isinstance(row[place], int | float) for row in table.rows)
        for place in range(len(table.columns))
    ]
    return ShownTable(table.columns, table.rows, numeric)


def _measure(table: Table) -> Table:
    """Scores as people read them, under the words for what they are."""
    metrics = [METRICS.get(name) for name in table.columns]
    rows = [
        tuple(
            metric.measured(cell) if metric and isinstance(cell, float) else cell
            for metric, cell in zip(metrics, row, strict=True)
        )
        for row in table.rows
    ]
    return Table(tuple(name_column(name) for name in table.columns), rows)


def name_column(name: str) -> str:
    """The head of a column in words: "validation AUC" of `val_auc`."""
    if name in METRICS:
        return f"validation {METRICS[name].label}"
    return COLUMN_NAMES.get(name, name.replace("_", " "))


@cache
def _environment() -> Any:
    import jinja2

    def load(name: str) -> str:
        return (files("dashboards.pages") / "page-templates" / name).read_text(encoding="utf-8")

    made = jinja2.Environment(
        loader=jinja2.FunctionLoader(load),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "cell": _cell,
        "flat": _flat,
        "prose": _prose,
        "whole": _whole,
        "cited": _cite,
        "breakable": _breakable,
    }
    return made


def _cell(value: Any, name: str = "") -> Any:
    if value is None or value != value:
        return "-"
    if isinstance(value, float):
        return print_signs(f"{value:.4f}" if name in MEASURED else f"{value:.4g}")
    return _whole(value)


def _whole(value: Any) -> Any:
    """A text whose intervals and options stay on one line."""
    from markupsafe import Markup

    return Markup(WHOLE.sub(r'<span class="ends">\g<0></span>', escape(print_signs(str(value)))))


def _flat(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_flat(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_flat(item) for item in value)
    return _cell(value) if isinstance(value, float) else str(value)


def _breakable(key: str) -> Any:
    """The name of a setting that a narrow screen may break after a point or an underscore."""
    from markupsafe import Markup

    return Markup(escape(key).replace(".", ".<wbr>").replace("_", "_<wbr>"))


def _prose(value: str) -> Any:
    """A text with its `commands` set as such."""
    from markupsafe import Markup

    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(_whole(value))))


def _cite(value: str, numbers: Mapping[str, int], place: str) -> Any:
    """A text whose [@key] lead to the list of references."""
    from markupsafe import Markup

    def link(found: re.Match[str]) -> str:
        key = found[1]
        return f'<a class="cite" href="#{place}-ref-{key}">[{numbers[key]}]</a>'

    return Markup(CITED.sub(link, escape(value)))


def escape(value: Any) -> str:
    """A text from anywhere, which can bring no markup with it."""
    return html.escape(str(value))


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
