"""What was searched: scatter of random points, heat map of a grid, slices of every hyperparameter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dashboards.figures.drawing import (
    Panels,
    Picture,
    Trace,
    label,
    make_empty,
    make_figure,
    measure,
    name_axis,
    shorten,
    shorten_one,
    trace,
    value_colours,
)
from dashboards.figures.palette import BLUE, GREY, VALUE_SCALE, VERMILLION, fade
from dashboards.tables.view import StudyView, Table, as_cell, describe_state, read_params
from storage.metrics.objectives import Metric
from storage.states import PointOutcome, PointState
from storage.studies.point_records import PointRecord
from storage.wording import show_params

BEST = {"symbol": "star", "size": 19, "color": VERMILLION, "line": {"width": 1.5, "color": "#ffffff"}}


def draw_search(view: StudyView) -> Picture:
    """The searched points by value: a heat map for a grid of two, a scatter otherwise."""
    spec = view.study.spec
    grids = [name for name in view.searched if spec.search[name].values and not spec.search[name].when]
    if len(view.searched) == 2 and len(grids) == 2 and spec.sampler.name == "grid":
        return draw_heat_map(view)
    return draw_scatter(view)


def draw_scatter(view: StudyView) -> Picture:
    """Scatter of the first two searched hyperparameters coloured by value, the best marked."""
    # What acts in every trial says most about all of them.
    names = sorted(view.searched, key=lambda name: bool(view.study.spec.search[name].when))[:2]
    title = f"{view.study.name}: {' x '.join(label(name) for name in names)}"
    tried = [point for point in view.points if point.params and point.state.is_settled]
    columns = ("point", "trial", "state", *view.searched, view.metric.name)
    table = Table(
        columns,
        [
            (point.point, point.trial_number, describe_state(point),
             *read_params(point, view.searched), point.value)
            for point in tried
        ],
    )  # fmt: skip
    caption = (
        "Each mark is one trial. Filled: complete, coloured by its objective. Open: pruned early. "
        "Cross: failed. Star: the best" + (f" ({show_params(view.best.params)})." if view.best else ".")
    )
    if not tried:
        why = "no trial has finished yet"
        return Picture("search", title, caption, table, make_empty(title, why))
    traces = _scatter_traces(view, tried, names)
    figure = make_figure(
        traces,
        title=title,
        height=480,
        xaxis=_axis(view, names[0]),
        yaxis=_axis(view, names[1]) if len(names) > 1 else name_axis(view.metric),
    )
    return Picture("search", title, caption, table, figure)


def _scatter_traces(view: StudyView, tried: list[PointRecord], names: list[str]) -> list[Trace]:

    def place(points: Sequence[PointRecord]) -> dict[str, Any]:
        def read(name: str) -> list[Any]:
            return shorten([as_cell((point.params or {}).get(name)) for point in points])

        values = measure([point.value for point in points], view.metric)
        return {
            "x": read(names[0]),
            "y": read(names[1]) if len(names) > 1 else values,
            "customdata": [
                [point.point, point.trial_number, shorten_one(value, 4)]
                for point, value in zip(points, values, strict=True)
            ],
            "hovertemplate": "trial %{customdata[1]}<br>%{x}, %{y}"
            f"<br>val {view.metric.label} %{{customdata[2]}}",
            "mode": "markers",
        }

    complete = view.ranked
    pruned = [point for point in tried if point.outcome == PointOutcome.PRUNED]
    failed = [point for point in tried if point.state == PointState.FAILED]
    traces = []
    if pruned:
        marker = {"symbol": "circle-open", "size": 7, "color": GREY, "line": {"width": 1.2}}
        traces.append(trace("scatter", **place(pruned), name="pruned", marker=marker))
    if complete:
        values = measure([point.value for point in complete], view.metric)
        traces.append(
            trace("scatter",
                **place(complete), name="complete",
                marker={"size": 10, "color": values, "line": {"width": 1, "color": fade(GREY, 0.9)},
                        **value_colours(values, view.metric)},
            )
        )  # fmt: skip
    if failed:
        traces.append(
            trace(
                "scatter",
                **place(failed),
                name="failed",
                marker={"symbol": "x", "size": 9, "color": VERMILLION},
            )
        )
    if view.best:
        name = f"best: {view.metric.measured(view.best.value or 0.0):.4f}"
        traces.append(trace("scatter", **place([view.best]), name=name, marker=BEST))
    return traces


def draw_heat_map(view: StudyView) -> Picture:
    """Heat map of a grid of two hyperparameters with the value in each cell; pruned cells are pale and say so."""
    across, down = _order(view)
    xs, ys = (_list_cells(view, name) for name in (across, down))
    title = f"{view.study.name}: {label(across)} x {label(down)}"
    cells = {}
    for point in view.points:
        params = point.params or {}
        if across in params and down in params:
            cells[_nearest(xs, as_cell(params[across])), _nearest(ys, as_cell(params[down]))] = point
    table = Table(
        (across, down, "state", view.metric.name, "last_epoch"),
        [
            (xs[x], ys[y], describe_state(point), point.value, point.epoch)
            for (x, y), point in sorted(cells.items())
        ],
    )
    caption = (
        "The objective in each cell of the grid. Pale cells were pruned: the number is what they had after the "
        "epoch they were stopped at (@), not comparable with the others. The frame marks the best."
    )
    layers = {PointOutcome.COMPLETE: 1.0, PointOutcome.PRUNED: 0.35}
    known = [
        view.metric.measured(point.value)
        for point in cells.values()
        if point.outcome in layers and point.value is not None
    ]
    if not known:
        return Picture("search", title, caption, table, make_empty(title, "no cell has finished yet"))
    scale = value_colours(measure([point.value for point in view.ranked], view.metric) or known, view.metric)
    traces: list[Trace] = []
    for outcome, opacity in layers.items():
        grid = [
            [
                measure([cells[x, y].value], view.metric)[0]
                if (x, y) in cells and cells[x, y].outcome == outcome
                else None
                for x in range(len(xs))
            ]
            for y in range(len(ys))
        ]
        if any(value is not None for row in grid for value in row):
            traces.append(
                trace("heatmap",
                    z=grid, x=list(range(len(xs))), y=list(range(len(ys))), opacity=opacity,
                    colorscale=VALUE_SCALE, reversescale=scale["reversescale"], zmin=scale["cmin"], zmax=scale["cmax"], xgap=2, ygap=2,
                    showscale=not traces, colorbar=scale["colorbar"], hoverinfo="skip",
                )
            )  # fmt: skip
    figure = make_figure(
        traces,
        title=title,
        height=max(360, 46 * len(ys) + 140),
        xaxis={"title": {"text": _title(view, across)}, "tickvals": list(range(len(xs))),
               "ticktext": [_power(value) for value in xs], "showgrid": False, "zeroline": False},
        yaxis={"title": {"text": _title(view, down)}, "tickvals": list(range(len(ys))),
               "ticktext": [_power(value) for value in ys], "showgrid": False, "zeroline": False},
        annotations=[_cell_text(x, y, point, scale, view.metric) for (x, y), point in cells.items()],
    )  # fmt: skip
    best = view.best
    for (x, y), point in cells.items():
        if best is not None and point.point == best.point:
            frame = {"type": "rect", "x0": x - 0.48, "x1": x + 0.48, "y0": y - 0.46, "y1": y + 0.46}
            figure["layout"]["shapes"] = [{**frame, "line": {"color": VERMILLION, "width": 3}}]
    return Picture("search", title, caption, table, figure)


def draw_slices(view: StudyView) -> Picture:
    """The objective over each searched hyperparameter alone."""
    title = f"{view.study.name}: each hyperparameter alone"
    caption = "The complete trials, plotted against one hyperparameter at a time."
    complete = view.ranked
    table = Table(
        ("point", *view.searched, view.metric.name),
        [(point.point, *read_params(point, view.searched), point.value) for point in complete],
    )
    if not complete or not view.searched:
        return Picture("slices", title, caption, table, make_empty(title, "no trial is complete yet"))
    panels = Panels(len(view.searched), 3, across=0.04, down=0.22, share_y=True)
    values = measure([point.value for point in complete], view.metric)
    traces = [
        trace(
            "scatter", x=shorten([as_cell((point.params or {}).get(name)) for point in complete]), y=values, mode="markers",
            showlegend=False, marker={"size": 7, "color": fade(BLUE, 0.6)},
            hovertemplate="%{x}: %{y:.4f}<extra></extra>", **panels.axes(place),
        )
        for place, name in enumerate(view.searched)
    ]  # fmt: skip
    layout = panels.layout(
        xs=[_axis(view, name) for name in view.searched],
        ys=[name_axis(view.metric) for _ in view.searched],
    )
    figure = make_figure(traces, title=title, height=280 * panels.rows + 100, **layout)
    return Picture("slices", title, caption, table, figure)


def _order(view: StudyView) -> tuple[str, str]:
    """The hyperparameter with fewer values lies across: more rows than columns read better on a phone."""
    one, other = view.searched
    counts = {name: len(view.study.spec.search[name].values or ()) for name in (one, other)}
    return (one, other) if counts[one] <= counts[other] else (other, one)


def _cell_text(x: int, y: int, point: PointRecord, scale: dict[str, Any], metric: Metric) -> dict[str, Any]:
    text = "not a number" if point.state == PointState.DONE else describe_state(point)
    font: dict[str, Any] = {"size": 12}
    value = metric.measured(point.value or 0.0)
    if point.is_complete:
        text = f"<b>{value:.4f}</b>"
        middle = (scale["cmin"] + scale["cmax"]) / 2
        font["color"] = "#1f2430" if (value < middle) == scale["reversescale"] else "#ffffff"
    elif point.outcome == PointOutcome.PRUNED and point.value is not None:
        text = f"{value:.4f}<br>@{point.epoch}"
    return {"x": x, "y": y, "text": text, "showarrow": False, "font": font}


def _list_cells(view: StudyView, name: str) -> list[Any]:
    if view.study.spec.search[name].type == "choice":
        return view.categories(name)
    return _sorted(view.study.spec.search[name].values)


def _sorted(values: Sequence[Any] | None) -> list[Any]:
    return sorted(values or (), key=lambda value: (isinstance(value, str), value))


def _nearest(values: Sequence[Any], wanted: Any) -> int:
    if wanted in values:
        return values.index(wanted)
    return min(range(len(values)), key=lambda place: abs(values[place] - wanted))


def _power(value: float | str) -> str:
    if isinstance(value, str):
        return value
    text = f"{value:.0e}" if value else "0"
    mantissa, _, exponent = text.partition("e")
    exact = f"{value:.6g}"
    return (
        f"10<sup>{int(exponent)}</sup>" if mantissa == "1" and float(text) == value and value < 1 else exact
    )


def _list_ticks(low: float, high: float) -> dict[str, Any]:
    """Ticks at 1, 2 and 5 of a log axis of less than a power of ten, where all the digits would run into each other."""
    power = 10 ** math.floor(math.log10(low))
    values = [float(f"{digit * power * ten:.3g}") for ten in (1, 10) for digit in (1, 2, 3, 5, 7)]
    shown = [value for value in values if 0.95 * low <= value <= 1.05 * high]
    coarse = [value for value in shown if f"{value:e}"[0] in "125"]
    found = coarse if len(coarse) > 1 else shown
    return {"tickvals": found, "ticktext": [f"{value:g}" for value in found]} if len(found) > 1 else {}


def _title(view: StudyView, name: str) -> str:
    return f"{label(name)}, log scale" if view.study.spec.search[name].log else label(name)


def _axis(view: StudyView, name: str) -> dict[str, Any]:
    axis: dict[str, Any] = {"title": {"text": label(name)}, "type": "linear", "zeroline": False}
    if view.is_category(name):
        return axis | {"type": "category", "categoryorder": "array", "categoryarray": view.categories(name)}
    if view.study.spec.search[name].log:
        # Powers of ten: Plotly's own are 10n and 100µ, and nobody writes an epsilon so.
        axis |= {"type": "log", "exponentformat": "power"}
        tried = [float((point.params or {})[name]) for point in view.points if name in (point.params or {})]
        if tried and max(tried) >= 10 * min(tried):
            axis["dtick"] = 1 if max(tried) < 1e4 * min(tried) else 2
        elif tried:
            axis |= _list_ticks(min(tried), max(tried))
    return axis
