"""`orch study challenge`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.terminal import console
from orchestrator.terminal.completing import complete_study
from orchestrator.terminal.opening import open_storage
from orchestrator.terminal.options import AsJson, DataFolders, Storage


def challenge(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="A study, or NAME:TRIAL.", show_default=False, autocompletion=complete_study
        ),
    ],
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Epochs on shuffled labels. Default: as many as the trial was judged after, at most 10.",
            show_default=False,
        ),
    ] = None,
    data: DataFolders = None,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Plant faults in a study on purpose, and see whether each of them shows.

    Labels are shuffled (the AUC must be .5), a leak is planted (the audit must find it), the batch is doubled (the training must change), the same is
    trained twice (it must be the same), a label is flipped and the hold-out exchanged (the data set must be refused). Nothing is written.
    Exit code 1 where a fault does not show.

    \b
    Example:
      orch study challenge first --data my-data
    """
    from orchestrator.proof.challenge import challenge_study
    from orchestrator.terminal.stages import show_stages
    from storage.settings import cache_folder, data_folders

    with open_storage(storage) as database, show_stages() as report:
        document = challenge_study(
            database, name, data_folders(data), cache_folder(), epochs=epochs, report=report
        )
    if as_json:
        console.print_json(document)
    else:
        console.print_facts(
            [
                ("study", f"{document['study']}, trial {document['trial']}"),
                ("data set", document["fingerprint"]),
                ("spec", document["spec_hash"]),
            ]
        )
        for one in document["challenges"]:
            console.print_line(
                f"{'passed' if one['passed'] else 'FAILED'}  {one['challenge']}: {one['said']}"
            )
    if not document["ok"]:
        raise typer.Exit(1)
