"""`orch model evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.commands.study.evaluate import Prevalences, print_practice, print_scores, print_subgroups
from orchestrator.terminal import console
from orchestrator.terminal.completing import complete_column
from orchestrator.terminal.opening import database_if_any
from orchestrator.terminal.options import (
    AsJson,
    FeaturesTable,
    ModelPath,
    Storage,
    TestTimeBy,
    TestTimeRepeats,
)
from storage.wording import say_count, say_instant, say_times

Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--subgroup",
        metavar="COLUMN",
        help="Every metric within each value of a column of the labels file (numbers: quarters), and the differences; may be given several times.",
        show_default=False,
        autocompletion=complete_column,
    ),
]


def evaluate(
    path: ModelPath,
    data: Annotated[Path, typer.Option(metavar="DIR", help="A dataset folder.", show_default=False)],
    open_holdout: Annotated[
        bool, typer.Option("--open-holdout", help="Evaluate on the sealed hold-out; the opening is recorded.")
    ] = False,
    again: Annotated[
        bool,
        typer.Option("--again", help="Evaluate again on a hold-out that was opened before (also recorded)."),
    ] = False,
    tta: TestTimeRepeats = 0,
    tta_by: TestTimeBy = "",
    threshold: Annotated[
        str,
        typer.Option(
            metavar="RULE",
            help="A number such as 0.5; or youden or sensitivity=0.9, chosen on out-of-fold predictions.",
        ),
    ] = "0.5",
    recalibrate: Annotated[
        bool,
        typer.Option(
            "--recalibrate",
            help="Also report metrics after recalibration on out-of-fold predictions (Platt).",
        ),
    ] = False,
    features: FeaturesTable = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            "--label",
            metavar="MODEL=DATA",
            help="A label of the model, and the label of another data set that stands for it where the names differ; may be given several times.",
            show_default=False,
        ),
    ] = None,
    subgroup: Columns = None,
    visit: Annotated[
        str,
        typer.Option(
            metavar="COLUMN[,COLUMN..]", help="Columns that name a visit: report the modified RUST score."
        ),
    ] = "",
    prevalence: Prevalences = None,
    resamples: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Draws of the patients, for the intervals that need them; 0 for no intervals.",
        ),
    ] = 1000,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            "--output",
            metavar="FILE.json",
            help="File with all results. Default with --open-holdout: MODEL.evaluation.json beside the model.",
            show_default=False,
        ),
    ] = None,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Evaluate a model on its sealed hold-out (once, recorded), or on another data set.

    The study that the model comes from remembers the results, where the database has it (`orch study show`, `orch report`).
    Those on a hold-out are also always saved as a file: to -o, or beside the model as MODEL.evaluation.json (then
    MODEL.evaluation.2.json and so on; no file is overwritten).

    \b
    Example:
      orch model evaluate model.keras --data my-data --open-holdout --tta 4 -o evaluation.json
    """
    from orchestrator.models.evaluation import EvaluationRequest, check_rule
    from orchestrator.models.evaluation import evaluate as judge
    from orchestrator.models.evaluation_files import SUFFIX, remember_model, write_beside
    from orchestrator.models.prevalences import check_prevalences
    from orchestrator.models.repeats import read_repeats
    from orchestrator.terminal.progress import show_progress
    from storage.data.datasets import load_dataset
    from storage.files.documents import to_json, without_nan
    from storage.files.writing import check_place, write_text

    check_rule(threshold)
    if out is not None or (open_holdout and path.exists()):
        # Found out before the hold-out is opened, which happens once.
        check_place(out if out is not None else path.with_suffix(SUFFIX))
    request = EvaluationRequest(
        open_holdout=open_holdout,
        again=again,
        threshold=threshold,
        recalibrate=recalibrate,
        subgroups=tuple(subgroup or ()),
        visits=tuple(name.strip() for name in visit.split(",") if name.strip()),
        prevalences=check_prevalences(prevalence),
        resamples=resamples,
        features=features,
        labels=tuple(label or ()),
    )
    repeats = read_repeats(path, tta, tta_by, say=console.say)
    with database_if_any(storage) as database, show_progress("Predicting") as report:
        document = judge(path, load_dataset(data), database, request, repeats, say=console.say, report=report)
        remember_model(database, path, document, warn=console.warn)
    try:
        text = to_json(without_nan(document))
        if out is not None:
            write_text(out, text)
        elif open_holdout:
            out = write_beside(path, text)
        if out is not None:
            console.say(f"Wrote the evaluation to {out}.")
    finally:
        # Also where the disk is full: numbers of a hold-out are not to be lost.
        if as_json:
            console.print_json(document)
        else:
            _print(document)
    for warning in document["warnings"]:
        console.warn(warning)


def _print(document: dict[str, Any]) -> None:
    data, openings = document["data"], document["openings"]
    images, groups = say_count(data["images"], "image"), say_count(data["groups"], "group")
    console.print_facts(
        [
            ("model", f"{document['model']['file']} (SHA-256 {document['model']['sha256'][:12]}..)"),
            ("judged on", f"{data['part']}: {images} of {groups}"),
            ("data set", data["fingerprint"]),
            ("labels called", ", ".join(document["called"]) if "called" in document else None),
            ("hold-out opened", say_times(len(openings)) if openings else None),
            *(
                ("", f"{say_instant(one['opened_at'])} by {one['opened_by']}: {one['purpose']}")
                for one in openings
            ),
            ("threshold", document["threshold_rule"] if document["practice"] else None),
        ]
    )
    for name, scored in document["results"].items():
        console.print_line()
        title = f"{name} ({scored['level']:.0%} intervals)" if scored["resamples"] else name
        print_scores(title, scored)
    _print_table_of_errors(document["results"]["raw"])
    print_practice(document["practice"])
    print_subgroups(document.get("subgroups", {}))
    if "rust" in document:
        _print_rust(document["rust"])
    console.print_line()
    console.print_line(document["about_intervals"])


def _print_table_of_errors(scored: dict[str, Any]) -> None:
    if not all("threshold" in row for row in scored["labels"].values()):
        return
    console.print_line()
    names = ("true_positives", "false_positives", "false_negatives", "true_negatives")
    console.print_table(
        ["label", "threshold", "TP", "FP", "FN", "TN"],
        [
            [
                label,
                row["threshold"],
                *(
                    None if row["table"][name] != row["table"][name] else int(row["table"][name])
                    for name in names
                ),
            ]
            for label, row in scored["labels"].items()
        ],
        title="raw: confusion tables",
    )


def _print_rust(rust: dict[str, Any]) -> None:
    console.print_line()
    console.print_facts(
        [
            ("RUST score", f"{rust['compared']} of {rust['visits']} visits have both radiographs, graded"),
            *((name, console.show_interval(value)) for name, value in rust["agreement"].items()),
        ]
    )
    for visit, reason in rust["without_score"].items():
        console.print_line(f"no score: {visit} ({reason})")
