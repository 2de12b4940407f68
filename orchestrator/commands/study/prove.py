"""`orch study prove` and `orch study check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.terminal import console
from orchestrator.terminal.opening import open_storage
from orchestrator.terminal.options import AsJson, DataFolders, Storage, StudyName


def prove(
    name: StudyName,
    output: Annotated[
        Path, typer.Option("-o", "--out", "--output", metavar="FILE.zip", help="The bundle to write.")
    ] = Path("bundle.zip"),
    replay: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="K",
            help="Train K trials again, which the chain draws, and keep whether every number is the same (needs the data).",
        ),
    ] = 0,
    data: DataFolders = None,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Write all evidence of a study to one file that can be checked elsewhere.

    The bundle holds the spec, the plan, every trial, epoch and prediction, the chain of hashes, the hold-out openings and the versions; no
    image and no label. `orch study check` checks it without the database.

    \b
    Example:
      orch study prove first --replay 3 -o first.zip
    """
    from functools import partial

    from dashboards.tables.outcomes import find_dataset
    from orchestrator.proof.bundle import write_bundle
    from orchestrator.terminal.stages import show_stages
    from storage.files.writing import check_place, write_bytes
    from storage.settings import cache_folder, data_folders
    from storage.studies.study import load_study

    check_place(output)
    with open_storage(storage) as database, show_stages() as report:
        study = load_study(database, name)
        again = None
        if replay:
            from orchestrator.studies.replay import replay_recorded

            again = partial(
                _replay, replay_recorded, database, study, data_folders(data), cache_folder(), report
            )
        dataset = find_dataset(study, data_folders(data))
        content, document = write_bundle(database, study, again, replay, dataset)
    write_bytes(output, content)
    document["file"] = str(output)
    if as_json:
        console.print_json(document)
    else:
        console.print_facts(
            [
                ("study", document["study"]),
                ("trials", document["trials"]),
                ("chain", f"{document['links']} links"),
                ("last link", document["head"]),
                (
                    "replayed",
                    f"{document['replayed']} trials, {document['replays_differ']} with other numbers",
                ),
                ("bundle", output),
            ]
        )
    for problem in document["problems"]:
        console.warn(problem)
    if document["problems"]:
        raise typer.Exit(1)


def check(
    bundle: Annotated[
        Path, typer.Argument(metavar="FILE", help="A bundle of `orch study prove`.", show_default=False)
    ],
    head: Annotated[
        str | None,
        typer.Option(
            metavar="HASH",
            help="A hash of the chain that was published; it must be in the bundle.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a bundle: needs neither the images nor the database.

    Every file is held against its hash, every trial against the chain, every value against its fold results, and what was done against the
    plan. Exit code 1 where something does not fit.

    \b
    Example:
      orch study check first.zip
    """
    from orchestrator.proof.bundle import check_bundle

    document = check_bundle(bundle, head=head)
    if as_json:
        console.print_json(document)
    else:
        _print(document)
    for problem in document["problems"]:
        console.warn(problem)
    if not document["ok"]:
        raise typer.Exit(1)


def _print(document: dict[str, Any]) -> None:
    plan = document["plan"]
    console.print_facts(
        [
            ("study", document["study"]),
            ("data set", document["fingerprint"]),
            ("spec", document["spec_hash"]),
            ("plan", plan["hash"] if plan else "none"),
            *((f"  {key}", value) for key, value in (plan["plan"].items() if plan else ())),
            ("trials", document["trials"]),
            ("chain", f"{document['links']} links, the last {document['head']}"),
            ("hold-out", f"{document['openings']} openings on record"),
            ("replayed", ", ".join(map(str, document["replayed"])) or "no trial"),
            ("verdict", "everything fits" if document["ok"] else "something does not fit"),
        ]
    )
    for deviation in document["deviations"]:
        console.print_line(f"Deviation from the plan: {deviation}")


def _replay(
    how: Any, database: Any, study: Any, folders: Any, cache: Any, report: Any, number: int
) -> dict[str, Any]:
    document = how(database, study, number, folders, cache, report)
    return {key: document.get(key) for key in ("trial", "numbers", "different")}
