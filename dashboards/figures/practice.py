"""What a model would mean in practice: its decision curve, and what is left of its errors when it may abstain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dashboards.figures.drawing import Picture, make_empty, make_figure, shorten, trace
from dashboards.figures.palette import BLUE, GREY, SERIES, fade
from dashboards.tables.view import Table

SHOWN = 4
"""More labels than these are in the table only."""


def draw_decisions(document: Mapping[str, Any]) -> Picture:
    """The net benefit of the model, of acting on all and on none, over the threshold at which one would act.

    Args:
        document: `practice` of an evaluation, as `storage.practice.review.review` gives it.
    """
    title = "Decision curve"
    caption = (
        "Net benefit: true positives less false positives, these weighed by the odds at which one would act (Vickers and Elkin 2006), per image. Where the "
        "line of the model lies above both others, acting on the model is better than acting on all or on none. Band: 95 % interval, patients drawn."
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
            trace("scatter", mode="lines", name=f"{label}: model", x=x, y=shorten([row["net_benefit"]["value"] for row in curve]),
                  line={"color": colour, "width": 2.4}, showlegend=True),
            trace("scatter", mode="lines", name=f"{label}: act on all", x=x, y=shorten([row["act_on_all"] for row in curve]),
                  line={"color": colour, "width": 1.2, "dash": "dot"}, showlegend=True),
        ]  # fmt: skip
    highest = max(max(row["net_benefit"]["value"], row["act_on_all"]) for _, row in rows)
    figure = make_figure(
        traces,
        title=title,
        height=420,
        xaxis={"title": {"text": "threshold probability at which one would act"}},
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
    figure = make_figure(
        traces,
        title=title,
        height=380,
        xaxis={"title": {"text": "share of images that the model keeps"}, "autorange": "reversed"},
        yaxis={"title": {"text": "accuracy"}},
    )
    return Picture("abstention", title, caption, table, figure)
