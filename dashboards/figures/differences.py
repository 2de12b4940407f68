"""How several models differ from the first of them: each metric's difference with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dashboards.figures.drawing import Picture, make_empty, make_figure, shorten_one, trace, upright_line
from dashboards.figures.palette import GREY, SERIES
from dashboards.tables.view import Table
from storage.metrics.objectives import AUC, METRICS, Metric

LOWER = " (lower is better)"
WORSE = {1: "lower", -1: "higher"}


def draw_differences(document: Mapping[str, Any]) -> Picture:
    """A row for each metric, a mark and a bar for each model that is compared with the first.

    Args:
        document: as `storage.trust.comparison.compare` gives it.
    """
    first = document["models"][0]["name"]
    title = f"Differences to {first}"
    rows = [
        (comparison["second"], name, label, one)
        for comparison in document["comparisons"]
        for name, label, one in list_rows(comparison)
    ]
    table = Table(
        ("model", "compared_with", "metric", "difference", "low", "high", "p"),
        [
            (second, first, label, one["value"], one["low"], one["high"], one["p"])
            for second, _, label, one in rows
        ],
    )
    margin = document.get("margin")
    claims = [comparison["claim"]["metric"] for comparison in document["comparisons"]]
    claimed = METRICS[claims[0]] if claims else AUC
    caption = (
        f"Each mark is a metric of a model less that of {first}; to the right of 0 it is higher. Bars: 95 % intervals, where patients are drawn "
        "and both models are measured on each draw; of the row over folds, by the corrected resampled t-test (Nadeau and Bengio 2003)."
        + (
            f" Dotted: the margin, {claimed.label} {margin:g} {WORSE[claimed.sign]}."
            if margin is not None
            else ""
        )
    )
    if not rows:
        return Picture("differences", title, caption, table, make_empty(title, "there is nothing to compare"))
    traces = []
    for place, comparison in enumerate(document["comparisons"]):
        mine = [row for row in rows if row[0] == comparison["second"]]
        ends = [_ends(one) for *_, one in mine]
        traces.append(
            trace(
                "scatter", mode="markers", name=comparison["second"], showlegend=True,
                x=[shorten_one(one["value"]) for *_, one in mine], y=[label.replace(LOWER, f"<br>{LOWER.strip()}") for _, _, label, _ in mine],
                marker={"size": 9, "color": SERIES[place % len(SERIES)]},
                error_x={
                    "type": "data", "symmetric": False, "thickness": 1.8,
                    "array": [above for _, above in ends], "arrayminus": [below for below, _ in ends],
                },
            )
        )  # fmt: skip
    height = 150 + max(24, 14 * len(traces)) * len({label for _, _, label, _ in rows})
    figure = make_figure(
        traces,
        title=title,
        height=height,
        xaxis={"title": {"text": "difference"}, "zeroline": True, "zerolinecolor": GREY},
        yaxis={"type": "category", "autorange": "reversed", "automargin": True},
        scattermode="group",
    )
    if margin is not None:
        figure["layout"]["shapes"] = [upright_line(-margin * claimed.sign)]
    return Picture("differences", title, caption, table, figure)


def list_rows(comparison: Mapping[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """The differences of one comparison that have a value: name, words and numbers, of measured values."""
    rows = []
    if comparison["folds"]:
        name = comparison["claim"]["metric"]
        row = METRICS[name].measured_estimate(comparison["folds"])
        rows.append((f"{name}:folds", name_difference(METRICS[name], ", over folds"), row))
    rows += [(f"area:{name}", f"AUC of {name}", one) for name, one in comparison["areas"].items()]
    rows += [
        (name, name_difference(METRICS[name]), METRICS[name].measured_estimate(one))
        for name, one in comparison["metrics"].items()
    ]
    return [row for row in rows if row[2]["value"] is not None and row[2]["value"] == row[2]["value"]]


def name_difference(metric: Metric, over: str = "") -> str:
    """A metric whose measured values are subtracted from each other, and which way is better where that is not up."""
    return f"{metric.label}{over}{LOWER if metric.sign < 0 else ''}"


def _ends(one: Mapping[str, Any]) -> tuple[Any, Any]:
    low, high, value = one["low"], one["high"], one["value"]
    if low is None or low != low:
        return 0, 0
    return shorten_one(value - low), shorten_one(high - value)
