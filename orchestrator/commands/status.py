"""`orch status`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from orchestrator.terminal import console
from orchestrator.terminal.opening import open_storage
from orchestrator.terminal.options import AsJson, Storage
from storage.wording import say_duration


def status(
    everybody: Annotated[
        bool, typer.Option("--all", help="Also show finished studies, and workers that have ended.")
    ] = False,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Show the running workers with their trials and GPUs, and how many trials the open studies have left.

    \b
    Example:
      orch status
    """
    from orchestrator.studies.fleet import fleet_document

    with open_storage(storage) as database:
        document = fleet_document(database, everybody=everybody)
    if as_json:
        console.print_json(document)
        return
    if document["workers"]:
        # Only where a scheduler started one: a column of dashes says nothing.
        jobs = ("job",) if any(worker["job"] for worker in document["workers"]) else ()
        columns = ("host", "pid", *jobs, "device", "state", "study", "trial", "epoch", "last seen")
        console.print_table(
            columns,
            [
                [
                    *(
                        _list_in_hand(worker, name) if name in ("trial", "epoch") else worker[name]
                        for name in columns[:-1]
                    ),
                    f"{say_duration(worker['seconds_ago'])} ago",
                ]
                for worker in document["workers"]
            ],
            title="Workers",
        )
    else:
        console.print_line(
            "No worker is running. `orch worker` starts one; one that was just started appears here within a minute."
        )
    if document["gpus"]:
        console.print_line()
        console.print_table(
            ("host", "GPU", "model", "busy", "memory", "workers", "read"),
            [
                [
                    gpu["host"],
                    gpu["uuid"] if gpu["is_slice"] else gpu["number"],
                    gpu["name"],
                    "-" if gpu["busy_percent"] is None else f"{gpu['busy_percent']} %",
                    _say_memory(gpu["used_mebibytes"], gpu["mebibytes"]),
                    gpu["workers"],
                    f"{say_duration(gpu['seconds_ago'])} ago",
                ]
                for gpu in document["gpus"]
            ],
            title="GPUs",
        )
    console.print_line()
    if document["studies"]:
        counted = ("study", "state", "points", "done", "running", "open", "failed")
        rows = [
            [
                *(_say_state(study) if name == "state" else study[name] for name in counted),
                None
                if study["is_settled"] or study["seconds_left"] is None
                else say_duration(study["seconds_left"]),
            ]
            for study in document["studies"]
        ]
        shown = ("trials" if name == "points" else name for name in counted)
        console.print_table((*shown, "time left"), rows, title="Studies" if everybody else "Open studies")
        for study in document["studies"]:
            if study["left_to_others"]:
                made_by = f"orch {study['made_by']}" if study["made_by"] else "another version of orch"
                console.say(
                    f"{study['study']!r} was created by {made_by} and is left to workers of that version: {study['left_to_others']}."
                )
    else:
        console.print_line("No study is open.")


def _list_in_hand(worker: dict[str, Any], name: str) -> str | None:
    """One fact of each trial that a worker works on at the moment."""
    return ", ".join("-" if trial[name] is None else str(trial[name]) for trial in worker["trials"]) or None


def _say_state(study: dict[str, Any]) -> str:
    if study["left_to_others"]:
        return f"{study['state']}, left to others"
    return "finished" if study["is_settled"] else str(study["state"])


def _say_memory(used: float | None, total: float | None) -> str:
    """How much of a GPU's memory is taken, both in MiB."""
    if used is None or total is None:
        return "-"
    return f"{used / 1024:.1f} of {total / 1024:.1f} GiB"
