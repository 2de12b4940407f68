"""Importance of hyperparameters beside what chance alone would show."""

from __future__ import annotations

from dashboards.figures.drawing import Picture, label, make_empty, make_figure, shorten, trace
from dashboards.figures.palette import BLUE, GREY, fade
from dashboards.tables.importance import FEWEST_TRIALS, estimate_importance
from dashboards.tables.view import StudyView, Table


def draw_importance(view: StudyView) -> Picture:
    """Bars of importance; the grey band is the same estimate on shuffled values."""
    title = f"{view.study.name}: importance of hyperparameters"
    caption = (
        "PED-ANOVA over the complete trials; the bars add up to 1. Grey: where nine in ten estimates fall when the "
        "values are shuffled among the trials, that is, when no hyperparameter matters. A bar that ends inside the "
        "band cannot be told from chance."
    )
    found = estimate_importance(view)
    table = Table(
        ("hyperparameter", "importance", "null_5_percent", "null_95_percent", "told_from_chance"),
        [(one.name, one.estimate, one.null_low, one.null_high, one.is_told_from_chance) for one in found],
    )
    if not found:
        why = (
            "one hyperparameter is searched: it is all that can matter"
            if len(view.searched) < 2
            else f"fewer than {FEWEST_TRIALS} trials are complete"
        )
        return Picture("importance", title, caption, table, make_empty(title, why))
    names = [label(one.name) for one in found]
    bars = [
        trace("bar",
            x=shorten([one.estimate for one in found if one.is_told_from_chance == told], 3),
            y=[label(one.name) for one in found if one.is_told_from_chance == told],
            orientation="h", name=name, width=0.35, marker={"color": colour}, cliponaxis=False,
            text=[f"{one.estimate:.2f}" for one in found if one.is_told_from_chance == told], textposition="outside",
        )
        for told, name, colour in (
            (True, "told from chance", BLUE), (False, "not told from chance", fade(BLUE, 0.45)),
        )
        if any(one.is_told_from_chance == told for one in found)
    ]  # fmt: skip
    band = trace("bar",
        base=shorten([one.null_low for one in found], 3),
        x=shorten([one.null_high - one.null_low for one in found], 3),
        y=names, orientation="h", name="shuffled values, 5 to 95 %", width=0.75,
        marker={"color": fade(GREY, 0.4)}, hoverinfo="skip",
    )  # fmt: skip
    figure = make_figure(
        [band, *bars],
        title=title,
        height=max(260, 70 * len(found) + 150),
        barmode="overlay",
        xaxis={"title": {"text": "importance"}, "range": [0, 1.15]},
        yaxis={"autorange": "reversed", "categoryorder": "array", "categoryarray": names},
    )
    return Picture("importance", title, caption, table, figure)
