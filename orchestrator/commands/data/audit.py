"""`orch data audit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.terminal import console
from orchestrator.terminal.opening import database_if_any
from orchestrator.terminal.options import AsJson

if TYPE_CHECKING:
    from orchestrator.audit.report import Audit

SHOWN_BASELINES = 8


def audit(
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="A dataset folder.", show_default=False)
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels",
            metavar="CSV",
            help="A labels file, to audit without images (instead of DIR).",
            show_default=False,
        ),
    ] = None,
    filename_column: Annotated[
        str, typer.Option(metavar="COLUMN", help="The column with the file names.")
    ] = "filename",
    group: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN[,COLUMN..]",
            help="With --labels: the column that identifies the patient.",
            show_default=False,
        ),
    ] = None,
    targets: Annotated[
        str | None,
        typer.Option(metavar="A,B,..", help="The labels to audit. Default: all.", show_default=False),
    ] = None,
    class_column: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="With --labels: a column of classes instead of 0/1 labels.",
            show_default=False,
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN", help="With --labels: a column with train, valid or test.", show_default=False
        ),
    ] = None,
    folds: Annotated[int, typer.Option(metavar="N", help="Number of folds.", min=2)] = 6,
    seed: Annotated[
        int, typer.Option(metavar="N", help="Seed of the folds; use the seed of the study.", min=0)
    ] = 1337,
    images: Annotated[bool, typer.Option("--images/--no-images", help="Open the images.")] = True,
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the findings with their images as one HTML page.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look for leaks and confounders before anything is trained.

    Finds patients on both sides of a split, copies of images (also resized, brightened, inverted, flipped, rotated slightly,
    cropped or framed), and labels that can be predicted without the image, with the score that this gives on the folds of a
    study. Exit code 1 if a finding is an error.

    \b
    Examples:
      orch data audit my-data
      orch data audit my-data --html audit.html
      orch data audit --labels labels.csv --group patient_id
    """
    from orchestrator.audit.evidence import from_dataset, from_table
    from orchestrator.audit.html import write_page
    from orchestrator.audit.report import audit_dataset, audit_evidence
    from orchestrator.terminal.stages import show_stages
    from storage.data.datasets import load_dataset
    from storage.errors import UsageError
    from storage.files.writing import check_place
    from storage.settings import cache_folder

    chosen = _names(targets)
    if (folder is None) == (labels is None):
        raise UsageError("Give a dataset folder, or a labels file with --labels.")
    if html is not None:
        if labels is not None or not images:
            raise UsageError("--html shows images: give a dataset folder, without --no-images.")
        check_place(html)
    if labels is not None:
        evidence = from_table(
            labels,
            filename_column=filename_column,
            group_columns=_names(group) or (),
            targets=chosen,
            class_column=class_column,
            split_column=split,
            fold_count=folds,
            seed=seed,
        )
        audit = audit_evidence(evidence)
    else:
        assert folder is not None
        dataset = load_dataset(folder)
        unknown = [name for name in chosen or () if name not in dataset.targets]
        if unknown:
            raise UsageError(
                f"{folder} has no label {unknown[0]!r}.", next_step=f"It has {', '.join(dataset.targets)}."
            )
        evidence = from_dataset(dataset, chosen or (), folds, seed)
        with database_if_any() as database, show_stages() as report:
            audit = audit_dataset(
                dataset, evidence, cache=cache_folder(), database=database, with_images=images, report=report
            )
        if html is not None:
            write_page(audit, dataset, html)
            console.say(f"Wrote {html}.")
    if as_json:
        console.print_json(audit.to_document())
    else:
        _print_words(audit)
    if any(finding.severity == "error" for finding in audit.findings):
        raise typer.Exit(1)


def _print_words(audit: Audit) -> None:
    evidence = audit.evidence
    grouped = f"{len(set(evidence.groups.tolist()))} groups" if evidence.grouped else "no groups named"
    console.print_facts(
        [
            ("looked at", evidence.source),
            ("images", f"{len(evidence.labels)}, {grouped}"),
            ("pixels", "looked at" if audit.saw_images else "not looked at"),
            ("folds", len(evidence.folds)),
        ]
    )
    console.print_line()
    for finding in audit.findings:
        console.print_line(f"{finding.severity}  {finding.name}")
        console.print_line(f"    {finding.message}")
        console.print_line(f"    {finding.advice}")
    if not audit.findings:
        console.print_line("Nothing was found.")
    if audit.baselines:
        console.print_line()
        shown = audit.baselines[:SHOWN_BASELINES]
        columns = ["predictor", "which", "mean AUC", "labels"]
        rows: list[list[Any]] = [[one.kind, one.predictor, one.macro, len(one.auc)] for one in shown]
        if any("target" in one.kind for one in shown):
            columns += ["mean AUC of the other targets", "others"]
            rows = [[*row, one.macro_others, len(one.others)] for row, one in zip(rows, shown, strict=True)]
        console.print_table(columns, rows, title="Scores of models that do not see the anatomy")
    if audit.without_anatomy:
        highest = audit.without_anatomy[0]
        console.print_line(
            f"A model must exceed AUC {highest.macro:.2f} ({highest.predictor}) before one may say that it reads anatomy."
        )


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(name.strip() for name in text.split(",") if name.strip())
