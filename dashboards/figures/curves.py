"""What happened during training: k-fold curves of one trial, of nine examples, and other numbers over epochs."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, fields
from textwrap import wrap
from typing import Any

from dashboards.figures.drawing import (
    Panels,
    Picture,
    Trace,
    epoch_axis,
    label,
    make_empty,
    make_figure,
    measure,
    name_axis,
    note,
    shorten,
    shorten_one,
    trace,
    upright_line,
)
from dashboards.figures.palette import BLUE, GREEN, GREY, HALO, PINK, VERMILLION, fade
from dashboards.tables.view import StudyView, Table, peak_epoch, read_params
from storage.metrics.objectives import Metric
from storage.results.ledger import EpochMean, FoldEpoch
from storage.studies.point_records import PointRecord
from storage.wording import show_params

TITLE_WIDTH = 34
"""Characters of the title of one panel of three: two titles side by side must not meet on a printed page."""
SIDES = (("val", "validation", BLUE), ("train", "training", VERMILLION))
MEASURES = {
    "sensitivity": ("sensitivity", GREEN),
    "specificity": ("specificity", PINK),
    "auc": ("AUC", BLUE),
    "accuracy": ("accuracy", VERMILLION),
    "precision": ("precision", "#9A8A2F"),
    "f1": ("F1", "#6F7BD9"),
    # Drawn last and dotted: with classes of equal size it lies on the accuracy.
    "balanced_accuracy": ("mean of sensitivity and specificity", GREY),
}
LOSS_AXIS = {True: "cross-entropy", False: "squared error, in variances"}
FROM_ZERO = {"rangemode": "tozero", "zeroline": False}


def draw_trial(
    view: StudyView, point: PointRecord, rows: Sequence[FoldEpoch], name: str = "best-curves"
) -> Picture:
    """The k-fold curves of one trial: thin folds, bold means, a dotted line at the maximum."""
    is_best = view.best is not None and view.best.point == point.point
    which = "best trial" if is_best else "trial"
    title = f"{view.study.name}: folds of the {which} ({point.trial_number}): {show_params(point.params)}"
    caption = (
        f"{view.metric.label[:1].upper()}{view.metric.label[1:]} over epochs. Thin: each fold; bold: their mean"
        f"{'; blue: validation, red: training' if view.metric.train_column else ', of validation alone'}. The dotted "
        f"line is the epoch of the {'highest' if view.metric.sign > 0 else 'lowest'} {view.metric.long_label}."
    )
    table = Table(
        tuple(field.name for field in fields(FoldEpoch)), [tuple(asdict(row).values()) for row in rows]
    )
    if not rows:
        return Picture(name, title, caption, table, make_empty(title, "no epoch has finished yet"))
    means = view.means.get(point.point, [])
    figure = make_figure(
        fold_traces(view.metric, rows, means, legend=True),
        title=title,
        xaxis=epoch_axis(max(row.epoch for row in rows)) | FROM_ZERO,
        yaxis=name_axis(view.metric, view.metric.label),
    )
    peak = peak_epoch(means)
    if peak is not None:
        highest = view.metric.measured(next(row.score for row in means if row.epoch == peak))
        figure["layout"]["shapes"] = [upright_line(peak)]
        side = "right" if peak > len(means) / 2 else "left"
        text = f" {highest:.4f} at epoch {peak} "
        figure["layout"]["annotations"] = [
            note(text, x=peak, y=0.04, yref="paper", xanchor=side, bgcolor=HALO, borderpad=1)
        ]
    return Picture(name, title, caption, table, figure)


def draw_examples(view: StudyView) -> Picture:
    """Up to nine trials from the best to the worst, side by side."""
    title = f"{view.study.name}: trials from the best to the worst"
    caption = (
        "Trials spread evenly over the ranking of complete ones. Lines as in the curves of the best trial."
    )
    chosen = view.examples
    name, has_training = view.metric.name, view.metric.train_column is not None
    written = (f"mean_{name}", f"mean_{name.replace('val_', 'train_')}")[: 1 + has_training]
    columns = ("rank", "point", "trial", *view.searched, name, "epoch", *written)
    ranks = {point.point: rank for rank, point in enumerate(view.ranked, start=1)}
    table = Table(
        columns,
        [
            (ranks[point.point], point.point, point.trial_number,
             *read_params(point, view.searched), point.value,
             row.epoch, *(row.score, row.train_score)[: 1 + has_training])
            for point in chosen
            for row in view.means.get(point.point, [])
        ],
    )  # fmt: skip
    if not chosen:
        return Picture("examples", title, caption, table, make_empty(title, "no trial is complete yet"))
    panels = Panels(len(chosen), 3, across=0.03, down=0.17 if len(chosen) > 3 else 0.0, share_y=True)
    traces, shapes = [], []
    for place, point in enumerate(chosen):
        means = view.means.get(point.point, [])
        for line in fold_traces(view.metric, view.curves_of(point.point), means, legend=place == 0):
            traces.append({**line, **panels.axes(place)})
        peak = peak_epoch(means)
        if peak is not None:
            shapes.append(upright_line(peak, panels.suffix(place)))
    lowest = len(chosen) - min(3, len(chosen))
    x = epoch_axis(max((row.epoch for means in view.means.values() for row in means), default=1))
    layout = panels.layout(
        xs=[x if place >= lowest else {**x, "title": {"text": ""}} for place in range(len(chosen))],
        ys=[name_axis(view.metric, view.metric.label) for _ in chosen],
        titles=[_example_title(ranks[point.point], point, view.metric) for point in chosen],
    )
    figure = make_figure(
        traces,
        title=title,
        height=230 * panels.rows + 150,
        shapes=shapes,
        margin={"t": 110, "b": 76},
        # At the foot of the figure: above the panels stand their titles, whatever the height of the paper.
        legend={"yref": "container", "y": 0.0, "yanchor": "bottom"},
        **layout,
    )
    return Picture("examples", title, caption, table, figure)


def draw_measures(view: StudyView, point: PointRecord, rows: Sequence[FoldEpoch]) -> Picture:
    """Validation measures, and the losses, of one trial over epochs: means over the folds."""
    title = f"{view.study.name}, trial {point.trial_number}: measures over epochs"
    task = view.study.spec.task
    caption = (
        "Means over the folds. Sensitivity, specificity, precision, accuracy and F1 are at a threshold of 0.5, "
        "as far as the study recorded them; AUC needs no threshold."
        if task.is_called
        else "Means over the folds; F1 is the mean of the classes, each against all others."
        if task.has_probabilities
        else "Means over the folds."
    )
    series = _mean_measures(rows)
    epochs = series.pop("epoch", [])
    table = Table(("epoch", *series), list(zip(epochs, *series.values(), strict=True)))
    if not epochs:
        return Picture("measures", title, caption, table, make_empty(title, "no epoch has finished yet"))
    # Of numbers there is the loss alone.
    measured = [(name, *said) for name, said in MEASURES.items() if name in series]
    panels = Panels(2 if measured else 1, 2, across=0.12)
    traces = [
        trace(
            "scatter", x=epochs, y=shorten(series[name], 4), name=text, mode="lines",
            line={"color": colour, "width": 2.8 if name == "auc" else 1.8,
                  "dash": "dot" if name == "balanced_accuracy" else "solid"},
            **panels.axes(0),
        )
        for name, text, colour in measured
    ]  # fmt: skip
    traces += [
        trace(
            "scatter", x=epochs, y=shorten(series[f"{side}_loss"], 4), name=f"{text} loss", mode="lines",
            line={"color": colour, "dash": "dash" if side == "train" else "solid", "width": 2}, **panels.axes(panels.count - 1),
        )
        for side, text, colour in SIDES
    ]  # fmt: skip
    layout = panels.layout(
        xs=[epoch_axis(epochs[-1]) | FROM_ZERO] * panels.count,
        ys=[
            {"title": {"text": "validation: share or AUC"}},
            {"title": {"text": LOSS_AXIS[task.has_probabilities]}},
        ][-panels.count :],
    )
    legend = {"y": -0.17, "yanchor": "top"}
    figure = make_figure(traces, title=title, height=460, legend=legend, margin={"b": 130}, **layout)
    return Picture("measures", title, caption, table, figure)


def draw_schedule(view: StudyView, point: PointRecord, rows: Sequence[FoldEpoch]) -> Picture:
    """The learning rate that each epoch of one trial really used."""
    title = f"{view.study.name}, trial {point.trial_number}: learning rate"
    caption = "The learning rate as it was recorded in each epoch, on a log axis."
    rates: dict[int, float] = {}
    for row in rows:
        if row.learning_rate == row.learning_rate:
            rates.setdefault(row.epoch, row.learning_rate)
    table = Table(("epoch", "learning_rate"), sorted(rates.items()))
    if not rates:
        return Picture(
            "learning-rate", title, caption, table, make_empty(title, "no learning rate was recorded")
        )
    epochs = sorted(rates)
    low, high = min(rates.values()), max(rates.values())
    line = trace("scatter",
        x=epochs, y=shorten([rates[epoch] for epoch in epochs]), mode="lines+markers",
        line={"color": BLUE, "shape": "hv"}, marker={"size": 5},
    )  # fmt: skip
    figure = make_figure(
        [line],
        title=title,
        height=300,
        xaxis=epoch_axis(epochs[-1]) | FROM_ZERO,
        yaxis={
            "title": {"text": label("learning_rate")},
            "type": "log",
            "exponentformat": "power",
            "range": [math.log10(low) - 0.3, math.log10(high) + 0.3],
            "dtick": 1 if high / low > 3 else None,
            "nticks": 5,
        },
    )
    return Picture("learning-rate", title, caption, table, figure)


def fold_traces(
    metric: Metric, rows: Sequence[FoldEpoch], means: Sequence[EpochMean], *, legend: bool
) -> list[Trace]:
    """Lines of one trial: thin folds and bold means, of training too where the ledger has the metric of it."""
    by_fold: dict[int, list[FoldEpoch]] = defaultdict(list)
    for row in rows:
        by_fold[row.fold].append(row)
    traces = []
    for side, text, colour in reversed(SIDES if metric.train_column else SIDES[:1]):
        read, mean = (metric.score, "score") if side == "val" else (metric.train_score, "train_score")
        for fold, epochs in sorted(by_fold.items()):
            traces.append(
                trace("scatter",
                    x=[row.epoch for row in epochs], y=measure([read(row) for row in epochs], metric, 4),
                    mode="lines", line={"width": 0.9, "color": fade(colour, 0.55)}, showlegend=False,
                    legendgroup=side, hovertemplate=f"fold {fold + 1}, {text}: %{{y:.4f}}<extra></extra>",
                )
            )  # fmt: skip
        traces.append(
            trace("scatter",
                x=[row.epoch for row in means], y=measure([getattr(row, mean) for row in means], metric, 4),
                mode="lines", line={"width": 3, "color": colour}, name=f"{text}, mean of folds",
                legendgroup=side, showlegend=legend,
                hovertemplate=f"mean, {text}: %{{y:.4f}}<extra></extra>",
            )
        )  # fmt: skip
    return traces


def _mean_measures(rows: Sequence[FoldEpoch]) -> dict[str, list[Any]]:
    """Means over folds by epoch of every validation measure that the ledger holds, and of both losses."""
    by_epoch: dict[int, list[FoldEpoch]] = defaultdict(list)
    for row in rows:
        by_epoch[row.epoch].append(row)
    if not by_epoch:
        return {}
    series: dict[str, list[Any]] = {"epoch": sorted(by_epoch)}
    for name in (*(f"val_{kind}" for kind in MEASURES), "val_recall", "train_loss", "val_loss"):
        values = [_mean([getattr(row, name) for row in by_epoch[epoch]]) for epoch in series["epoch"]]
        if name.endswith("loss") or not all(map(math.isnan, values)):
            series[name if name.endswith("loss") else name.removeprefix("val_")] = values
    # Studies without medical metrics recorded recall, which is the same under another name.
    recall = series.pop("recall", None)
    if recall is not None:
        series.setdefault("sensitivity", recall)
    return series


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if value is not None and not math.isnan(value)]
    return statistics.fmean(finite) if finite else math.nan


def _example_title(rank: int, point: PointRecord, metric: Metric) -> str:
    """What fits above a third of a page: rank, value, and hyperparameters in two short lines; the numbers have all of them."""
    shown = {name: shorten_one(value, 3) for name, value in (point.params or {}).items()}
    lines = wrap(
        show_params(shown) if point.params is not None else show_params(None),
        TITLE_WIDTH,
        max_lines=2,
        placeholder=" …",
    )
    return "<br>".join([f"<b>{rank}. {metric.measured(point.value or 0.0):.4f}</b>", *lines])
