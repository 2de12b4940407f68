"""All figures of a study in the order of a report, and their export as files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from dashboards.figures import importance as importance_figures
from dashboards.figures.choice import draw_choice
from dashboards.figures.curves import draw_examples, draw_measures, draw_schedule, draw_trial
from dashboards.figures.drawing import Picture
from dashboards.figures.kinds import draw_outcomes
from dashboards.figures.search import draw_search, draw_slices
from dashboards.figures.study import draw_comparison, draw_fleet, draw_folds, draw_pruning
from dashboards.figures.trials import draw_front, draw_parallel
from dashboards.tables.outcomes import Outcomes
from dashboards.tables.view import StudyView
from storage.errors import UsageError
from storage.files.writing import write_bytes

FORMATS = ("png", "svg", "pdf")
WIDTH = 1000
"""Pixels of a picture (twice as many in a PNG): a page's width, so that texts keep their size in print."""


def draw_study(
    view: StudyView, outcomes: Outcomes | None = None, selection: Mapping[str, Any] | None = None
) -> list[Picture]:
    """Draw every figure of one study; one without data says why it is empty.

    Args:
        view: read with its curves.
        outcomes: out-of-fold predictions of the best trial; without them the figures that need them say so.
        selection: how sure the choice is (`storage.trust.selection.judge_selection`); left out, it is not drawn.
    """
    pictures = [draw_search(view)]
    if view.study.spec.further:
        pictures.append(draw_front(view))
    best = view.best
    if best is not None:
        rows = view.curves_of(best.point)
        if selection is not None:
            pictures.append(draw_choice(view, selection))
        pictures.append(draw_trial(view, best, rows))
    pictures += [draw_examples(view), draw_slices(view), draw_parallel(view)]
    pictures.append(importance_figures.draw_importance(view))
    pictures += [draw_pruning(view), draw_folds(view)]
    if best is not None:
        pictures += [draw_measures(view, best, rows), draw_schedule(view, best, rows)]
        pictures += draw_outcomes(view, best, outcomes)
    pictures.append(draw_fleet(view))
    return pictures


def draw_studies(views: Sequence[StudyView]) -> Picture:
    """One figure and table of several studies."""
    return draw_comparison(views)


def write_pictures(
    placed: Sequence[tuple[Path, Sequence[Picture]]],
    formats: Sequence[str] = (),
    report: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Write the numbers of each figure as CSV and, where asked for, its picture.

    Args:
        placed: folders, made where they are missing, and what to write into each.
        formats: of `FORMATS`.
        report: told how many pictures are drawn, of how many.

    Raises:
        UsageError: pictures are asked for, and kaleido or its browser is not here; the CSV files are written.
    """
    written = []
    for folder, pictures in placed:
        folder.mkdir(parents=True, exist_ok=True)
        for picture in pictures:
            path = folder / f"{picture.name}.csv"
            write_bytes(path, picture.table.to_csv().encode())
            written.append(path)
    wanted = [
        (picture, folder / f"{picture.name}.{format_}")
        for folder, pictures in placed
        for picture in pictures
        for format_ in formats
    ]
    if wanted:
        # In a thread of its own: a notebook has a loop of events running in this one.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(lambda: asyncio.run(_render(wanted, report))).result()
    return written + [path for _, path in wanted]


async def _render(
    wanted: Sequence[tuple[Picture, Path]], report: Callable[[int, int], None] | None = None
) -> None:
    """Draw pictures into files with one browser.

    Plotly's own `to_image` starts a browser for each, and its page loads MathJax from the internet: where there is
    no way out, every picture waits minutes for that. No text of orch's figures needs it.
    """
    try:
        import kaleido

        browser = kaleido.Kaleido(n=1, mathjax=False)
        await browser.open()
    except Exception as error:
        raise _cannot_render(error) from error
    try:
        for done, (picture, path) in enumerate(wanted):
            if report:
                report(done, len(wanted))
            format_ = path.suffix[1:]
            options = {"format": format_, "width": WIDTH, "scale": 2 if format_ == "png" else 1}
            options["height"] = picture.figure["layout"]["height"]
            try:
                drawn = await browser.calc_fig(picture.to_plotly(), options)
            except Exception as error:
                raise _cannot_render(error) from error
            write_bytes(path, drawn)
    finally:
        await browser.close()


def _cannot_render(error: Exception) -> UsageError:
    """Kaleido raises whatever its browser, its pipe or its import says; none of it is the figure's fault."""
    words = " ".join(str(part) for part in error.args) if error.args else ""
    return UsageError(
        "Figures cannot be drawn into files on this machine; their numbers were written as CSV.",
        why=f"{type(error).__name__}: {(words.strip().splitlines() or [''])[0][:200]}",
        next_step="Install kaleido and a Chromium it finds (`pip install 'kaleido>=1'`; BROWSER_PATH names the "
        "program where it is in no usual place; it runs as root, too), or save the picture from the report with "
        "the camera above each figure.",
    )
