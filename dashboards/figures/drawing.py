"""What all figures share: the picture with its table, numbers short enough to send, empty figures that say why.

Figures are plain data in Plotly's own words, `{"data": [...], "layout": {...}}`, which is some fifty times faster to
make than Plotly's checked classes; `Picture.to_plotly` makes one of those, for notebooks and for files.
"""

from __future__ import annotations

import json
import math
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dashboards.figures.palette import GREY, VALUE_SCALE, list_swaps, make_template
from dashboards.tables.view import Table
from storage.metrics.objectives import Metric

LABELS = {
    "batch_size": "batch size (images)",
    "dropout_rate": "dropout rate",
    "learning_rate": "learning rate",
    "epsilon": "Adam epsilon",
    "beta_1": "Adam beta 1",
    "beta_2": "Adam beta 2",
}
DIGITS = 5
BROAD = "broad"
"""As `meta` of a layout: of a figure that needs the width of the page, whatever else it holds."""
FEW_EPOCHS = 15
ENTRY, NO_BREAK = 36, "\xa0"
"""Characters of a line of a legend within a figure, and a space that no line ends at."""
AXIS_LINE = 34
"""Characters of a line beside an upright axis."""
MOST_CELLS = 4
"""So many columns of a heat map have room for their values on a phone."""

Trace = dict[str, Any]
Figure = dict[str, Any]


@dataclass(frozen=True)
class Picture:
    """One figure and the numbers it was drawn from.

    Attributes:
        name: short and fit for a file name and an HTML id.
        title: one line.
        caption: what is seen, for a reader who was not there.
        table: the numbers.
        figure: plain data, without a template: its colours suit a light and a dark page.
    """

    name: str
    title: str
    caption: str
    table: Table
    figure: Figure

    @property
    def is_broad(self) -> bool:
        """Whether a narrow screen scrolls it sideways instead of squeezing it: panels, many cells, a time line."""
        layout = self.figure["layout"]
        cells = max((len(one["x"]) for one in self.figure["data"] if one["type"] == "heatmap"), default=0)
        is_timeline = layout.get("xaxis", {}).get("type") == "date"
        return layout.get("meta") == BROAD or "xaxis2" in layout or cells > MOST_CELLS or is_timeline

    def to_plotly(self, theme: str = "light") -> Any:
        """A Plotly figure in a theme, "light" or "dark"."""
        import plotly.graph_objects as go

        drawn = self.figure
        if theme == "dark":
            text = json.dumps(drawn)
            for old, new in list_swaps():
                text = text.replace(old, new)
            drawn = json.loads(text)
        figure = go.Figure(drawn)
        figure.update_layout(template=make_template(theme))
        return figure


def trace(kind: str, **values: Any) -> Trace:
    """One trace of a figure: "scatter", "bar", "box" or "heatmap"."""
    return {"type": kind, **values}


def make_figure(traces: Sequence[Trace], *, title: str, height: int = 420, **layout: Any) -> Figure:
    """A figure of some traces; `height` in pixels, the width is that of the page."""
    return {"data": list(traces), "layout": {"title": {"text": title}, "height": height, **layout}}


def make_empty(title: str, why: str) -> Figure:
    """A figure that says why there is nothing to see."""
    return make_figure(
        [],
        title=title,
        height=110,
        margin={"t": 40, "b": 10},
        xaxis={"visible": False},
        yaxis={"visible": False},
        annotations=[note(why, x=0.5, y=0.5, xref="paper", yref="paper")],
    )


def note(text: str, **values: Any) -> dict[str, Any]:
    """A text in a figure."""
    return {"text": text, "showarrow": False, **values}


def epoch_axis(epochs: int) -> dict[str, Any]:
    """The axis of that many epochs: its ticks are whole epochs, for there is no epoch 1.5.

    Plotly takes steps of 1 and more by itself where an axis is long.
    """
    return {"title": {"text": "epoch"}, **({"dtick": 1} if epochs <= FEW_EPOCHS else {})}


def entry(label: str, said: str) -> str:
    """A line of a legend within a figure, broken where a phone and a journal's column end; an interval stays whole."""
    whole = re.sub(r"\([^()]+ to [^()]+\)", lambda found: found[0].replace(" ", NO_BREAK), f"{label}: {said}")
    # Nor does a line end between "AUC" and its number.
    whole = re.sub(r" (?=\d)", NO_BREAK, whole)
    return "<br>".join(textwrap.wrap(whole, ENTRY)).replace(NO_BREAK, " ")


def upright_line(x: float, panel: str = "") -> dict[str, Any]:
    """A dotted line from the bottom to the top of a panel ("" for the first, then "2", "3"..)."""
    line = {"dash": "dot", "width": 1.5, "color": GREY}
    return {
        "type": "line", "x0": x, "x1": x, "xref": f"x{panel}", "y0": 0, "y1": 1,
        "yref": f"y{panel} domain", "line": line,
    }  # fmt: skip


@dataclass(frozen=True)
class Panels:
    """A grid of panels that share one figure, filled row by row.

    Attributes:
        count: how many panels.
        columns: at most how many beside each other.
        across: gap between columns, as a share of the width.
        down: gap between rows, as a share of the height.
        share_y: one range for all y axes, written at the first column only.
    """

    count: int
    columns: int
    across: float = 0.05
    down: float = 0.1
    share_y: bool = False

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return math.ceil(self.count / self.columns)

    def suffix(self, place: int) -> str:
        """What follows "x" and "y" in the names of the axes of a panel, counted from 0."""
        return "" if place == 0 else str(place + 1)

    def axes(self, place: int) -> dict[str, str]:
        """What ties a trace to its panel."""
        return {"xaxis": f"x{self.suffix(place)}", "yaxis": f"y{self.suffix(place)}"}

    def layout(
        self, *, xs: Sequence[dict[str, Any]], ys: Sequence[dict[str, Any]], titles: Sequence[str] = ()
    ) -> dict[str, Any]:
        """The axes and the titles of all panels.

        Args:
            xs: settings of each x axis.
            ys: settings of each y axis; with `share_y` only those of the first column show theirs.
            titles: one above each panel.
        """
        columns = min(self.columns, self.count)
        width = (1 - self.across * (columns - 1)) / columns
        height = (1 - self.down * (self.rows - 1)) / self.rows
        layout: dict[str, Any] = {"annotations": []}
        for place in range(self.count):
            row, column = divmod(place, columns)
            left, top = column * (width + self.across), 1 - row * (height + self.down)
            suffix = self.suffix(place)
            layout[f"xaxis{suffix}"] = {
                "domain": [round(left, 4), round(left + width, 4)], "anchor": f"y{suffix}", **xs[place],
            }  # fmt: skip
            y: dict[str, Any] = {
                "domain": [round(top - height, 4), round(top, 4)], "anchor": f"x{suffix}", **ys[place],
            }  # fmt: skip
            if self.share_y and place:
                y["matches"] = "y"
            if self.share_y and column:
                y.update(showticklabels=False, title={"text": ""})
            layout[f"yaxis{suffix}"] = y
            if titles:
                layout["annotations"].append(
                    note(titles[place], x=round(left + width / 2, 4), y=round(top, 4), xref="paper", yref="paper",
                         xanchor="center", yanchor="bottom", font={"size": 12})
                )  # fmt: skip
        return layout


def shorten(values: Sequence[Any], digits: int = DIGITS) -> list[Any]:
    """Round numbers to what a figure shows; what is not finite becomes None, a gap."""
    return [shorten_one(value, digits) for value in values]


def shorten_one(value: Any, digits: int = DIGITS) -> Any:
    """Round one number to significant digits; None where there is none."""
    if not isinstance(value, float):
        return value
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None


def label(name: str) -> str:
    """The name of a hyperparameter or metric as it stands on an axis."""
    return LABELS.get(name, name.replace("_", " "))


def measure(values: Sequence[Any], metric: Metric, digits: int = DIGITS) -> list[Any]:
    """Scores as people read them, rounded to what a figure shows: errors, where their negatives were maximised."""
    return shorten([None if value is None else metric.measured(float(value)) for value in values], digits)


def name_axis(metric: Metric, said: str | None = None) -> dict[str, Any]:
    """The title of an axis with measured values, in lines that fit the height of a figure.

    Args:
        metric: which.
        said: what is on the axis; left out, means over the folds.
    """
    lines = textwrap.wrap(said or metric.long_label, AXIS_LINE)
    return {"title": {"text": "<br>".join([*lines, *(["(lower is better)"] if metric.sign < 0 else [])])}}


def value_colours(values: Sequence[float], metric: Metric) -> dict[str, Any]:
    """The colour axis of a metric over the range of these values as they are measured; the best has the lightest colour."""
    low, high = min(values), max(values)
    margin = 0.005 if high - low < 1e-6 else 0.0
    return {
        "colorscale": VALUE_SCALE,
        "reversescale": metric.sign < 0,
        "cmin": shorten_one(low - margin),
        "cmax": shorten_one(high + margin),
        "colorbar": {
            "title": {"text": f"val {metric.label}", "side": "right"},
            "thickness": 14,
            "outlinewidth": 0,
        },
    }
