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
        Path, typer.Option("-o", "--output", metavar="FILE", help="Where the page goes.")
    ] = Path("report.html"),
    figures: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Also write the numbers of every figure as CSV there.", show_default=False
        ),
    ] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar="png|svg|pdf",
            help="Also write the figures as pictures there (needs kaleido).",
        ),
    ] = None,
    data: DataFolders = None,
    storage: Storage = None,
) -> None:
    """Write a page about studies that can be sent.

    One HTML file with everything in it: spec, data, results, figures, warnings, how to reproduce it, a reporting checklist.
    It opens without a network. ROC, confusion and calibration need the labels: they are drawn where the dataset folder is.

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
