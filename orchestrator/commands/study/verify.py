"""`orch study verify`."""

from __future__ import annotations

import typer

from orchestrator.terminal import console
from orchestrator.terminal.opening import open_storage
from orchestrator.terminal.options import AsJson, Storage, StudyName
from storage.wording import say_times


def verify(name: StudyName, storage: Storage = None, as_json: AsJson = False) -> None:
    """Account for every point, attempt, fold and hold-out opening of a study.

    Changes nothing. Exit code 0: everything adds up; 1: something does not, and is named. A study may be verified while it runs.

    \b
    Example:
      orch study verify first
    """
    from orchestrator.planning.plan import plan_points
    from orchestrator.studies.verify import verify_study
    from storage.studies.study import load_study

    with open_storage(storage) as database:
        study = load_study(database, name)
        document = verify_study(database, study, plan_points(study.spec))
    if as_json:
        console.print_json(document)
    else:
        console.print_facts(
            [
                ("study", document["study"]),
                ("points", _count(document["points"])),
                ("trials", _count(document["trials"]) or "none"),
                ("attempts", _count(document["attempts"])),
                ("fold-epochs", _count(document["folds"])),
                (
                    "hold-out",
                    f"opened {say_times(len(document['holdout_openings']))}"
                    if document["holdout_openings"]
                    else "never opened",
                ),
                ("verdict", "everything adds up" if document["ok"] else "something does not add up"),
            ]
        )
    for problem in document["problems"]:
        console.warn(problem)
    if not document["ok"]:
        raise typer.Exit(1)


def _count(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {what.lower().replace('_', ' ')}" for what, count in counts.items())
