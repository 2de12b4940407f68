"""`orch data`: show. The other commands have files of their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.commands.data import preview as data_preview
from orchestrator.commands.data.audit import audit
from orchestrator.commands.data.forget import forget
from orchestrator.commands.data.importing import import_
from orchestrator.commands.data.showing import print_dataset
from orchestrator.terminal.help import CommandGroup
from orchestrator.terminal.options import AsJson

if TYPE_CHECKING:
    pass

app = CommandGroup(help="Import, audit and inspect images and labels.")

app.command("audit")(audit)
app.command("import", short_help="Check images and labels, and create a data set.")(import_)


@app.command(short_help="Show the contents of a data set; check its images.")
def show(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A dataset folder.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Show counts, groups, prevalence, split and fingerprint, and check that all images are readable.

    \b
    Example:
      orch data show my-data
    """
    from orchestrator.terminal.progress import show_progress
    from storage.data.datasets import load_dataset

    dataset = load_dataset(folder)
    with show_progress("Checking images") as report:
        dataset.check_images(report)
    print_dataset(dataset, as_json)


app.command("preview")(data_preview.preview)
app.command("forget")(forget)
