"""`orch publish`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.commands.report import show_images
from orchestrator.terminal import console
from orchestrator.terminal.completing import complete_study
from orchestrator.terminal.opening import open_storage
from orchestrator.terminal.options import DataFolders, Storage


def publish(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME", help="One or several studies.", show_default=False, autocompletion=complete_study
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--out", "--output", metavar="DIR", help="Folder for all files; made where it is missing."
        ),
    ] = Path("paper"),
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.keras", help="The final model: its card goes into the folder.", show_default=False
        ),
    ] = None,
    images: Annotated[
        bool,
        typer.Option(
            "--images",
            help="Show images of patients that were judged rightly and wrongly, with --model under heat maps; without it the page has none.",
        ),
    ] = False,
    data: DataFolders = None,
    storage: Storage = None,
) -> None:
    """Write what a paper needs of one or several studies into a folder.

    The page of `orch report` as HTML and PDF; every figure as SVG at the width of a journal's column or page; tables as CSV,
    LaTeX and .docx; methods.md; references.bib. PDF and SVG need Chromium, .docx the extra `publish`; without them the folder has
    everything else.

    \b
    Example:
      orch publish first second --model model.keras -o paper
    """
    from orchestrator.studies.reporting import write_paper
    from storage.settings import data_folders

    with open_storage(storage) as database:
        written = write_paper(
            database,
            list(dict.fromkeys(names)),
            data_folders(data),
            output,
            model=model,
            images=show_images(model) if images else None,
            warn=console.warn,
        )
    console.say(f"Wrote {len(written)} files into {output}.")
