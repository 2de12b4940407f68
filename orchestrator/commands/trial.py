"""`orch trial show`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator import console
from orchestrator.opening import open_storage
from orchestrator.options import AsJson, Storage, StudyName

app = typer.Typer(help="Look at single trials.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    pass


@app.command()
def show(
    name: StudyName,
    number: Annotated[int, typer.Argument(help="Number of the trial.", show_default=False)],
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Show the outcome and the curves of a trial.

    \b
    Example:
      orch trial show first 57
    """
    from orchestrator.records import EPOCH_COLUMNS, epoch_means, trial_document
    from storage.studies import load_study

    with open_storage(storage) as database:
        document = trial_document(database, load_study(database, name), number)
    if as_json:
        console.print_json(document)
        return
    console.print_facts(
        [
            ("study", document["study"]),
            ("trial", document["trial"]),
            ("point", document["point"]),
            ("attempt", document["attempt"]),
            ("state", document["state"]),
            ("value", document["value"]),
            ("searched", console.show_params(document["params"])),
            ("fixed", console.show_params(document["fixed"])),
            ("worker", document["worker"]),
            ("started", document["started_at"]),
            ("ended", document["ended_at"]),
            ("error", document["error"]),
        ]
    )
    if document["epochs"]:
        console.print_line()
        console.print_table(EPOCH_COLUMNS, epoch_means(document["epochs"]), title="Means over the folds")
