"""`orch compare`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.terminal import console
from orchestrator.terminal.completing import complete_study
from orchestrator.terminal.documents import hand_out
from orchestrator.terminal.opening import database_if_any, open_storage
from orchestrator.terminal.options import AsJson, DataFolders, Storage, TestTimeBy, TestTimeRepeats

MODEL_FILES = (".keras", ".h5", ".hdf5")
TESTS = {
    "folds": "corrected resampled t-test over folds",
    "areas": "Obuchowski's test of two areas",
    "patients": "patients drawn",
}


def compare(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME",
            help="Studies, NAME:TRIAL, or model files; each is compared with the first.",
            show_default=False,
            autocompletion=complete_study,
        ),
    ],
    margin: Annotated[
        float | None,
        typer.Option(
            metavar="M",
            min=0.0,
            help="Also test whether each is not worse than the first by more than M.",
            show_default=False,
        ),
    ] = None,
    data: DataFolders = None,
    open_holdout: Annotated[
        bool,
        typer.Option("--open-holdout", help="Model files: compare on the sealed hold-out; recorded."),
    ] = False,
    again: Annotated[
        bool,
        typer.Option("--again", help="Also on a hold-out that was opened before (recorded, too)."),
    ] = False,
    tta: TestTimeRepeats = 0,
    tta_by: TestTimeBy = "",
    resamples: Annotated[
        int,
        typer.Option(min=100, metavar="N", help="Number of bootstrap resamples of the patients."),
    ] = 1000,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", "--output", metavar="FILE.json", help="File with all results.", show_default=False
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html", help="The figure and its table, as one page.", show_default=False),
    ] = None,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Compare studies or models on the same patients.

    Each is compared with the first one; differences have intervals and tests. A trial is named NAME:NUMBER. Studies and trials are compared by their out-of-fold predictions, model files by what they predict for images
    that none of them was trained on. With --tta, pooled predictions are compared with raw ones, too.

    \b
    Examples:
      orch compare imagenet radimagenet --margin 0.02
      orch compare first:12 first:40
      orch compare a.keras b.keras --data other-hospital --tta 4 -o compared.json
    """
    from storage.errors import UsageError
    from storage.files.writing import check_places

    check_places(out, html)
    if margin is not None and not math.isfinite(margin):
        raise UsageError("--margin needs a number, such as 0.02.")
    are_files = [Path(name).suffix in MODEL_FILES for name in names]
    if any(are_files) and not all(are_files):
        raise UsageError(
            "Model files and studies cannot be compared with each other.",
            why="A study has predictions for the images of its folds, a model file for images that it has not seen.",
            next_step="Name studies only, or model files only.",
        )
    if all(are_files):
        document = _compare_files(
            [Path(name) for name in names], data, storage, tta, tta_by, open_holdout, again, margin, resamples
        )
    else:
        document = _compare_studies(
            names, data, storage, margin, resamples, is_too_much=bool(tta or tta_by or open_holdout or again)
        )

    def draw() -> str:
        from dashboards.figures.differences import draw_differences
        from dashboards.pages.html import show_pictures

        said = " ".join([*map(say_claim, document["comparisons"]), *document["warnings"]])
        return show_pictures(f"Compared: {', '.join(names)}", said, [draw_differences(document)])

    hand_out(document, out=out, html=html, draw=draw, as_json=as_json, show=_print)


def _compare_studies(
    names: list[str],
    data: list[Path] | None,
    storage: str | None,
    margin: float | None,
    resamples: int,
    *,
    is_too_much: bool,
) -> dict[str, Any]:
    from orchestrator.studies.comparing import compare_studies
    from storage.errors import UsageError
    from storage.settings import data_folders

    if is_too_much:
        raise UsageError(
            "--tta, --tta-by, --open-holdout and --again go with model files.",
            why="Studies are compared by the out-of-fold predictions that were kept.",
            next_step="Leave them out, or name model files.",
        )
    if len(names) < 2:
        raise UsageError(
            "A comparison needs two names or more.", next_step="Such as: orch compare first second"
        )
    with open_storage(storage) as database:
        return compare_studies(database, names, data_folders(data), margin=margin, resamples=resamples)


def _compare_files(
    paths: list[Path],
    data: list[Path] | None,
    storage: str | None,
    tta: int,
    tta_by: str,
    open_holdout: bool,
    again: bool,
    margin: float | None,
    resamples: int,
) -> dict[str, Any]:
    from orchestrator.models.comparing import compare_models
    from orchestrator.models.repeats import read_repeats
    from orchestrator.terminal.progress import show_progress
    from storage.data.datasets import load_dataset
    from storage.errors import UsageError
    from storage.settings import data_folders

    folders = data_folders(data)
    if len(folders) != 1:
        raise UsageError(
            "Model files are compared on one data set.", next_step="Name its folder: --data DIR."
        )
    repeats = [read_repeats(path, tta, tta_by, say=console.say) for path in paths]
    with database_if_any(storage) as database, show_progress("Predicting") as report:
        return compare_models(
            paths,
            load_dataset(folders[0]),
            database,
            repeats,
            opens=open_holdout,
            again=again,
            margin=margin,
            resamples=resamples,
            say=console.say,
            report=report,
        )


def _print(document: dict[str, Any]) -> None:
    from dashboards.figures.differences import name_difference
    from storage.metrics.objectives import METRICS
    from storage.wording import show_value

    models = document["models"]
    shown = list(models[0]["metrics"])
    if shown:
        console.print_table(
            ["metric", *(model["name"] for model in models)],
            [
                [METRICS[name].label, *(METRICS[name].measured(model["metrics"][name]) for model in models)]
                for name in shown
            ],
            title=f"{document['images']:,} images of {document['groups']:,} groups; `orch study evaluate` and `orch model evaluate` give intervals",
        )
    for comparison in document["comparisons"]:
        console.print_line()
        claim = comparison["claim"]
        measured = [(METRICS[name], "", one) for name, one in comparison["metrics"].items()]
        if comparison["folds"]:
            measured.append((METRICS[claim["metric"]], ", over folds", comparison["folds"]))
        rows = [
            [name_difference(metric, over), console.show_interval(metric.measured_estimate(one)), one["p"]]
            for metric, over, one in measured
        ]
        areas = comparison["areas"].items()
        rows[len(comparison["metrics"]) : len(comparison["metrics"])] = [
            [f"AUC of {name}", console.show_interval(one), one["p"]] for name, one in areas
        ]
        console.print_table(
            ["difference", f"{document['level']:.0%} interval", "p, uncorrected"],
            rows,
            title=f"{comparison['second']} less {comparison['first']}",
        )
        console.print_line(say_claim(comparison))
        if comparison.get("specs"):
            console.print_line()
            console.print_table(
                ["what differs", comparison["first"], comparison["second"]],
                [
                    [row["key"], *(None if row[one] is None else show_value(row[one]) for one in ("first", "second"))]
                    for row in comparison["specs"]
                ],
            )  # fmt: skip


def say_claim(comparison: dict[str, Any]) -> str:
    """What may be claimed of a comparison, in a sentence or two."""
    from storage.metrics.objectives import METRICS

    claim = comparison["claim"]
    metric, test = METRICS[claim["metric"]], TESTS[claim["test"]]
    label = metric.label
    if claim["p_holm"] != claim["p_holm"]:
        said = f"{label}: no test ({claim.get('note', 'no value')})."
    elif claim["differs"]:
        better = comparison["second"] if claim["value"] > 0 else comparison["first"]
        said = f"{label} differs: {better} is {metric.better} (p = {claim['p_holm']:.3g}, {test}, corrected for all comparisons)."
    else:
        said = f"{label}: no difference was shown (p = {claim['p_holm']:.3g}, {test}, corrected for all comparisons). This does not show that they are equal."
    if "not_worse" in claim:
        worse = "is not worse" if claim["not_worse"] else "was not shown to be not worse"
        said += f" {comparison['second']} {worse} than {comparison['first']} by more than {claim['margin']:g} (p = {claim['p_not_worse']:.3g}, one-sided at 2.5 %)."
    return said
