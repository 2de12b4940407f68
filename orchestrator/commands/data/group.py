"""`orch data`: import, show. `audit` has a file of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.commands.data import preview as data_preview
from orchestrator.commands.data.audit import audit
from orchestrator.commands.data.forget import forget
from orchestrator.terminal import console
from orchestrator.terminal.help import CommandGroup
from orchestrator.terminal.opening import database_if_any
from orchestrator.terminal.options import AsJson
from storage.wording import say_instant, say_times

if TYPE_CHECKING:
    from storage.data.datasets import Dataset

app = CommandGroup(help="Bring images and labels in, and look at them.")

app.command("audit")(audit)


@app.command("import", short_help="Check images and labels, and make a data set of them.")
def import_(
    images: Annotated[
        Path,
        typer.Argument(
            metavar="IMAGES", help="Folder of JPEG and PNG files; they stay there.", show_default=False
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="The dataset folder to make.", show_default=False)
    ],
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels", metavar="CSV", help="The labels: one line for each image.", show_default=False
        ),
    ] = None,
    class_folders: Annotated[
        bool,
        typer.Option("--class-folders", help="In place of labels: each folder in IMAGES is a class."),
    ] = False,
    filename_column: Annotated[
        str, typer.Option(metavar="COLUMN", help="The column with the file names.")
    ] = "filename",
    group: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN[,COLUMN..]", help="Column(s) that name the patient.", show_default=False
        ),
    ] = None,
    no_group: Annotated[
        bool,
        typer.Option("--no-group", help="Each image is of another patient, whatever the columns are called."),
    ] = False,
    group_dicom: Annotated[
        bool,
        typer.Option(
            "--group-dicom", help="Group DICOM files by their patient, who is neither stored nor printed."
        ),
    ] = False,
    targets: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,..",
            help="The label columns: 0, 1, blank = not assessed. Default: every column of that kind.",
            show_default=False,
        ),
    ] = None,
    class_column: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN", help="One column of classes in place of 0/1 labels.", show_default=False
        ),
    ] = None,
    holdout: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", help="Share to seal as hold-out; 0 for none. Default: 0.15.", show_default=False
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="A column with train, valid or test (sealed), in place of --holdout.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the split.")] = 1337,
    as_json: AsJson = False,
) -> None:
    """Check images and labels, seal a hold-out, and write a dataset folder. The images stay where they are.

    \b
    Examples:
      orch data import radiographs --labels labels.csv --group patient_id --out my-data
      orch data import radiographs --class-folders --out my-data
    """
    from orchestrator.importing.choices import Choices
    from orchestrator.importing.imports import import_dataset
    from storage.errors import UsageError
    from storage.settings import cache_folder

    if class_folders == (labels is not None):
        raise UsageError(
            "Either --labels CSV or --class-folders says what the images show.",
            next_step="Give one of them.",
        )
    if no_group and (group or group_dicom):
        raise UsageError("--no-group and a group were both given.", next_step="Give one of them.")
    if class_folders and (group or targets or class_column or split):
        raise UsageError(
            "--class-folders goes without --group, --targets, --class-column and --split: folders tell the class only.",
            next_step="To keep patients together, give a table with --labels CSV and --group.",
        )
    if holdout is not None and split is not None:
        raise UsageError(
            "--holdout and --split were both given.",
            why="The split column decides by itself what is held out.",
            next_step="Give one of them.",
        )
    choices = Choices(
        filename_column=filename_column,
        group_columns=_names(group) or (),
        group_dicom=group_dicom,
        targets=_names(targets),
        class_column=class_column,
        holdout=Choices.holdout if holdout is None else holdout,
        split_column=split,
        seed=seed,
    )
    from orchestrator.terminal.progress import show_progress

    if labels is not None and not (group or group_dicom or no_group):
        _ask_for_group(labels)
    with database_if_any() as database, show_progress("Checking images") as report:
        dataset = import_dataset(
            images, labels, out, choices, cache=cache_folder(), database=database, report=report
        )
    _print(dataset, as_json)
    console.say(f"Next: orch study create NAME --regime I --data {out}")


@app.command(short_help="Show what is in a data set; check its images.")
def show(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A dataset folder.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Show counts, groups, prevalence, split and fingerprint, and make sure that the images are still there.

    \b
    Example:
      orch data show my-data
    """
    from orchestrator.terminal.progress import show_progress
    from storage.data.datasets import load_dataset

    dataset = load_dataset(folder)
    with show_progress("Checking images") as report:
        dataset.check_images(report)
    _print(dataset, as_json)


app.command("preview")(data_preview.preview)
app.command("forget")(forget)


def _ask_for_group(labels: Path) -> None:
    """Refuse a forgotten --group before a hold-out is sealed.

    The audit would refuse every study, and what is sealed by mistake stands in the way of the next import.
    """
    from orchestrator.importing.doubts import likely_groups
    from orchestrator.importing.reading.tables import read_table
    from storage.errors import UsageError

    table = read_table(labels)
    for name in likely_groups(table):
        patients = len(set(table.column(name, option="--group")))
        if patients < len(table.rows):
            raise UsageError(
                f"--group was not given, and column {name!r} of {labels} seems to name the patients: "
                f"{patients} for {len(table.rows)} images.",
                why="With images of one patient in training and in validation, every value is too good.",
                next_step=f"Add --group {name}; or --no-group, if each image is of another patient.",
            )


def _print(dataset: Dataset, as_json: bool) -> None:
    document = describe(dataset)
    if as_json:
        console.print_json(document)
    else:
        _print_words(document)
    for warning in dataset.warnings:
        console.warn(warning)


def describe(dataset: Dataset) -> dict[str, Any]:
    """The document of `orch data show --json`."""
    return {
        "schema": "orch.data/1",
        "folder": str(dataset.folder.absolute()),
        "fingerprint": dataset.fingerprint,
        "targets": list(dataset.targets),
        "grouped": dataset.grouped,
        **dataset.summary,
        "openings": [_describe_opening(opening) for opening in _openings(dataset)],
        "warnings": dataset.warnings,
    }


def _print_words(document: dict[str, Any]) -> None:
    from orchestrator.importing.grey_values import say_grey_values

    development, holdout = document["development"], document["holdout"]
    sides = [("development", development), *([("hold-out (sealed)", holdout)] if holdout else [])]
    console.print_facts(
        [
            ("folder", document["folder"]),
            ("fingerprint", document["fingerprint"]),
            ("images", document["images"]),
            ("groups", document["groups"] if document["grouped"] else "none named: each image is its own"),
            ("labels", f"{len(document['targets'])}: {', '.join(document['targets'])}"),
            ("image modes", ", ".join(f"{mode} {count}" for mode, count in document["modes"].items())),
            ("grey values", say_grey_values(document.get("pixels"))),
            ("hold-out", None if holdout else "none"),
            ("hold-out opened", say_times(len(document["openings"])) if document["openings"] else None),
            *(
                ("", f"{say_instant(one['opened_at'])} by {one['opened_by']}: {one['purpose']}")
                for one in document["openings"]
            ),
        ]
    )
    console.print_line()
    console.print_table(
        ["side", "images", "groups"], [[name, side["images"], side["groups"]] for name, side in sides]
    )
    console.print_line()
    columns = ["label"]
    for name, _ in sides:
        columns += [f"{name.split(' ')[0]}: assessed", "positive", "share"]
    rows = []
    for target in document["targets"]:
        row: list[Any] = [target]
        for _, side in sides:
            label = side["labels"][target]
            row += [label["assessed"], label["positive"], label["prevalence"]]
        rows.append(row)
    console.print_table(columns, rows)


def _openings(dataset: Dataset) -> list[Any]:
    from storage.holdout.openings import list_openings

    if not dataset.summary["holdout"]:
        return []
    with database_if_any() as database:
        return list_openings(dataset, database)


def _describe_opening(opening: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(opening)


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(name.strip() for name in text.split(",") if name.strip())
