"""`orch study`: list, show, stop, resume, delete. The other commands on studies have files of their own."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Annotated, Any

import typer

from orchestrator.commands.study.challenge import challenge
from orchestrator.commands.study.create import create
from orchestrator.commands.study.evaluate import evaluate
from orchestrator.commands.study.export import export
from orchestrator.commands.study.growing import add, extend, import_optuna
from orchestrator.commands.study.learning_curve import learning_curve
from orchestrator.commands.study.prove import check, prove
from orchestrator.commands.study.verify import verify
from orchestrator.commands.study.watch import watch
from orchestrator.studies.next_steps import tell_warnings
from orchestrator.terminal import console
from orchestrator.terminal.help import CommandGroup
from orchestrator.terminal.opening import open_storage
from orchestrator.terminal.options import AsJson, Storage, StudyName
from storage.metrics.objectives import METRICS, Metric
from storage.states import PointOutcome, PointState
from storage.wording import printable, say_command, say_count, say_duration, say_instant, show_params

app = CommandGroup(help="Create, follow and export studies.")

app.command("create")(create)
app.command("extend", short_help="Continue a study with more trials of the same sequence.")(extend)
app.command("add", short_help="Add one trial with hyperparameters of your choice.")(add)
app.command("import-optuna", short_help="Take a study made elsewhere with Optuna as evidence.")(import_optuna)
app.command("watch")(watch)
app.command("export")(export)
app.command("evaluate", short_help="Evaluate the best trial on what its folds did not train on.")(evaluate)
app.command("learning-curve", short_help="Estimate what more patients would bring.")(learning_curve)
app.command("challenge", short_help="Plant faults on purpose, and see whether each shows.")(challenge)
app.command("prove", short_help="Write all evidence of a study to one file.")(prove)
app.command("check", short_help="Check a bundle of `prove`, without database and images.")(check)
app.command("verify", short_help="Check that every trial, attempt and fold is accounted for.")(verify)

UNKNOWN_LEASE_SECONDS = 60.0
"""The default lease: what is assumed of a study whose spec this orch cannot read."""
PARTS = {
    "repeats": "winner's repeats",
    "search": "search in outer fold",
    "test": "test on outer fold",
    "patients": "learning curve",
}
"""What the parts of a study are called in its table."""
SHOWN_POINTS = 10
"""How many of the best points `orch study show` lists."""


@app.command("list")
def list_studies(storage: Storage = None, as_json: AsJson = False) -> None:
    """List the studies and their progress.

    \b
    Example:
      orch study list
    """
    from orchestrator.studies.next_steps import tell_left_to_others
    from orchestrator.studies.records import study_document
    from storage.growth.parts import leave_out_parts
    from storage.growth.provenance import describe_foreign
    from storage.studies.study_records import list_rows

    with open_storage(storage) as database:
        rows = leave_out_parts(list_rows(database))
        documents = [study_document(database, study) for study in rows]
    if as_json:
        console.print_json(documents)
        return
    if not documents:
        console.say("There is no study yet. `orch study create` makes one.")
        return
    columns = (
        "study",
        "regime",
        "state",
        "trials",
        "complete",
        "pruned",
        "failed",
        "running",
        "best",
        "created",
    )
    console.print_table(columns, [_row(document) for document in documents])
    for document in documents:
        for line in describe_foreign(Counter(document["foreign"])):
            console.say(f"{document['study']}: {line}")
    for line in tell_left_to_others(rows):
        console.say(line)


@app.command()
def show(
    name: StudyName,
    warnings: Annotated[
        bool, typer.Option("--warnings", help="Show the full text of the warnings recorded at creation.")
    ] = False,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Show one study: counts, best trials, failures.

    \b
    Example:
      orch study show first
    """
    from orchestrator.studies.records import study_document
    from storage.studies.study import load_study

    with open_storage(storage) as database:
        document = study_document(database, load_study(database, name), whole=True)
    if as_json:
        console.print_json(document)
        return
    _print_study(document, in_full=warnings)


@app.command()
def stop(name: StudyName, storage: Storage = None) -> None:
    """Stop handing out new trials; running ones finish.

    \b
    Example:
      orch study stop first
    """
    from storage.growth.parts import list_parts_of_row
    from storage.studies.study import stop_study
    from storage.studies.study_records import load_row

    with open_storage(storage) as database:
        study = load_row(database, name)
        for one in (study, *list_parts_of_row(database, study)):
            stop_study(database, one)
    console.say(
        f"Stopped. Running trials finish; `{say_command('study', 'resume', name)}` opens the study again."
    )


@app.command()
def resume(name: StudyName, storage: Storage = None) -> None:
    """Open a stopped study again.

    \b
    Example:
      orch study resume first
    """
    from storage.growth.parts import list_parts_of_row
    from storage.studies.study import resume_study
    from storage.studies.study_records import load_row

    with open_storage(storage) as database:
        study = load_row(database, name)
        for one in (*list_parts_of_row(database, study), study):
            resume_study(database, one)
    console.say(f"Open. Next: {say_command('worker', name)}")


@app.command()
def delete(
    name: StudyName,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
    storage: Storage = None,
) -> None:
    """Delete a study with all its results.

    Running workers are stopped first. Its trials, fold results and predictions are deleted, too, and so are its
    parts: the repeats of its winner, and the searches of a nested cross-validation.

    \b
    Example:
      orch study delete first --yes
    """
    from storage.growth.parts import list_parts_of_row
    from storage.studies.deletion import stop_and_delete
    from storage.studies.optuna_record import find_leftover, remove
    from storage.studies.points import count_points
    from storage.studies.study import stop_study
    from storage.studies.study_records import StudyRecord, find_row, load_row

    with open_storage(storage) as database:
        leftover = find_leftover(database, name) if find_row(database, name) is None else None
        if leftover is not None:
            if not yes:
                _ask(f"Remove what an interrupted delete left of the study {name!r}?", name)
            remove(database, leftover)
            console.say(f"Removed what an interrupted delete left of the study {name!r}.")
            return
        study = load_row(database, name)
        counts = count_points(database, study.uuid)
        done = counts.complete + counts.pruned
        if not yes:
            _ask(
                f"Delete the study {name!r} with {done} of {counts.planned} trials finished? This cannot be undone.",
                name,
            )
        if counts.running:
            console.say(f"Stopping {say_count(counts.running, 'running trial')} first.")
        lease = study.spec.study.lease_seconds if isinstance(study, StudyRecord) else UNKNOWN_LEASE_SECONDS
        # Stopped first, so that no worker makes a part of it meanwhile.
        stop_study(database, study)
        for part in list_parts_of_row(database, study):
            stop_and_delete(database, part, patience=lease / 2)
        stop_and_delete(database, study, patience=lease / 2)
    console.say(f"Deleted the study {name!r}.")


def _ask(question: str, name: str) -> None:
    from storage.errors import UsageError

    if not sys.stdin.isatty():
        raise UsageError(
            "Deleting a study needs a confirmation, and the input is no terminal.",
            next_step=f"`{say_command('study', 'delete', name, '--yes')}` deletes without asking.",
        )
    if not typer.confirm(printable(question), err=True):
        console.say("Nothing was deleted.")
        raise typer.Exit(1)


def _state(document: dict[str, Any]) -> str:
    if document["left_to_others"]:
        return f"{document['state']}, left to others"
    if document["is_settled"] and document["parts_left"]:
        return "winners under test"
    return "finished" if document["is_settled"] else str(document["state"])


def _row(document: dict[str, Any]) -> list[Any]:
    counts = document["points"]
    best = document["best"]
    return [
        document["study"],
        document["regime"],
        _state(document),
        counts["planned"],
        counts["complete"],
        counts["pruned"],
        counts["failed"],
        counts["running"],
        best["value"] if best else None,
        say_instant(document["created_at"]),
    ]


def _say_left(document: dict[str, Any]) -> str | None:
    if document["is_settled"]:
        return None
    if not document["points"]["running"]:
        return "not known: no worker runs a trial (a worker that was just started prepares the data first)"
    left = document["seconds_left"]
    return "known after the first epochs" if left is None else f"about {say_duration(left)}"


def _print_study(document: dict[str, Any], *, in_full: bool) -> None:
    counts, best, facts = document["points"], document["best"], document["facts"]
    metric = METRICS[document["metric"]]
    console.print_facts(
        [
            ("study", document["study"]),
            ("regime", document["regime"]),
            ("state", _state(document)),
            ("created", say_instant(document["created_at"])),
            (
                "data",
                f"{facts.get('images')} images of {facts.get('groups')} groups, {document['fingerprint'][:19]}",
            ),
            ("data folder", document["data_folder"]),
            ("trials", ", ".join(f"{count} {state}" for state, count in counts.items())),
            ("time left", _say_left(document)),
            ("plan", document["plan"]["hash"] if document["plan"] else None),
            *(("added", sentence) for sentence in document["provenance"]),
            *((PARTS[part["role"]], _tell_part(part)) for part in document["parts"]),
            (
                f"best {metric.name if metric.sign > 0 else metric.label}",
                f"{metric.measured(best['value']):.4f} in trial {best['trial']}" if best else None,
            ),
        ]
    )
    if document["selection"]:
        console.print_line(f"\nHow sure is the best value? {document['selection']['sentence']}.")
        _print_estimates(document["selection"], metric)
    _print_evaluations(document["evaluations"])
    for point in document["pareto"]:
        point |= point["also"]
    also = list(document["pareto"][0]["also"]) if document["pareto"] else []
    _print_points(
        "Pareto front: no trial is better in everything", document["pareto"], ("trial", "value", *also)
    )
    points = document["all_points"]
    finished = [point for point in points if point["value"] is not None]
    # A pruned point's value is what it had when it was stopped, so complete points come first.
    finished.sort(key=lambda point: (point["outcome"] != PointOutcome.COMPLETE, -point["value"]))
    measured = [point | {"value": metric.measured(point["value"])} for point in finished[:SHOWN_POINTS]]
    _print_points("Best trials", measured, ("trial", "outcome", "value"))
    _print_points(
        "Running",
        [p for p in points if p["state"] == PointState.CLAIMED],
        ("trial", "epoch", "worker", "attempt"),
    )
    _print_points(
        "Failed",
        [p for p in points if p["state"] == PointState.FAILED],
        ("trial", "failures", "losses", "error"),
    )
    warnings = facts.get("warnings", [])
    for warning in warnings if in_full else tell_warnings(document["study"], warnings):
        console.warn(warning)


def _print_evaluations(evaluations: list[dict[str, Any]]) -> None:
    if evaluations:
        console.print_line()
        console.print_table(
            ["judged on", "images", "groups", "metric", "value", "model", "when"],
            [
                [
                    one["kind"],
                    one["data"]["images"],
                    one["data"]["groups"],
                    one["headline"]["metric"],
                    console.show_interval(one["headline"]),
                    one["model"]["file"] if one["model"] else f"folds of trial {one['trial']}",
                    say_instant(one["evaluated_at"]),
                ]
                for one in evaluations
            ],
            title="Evaluations",
        )


def _print_estimates(selection: dict[str, Any], metric: Metric) -> None:
    """The estimates side by side where parts of the study gave some, and what was chosen within each outer fold."""
    estimates, nested = selection["estimates"], selection["nested"]
    if any(one["fold_epochs"] for one in estimates[1:]):
        console.print_line()
        columns = ("estimate", "value", "low", "high", "fold_epochs")
        rows = [[metric.measured_estimate(one)[name] for name in columns] for one in estimates]
        console.print_table(
            ("estimate", "value", "95 % from", "to", "fold-epochs"), rows, title="Estimates and their price"
        )
    if nested and nested["finished"]:
        console.print_line()
        rows = [
            [
                one["fold"],
                *(
                    None if one[name] is None else metric.measured(one[name])
                    for name in ("value", "inner_value")
                ),
                one["epochs"],
                show_params(one["params"] or {}),
            ]
            for one in nested["outer"]
        ]
        columns = ("outer fold", "value", "value in its search", "epochs", "hyperparameters")
        console.print_table(columns, rows, title="Nested cross-validation: what each search chose")


def _tell_part(part: dict[str, Any]) -> str:
    """What a part of the study is, how far it is, and what it costs."""
    state = (
        f"failed, see `{say_command('study', 'show', part['study'])}`"
        if part["failed"]
        else "finished"
        if part["is_settled"]
        else "under way"
    )
    price = "" if not part["share"] else f": {part['share']:.1%} of the fold-epochs of the study"
    if part["role"] == "repeats":
        return f"{part['repeats']} of trial {part['trial']} with other folds and seeds, {state}{price}"
    if part["role"] == "patients":
        return f"trial {part['trial']} on {part['percent']} % of the patients, {state}{price}"
    done = part["complete"] + part["pruned"]
    return f"{part['outer']}: {done} of {say_count(part['planned'], 'trial')}, {state}{price}"


def _print_points(title: str, points: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    if points:
        console.print_line()
        rows = [[*(p[name] for name in columns), show_params(p["params"])] for p in points]
        console.print_table((*columns, "hyperparameters"), rows, title=title)
