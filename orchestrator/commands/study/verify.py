"""`orch study verify`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.terminal import console
from orchestrator.terminal.opening import open_storage
from orchestrator.terminal.options import AsJson, DataFolders, Storage, StudyName
from storage.wording import say_times


def verify(
    name: StudyName,
    head: Annotated[
        str | None,
        typer.Option(
            metavar="HASH",
            help="A hash of the study's chain that was printed or published before; it must still be in it.",
            show_default=False,
        ),
    ] = None,
    data: DataFolders = None,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Check that every trial, attempt, fold and hold-out opening of a study is accounted for.

    Changes nothing. Exit code 0: all records are consistent; 1: an inconsistency was found and is printed. A study may be verified while it runs.

    Where the data set is on this machine, kept predictions are scored again and compared with the recorded AUC.

    \b
    Example:
      orch study verify first
    """
    from dashboards.tables.outcomes import find_dataset
    from orchestrator.studies.verify_parts import verify_whole
    from storage.settings import data_folders
    from storage.studies.study import load_study
    from storage.studies.study_records import growth_of

    with open_storage(storage) as database:
        study = load_study(database, name)
        dataset = find_dataset(study, data_folders(data))
        while True:
            document = verify_whole(database, study, dataset, head=head)
            again = load_study(database, name)
            if growth_of(again) == growth_of(study):
                break
            study = again  # it grew while it was looked at
    if as_json:
        console.print_json(document)
    else:
        console.print_facts(
            [
                ("study", document["study"]),
                ("trials", _count(document["points"])),
                ("Optuna trials", _count(document["trials"]) or "none"),
                ("added", _count(document["added"]) or None),
                ("not orch's", _count(document["foreign"]) or None),
                (
                    "evidence",
                    ", ".join(f"{one['trials']} trials of {one['study']!r}" for one in document["evidence"])
                    or None,
                ),
                ("attempts", _count(document["attempts"])),
                ("fold-epochs", _count(document["folds"])),
                (
                    "hold-out",
                    f"opened {say_times(len(document['holdout_openings']))}"
                    if document["holdout_openings"]
                    else "never opened",
                ),
                (
                    "chain",
                    f"{document['chain']['links']} links, the last {document['chain']['head']}"
                    if document["chain"]["links"]
                    else "none: made by an older orch",
                ),
                ("plan", document["plan"]["hash"] if document["plan"] else "none"),
                *(("part", f"{part['study']}: {_count(part['points'])}") for part in document["parts"]),
                (
                    "not there yet",
                    "repeats or tests of winners; the next worker makes them"
                    if document["part_missing"]
                    else None,
                ),
                ("verdict", "all records are consistent" if document["ok"] else "records are inconsistent"),
            ]
        )
    for deviation in document["deviations"]:
        console.say(f"Deviation from the plan: {deviation}")
    for problem in document["problems"]:
        console.warn(problem)
    if not document["ok"]:
        raise typer.Exit(1)


def _count(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {what.lower().replace('_', ' ')}" for what, count in counts.items())
