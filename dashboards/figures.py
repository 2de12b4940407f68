"""All figures of a study in the order of a report, and their export as files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dashboards import importance_figures
from dashboards.choice_figures import draw_choice
from dashboards.curve_figures import draw_examples, draw_measures, draw_schedule, draw_trial
from dashboards.drawing import Picture
from dashboards.info import StudyView
from dashboards.outcome_figures import draw_outcomes
from dashboards.outcomes import Outcomes
from dashboards.search_figures import draw_search, draw_slices
from dashboards.study_figures import draw_comparison, draw_fleet, draw_folds, draw_pruning
from storage.errors import UsageError

FORMATS = ("png", "svg", "pdf")


def draw_study(
    view: StudyView, outcomes: Outcomes | None = None, selection: Mapping[str, Any] | None = None
) -> list[Picture]:
    """Draw every figure of one study; one without data says why it is empty.

    Args:
        view: read with its curves.
        outcomes: out-of-fold predictions of the best trial; without them the figures that need them say so.
        selection: how sure the choice is (`storage.selection.judge_selection`); left out, it is not drawn.
    """
    pictures = [draw_search(view)]
    best = view.best
    if best is not None:
        rows = view.curves_of(best.point)
        if selection is not None:
            pictures.append(draw_choice(view, selection))
        pictures.append(draw_trial(view, best, rows))
    pictures += [draw_examples(view), draw_slices(view), importance_figures.draw_importance(view)]
    pictures += [draw_pruning(view), draw_folds(view)]
    if best is not None:
        pictures += [draw_measures(view, best, rows), draw_schedule(view, best, rows)]
        pictures += draw_outcomes(view, best, outcomes)
    pictures.append(draw_fleet(view))
    return pictures


def draw_studies(views: Sequence[StudyView]) -> Picture:
    """One figure and table of several studies."""
    return draw_comparison(views)


def write_pictures(pictures: Sequence[Picture], folder: Path, formats: Sequence[str] = ()) -> list[Path]:
    """Write the numbers of each figure as CSV and, where asked for, its picture.

    Args:
        pictures: what to write.
        folder: made where it is missing.
        formats: of `FORMATS`.

    Raises:
        UsageError: pictures are asked for, and kaleido or its browser is not here; the CSV files are written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for picture in pictures:
        path = folder / f"{picture.name}.csv"
        _write(path, picture.table.to_csv().encode())
        written.append(path)
    for picture in pictures:
        for format_ in formats:
            path = folder / f"{picture.name}.{format_}"
            _write(path, _render(picture.to_plotly(), format_))
            written.append(path)
    return written


def _render(figure: Any, format_: str) -> bytes:
    try:
        drawn: bytes = figure.to_image(format=format_, width=1000, scale=2 if format_ == "png" else 1)
    except Exception as error:
        # Kaleido raises whatever its browser, its pipe or its import says; none of it is the figure's fault.
        raise UsageError(
            f"Figures cannot be written as {format_.upper()} on this machine; their numbers were written as CSV.",
            why=f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0][:200]}",
            next_step="Install kaleido and a Chromium it can use (`pip install kaleido`; BROWSER_PATH names it), or "
            "save the picture from the report with the camera above each figure.",
        ) from error
    return drawn


def _write(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
