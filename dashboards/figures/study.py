"""How the study went: what pruning saved, how much folds differ, who worked when, and one study beside another."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from dashboards.figures.drawing import Picture, epoch_axis, make_empty, make_figure, name_axis, shorten, trace
from dashboards.figures.palette import BLUE, GREY, OUTCOME_COLOURS, VERMILLION, fade
from dashboards.tables.view import (
    StudyView,
    Table,
    compare_folds,
    compare_studies,
    count_stopping,
    describe_attempt,
)
from storage.studies.attempts import AttemptRecord

SHOWN_ATTEMPTS = 1500
"""More bars than these are narrower than a pixel; the latest are drawn."""
SHOWN_DOTS = 150
OWN_METRIC = "value, by each study's own metric"


def draw_pruning(view: StudyView) -> Picture:
    """How many trials trained in each epoch, how many stopped after it, and what that saved."""
    stopping = count_stopping(view)
    title = (
        f"{view.study.name}: pruning saved {stopping.saved:.0%} of {stopping.planned:,} fold-epochs"
        if stopping.planned
        else f"{view.study.name}: pruning"
    )
    caption = (
        f"Line: trials that trained in each epoch. Bars: trials stopped after it. {stopping.spent:,} of "
        f"{stopping.planned:,} fold-epochs of the finished trials were trained."
    )
    table = Table(
        ("epoch", "trained", "pruned_after"),
        list(zip(stopping.epochs, stopping.running, stopping.pruned, strict=True)),
    )
    if not stopping.planned:
        return Picture("pruning", title, caption, table, make_empty(title, "no trial has finished yet"))
    traces = [
        trace("bar", x=stopping.epochs, y=stopping.pruned, name="pruned after this epoch", marker={"color": VERMILLION}),
        trace("scatter",
            x=stopping.epochs, y=stopping.running, name="trained in this epoch", mode="lines",
            line={"shape": "hvh", "width": 2.5, "color": BLUE},
        ),
    ]  # fmt: skip
    figure = make_figure(
        traces,
        title=title,
        height=340,
        xaxis=epoch_axis(len(stopping.epochs)),
        yaxis={"title": {"text": "trials"}, "rangemode": "tozero"},
    )
    return Picture("pruning", title, caption, table, figure)


def draw_folds(view: StudyView) -> Picture:
    """How far each fold lies from the mean of its trial: easy and hard folds, and their spread."""
    folds = compare_folds(view)
    title = f"{view.study.name}: how much folds differ"
    caption = (
        f"For every complete trial, the validation {view.metric.label} of each fold minus the mean of the trial's folds, at "
        "the trial's best epoch. A box away from zero is an easy or a hard fold for every trial."
    )
    table = Table(
        ("fold", "trials", "mean_difference", "sd"),
        [
            (
                fold + 1,
                len(values),
                statistics.fmean(values),
                statistics.stdev(values) if len(values) > 1 else None,
            )
            for fold, values in folds.items()
        ],
    )
    if not folds:
        return Picture("folds", title, caption, table, make_empty(title, "no trial is complete yet"))
    points = "all" if max(map(len, folds.values())) <= SHOWN_DOTS else False
    traces = [
        trace("box",
            y=shorten([view.metric.measured(value) for value in values], 3), name=f"fold {fold + 1}", boxpoints=points, pointpos=0, jitter=0.5,
            marker={"color": fade(BLUE, 0.45), "size": 4}, line={"color": BLUE, "width": 1.5},
            fillcolor=fade(BLUE, 0.12), showlegend=False,
        )
        for fold, values in folds.items()
    ]  # fmt: skip
    figure = make_figure(
        traces,
        title=title,
        height=360,
        yaxis=name_axis(view.metric, f"{view.metric.label} minus the trial's mean") | {"zeroline": True},
    )
    return Picture("folds", title, caption, table, figure)


def draw_fleet(view: StudyView) -> Picture:
    """Which worker ran which trial when; attempts that were lost or failed are seen, and so are their repeats."""
    begun = [attempt for attempt in view.attempts if attempt.started_at is not None]
    shown = begun[-SHOWN_ATTEMPTS:]
    title = f"{view.study.name}: worker timeline"
    caption = (
        "One bar per attempt at a trial. If a worker vanishes, its attempt "
        "is lost: the trial goes to another worker, and is outlined where it was tried again. Times are UTC."
        + (
            f" The latest {SHOWN_ATTEMPTS:,} of {len(begun):,} attempts are drawn."
            if len(begun) > len(shown)
            else ""
        )
    )
    table = Table(
        ("trial", "point", "attempt", "worker", "outcome", "started_at", "ended_at"),
        [
            (one.number, one.point, one.attempt, one.worker, describe_attempt(one),
             _time(one.started_at), _time(one.ended_at))
            for one in begun
        ],
    )  # fmt: skip
    if not shown:
        return Picture("fleet", title, caption, table, make_empty(title, "no worker has begun yet"))
    traces = []
    for outcome, colour in OUTCOME_COLOURS.items():
        bars = [attempt for attempt in shown if describe_attempt(attempt) == outcome]
        if bars:
            traces.append(
                trace("bar",
                    base=[_time(attempt.started_at) for attempt in bars],
                    x=[_milliseconds(attempt, view.read_at) for attempt in bars],
                    y=[_worker_name(attempt.worker) for attempt in bars],
                    customdata=[[attempt.number, attempt.point, attempt.attempt] for attempt in bars],
                    hovertemplate=f"trial %{{customdata[0]}}, attempt %{{customdata[2]}}: "
                    f"{outcome}<extra></extra>",
                    orientation="h", name=outcome,
                    marker={
                        "color": colour,
                        "pattern": {"shape": "/" if outcome in ("lost", "failed") else ""},
                        "line": {
                            "width": [2 if (attempt.attempt or 1) > 1 else 0 for attempt in bars],
                            "color": GREY,
                        },
                    },
                )
            )  # fmt: skip
    workers = sorted({_worker_name(attempt.worker) for attempt in shown}, key=_by_number)
    figure = make_figure(
        traces,
        title=title,
        height=max(260, 34 * len(workers) + 150),
        barmode="overlay",
        bargap=0.25,
        # Few ticks, so that times lie flat also on a phone.
        xaxis={"type": "date", "title": {"text": "time (UTC)"}, "nticks": 6, "tickangle": 0},
        yaxis={"categoryorder": "array", "categoryarray": workers[::-1], "type": "category"},
    )
    return Picture("fleet", title, caption, table, figure)


def draw_comparison(views: Sequence[StudyView]) -> Picture:
    """The best trial of several studies: folds as dots, mean and standard deviation beside them."""
    title = "Studies compared: the best trial of each"
    is_shared = len({view.metric.name for view in views}) == 1
    label = f"validation {views[0].metric.label}" if is_shared else OWN_METRIC
    direction = " (lower is better)" if is_shared and views[0].metric.sign < 0 else ""
    caption = (
        f"Dots: {label} of each fold of the study's best trial at its best epoch. Diamond and bar: their mean "
        "and standard deviation. Studies with other folds or data are not compared fold by fold."
    )
    table = compare_studies(views)
    known = []
    for view in views:
        attempt = view.attempt_of.get(view.best.point) if view.best else None
        folds = attempt.fold_values if attempt else ()
        values = [view.metric.measured(value) for value in folds if value == value]
        if values:
            name = view.study.name if is_shared else f"{view.study.name} ({view.metric.label})"
            known.append((name, values))
    if not known:
        return Picture(
            "comparison", title, caption, table, make_empty(title, "no study has a complete trial yet")
        )
    traces = [
        trace("scatter",
            x=shorten([value for _, values in known for value in values], 4),
            y=[name for name, values in known for _ in values],
            mode="markers", name="fold", marker={"size": 8, "color": fade(BLUE, 0.8)},
        ),
        trace("scatter",
            x=shorten([statistics.fmean(values) for _, values in known]), y=[name for name, _ in known],
            mode="markers", name="mean and sd of folds",
            marker={"symbol": "diamond", "size": 12, "color": VERMILLION},
            error_x={
                "array": shorten([statistics.stdev(values) if len(values) > 1 else 0.0 for _, values in known]),
                "color": VERMILLION, "thickness": 2,
            },
        ),
    ]  # fmt: skip
    figure = make_figure(
        traces,
        title=title,
        height=max(260, 46 * len(known) + 170),
        xaxis={"title": {"text": label + direction}},
        yaxis={"type": "category", "autorange": "reversed"},
    )
    return Picture("comparison", title, caption, table, figure)


def _milliseconds(attempt: AttemptRecord, now: float) -> int:
    ended = attempt.ended_at if attempt.ended_at is not None else now
    return max(1, math.ceil((ended - (attempt.started_at or ended)) * 1000))


def _by_number(name: str) -> list[Any]:
    """A key that puts "machine 10" behind "machine 2"."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def _worker_name(name: str | None) -> str:
    return name or "unknown"


def _time(timestamp: float | None) -> Any:
    return None if timestamp is None else datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S")
