"""Importance of hyperparameters, and whether chance explains it."""

from __future__ import annotations

from dashboards.figures.drawing import Picture, label, make_empty, make_figure, shorten, trace
from dashboards.figures.palette import BLUE, fade
from dashboards.tables.importance import FEWEST_TRIALS, estimate_importance
from dashboards.tables.view import StudyView, Table


def draw_importance(view: StudyView) -> Picture:
    """Bars of importance; pale where chance explains what was seen."""
    title = f"{view.study.name}: importance of hyperparameters"
    caption = (
        "PED-ANOVA over the complete trials: each hyperparameter's share in reaching the best tenth of the values. The shares add up to 1 "
        "whatever the data. Each one is also tested by itself: a regression on all hyperparameters with and without "
        "it, against shuffled residuals. Pale bars: p above 0.05, not significant."
    )
    found = estimate_importance(view)
    table = Table(
        ("hyperparameter", "importance", "p_value", "significant"),
        [(one.name, one.estimate, one.p_value, one.is_significant) for one in found],
    )
    if not found:
        why = (
            "only one hyperparameter is searched"
            if len(view.searched) < 2
            else f"fewer than {FEWEST_TRIALS} trials are complete"
        )
        return Picture("importance", title, caption, table, make_empty(title, why))
    names = [label(one.name) for one in found]
    bars = [
        trace("bar",
            x=shorten([one.estimate for one in found if one.is_significant == told], 3),
            y=[label(one.name) for one in found if one.is_significant == told],
            orientation="h", name=name, width=0.35, marker={"color": colour}, cliponaxis=False,
            text=[f"{one.estimate:.2f}<br>p {show_chance(one.p_value)}" for one in found if one.is_significant == told], textposition="outside",
        )
        for told, name, colour in (
            (True, "significant", BLUE), (False, "not significant", fade(BLUE, 0.45)),
        )
        if any(one.is_significant == told for one in found)
    ]  # fmt: skip
    figure = make_figure(
        bars,
        title=title,
        height=max(260, 70 * len(found) + 150),
        barmode="overlay",
        # Room for the text beside a bar of 1, also where a figure is a third of a page wide.
        xaxis={
            "title": {"text": "importance"},
            "range": [0, 1.4],
            "tickvals": [0, 0.25, 0.5, 0.75, 1],
            "showgrid": False,
        },
        yaxis={"autorange": "reversed", "categoryorder": "array", "categoryarray": names},
    )
    return Picture("importance", title, caption, table, figure)


def show_chance(p_value: float) -> str:
    """A p-value in words short enough for a bar."""
    return "< 0.01" if p_value < 0.01 else f"= {p_value:.2f}"
