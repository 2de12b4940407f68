"""`orch model find-lr`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.terminal import console
from orchestrator.terminal.options import AsJson, DataFolders, SpecChanges, SpecFile

if TYPE_CHECKING:
    from workers.objective.rate_finder import RateCurve


def find_lr(
    data: DataFolders = None,
    out: Annotated[
        Path, typer.Option("-o", "--out", "--output", metavar="FILE.html", help="The curve to write.")
    ] = Path("lr.html"),
    spec_file: SpecFile = None,
    settings: SpecChanges = None,
    images: Annotated[int, typer.Option(min=2, metavar="N", help="Size of the sample.")] = 200,
    as_json: AsJson = False,
) -> None:
    """Find a learning rate: it rises tenfold every five epochs from 1e-10, and the loss is plotted against it.

    Trains on a sample of the development images, with class weights if the spec has them; nothing else is kept.

    \b
    Example:
      orch model find-lr --data my-data --set training.positive_weight=balanced -o lr.html
    """
    from orchestrator.planning.review import choose_dataset, fill_in_data, fill_in_weights
    from orchestrator.planning.settings import read_spec
    from orchestrator.terminal.progress import show_progress
    from storage.errors import UsageError
    from storage.files.writing import check_place, write_text
    from storage.settings import cache_folder
    from workers.objective.keras_objective import select_targets
    from workers.objective.rate_finder import find_rates

    if out.suffix.lower() != ".html":
        raise UsageError(f"{out} does not end in .html.", next_step="For example: -o lr.html")
    check_place(out)
    spec = read_spec(spec_file, settings, name="find-lr", searches=False)
    dataset = choose_dataset(data, spec.data.fingerprint)
    spec = fill_in_weights(fill_in_data(spec, dataset))
    labels = select_targets(dataset, spec.data.targets)
    with show_progress("Trying learning rates") as report:
        curve = find_rates(
            spec, dataset, labels, spec.data.targets, cache_folder(), images=images, report=report
        )
    write_text(out, draw_curve(curve))
    if as_json:
        console.print_json(
            {
                "schema": "orch.rates/1",
                "rates": list(curve.rates),
                "losses": [loss if loss == loss else None for loss in curve.losses],
                "suggestion": curve.suggestion,
            }
        )
    elif curve.suggestion is None:
        console.print_line("The loss fell at no rate; see the curve.")
    else:
        console.print_line(
            f"Suggestion: {curve.suggestion:.3g} (a tenth of the rate with the lowest loss). "
            f"--set training.learning_rate={curve.suggestion:.3g}"
        )
    console.say(f"Wrote {out}.")


def draw_curve(curve: RateCurve) -> str:
    """The loss over the rate, both on log axes, as one self-contained page."""
    import plotly.graph_objects as go

    figure = go.Figure(go.Scatter(x=list(curve.rates), y=list(curve.losses), mode="lines+markers"))
    figure.update_layout(
        title="Training loss of one epoch at each learning rate",
        xaxis={"type": "log", "title": "learning rate", "exponentformat": "e"},
        yaxis={"type": "log", "title": "loss"},
        template="plotly_white",
    )
    if curve.suggestion is not None:
        figure.add_vline(
            x=curve.suggestion, line_dash="dot", annotation_text=f"suggestion {curve.suggestion:.2g}"
        )
    page: str = figure.to_html(include_plotlyjs=True, full_html=True)
    return page
