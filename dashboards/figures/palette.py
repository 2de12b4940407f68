"""Colours and templates of the figures: readable on paper and on a dark screen, and by colour-blind eyes.

The colours are Okabe and Ito's (2008), those of them that stand out from white and from near-black alike (contrast
of 3 and more, which a test computes); so one figure serves both themes and only its template changes.
"""

from __future__ import annotations

from typing import Any

BLUE, VERMILLION, GREEN, PINK, GREY = "#0072B2", "#D55E00", "#009E73", "#C66BA0", "#858B94"
BRIGHTER = {BLUE: "#56B4E9", "#6F7BD9": "#9AA4F0"}
"""What a dark page draws instead: the two blues, which are dim there."""

STEPS = 8


def _blend(one: str, other: str) -> tuple[str, ...]:
    """Colours in `STEPS` equal steps from one to the other, both among them."""
    ends = [[int(colour[place : place + 2], 16) for place in (1, 3, 5)] for colour in (one, other)]
    shares = [step / (STEPS - 1) for step in range(STEPS)]
    return tuple(
        "#" + "".join(f"{round(a + (b - a) * share):02X}" for a, b in zip(*ends, strict=True))
        for share in shares
    )


RAMP = _blend(GREY, BLUE)
"""From the worst to the best for thin lines, which `VALUE_SCALE` would draw in the colour of one paper or the other."""
HALO = "rgba(255,255,255,0.78)"
"""Behind a text that lines pass."""
SERIES = (BLUE, VERMILLION, GREEN, PINK, GREY)
VALUE_SCALE = "Cividis"
"""Even in lightness and the same to every kind of colour vision."""

PAPER = {"light": "#ffffff", "dark": "#15171c"}
INK = {"light": "#1f2430", "dark": "#e4e7ec"}
LINES = {"light": "#dfe3ea", "dark": "#353a45"}

OUTCOME_COLOURS = {
    "complete": BLUE,
    "pruned": GREY,
    "failed": VERMILLION,
    "lost": PINK,
    "stopped": "#9A8A2F",
    "running": GREEN,
}


def make_template(theme: str, *, transparent: bool = False) -> dict[str, Any]:
    """Return the Plotly template of a theme as plain data.

    Args:
        theme: "light" or "dark".
        transparent: let the page show through instead of painting the paper.
    """
    paper = "rgba(0,0,0,0)" if transparent else PAPER[theme]
    axis = {
        "gridcolor": LINES[theme],
        "linecolor": GREY,
        "zerolinecolor": LINES[theme],
        "ticks": "outside",
        "tickcolor": GREY,
        "automargin": True,
        "title": {"standoff": 10},
    }
    return {
        "layout": {
            "font": {
                "family": "system-ui, -apple-system, Segoe UI, sans-serif",
                "size": 13,
                "color": INK[theme],
            },
            "paper_bgcolor": paper,
            "plot_bgcolor": paper,
            "colorway": list(SERIES),
            "xaxis": axis,
            "yaxis": axis,
            "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
            "margin": {"l": 60, "r": 20, "t": 70, "b": 55},
            "title": {
                "x": 0.01,
                "xanchor": "left",
                "y": 1,
                "yanchor": "top",
                "yref": "container",
                "pad": {"t": 16},
                "font": {"size": 15},
            },
            "hoverlabel": {"bgcolor": PAPER[theme], "font": {"color": INK[theme]}},
            "colorscale": {"sequential": VALUE_SCALE},
        }
    }


def list_swaps() -> list[tuple[str, str]]:
    """Pairs of texts to replace in a figure's JSON for a dark page."""
    ramp = zip(RAMP[1:-1], _blend(GREY, BRIGHTER[BLUE])[1:-1], strict=True)
    swaps = [*BRIGHTER.items(), *ramp, (HALO, fade(PAPER["dark"], 0.78))]
    return swaps + [(fade(old, 1)[:-2], fade(new, 1)[:-2]) for old, new in BRIGHTER.items()]


def fade(colour: str, opacity: float) -> str:
    """Return a hexadecimal colour with an opacity from 0 to 1."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"
