"""`orch study evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.terminal import console
from orchestrator.terminal.completing import complete_column, complete_study
from orchestrator.terminal.documents import hand_out
from orchestrator.terminal.opening import open_storage
from orchestrator.terminal.options import AsJson, DataFolders, Storage
from storage.metrics.objectives import name_kind

Prevalences = Annotated[
    list[float] | None,
    typer.Option(
        "--prevalence",
        metavar="P",
        help="Also PPV and NPV where the share of positives is P; may be given several times.",
        show_default=False,
    ),
]


def evaluate(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="A study, or NAME:TRIAL.", show_default=False, autocompletion=complete_study
        ),
    ],
    threshold: Annotated[
        float,
        typer.Option(metavar="T", min=0.001, max=0.999, help="A probability above it is called positive."),
    ] = 0.5,
    subgroup: Annotated[
        list[str] | None,
        typer.Option(
            "--subgroup",
            metavar="COLUMN",
            help="Every metric within each value of a column, and the differences; may be given several times.",
            show_default=False,
            autocompletion=complete_column,
        ),
    ] = None,
    visit: Annotated[
        str,
        typer.Option(metavar="COLUMN[,COLUMN..]", help="Columns that name a visit: results by visit, too."),
    ] = "",
    prevalence: Prevalences = None,
    readers: Annotated[
        list[str] | None,
        typer.Option(
            "--readers",
            metavar="LABEL=COLUMN,COLUMN,..",
            help="Columns of the labels file with the readings of several readers: their agreement, and the model against each.",
            show_default=False,
        ),
    ] = None,
    resamples: Annotated[
        int,
        typer.Option(min=100, metavar="N", help="Draws of the patients, for the intervals that need them."),
    ] = 1000,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", "--output", metavar="FILE.json", help="File with all results.", show_default=False
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html", help="Decision and abstention curves as one page.", show_default=False
        ),
    ] = None,
    data: DataFolders = None,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Evaluate the best trial on the images that its folds did not train on.

    Every metric by image, by patient and by visit, with intervals; decision curves; subgroups and their differences; predictive values at
    another prevalence; sets of labels that hold the truth as often as promised; and the errors that are left when the model may abstain. The study remembers the results for `orch report`.

    \b
    Example:
      orch study evaluate first --subgroup site --prevalence 0.05 -o first.evaluation.json
    """
    from orchestrator.models.evaluation_files import remember
    from orchestrator.models.out_of_fold import StudyQuestions, evaluate_study
    from orchestrator.models.prevalences import check_prevalences
    from storage.files.writing import check_places
    from storage.settings import data_folders
    from storage.studies.study import load_study

    check_places(out, html)
    asked = StudyQuestions(
        threshold=threshold,
        subgroups=tuple(subgroup or ()),
        visits=tuple(part.strip() for part in visit.split(",") if part.strip()),
        prevalences=check_prevalences(prevalence),
        readers=tuple(readers or ()),
        resamples=resamples,
    )
    with open_storage(storage) as database:
        document = evaluate_study(database, name, data_folders(data), asked)
        remember(database, load_study(database, document["study"]).uuid, document, warn=console.warn)

    def draw() -> str:
        from dashboards.figures.practice import draw_abstention, draw_decisions
        from dashboards.pages.html import show_pictures

        pictures = [draw_decisions(document["practice"]), draw_abstention(document["practice"])]
        return show_pictures(f"{name}: out-of-fold predictions", " ".join(document["warnings"]), pictures)

    hand_out(document, out=out, html=html, draw=draw, as_json=as_json, show=_print)


def _print(document: dict[str, Any]) -> None:
    data = document["data"]
    console.print_facts(
        [
            ("study", f"{document['study']}, trial {document['trial']}"),
            (
                "judged on",
                f"{data['images']:,} images of {data['groups']:,} groups, each by the fold that did not train on it",
            ),
            ("threshold", document["threshold"]),
        ]
    )
    tables = [("by image", document["results"])]
    tables += [
        (f"by patient, {pool} of the images", scored)
        for pool, scored in document.get("by_patient", {}).items()
    ]
    tables += [
        (f"by visit, {pool} of the images", scored) for pool, scored in document.get("by_visit", {}).items()
    ]
    for title, scored in tables:
        console.print_line()
        print_scores(title, scored)
    print_practice(document["practice"])
    print_subgroups(document.get("subgroups", {}))
    print_readers(document.get("readers", {}))
    console.print_line()
    console.print_line(document["about_intervals"])


def print_readers(readers: dict[str, Any]) -> None:
    """How far the readers of each label agree, and how far the model agrees with each."""
    for label, found in readers.items():
        rows = [
            [f"{pair['one']} and {pair['other']}", pair["images"], console.show_interval(pair["kappa"]), None]
            for pair in found["pairs"]
        ]
        rows += [
            [
                f"the model and {one['reader']}",
                one["images"],
                console.show_interval(one["kappa"]),
                console.show_interval(one["auc"]),
            ]
            for one in found["model"]
        ]
        console.print_line()
        console.print_table(["who", "images", "kappa", "AUC"], rows, title=f"{label}: readers and model")
        console.print_line(
            f"Mean kappa of model and reader less that of two readers: {console.show_interval(found['difference'])}. "
            f"Mean squared distance of probability and share of the readers: {console.show_interval(found['brier_soft'])}."
        )


def print_scores(title: str, scored: dict[str, Any]) -> None:
    """Every metric with its interval: of all classes together where there are some, and of each label, class, cut or number."""
    if "overall" in scored:
        metrics = scored["overall"]["metrics"].items()
        console.print_table(
            ["metric", "all classes"],
            [[name_kind(metric), console.show_interval(value)] for metric, value in metrics],
            title=title,
        )
        console.print_line()
        console.print_table(
            ["is / called", *scored["classes"]],
            [[name, *row] for name, row in zip(scored["classes"], scored["confusion"], strict=True)],
            title="confusion table",
        )
        console.print_line()
    rows = list(scored["labels"].items())
    if len(rows) > 1 and "macro" in scored:
        rows += [("mean of labels", scored["macro"]), ("all together", scored["micro"])]
    console.print_table(
        ["metric", *(label for label, _ in rows)],
        [
            [name_kind(metric), *(console.show_interval(row[part][metric]) for _, row in rows)]
            for part in ("metrics", "limits_of_agreement")
            for metric in rows[0][1].get(part, ())
        ],
        title="" if "overall" in scored else title,
    )


KEPT = (0.9, 0.8, 0.5)
"""Of the shares of images that a model keeps when it may abstain, those that the terminal shows; the document has all."""


def print_practice(practice: dict[str, Any]) -> None:
    """Each label's predictive values elsewhere, where acting on the model pays, what abstention gains, and what its sets hold."""
    _print_prevalences(practice)
    shown = {label: found for label, found in practice.items() if found["decision_curve"]}
    if not shown:
        return
    kept = [(1.0, "accuracy of all"), *((share, f"of the surest {share:.0%}") for share in KEPT)]
    levels = [row["level"] for row in max((found.get("sets", ()) for found in shown.values()), key=len)]
    console.print_line()
    console.print_table(
        ["label", "acting on it pays at", *(name for _, name in kept), *(f"sets at {level:.0%} hold" for level in levels)],
        [
            [
                label,
                _say_thresholds(found["decision_curve"]),
                *(console.show_interval(_kept(found["abstention"], share)) for share, _ in kept),
                *(console.show_interval(row["held"]) for row in found.get("sets", ())),
                *([None] * (len(levels) - len(found.get("sets", ())))),
            ]
            for label, found in shown.items()
        ],
        title="In practice: thresholds at which acting on the model was shown to be better than acting on all or on none",
    )  # fmt: skip


def _print_prevalences(practice: dict[str, Any]) -> None:
    rows = [
        [label, row["prevalence"], console.show_interval(row["ppv"]), console.show_interval(row["npv"])]
        for label, found in practice.items()
        for row in found["at_prevalence"]
    ]
    if rows:
        console.print_line()
        console.print_table(["label", "prevalence", "PPV", "NPV"], rows)


def _say_thresholds(curve: list[dict[str, Any]]) -> str:
    """Runs of thresholds at which the model is better, as in "0.15 to 0.4, 0.5"."""
    runs: list[list[float]] = []
    for place, row in enumerate(curve):
        if not row["is_better"]:
            continue
        if runs and place and curve[place - 1]["is_better"]:
            runs[-1][1] = row["threshold"]
        else:
            runs.append([row["threshold"], row["threshold"]])
    return ", ".join(f"{low:g}" if low == high else f"{low:g} to {high:g}" for low, high in runs) or "none"


def _kept(curve: list[dict[str, Any]], share: float) -> dict[str, Any]:
    """The accuracy where at least a share of the images is kept, and as few beyond it as there can be."""
    return min(
        (row for row in curve if row["kept"] >= share - 1e-9), key=lambda row: row["kept"], default={"accuracy": {}}
    )["accuracy"]  # fmt: skip


def print_subgroups(subgroups: dict[str, Any]) -> None:
    """How far each subgroup lies from all other images."""
    for column, parts in subgroups.items():
        if not all("differences" in part for part in parts.values()):
            for name, part in parts.items():
                console.print_line()
                print_scores(f"{column} {name}", part)
            continue
        console.print_line()
        console.print_table(
            [column, "images", "groups", "label", "AUC", "less the others", "sensitivity", "less the others", "p (Holm)"],
            [
                [
                    name, part["images"], part["groups"], label,
                    console.show_interval(row["metrics"]["auc"]),
                    console.show_interval(part["differences"][label]["auc"]) if part["differences"] else None,
                    console.show_interval(row["metrics"]["sensitivity"]),
                    console.show_interval(part["differences"][label]["sensitivity"]) if part["differences"] else None,
                    part["differences"][label]["sensitivity"]["p_holm"] if part["differences"] else None,
                ]
                for name, part in parts.items()
                for label, row in part["labels"].items()
            ],
        )  # fmt: skip
