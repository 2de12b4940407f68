"""`orch trial`: show, replay."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from orchestrator.terminal import console
from orchestrator.terminal.help import CommandGroup
from orchestrator.terminal.opening import open_storage
from orchestrator.terminal.options import AsJson, DataFolders, Storage, StudyName
from storage.wording import say_written, show_params

app = CommandGroup(help="Inspect single trials.")


@app.command()
def show(
    name: StudyName,
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="Number of the trial.", show_default=False)],
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Show the outcome and the curves of a trial.

    \b
    Example:
      orch trial show first 57
    """
    from orchestrator.studies.records import epoch_columns, epoch_means, trial_document
    from storage.studies.study import load_study

    with open_storage(storage) as database:
        study = load_study(database, name)
        document, metric = trial_document(database, study, number), study.spec.metric
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
            (metric.name, document["value"]),
            ("searched", show_params(document["params"])),
            ("fixed", show_params(document["fixed"])),
            ("worker", document["worker"]),
            ("started", say_written(document["started_at"])),
            ("ended", say_written(document["ended_at"])),
            ("error", document["error"]),
        ]
    )
    if document["folds"]:
        console.print_line()
        columns = tuple(document["folds"][0])
        console.print_table(
            [column.replace("_", " ") for column in columns],
            [[_range(fold[column]) for column in columns] for fold in document["folds"]],
            title="What ran",
        )
    if document["epochs"]:
        console.print_line()
        console.print_table(
            epoch_columns(metric), epoch_means(document["epochs"], metric), title="Means over the folds"
        )


def _range(value: Any) -> Any:
    """A pair of equal ends as one number."""
    return value[0] if isinstance(value, list) and value[0] == value[1] else value


@app.command()
def replay(
    name: StudyName,
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="Number of the trial.", show_default=False)],
    data: DataFolders = None,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Compute a trial again and compare every epoch of every fold.

    Nothing is written. Results are bit-identical on the same hardware, versions, threads and features; exit code 1 if a number differs.

    \b
    Example:
      orch trial replay first 57 --data my-data
    """
    from orchestrator.studies.replay import replay_recorded
    from orchestrator.terminal.stages import show_stages
    from storage.settings import cache_folder, data_folders
    from storage.studies.study import load_study

    with open_storage(storage) as database, show_stages() as report:
        document = replay_recorded(
            database, load_study(database, name), number, data_folders(data), cache_folder(), report
        )
    if as_json:
        console.print_json(document)
    else:
        for change in document["circumstances"]:
            console.warn(change)
        if document["identical"]:
            console.print_line(
                f"Bit-identical: {document['numbers']} numbers of {document['folds']} folds and "
                f"{document['epochs']} epochs."
            )
        else:
            console.print_line(
                f"{document['different']} of {document['numbers']} numbers differ, the first of them:"
            )
            columns = ("fold", "epoch", "name", "recorded", "replayed")
            rows = [[one[column] for column in columns] for one in document["differences"]]
            console.print_table(columns, rows)
    if not document["identical"]:
        raise typer.Exit(1)
