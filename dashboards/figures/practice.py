"""What a model would mean in practice: its decision curve, what is left of its errors when it may abstain, and what more patients would bring."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dashboards.figures.drawing import (
    Picture,
    make_empty,
    make_figure,
    name_axis,
    shorten,
    trace,
    upright_line,
)
from dashboards.figures.palette import BLUE, GREY, SERIES, fade
from dashboards.tables.view import Table
from storage.metrics.objectives import METRICS

SHOWN = 4
"""More labels than these are in the table only; the caption says so."""


def draw_decisions(document: Mapping[str, Any], labels: int = 0) -> Picture:
    """The net benefit of the model, of acting on all and on none, over the threshold at which one would act.

    Args:
        document: `practice` of an evaluation, as `storage.practice.review.review` gives it.
        labels: how many there are, where the document has only the first of them.
    """
    title = "Decision curve"
    caption = (
        "Net benefit: true positives less false positives, these weighed by the odds at which one would act (Vickers and Elkin 2006), per image. Where the "
        "line of the model lies above both others, acting on the model is better than acting on all (dotted, in its colour) or on none. Band: 95 % interval of each threshold by itself."
    )
    rows = [(label, row) for label, found in document.items() for row in found["decision_curve"]]
    table = Table(
        ("label", "threshold", "net_benefit", "low", "high", "act_on_all", "gain", "gain_low", "gain_high"),
        [
            (
                label, row["threshold"],
                *(row["net_benefit"][key] for key in ("value", "low", "high")), row["act_on_all"],
                *(row["gain"][key] for key in ("value", "low", "high")),
            )
            for label, row in rows
        ],
    )  # fmt: skip
    if not rows:
        return Picture("decisions", title, caption, table, make_empty(title, "no label was assessed"))
    traces = []
    for place, (label, found) in enumerate(list(document.items())[:SHOWN]):
        curve = found["decision_curve"]
        if not curve:
            continue
        x = [row["threshold"] for row in curve]
        colour = SERIES[place % len(SERIES)] if len(document) > 1 else BLUE
        held = [row for row in curve if row["net_benefit"]["low"] == row["net_benefit"]["low"]]
        if held:
            traces.append(
                trace(
                    "scatter", mode="lines", fill="toself", hoverinfo="skip", showlegend=False, line={"width": 0}, fillcolor=fade(colour, 0.18),
                    x=[row["threshold"] for row in held] + [row["threshold"] for row in held[::-1]],
                    y=shorten([row["net_benefit"]["low"] for row in held] + [row["net_benefit"]["high"] for row in held[::-1]]),
                )
            )  # fmt: skip
        traces += [
            trace("scatter", mode="lines", name=label, x=x, y=shorten([row["net_benefit"]["value"] for row in curve]),
                  line={"color": colour, "width": 2.4}, showlegend=True),
            trace("scatter", mode="lines", name=f"{label}: acting on all", x=x, y=shorten([row["act_on_all"] for row in curve]),
                  line={"color": colour, "width": 1.2, "dash": "dot"}, showlegend=False),
        ]  # fmt: skip
    drawn = list(document)[:SHOWN]
    # Whole bands, down to what no longer matters: acting is worse than not acting there.
    tops = [
        value
        for label, row in rows
        if label in drawn
        for value in (row["net_benefit"]["value"], row["net_benefit"]["high"], row["act_on_all"])
        if value == value
    ]
    highest = max(tops, default=0.0)
    if labels > len(document):
        caption += f" Computed for the first {len(document)} of {labels} labels."
    caption += _say_shown(len(document))
    figure = make_figure(
        traces,
        title=title,
        height=420,
        xaxis={"title": {"text": "threshold probability"}},
        yaxis={
            "title": {"text": "net benefit per image"},
            "range": [-0.25 * max(highest, 0.01), 1.1 * max(highest, 0.01)],
            "zeroline": True,
            "zerolinecolor": GREY,
        },
    )
    return Picture("decisions", title, caption, table, figure)


def draw_abstention(document: Mapping[str, Any]) -> Picture:
    """Accuracy of the images that the model keeps, over their share.

    Args:
        document: as of `draw_decisions`.
    """
    title = "Abstention"
    caption = "Accuracy among the images that a model keeps when it leaves those nearest to its threshold to a person. Bars: 95 % interval, which counts patients."
    rows = [(label, row) for label, found in document.items() for row in found["abstention"]]
    table = Table(
        ("label", "kept", "accuracy", "low", "high", "sensitivity", "specificity", "auc"),
        [
            (
                label, row["kept"], *(row["accuracy"][key] for key in ("value", "low", "high")),
                row["sensitivity"], row["specificity"], row["auc"],
            )
            for label, row in rows
        ],
    )  # fmt: skip
    if not rows:
        return Picture("abstention", title, caption, table, make_empty(title, "no label was assessed"))
    traces = []
    for place, (label, found) in enumerate(list(document.items())[:SHOWN]):
        curve = [row for row in found["abstention"] if row["accuracy"]["low"] == row["accuracy"]["low"]]
        traces.append(
            trace(
                "scatter", mode="lines+markers", name=label, showlegend=True, x=shorten([row["kept"] for row in curve]),
                y=shorten([row["accuracy"]["value"] for row in curve]), line={"color": SERIES[place % len(SERIES)]},
                error_y={
                    "type": "data", "symmetric": False, "thickness": 1.4,
                    "array": shorten([row["accuracy"]["high"] - row["accuracy"]["value"] for row in curve]),
                    "arrayminus": shorten([row["accuracy"]["value"] - row["accuracy"]["low"] for row in curve]),
                },
            )
        )  # fmt: skip
    caption += _say_shown(len(document))
    figure = make_figure(
        traces,
        title=title,
        height=380,
        xaxis={"title": {"text": "share of images that the model keeps"}, "autorange": "reversed"},
        yaxis={"title": {"text": "accuracy"}},
    )
    return Picture("abstention", title, caption, table, figure)


def _say_shown(labels: int) -> str:
    """The end of a caption where the figure has only some of the labels."""
    return (
        f" Drawn: the first {SHOWN} of {labels} labels; the numbers have all of them."
        if labels > SHOWN
        else ""
    )


def draw_learning_curve(document: Mapping[str, Any]) -> Picture:
    """The values of each size with their intervals, and the law through them with its band.

    Args:
        document: as `storage.trust.learning_curve.judge_learning_curve` gives it.
    """
    title = f"{document['study']}: trial {document['trial']} trained on fewer patients"
    metric = METRICS[document["metric"]]
    label = metric.long_label
    caption = (
        f"Marks: the {label} on the patients of each fold, whatever the size; bars: 95 % intervals. Line and band: an inverse power law (Mukherjee et al. "
        "2003) and its 95 % band (profile likelihood); to the right of the dotted line it is an extrapolation, which assumes that further patients are "
        f"like the present ones. {document['sentence']}."
    )
    sizes = [
        metric.measured_estimate(one)
        for one in document["sizes"]
        if one["value"] is not None and one["patients"]
    ]
    band = [metric.measured_estimate(one) for one in document["band"]]
    columns = ("kind", "percent", "patients", "value", "low", "high")
    table = Table(
        columns,
        [("measured", *(one[name] for name in columns[1:])) for one in sizes]
        + [("law", None, *(one[name] for name in columns[2:])) for one in band],
    )
    if not sizes:
        return Picture("learning-curve", title, caption, table, make_empty(title, "no size is finished"))
    traces = []
    if band:
        x = [one["patients"] for one in band]
        traces = [
            trace(
                "scatter", mode="lines", fill="toself", hoverinfo="skip", showlegend=False, line={"width": 0}, fillcolor=fade(BLUE, 0.18),
                x=shorten(x + x[::-1]), y=shorten([one["low"] for one in band] + [one["high"] for one in band[::-1]]),
            ),
            trace("scatter", mode="lines", name="law", showlegend=True, x=shorten(x), y=shorten([one["value"] for one in band]),
                  line={"color": BLUE, "width": 2}),
        ]  # fmt: skip
    held = [one for one in sizes if one["low"] is not None]
    bars = {one["percent"]: (one["high"] - one["value"], one["value"] - one["low"]) for one in held}
    ends = [bars.get(one["percent"], (0.0, 0.0)) for one in sizes]
    traces.append(
        trace(
            "scatter", mode="markers", name="measured", showlegend=True, x=shorten([one["patients"] for one in sizes]),
            y=shorten([one["value"] for one in sizes]), marker={"size": 8, "color": SERIES[1]}, customdata=[one["percent"] for one in sizes],
            hovertemplate="%{x:.0f} patients (%{customdata} %): %{y:.4f}<extra></extra>",
            error_y={
                "type": "data", "symmetric": False, "thickness": 1.4,
                "array": shorten([above for above, _ in ends]), "arrayminus": shorten([below for _, below in ends]),
            },
        )
    )  # fmt: skip
    figure = make_figure(
        traces,
        title=title,
        height=400,
        xaxis={"title": {"text": "patients trained on"}, "rangemode": "tozero", "zeroline": False},
        yaxis=name_axis(metric),
    )
    figure["layout"]["shapes"] = [upright_line(max(one["patients"] for one in sizes))]
    return Picture("learning-curve", title, caption, table, figure)
