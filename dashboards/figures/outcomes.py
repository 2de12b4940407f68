"""ROC with a band over folds, confusion tables and calibration of a trial's out-of-fold predictions."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from dashboards.figures.drawing import (
    Panels,
    Picture,
    Trace,
    entry,
    make_empty,
    make_figure,
    note,
    shorten,
    trace,
)
from dashboards.figures.palette import BLUE, GREY, SERIES, fade
from dashboards.tables.outcomes import (
    GRID,
    Calibration,
    MeanRoc,
    Outcomes,
    calibrate,
    count_confusion,
    macro_roc,
    mean_roc,
)
from dashboards.tables.view import StudyView, Table
from storage.metrics.tables import Table as Confusion
from storage.studies.point_records import PointRecord
from storage.tasks.naming import shorten_names

SHOWN_TARGETS = 4
"""Of more labels than these a figure would be unreadable: it shows the macro average alone, and the table has all."""

CONFUSION = (
    "target", "true_positives", "false_positives", "false_negatives", "true_negatives", "sensitivity", "specificity",
)  # fmt: skip
CALIBRATION = ("predicted", "observed", "labels")

MISSING = "the labels of the study's data set are not on this machine, or no predictions were kept"


def draw_roc(view: StudyView, point: PointRecord, outcomes: Outcomes | None) -> Picture:
    """ROC curves averaged over folds, with a band of one standard deviation."""
    title = f"{view.study.name}, trial {point.trial_number}: ROC of out-of-fold predictions"
    caption = (
        "Each line is the mean over folds of the ROC curve of images that the fold's model had not seen; the band "
        "is one standard deviation over folds. AUC: mean and standard deviation over folds."
    )
    table_columns = ("target", "false_positive_rate", "true_positive_rate", "sd_over_folds")
    if outcomes is None:
        return Picture("roc", title, caption, Table(table_columns, []), make_empty(title, MISSING))
    curves: list[tuple[str, MeanRoc]] = [
        (target, curve)
        for place, target in enumerate(outcomes.targets)
        if (curve := mean_roc(outcomes, place)) is not None
    ]
    table = Table(
        table_columns,
        [
            (target, float(rate), float(sensitivity), float(spread))
            for target, curve in curves
            for rate, sensitivity, spread in zip(GRID, curve.rate, curve.spread, strict=True)
        ],
    )
    macro = macro_roc(outcomes)
    if not curves or macro is None:
        why = "no fold has both classes of any label"
        return Picture("roc", title, caption, table, make_empty(title, why))
    shown = curves if len(curves) <= SHOWN_TARGETS else [(f"mean of {len(curves)} labels", macro)]
    short = shorten_names(outcomes.targets)
    traces: list[Trace] = [
        trace("scatter",
            x=[0, 1], y=[0, 1], mode="lines", line={"dash": "dot", "color": GREY, "width": 1.2}, name="chance",
            showlegend=False, hoverinfo="skip",
        )
    ]  # fmt: skip
    for (target, curve), colour in zip(shown, SERIES, strict=False):
        upper = (curve.rate + curve.spread).clip(0, 1).tolist()
        lower = (curve.rate - curve.spread).clip(0, 1).tolist()
        grid = GRID.tolist()
        traces.append(
            trace("scatter",
                x=shorten(grid + grid[::-1], 3), y=shorten(upper + lower[::-1], 4), fill="toself",
                fillcolor=fade(colour, 0.18), line={"width": 0}, hoverinfo="skip", showlegend=False,
            )
        )  # fmt: skip
        sd = (
            f" ± {statistics.stdev(curve.areas):.3f}"
            if len(curve.areas) > 1 and len(shown) == len(curves)
            else ""
        )
        traces.append(
            trace("scatter",
                x=shorten(grid, 3), y=shorten(curve.rate.tolist(), 4), mode="lines",
                line={"color": colour, "width": 2.5},
                name=entry(short.get(target, target), f"AUC {statistics.fmean(curve.areas):.3f}{sd}"),
            )
        )  # fmt: skip
    figure = make_figure(
        traces,
        title=title,
        height=480,
        xaxis={"title": {"text": "1 - specificity"}, "range": [-0.01, 1.01]},
        yaxis={"title": {"text": "sensitivity"}, "range": [-0.01, 1.01]},
        legend={"x": 0.98, "xanchor": "right", "y": 0.03, "yanchor": "bottom", "orientation": "v"},
    )
    return Picture("roc", title, caption, table, figure)


def draw_confusion(view: StudyView, point: PointRecord, outcomes: Outcomes | None) -> Picture:
    """Confusion tables at a threshold of 0.5: one per label, or all labels pooled (micro-average) where they are many."""
    title = f"{view.study.name}, trial {point.trial_number}: confusion at a threshold of 0.5"
    caption = "Counts of images over all folds, each judged by the model of the fold that had not seen it."
    if outcomes is None:
        return Picture("confusion", title, caption, Table(CONFUSION, []), make_empty(title, MISSING))
    tables = list(zip(outcomes.targets, count_confusion(outcomes), strict=True))
    return show_confusions("confusion", title, caption, tables)


def show_confusions(name: str, title: str, caption: str, tables: Sequence[tuple[str, Confusion]]) -> Picture:
    """Confusion tables of labels by name: one panel each, or one of all pooled where they are many."""
    table = Table(
        CONFUSION,
        [
            (target, int(one.true_positives), int(one.false_positives), int(one.false_negatives),
             int(one.true_negatives), float(one.sensitivity), float(one.specificity))
            for target, one in tables
        ],
    )  # fmt: skip
    shown = list(tables)
    if len(tables) > SHOWN_TARGETS:
        pooled = tables[0][1]
        for _, one in tables[1:]:
            pooled = pooled + one
        shown = [(f"all {len(tables)} labels pooled (micro-average)", pooled)]
    panels = Panels(len(shown), 2, across=0.14, down=0.3)
    traces, texts = [], []
    for place, (_, one) in enumerate(shown):
        axes = panels.axes(place)
        counts = [
            [int(one.false_negatives), int(one.true_positives)],
            [int(one.true_negatives), int(one.false_positives)],
        ]
        shares = [[cell / max(1, sum(row)) for cell in row] for row in counts]
        texts += [
            note(f"{cell:,}<br>{share:.0%}", x=x, y=y, xref=axes["xaxis"], yref=axes["yaxis"])
            for y, (row, part) in enumerate(zip(counts, shares, strict=True))
            for x, (cell, share) in enumerate(zip(row, part, strict=True))
        ]
        traces.append(
            trace(
                "heatmap", z=[shorten(row, 3) for row in shares], x=["predicted negative", "predicted positive"],
                y=["positive", "negative"], zmin=0, zmax=1, showscale=False, xgap=3, ygap=3, hoverinfo="skip",
                colorscale=[[0, fade(BLUE, 0.05)], [1, fade(BLUE, 0.5)]], **axes,
            )
        )  # fmt: skip
    plain = {"showgrid": False, "zeroline": False}
    layout = panels.layout(
        xs=[plain] * len(shown),
        ys=[{"autorange": "reversed", **plain} for _ in shown],
        titles=[
            f"{target}<br>sensitivity {float(one.sensitivity):.3f}, specificity {float(one.specificity):.3f}"
            for target, one in shown
        ],
    )
    layout["annotations"] += texts
    figure = make_figure(traces, title=title, height=260 * panels.rows + 120, margin={"t": 110}, **layout)
    return Picture(name, title, caption, table, figure)


def draw_calibration(view: StudyView, point: PointRecord, outcomes: Outcomes | None) -> Picture:
    """Predicted probability against the observed share, over all labels and folds."""
    title = f"{view.study.name}, trial {point.trial_number}: calibration"
    caption = (
        "Out-of-fold predictions of all labels in ten bins of equal width: mean predicted probability "
        "against observed frequency; a well-calibrated model lies on the diagonal. The size of a dot is the number of labels."
    )
    found = calibrate(outcomes) if outcomes else None
    if found is None:
        return Picture("calibration", title, caption, Table(CALIBRATION, []), make_empty(title, MISSING))
    said = f"Brier score {found.brier:.3f}, calibration error {found.error:.3f}"
    return show_calibration("calibration", title, caption, found, said)


def show_calibration(name: str, title: str, caption: str, found: Calibration, said: str) -> Picture:
    """Predicted probability against the observed share; `said` is what the legend says of it."""
    table = Table(CALIBRATION, list(zip(found.predicted, found.observed, found.images, strict=True)))
    most = max(found.images)
    traces = [
        trace("scatter", x=[0, 1], y=[0, 1], mode="lines", line={"dash": "dot", "color": GREY}, showlegend=False),
        trace("scatter",
            x=shorten(found.predicted, 4), y=shorten(found.observed, 4), mode="lines+markers",
            line={"color": BLUE},
            marker={"size": [6 + 16 * (images / most) ** 0.5 for images in found.images], "opacity": 0.8},
            text=[f"{images:,} labels" for images in found.images],
            name=said, showlegend=True,
            # Whole dots also at 0 and at 1.
            cliponaxis=False,
        ),
    ]  # fmt: skip
    figure = make_figure(
        traces,
        title=title,
        height=440,
        xaxis={"title": {"text": "predicted probability"}, "range": [-0.02, 1.02]},
        yaxis={"title": {"text": "observed frequency"}, "range": [-0.02, 1.02]},
    )
    return Picture(name, title, caption, table, figure)
