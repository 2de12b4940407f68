"""Which figures show the out-of-fold predictions of each kind of label, and those that labels side by side do not have."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dashboards.figures.drawing import Panels, Picture, Trace, make_empty, make_figure, note, shorten, trace
from dashboards.figures.outcomes import MISSING, SHOWN_TARGETS, draw_calibration, draw_confusion, draw_roc
from dashboards.figures.palette import BLUE, GREY, SERIES, fade
from dashboards.tables.outcomes import Outcomes, compare_numbers, tabulate_classes
from dashboards.tables.view import StudyView, Table
from storage.studies.point_records import PointRecord

Draw = Callable[[StudyView, PointRecord, Outcomes | None], Picture]

CLASSES = ("class", "predicted", "images")
UNKNOWN = "no number is known"
MOST_POINTS = 2000
"""Points of a scatter that a page holds without growing by megabytes."""


def draw_outcomes(view: StudyView, point: PointRecord, outcomes: Outcomes | None) -> list[Picture]:
    """The figures of one trial's out-of-fold predictions."""
    return [draw(view, point, outcomes) for draw in FIGURES[view.study.spec.data.task]]


def draw_roc_of_questions(view: StudyView, point: PointRecord, outcomes: Outcomes | None) -> Picture:
    """ROC of each class against the others, or of each cut between grades."""
    return draw_roc(view, point, outcomes.asked if outcomes else None)


def draw_calibration_of_questions(view: StudyView, point: PointRecord, outcomes: Outcomes | None) -> Picture:
    """Calibration of the same."""
    return draw_calibration(view, point, outcomes.asked if outcomes else None)


def draw_class_table(view: StudyView, point: PointRecord, outcomes: Outcomes | None) -> Picture:
    """Images by class and call, over all folds."""
    title = f"{view.study.name}, trial {point.trial_number}: confusion of classes"
    caption = (
        "Counts of images over all folds, each judged by the model of the fold that had not seen it: rows are what an image is, "
        "columns what it is called. The colour is the share of its row."
    )
    if outcomes is None:
        return Picture("confusion", title, caption, Table(CLASSES, []), make_empty(title, MISSING))
    return show_classes("confusion", title, caption, *tabulate_classes(outcomes))


def show_classes(name: str, title: str, caption: str, names: Sequence[str], counts: np.ndarray) -> Picture:
    """A table of images by class (row) and call (column), shape (classes, classes)."""
    rows = [
        (one, other, int(counts[place, column]))
        for place, one in enumerate(names)
        for column, other in enumerate(names)
    ]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    drawn = trace(
        "heatmap", z=[shorten(row.tolist(), 3) for row in shares], x=list(names), y=list(names), zmin=0, zmax=1, showscale=False,
        xgap=3, ygap=3, hoverinfo="skip", colorscale=[[0, fade(BLUE, 0.05)], [1, fade(BLUE, 0.5)]],
    )  # fmt: skip
    texts = [
        note(f"{int(counts[y, x]):,}<br>{shares[y, x]:.0%}", x=x, y=y)
        for y in range(len(names))
        for x in range(len(names))
    ]
    plain = {"showgrid": False, "zeroline": False, "type": "category"}
    figure = make_figure(
        [drawn],
        title=title,
        height=max(360, 64 * len(names) + 160),
        xaxis={"title": {"text": "predicted"}, **plain},
        yaxis={"title": {"text": "class"}, "autorange": "reversed", **plain},
        annotations=texts,
    )
    return Picture(name, title, caption, Table(CLASSES, rows), figure)


def draw_agreement(view: StudyView, point: PointRecord, outcomes: Outcomes | None) -> Picture:
    """Each predicted number over the true one."""
    title = f"{view.study.name}, trial {point.trial_number}: predicted over true numbers"
    caption = (
        "Out-of-fold predictions: each dot is an image, judged by the model of the fold that had not seen it. On the dotted line "
        "both are equal."
    )
    columns = ("target", "true", "predicted")
    if outcomes is None:
        return Picture("agreement", title, caption, Table(columns, []), make_empty(title, MISSING))
    found = compare_numbers(outcomes)
    table = Table(
        columns,
        [
            (name, float(x), float(y))
            for name, truth, guess, _ in found
            for x, y in zip(truth, guess, strict=True)
        ],
    )
    if not found:
        return Picture("agreement", title, caption, table, make_empty(title, UNKNOWN))
    traces: list[Trace] = []
    panels = Panels(min(len(found), SHOWN_TARGETS), 2, across=0.12, down=0.22)
    shown = zip(found[:SHOWN_TARGETS], SERIES, strict=False)
    for place, ((_, truth, guess, _), colour) in enumerate(shown):
        low, high = (float(end(np.concatenate([truth, guess]))) for end in (np.min, np.max))
        traces.append(
            trace("scatter", x=[low, high], y=[low, high], mode="lines", showlegend=False, hoverinfo="skip",
                  line={"dash": "dot", "color": GREY}, **panels.axes(place))
        )  # fmt: skip
        traces.append(_dots(truth, guess, colour, panels.axes(place)))
    layout = panels.layout(
        xs=[{"title": {"text": f"true {name}"}, "zeroline": False} for name, *_ in found[:SHOWN_TARGETS]],
        ys=[
            {"title": {"text": f"predicted {name}"}, "zeroline": False} for name, *_ in found[:SHOWN_TARGETS]
        ],
        titles=[said for *_, said in found[:SHOWN_TARGETS]],
    )
    figure = make_figure(traces, title=title, height=400 * panels.rows + 80, **layout)
    return Picture("agreement", title, caption, table, figure)


def draw_differences(view: StudyView, point: PointRecord, outcomes: Outcomes | None) -> Picture:
    """The difference over the mean of predicted and true number, with the limits of agreement (Bland and Altman 1986)."""
    title = f"{view.study.name}, trial {point.trial_number}: differences from the true numbers"
    caption = (
        "Predicted minus true over the mean of both, out of fold. Solid: the mean difference (bias). Dashed: the limits of agreement, "
        "between which 95 % of the differences lie if they are normal (Bland and Altman 1986)."
    )
    columns = ("target", "mean", "difference")
    if outcomes is None:
        return Picture("differences", title, caption, Table(columns, []), make_empty(title, MISSING))
    rows, traces, titles = [], [], []
    found = compare_numbers(outcomes)
    if not found:
        return Picture("differences", title, caption, Table(columns, []), make_empty(title, UNKNOWN))
    panels = Panels(min(len(found), SHOWN_TARGETS), 2, across=0.12, down=0.22)
    for place, ((name, truth, guess, _), colour) in enumerate(zip(found, [*SERIES] * 20, strict=False)):
        middle, gap = (truth + guess) / 2, guess - truth
        rows += [(name, float(x), float(y)) for x, y in zip(middle, gap, strict=True)]
        if place >= SHOWN_TARGETS or len(gap) < 2:
            titles.append("")
            continue
        traces.append(_dots(middle, gap, colour, panels.axes(place)))
        bias, reach = float(gap.mean()), 1.96 * float(gap.std(ddof=1))
        ends = [float(middle.min()), float(middle.max())]
        said = f"bias {bias:.3g}, limits {bias - reach:.3g} to {bias + reach:.3g}"
        titles.append(said.replace("-", "\N{MINUS SIGN}"))
        for level, dash in ((bias, "solid"), (bias - reach, "dash"), (bias + reach, "dash")):
            traces.append(
                trace("scatter", x=ends, y=[level, level], mode="lines", hoverinfo="skip",
                      line={"dash": dash, "color": colour, "width": 1.5}, showlegend=False, **panels.axes(place))
            )  # fmt: skip
    names = [name for name, *_ in found[: panels.count]]
    layout = panels.layout(
        xs=[{"title": {"text": f"mean of predicted and true {name}"}, "zeroline": False} for name in names],
        ys=[{"title": {"text": f"predicted \N{MINUS SIGN} true {name}"}} for name in names],
        titles=titles[: panels.count],
    )
    figure = make_figure(traces, title=title, height=360 * panels.rows + 80, **layout)
    return Picture("differences", title, caption, Table(columns, rows), figure)


def _dots(x: np.ndarray, y: np.ndarray, colour: str, axes: dict[str, str]) -> Trace:
    step = -(-len(x) // MOST_POINTS) or 1
    return trace(
        "scatter", x=shorten(x[::step].tolist(), 5), y=shorten(y[::step].tolist(), 5), mode="markers", showlegend=False,
        marker={"size": 6, "color": fade(colour, 0.5)}, **axes,
    )  # fmt: skip


OF_LABELS: tuple[Draw, ...] = (draw_roc, draw_confusion, draw_calibration)
OF_CLASSES: tuple[Draw, ...] = (draw_roc_of_questions, draw_class_table, draw_calibration_of_questions)

FIGURES: dict[str, tuple[Draw, ...]] = {
    "labels": OF_LABELS,
    "two-classes": OF_LABELS,
    "classes": OF_CLASSES,
    "ordered": OF_CLASSES,
    "number": (draw_agreement, draw_differences),
}
"""By the names of `storage.tasks`."""
