"""All trials at once: as lines through their hyperparameters to their value, and by two objectives with the Pareto front."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from dashboards.figures.drawing import (
    BROAD,
    Picture,
    Trace,
    label,
    make_empty,
    make_figure,
    measure,
    name_axis,
    note,
    shorten,
    shorten_one,
    trace,
)
from dashboards.figures.palette import BLUE, GREY, RAMP, VERMILLION, fade
from dashboards.tables.view import StudyView, Table, as_cell, read_params
from storage.metrics.objectives import METRICS, Metric
from storage.results.further import further_of, list_front
from storage.studies.point_records import PointRecord

IDLE = "not used"
"""Where a line passes an axis of a hyperparameter that does not act in its trial."""
TICKS = 5
MOST_WORDS = 12
"""Words beside an axis at most; of more of them every second, third .. is written."""
LONGEST_WORD = 18
ROOM = 0.12
"""The place of `IDLE` below the axis, as a share of the axis."""
LEAST_WIDTH, CHARACTER, BROADEST = 540, 6.2, 0.6
"""Pixels that all axes have on the narrowest paper, those of a letter, and the broadest an axis gets, in distances between axes."""
MOST_LINES = 500
"""Lines that can be seen beside each other, the best ones first."""


@dataclass(frozen=True)
class _Axis:
    """One upright axis: where each line meets it, from 0 (bottom) to 1, and what is written at which place."""

    title: str
    places: list[float]
    marks: list[tuple[float, str]]


def draw_parallel(view: StudyView) -> Picture:
    """Parallel coordinates of the complete trials, coloured by value; words and lists have ticks of their own.

    Drawn as plain lines: Plotly's own parallel coordinates need WebGL, which compiles code that the page's policy forbids.
    """
    title = f"{view.study.name}: every trial through its hyperparameters"
    complete = view.ranked
    shown = complete[:MOST_LINES]
    caption = (
        f"Each line is one complete trial{'' if len(shown) == len(complete) else f' (the best {len(shown)} of {len(complete):,})'}: the bluer and thicker, "
        "the better; red: the best. The axes are the searched hyperparameters and, last, the objective. "
        f'A line meets "{IDLE}" where a condition of the search leaves the hyperparameter out.'
    )
    table = Table(
        ("point", *view.searched, view.metric.name),
        [(point.point, *read_params(point, view.searched), point.value) for point in complete],
    )
    if not complete or not view.searched:
        return Picture("parallel", title, caption, table, make_empty(title, "no trial is complete yet"))
    scores = [float(point.value or 0) for point in shown]
    axes = [_axis(view, name, [(point.params or {}).get(name) for point in shown]) for name in view.searched]
    axes.append(_number_axis(_name_last(view.metric), measure(scores, view.metric), log=False))
    lanes = [_lane(axis, len(axes)) for axis in axes]
    figure = make_figure(
        [*_lines(view, shown, axes, lanes), _colour_bar(scores, view.metric)],
        title=title,
        height=440,
        meta=BROAD,
        margin={"l": 20, "r": 20, "t": 100, "b": 25},
        showlegend=False,
        xaxis={
            "range": [-lanes[0] - 0.03, len(axes) - 0.97],
            "tickvals": [round(place - lane / 2, 4) for place, lane in enumerate(lanes)],
            "ticktext": ["<br>".join(wrap(axis.title, LONGEST_WORD)) for axis in axes],
            "side": "top",
            "ticks": "",
            "showgrid": False,
            "zeroline": False,
            "fixedrange": True,
        },
        yaxis={"visible": False, "range": [-0.05, 1.05], "fixedrange": True},
        shapes=[
            {
                "type": "rect",
                "x0": round(place - lane, 4),
                "x1": place,
                "y0": 0,
                "y1": 1,
                "line": {"width": 0},
                "fillcolor": fade(GREY, 0.12),
                "layer": "below",
            }
            for place, lane in enumerate(lanes)
        ],
        annotations=[
            note(text, x=place, y=round(y, 4), xanchor="right", xshift=-4, font={"size": 11})
            for place, axis in enumerate(axes)
            for y, text in axis.marks
        ],
    )
    return Picture("parallel", title, caption, table, figure)


def _name_last(metric: Metric) -> str:
    return metric.long_label + (" (lower is better)" if metric.sign < 0 else "")


def _lane(axis: _Axis, axes: int) -> float:
    """How broad an axis is, in distances between axes: its words stand within, where no line passes."""
    longest = max((len(text) for _, text in axis.marks), default=0)
    return round(min(BROADEST, (CHARACTER * longest + 10) * axes / LEAST_WIDTH), 4)


def _lines(
    view: StudyView, shown: Sequence[PointRecord], axes: Sequence[_Axis], lanes: Sequence[float]
) -> list[Trace]:
    """One trace for all lines of a colour, with gaps between them; the best trial last, on top of all others."""
    scores = [float(point.value or 0) for point in shown]
    low, high = _ends(scores)
    steps = [
        min(int((score - low) / (high - low) * len(RAMP)), len(RAMP) - 1) if score > low else 0
        for score in scores
    ]
    said = [
        f"trial {point.trial_number}: {view.metric.measured(score):.4g}"
        for point, score in zip(shown, scores, strict=True)
    ]

    def path(members: Sequence[int], line: dict[str, Any], opacity: float) -> Trace:
        x: list[Any] = []
        y: list[Any] = []
        text: list[Any] = []
        for number in members:
            for place, (axis, lane) in enumerate(zip(axes, lanes, strict=True)):
                height = round(axis.places[number], 4)
                # Up to the left edge of an axis, and on from its right edge.
                x += [round(place - lane, 4), None, place]
                y += [height, None, height]
                text += [said[number], None, said[number]]
            x, y, text = [*x, None], [*y, None], [*text, None]
        return trace(
            "scatter", x=x, y=y, text=text, hoverinfo="text", mode="lines", line=line, opacity=opacity,
            connectgaps=False,
        )  # fmt: skip

    clear = 1.0 if len(shown) <= 20 else 0.75 if len(shown) <= 100 else 0.45
    traces = []
    for step, colour in enumerate(RAMP):
        members = [number for number, own in enumerate(steps) if own == step and number]
        if members:
            share = step / (len(RAMP) - 1)
            line = {"color": colour, "width": round(1 + 1.2 * share, 2)}
            traces.append(path(members, line, round(clear * (0.6 + 0.4 * share), 2)))
    return [*traces, path([0], {"color": VERMILLION, "width": 3}, 1)]


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """The ends of the colours: of many trials the worst tenth shares one, so that a single bad one leaves the others apart."""
    low = sorted(values)[len(values) // 10 if len(values) >= 20 else 0]
    return low, max(max(values), low + 1e-6)


def _colour_bar(scores: Sequence[float], metric: Metric) -> Trace:
    """A trace that shows nothing but the colours of the lines."""
    low, high = sorted(metric.measured(end) for end in _ends(scores))
    ramp = RAMP[:: metric.sign]
    scale = [[(step + end) / len(ramp), colour] for step, colour in enumerate(ramp) for end in (0, 1)]
    bar = {
        "title": {"text": f"val {metric.label}", "side": "right"},
        "thickness": 14,
        "outlinewidth": 0,
        "nticks": TICKS,
    }
    return trace(
        "scatter", x=[None], y=[None], mode="markers", hoverinfo="skip",
        marker={"color": [shorten_one(low)], "cmin": shorten_one(low), "cmax": shorten_one(high), "colorscale": scale,
                "showscale": True, "colorbar": bar},
    )  # fmt: skip


def _axis(view: StudyView, name: str, values: list[Any]) -> _Axis:
    cells = [as_cell(value) for value in values]
    if not view.is_category(name):
        return _number_axis(label(name), cells, log=view.study.spec.search[name].log)
    words = [*([IDLE] if any(cell is None for cell in cells) else []), *view.categories(name)]
    height = max(len(words) - 1, 1)
    every = -(-len(words) // MOST_WORDS)
    places = [words.index(IDLE if cell is None else cell) / height for cell in cells]
    marks = [(place / height, _clip(str(word))) for place, word in enumerate(words) if place % every == 0]
    return _Axis(label(name), places, marks)


def _say_tick(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


def _clip(word: str) -> str:
    return word if len(word) <= LONGEST_WORD else word[: LONGEST_WORD - 2] + ".."


def _number_axis(title: str, cells: Sequence[Any], *, log: bool) -> _Axis:
    known = [float(cell) for cell in cells if cell is not None]
    scaled = [math.log10(value) if log else value for value in known] or [0.0]
    low, high = min(scaled), max(scaled)
    width = high - low
    bottom = ROOM if len(known) < len(cells) else 0.0

    def place(value: float) -> float:
        share = (value - low) / width if width else 0.5
        return bottom + (1 - bottom) * share

    ticks = [low + step * width / (TICKS - 1) for step in range(TICKS)] if width else [low]
    marks = [(place(tick), _say_tick(10**tick if log else tick)) for tick in ticks] if known else []
    return _Axis(
        title,
        [0.0 if cell is None else place(math.log10(float(cell)) if log else float(cell)) for cell in cells],
        [*([(0.0, IDLE)] if bottom else []), *marks],
    )


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
    metric = METRICS.get(across.name)
    places = {
        point.point: (
            metric.measured(known[point.point][across.name]) if metric else known[point.point][across.name],
            view.metric.measured(float(point.value or 0)),
        )
        for point in complete
    }

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
        xaxis={
            "title": {"text": across.label + (" (lower is better)" if metric and metric.sign < 0 else "")}
        },
        yaxis=name_axis(view.metric),
    )
    return Picture("pareto", title, caption, table, figure)
