"""`orch report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.terminal import console
from orchestrator.terminal.opening import open_storage
from orchestrator.terminal.options import DataFolders, Storage


def report(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME", help="One or several studies.", show_default=False)
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="The HTML file to write.")
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
    """
    from dashboards.figures.gallery import FORMATS
    from orchestrator.studies.reporting import write_figures, write_report
    from storage.errors import UsageError
    from storage.files.writing import check_place
    from storage.settings import data_folders

    wanted = list(dict.fromkeys(formats or []))
    for format_ in wanted:
        if format_ not in FORMATS:
            raise UsageError(
                f"Figures cannot be written as {format_!r}.", next_step=f"Known: {', '.join(FORMATS)}."
            )
    if wanted and figures is None:
        raise UsageError("--format needs a folder for the pictures.", next_step="Name one: --figures DIR")
    check_place(output)
    with open_storage(storage) as database:
        chapters = write_report(database, list(dict.fromkeys(names)), data_folders(data), output)
    size = output.stat().st_size / 1e6
    console.say(f"Wrote {output} ({size:.1f} MB).")
    if figures is not None:
        written = write_figures(chapters, figures, wanted)
        console.say(f"Wrote {written} files into {figures}.")
