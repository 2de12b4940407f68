"""What an evaluation of a final model showed, on a hold-out or on data from elsewhere: ROC with its band, calibration, confusion, decision curve.

They are drawn from what the study remembers, so no image and no label is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboards.figures.drawing import Picture, Trace, entry, make_figure, shorten, trace
from dashboards.figures.kinds import show_classes
from dashboards.figures.outcomes import SHOWN_TARGETS, show_calibration, show_confusions
from dashboards.figures.palette import GREY, SERIES, fade
from dashboards.figures.practice import draw_decisions
from dashboards.tables.outcomes import GRID, Calibration
from dashboards.tables.performance import say_estimate
from dashboards.tables.view import Table
from storage.metrics.tables import Table as Confusion
from storage.results.evaluations import Evaluation, EvaluationKind, main_results, name_images
from storage.tasks.naming import shorten_names

HOLD_OUT = "holdout"
KINDS = ("roc", "calibration", "decisions", "confusion")
"""Of the figures of one evaluation, as the end of their names."""


def name_part(evaluation: Evaluation) -> str:
    """What the names of the figures of an evaluation begin with."""
    return (
        HOLD_OUT if evaluation.kind == EvaluationKind.HOLD_OUT else f"external-{evaluation.fingerprint[7:13]}"
    )


def draw_evaluation(study: str, evaluation: Evaluation, others: Sequence[Evaluation] = ()) -> list[Picture]:
    """Those figures that the evaluation has numbers for, named `PART-KIND` with a kind of `KINDS`.

    Args:
        study: its name.
        evaluation: of a final model.
        others: that stand beside it.
    """
    document, scored = evaluation.document, main_results(evaluation.document)
    on = name_images(evaluation, others)
    curves = document.get("curves") or {}
    found = []
    if curves:
        found += [
            _draw_roc(curves, scored),
            _draw_calibration(curves, scored.get("labels", {})),
        ]
    if any(row["decision_curve"] for row in (document.get("practice") or {}).values()):
        found.append(draw_decisions(_with_nan(document["practice"])))
    found += _draw_confusion(scored)
    part = name_part(evaluation)
    return [replace(one, name=f"{part}-{one.name}", title=f"{study}: {one.title}, {on}") for one in found]


def _draw_roc(curves: Mapping[str, Any], scored: Mapping[str, Any]) -> Picture:
    rows = scored.get("labels", {})
    caption = "The final model on images that it had not seen. Band: 95 % intervals of both rates at each threshold, which count patients. AUC with its 95 % interval."
    known = {name: _read(one["roc"]) for name, one in curves.items()}
    known = {
        name: one
        for name, one in known.items()
        if not np.isnan(one["y"]).any() and not np.isnan(one["x"]).any()
    }
    short = shorten_names([*known])
    table = Table(
        ("target", "threshold", "false_positive_rate", "true_positive_rate"),
        [
            (name, float(threshold), float(x), float(y))
            for name, one in known.items()
            for threshold, x, y in zip(one["thresholds"], one["x"], one["y"], strict=True)
        ],
    )
    traces: list[Trace] = [
        trace(
            "scatter",
            x=[0, 1],
            y=[0, 1],
            mode="lines",
            line={"dash": "dot", "color": GREY, "width": 1.2},
            showlegend=False,
            hoverinfo="skip",
        )
    ]
    if len(known) > SHOWN_TARGETS:
        mean = np.mean([np.interp(GRID, one["x"], one["y"]) for one in known.values()], axis=0)
        areas = [
            float(value)
            for name in known
            if (value := rows.get(name, {}).get("metrics", {}).get("auc", {}).get("value")) is not None
        ]
        macro = ((scored.get("macro") or {}).get("metrics") or {}).get("auc") or {}
        said = (
            say_estimate(macro) if macro.get("low") is not None else f"{np.mean(areas):.3f}" if areas else ""
        )
        name = f"mean of {len(known)} labels"
        traces.append(_line(GRID, mean, entry(name, f"AUC {said}") if said else name, SERIES[0]))
        caption = f"The final model on images that it had not seen: the mean of the curves of {len(known)} labels, which has no band, and the mean of their AUC; Results per label has each AUC with its interval."
    else:
        for (name, one), colour in zip(known.items(), SERIES, strict=False):
            band = curves[name]["roc"].get("band") or {}
            if band.get("lower_x"):
                traces.append(
                    trace("scatter", x=shorten([*band["lower_x"], *band["upper_x"][::-1]], 3), y=shorten([*band["lower_y"], *band["upper_y"][::-1]], 3),
                          fill="toself", fillcolor=fade(colour, 0.15), line={"width": 0}, hoverinfo="skip", showlegend=False)
                )  # fmt: skip
            area = say_estimate(rows.get(name, {}).get("metrics", {}).get("auc"))
            traces.append(_line(one["x"], one["y"], entry(short[name], f"AUC {area}"), colour))
    figure = make_figure(
        traces,
        title="ROC",
        height=480,
        xaxis={"title": {"text": "1 - specificity"}, "range": [-0.01, 1.01]},
        yaxis={"title": {"text": "sensitivity"}, "range": [-0.01, 1.01]},
        legend={"x": 0.98, "xanchor": "right", "y": 0.03, "yanchor": "bottom", "orientation": "v"},
    )
    return Picture("roc", "ROC", caption, table, figure)


def _read(roc: Mapping[str, Any]) -> dict[str, NDArray[np.float64]]:
    keys = {"x": "false_positive_rate", "y": "true_positive_rate", "thresholds": "thresholds"}
    return {name: np.array(roc[key], np.float64) for name, key in keys.items()}


def _line(
    x: Sequence[float] | NDArray[Any], y: Sequence[float] | NDArray[Any], name: str, colour: str
) -> Trace:
    return trace(
        "scatter", x=shorten(list(map(float, x)), 3), y=shorten(list(map(float, y)), 4), mode="lines", name=name, showlegend=True,
        line={"color": colour, "width": 2.5},
    )  # fmt: skip


def _draw_calibration(curves: Mapping[str, Any], rows: Mapping[str, Any]) -> Picture:
    """Of all labels together, in their bins of equal width."""
    parts = [
        {key: np.array(one["calibration"][key], np.float64) for key in ("predicted", "observed", "images")}
        for one in curves.values()
    ]
    images = np.sum([one["images"] for one in parts], axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        predicted, observed = (
            np.sum([np.nan_to_num(one[key]) * one["images"] for one in parts], axis=0) / images
            for key in ("predicted", "observed")
        )
    filled = images > 0
    found = Calibration(
        predicted[filled].tolist(), observed[filled].tolist(), images[filled].astype(int).tolist(),
        error=float(np.sum(np.abs(predicted - observed)[filled] * images[filled]) / images.sum()), brier=None,
    )  # fmt: skip
    only: Mapping[str, Any] = next(iter(rows.values())) if len(rows) == 1 else {}
    slope = only.get("calibration", {}).get("slope")
    said = f"calibration error {found.error:.3f}" + (f", slope {say_estimate(slope, 2)}" if slope else "")
    caption = (
        "The final model on images that it had not seen, all labels in ten bins of equal width: mean predicted probability against observed frequency; a "
        "well-calibrated model lies on the diagonal. The size of a dot is the number of labels."
    )
    return show_calibration("calibration", "calibration", caption, found, said)


def _draw_confusion(scored: Mapping[str, Any]) -> list[Picture]:
    caption = "Counts of images; the final model had seen none of them."
    if scored.get("confusion"):
        names = [*shorten_names([str(one) for one in scored["classes"]]).values()]
        said = (
            caption
            + " Rows are what an image is, columns what it is called. The colour is the share of its row."
        )
        return [show_classes("confusion", "confusion of classes", said, names, np.array(scored["confusion"]))]
    tables = [
        (name, Confusion(**{key: np.array(float(count)) for key, count in row["table"].items()}))
        for name, row in scored.get("labels", {}).items()
        if row.get("table") and row.get("threshold") is not None
    ]
    return (
        [show_confusions("confusion", "confusion at the thresholds of the evaluation", caption, tables)]
        if tables
        else []
    )


def _with_nan(value: Any) -> Any:
    """The same with NaN for None, which JSON has in its place."""
    if isinstance(value, dict):
        return {key: _with_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_nan(item) for item in value]
    return float("nan") if value is None else value
