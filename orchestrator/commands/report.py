"""`orch report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.terminal import console
from orchestrator.terminal.completing import complete_study
from orchestrator.terminal.opening import open_storage
from orchestrator.terminal.options import DataFolders, Storage

if TYPE_CHECKING:
    from orchestrator.studies.reporting import Pictures


def report(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME", help="One or several studies.", show_default=False, autocompletion=complete_study
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--out", "--output", metavar="FILE", help="The HTML file to write.")
    ] = Path("report.html"),
    figures: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder for the numbers of every figure as CSV.", show_default=False
        ),
    ] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar="png|svg|pdf",
            help="Also write the figures as image files (needs kaleido).",
        ),
    ] = None,
    images: Annotated[
        bool,
        typer.Option(
            "--images",
            help="Show images of patients that were judged rightly and wrongly; without it the page has none.",
        ),
    ] = False,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.keras",
            help="With --images: lay heat maps of this final model over them.",
            show_default=False,
        ),
    ] = None,
    data: DataFolders = None,
    storage: Storage = None,
) -> None:
    """Write a report on studies as one HTML file.

    It contains the spec, data, results, figures, warnings, instructions to reproduce them and a reporting checklist, and opens
    without a network. ROC curves, confusion tables and calibration need the labels, so they appear only if the dataset folder
    is on this machine.

    \b
    Examples:
      orch report first -o first.html
      orch report lenet end-to-end frozen -o compared.html
      orch report first --figures figures --format svg
      orch report first --images --model model.keras
    """
    from dashboards.figures.gallery import FORMATS
    from orchestrator.studies.reporting import write_figures, write_report
    from storage.errors import UsageError
    from storage.files.writing import check_place
    from storage.settings import data_folders
    from storage.wording import say_count

    wanted = list(dict.fromkeys(formats or []))
    for format_ in wanted:
        if format_ not in FORMATS:
            raise UsageError(
                f"Figures cannot be written as {format_!r}.", next_step=f"Known: {', '.join(FORMATS)}."
            )
    if wanted and figures is None:
        raise UsageError("--format needs a folder for the pictures.", next_step="Name one: --figures DIR")
    if model is not None and not images:
        raise UsageError(
            "--model is for heat maps over images.", next_step="Say --images, too, or leave --model out."
        )
    check_place(output)
    with open_storage(storage) as database:
        chapters = write_report(
            database,
            list(dict.fromkeys(names)),
            data_folders(data),
            output,
            images=show_images(model) if images else None,
            warn=console.warn,
        )
    size = output.stat().st_size / 1e6
    console.say(f"Wrote {output} ({size:.1f} MB).")
    shown = sum(len(chapter.examples) for chapter in chapters)
    if shown:
        console.warn(f"{output} contains {say_count(shown, 'image')} of patients: share it accordingly.")
    if figures is not None:
        written = write_figures(chapters, figures, wanted)
        console.say(f"Wrote {written} files into {figures}.")


def show_images(model: Path | None) -> Pictures:
    """Examples of images on a page, under heat maps where there is a model."""
    from orchestrator.models.heat_maps import show_examples
    from orchestrator.studies.reporting import Pictures

    return Pictures(show_examples, model)
