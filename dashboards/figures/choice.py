"""How sure the choice of the best trial is: all complete trials by rank, and which are statistically equivalent to the best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dashboards.figures.drawing import Picture, make_figure, measure, name_axis, note, trace
from dashboards.figures.palette import BLUE, GREY, HALO, VERMILLION, fade
from dashboards.tables.view import StudyView, Table

MOST_BARS = 200
"""More error bars than these hide the marks they belong to."""


def draw_choice(view: StudyView, selection: Mapping[str, Any]) -> Picture:
    """Values by rank with the noise of one trial; the line is the value corrected for having been chosen.

    Args:
        view: the study; at least one trial is complete.
        selection: as `storage.trust.selection.judge_selection` gives it.
    """
    title = f"{view.study.name}: best trial and statistically equivalent trials"
    noise = selection["noise_per_trial"]
    worse = "lower" if view.metric.sign > 0 else "higher"
    spread = f" Bars: the standard error of a trial over its folds ({noise:.4f})." if noise else ""
    caption = (
        f"Complete trials by rank. Blue: statistically indistinguishable from the best (95 %); grey: significantly "
        f"{worse}.{spread} Dashed: the best value corrected for selection."
    )
    equals = {one["point"] for one in selection["indistinguishable"]}
    table = Table(
        ("rank", "point", "trial", view.metric.name, "cannot_be_told_from_the_best"),
        [
            (rank, point.point, point.trial_number, point.value, point.point in equals)
            for rank, point in enumerate(view.ranked, start=1)
        ],
    )
    traces = []
    for name, colour, wanted in (
        ("statistically equivalent", BLUE, True),
        (f"significantly {worse}", GREY, False),
    ):
        rows = [row for row in table.rows if row[4] is wanted]
        if not rows:
            continue
        bars = {"type": "constant", "value": noise, "color": fade(colour, 0.35), "thickness": 1.2, "width": 0}
        traces.append(
            trace(
                "scatter", x=[row[0] for row in rows], y=measure([row[3] for row in rows], view.metric), mode="markers", showlegend=True,
                name=f"{name} ({len(rows)})", marker={"color": colour, "size": 6},
                customdata=[[row[1], row[2]] for row in rows],
                hovertemplate="rank %{x}: %{y:.4f}<br>trial %{customdata[1]}<extra></extra>",
                **({"error_y": bars} if noise and len(table.rows) <= MOST_BARS else {}),
            )
        )  # fmt: skip
    figure = make_figure(
        traces,
        title=title,
        height=380,
        xaxis={"title": {"text": "rank"}, "zeroline": False},
        yaxis=name_axis(view.metric),
    )
    corrected = selection["corrected_value"]
    bound = "at most" if view.metric.sign > 0 else "at least"
    text = "corrected" if corrected is not None else f"corrected: {bound}"
    corrected = corrected if corrected is not None else selection["corrected_at_most"]
    if corrected is not None:
        corrected = view.metric.measured(corrected)
        line = {"dash": "dash", "width": 1.8, "color": VERMILLION}
        figure["layout"]["shapes"] = [
            {
                "type": "line",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "y0": corrected,
                "y1": corrected,
                "line": line,
            }
        ]
        # On the left the marks are the best ones, far above the line.
        figure["layout"]["annotations"] = [
            note(
                f"{text} {corrected:.4f}",
                xref="paper",
                x=0,
                xanchor="left",
                y=corrected,
                yanchor="top",
                bgcolor=HALO,
                borderpad=1,
            )
        ]
    return Picture("choice", title, caption, table, figure)
