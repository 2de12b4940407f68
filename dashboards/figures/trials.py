"""All trials at once: as lines through their hyperparameters to their value, and by two objectives with the Pareto front."""

from __future__ import annotations

import math
from typing import Any

from dashboards.figures.drawing import Picture, label, make_empty, make_figure, shorten, trace
from dashboards.figures.palette import BLUE, GREY, VALUE_SCALE, VERMILLION, fade
from dashboards.tables.view import StudyView, Table, as_cell, read_params
from storage.results.further import further_of, list_front

IDLE = "not used"
"""Where a line passes an axis of a hyperparameter that does not act in its trial."""
TICKS = 5
ROOM = 0.12
"""The place of `IDLE` below the axis, as a share of the axis."""


def draw_parallel(view: StudyView) -> Picture:
    """Parallel coordinates of the complete trials, coloured by value; words and lists have ticks of their own."""
    title = f"{view.study.name}: every trial through its hyperparameters"
    caption = (
        "Each line is one complete trial, coloured by its objective; the axes are the searched hyperparameters and, last, the objective. "
        f'A line meets "{IDLE}" where a condition of the search leaves the hyperparameter out. Drag along an axis to keep some of the lines.'
    )
    complete = view.ranked
    table = Table(
        ("point", *view.searched, view.metric.name),
        [(point.point, *read_params(point, view.searched), point.value) for point in complete],
    )
    if not complete or not view.searched:
        return Picture("parallel", title, caption, table, make_empty(title, "no trial is complete yet"))
    values = [float(point.value or 0) for point in complete]
    axes = [
        _axis(view, name, [(point.params or {}).get(name) for point in complete]) for name in view.searched
    ]
    objective = {"label": view.metric.long_label, "values": shorten(values)}
    low, high = min(values), max(values)
    line = {"color": shorten(values), "colorscale": VALUE_SCALE, "cmin": low, "cmax": max(high, low + 1e-6)}
    figure = make_figure(
        [trace("parcoords", dimensions=[*axes, objective], line=line)],
        title=title,
        height=440,
        margin={"l": 80, "r": 60, "t": 110, "b": 40},
    )
    return Picture("parallel", title, caption, table, figure)


def _axis(view: StudyView, name: str, values: list[Any]) -> dict[str, Any]:
    cells = [as_cell(value) for value in values]
    idle = any(cell is None for cell in cells)
    if view.is_category(name):
        words = [*([IDLE] if idle else []), *view.categories(name)]
        places = [words.index(IDLE if cell is None else cell) for cell in cells]
        ticks = {"tickvals": list(range(len(words))), "ticktext": [str(word) for word in words]}
        return {"label": label(name), "values": places, "range": [-0.25, len(words) - 0.75], **ticks}
    log = view.study.spec.search[name].log
    known = [float(cell) for cell in cells if cell is not None]
    places_of = [math.log10(value) if log else value for value in known] or [0.0]
    low, high = min(places_of), max(places_of)
    width = (high - low) or 1.0
    below = low - ROOM * width
    marks = [low + step * width / (TICKS - 1) for step in range(TICKS)]
    return {
        "label": label(name),
        "values": shorten(
            [below if cell is None else math.log10(float(cell)) if log else float(cell) for cell in cells]
        ),
        "range": [below if idle else low, low + width],
        "tickvals": shorten([*([below] if idle else []), *marks]),
        "ticktext": [*([IDLE] if idle else []), *(f"{10**mark if log else mark:.3g}" for mark in marks)],
    }


def draw_front(view: StudyView) -> Picture:
    """The complete trials by the study's metric and its first further objective; those on the Pareto front joined by a line."""
    further = view.study.spec.further
    title = f"{view.study.name}: Pareto front"
    caption = (
        "Each mark is one complete trial. Blue, joined by a line: no other trial is at least as good in every objective and better in one. "
        "The star is the best by the first objective."
    )
    known = further_of(view.points, view.attempts)
    front = [point.point for point in list_front(view.study.spec, view.points, view.attempts)]
    complete = [point for point in view.ranked if point.point in known]
    table = Table(
        ("point", view.metric.name, *(one.name for one in further), "on_front", *view.searched),
        [
            (
                point.point,
                point.value,
                *(known[point.point][one.name] for one in further),
                point.point in front,
                *read_params(point, view.searched),
            )
            for point in complete
        ],
    )
    if not complete:
        return Picture("pareto", title, caption, table, make_empty(title, "no trial is complete yet"))
    across = further[0]
    places = {point.point: (known[point.point][across.name], float(point.value or 0)) for point in complete}

    def xy(points: list[int]) -> dict[str, list[float]]:
        return {
            "x": shorten([places[one][0] for one in points]),
            "y": shorten([places[one][1] for one in points]),
        }

    others = [point.point for point in complete if point.point not in front]
    ordered = sorted(front, key=lambda one: places[one])
    traces = [
        trace("scatter", **xy(others), mode="markers", name="other trials", marker={"size": 8, "color": fade(GREY, 0.8)}),
        # With more than two objectives the front is no line in this picture.
        trace("scatter", **xy(ordered), mode="lines+markers" if len(further) == 1 else "markers", name="Pareto front",
              marker={"size": 10, "color": BLUE}, line={"color": BLUE, "width": 1.5}),
        trace("scatter", **xy([complete[0].point]), mode="markers", name="best by the first objective",
              marker={"symbol": "star", "size": 17, "color": VERMILLION}),
    ]  # fmt: skip
    figure = make_figure(
        traces,
        title=title,
        height=460,
        xaxis={"title": {"text": across.label}},
        yaxis={"title": {"text": view.metric.long_label}},
    )
    return Picture("pareto", title, caption, table, figure)
