"""`orch data import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.commands.data.showing import print_dataset, print_guess
from orchestrator.terminal import console
from orchestrator.terminal.completing import complete_table_column
from orchestrator.terminal.opening import database_if_any
from orchestrator.terminal.options import AsJson
from storage.wording import say_command

PRESET_NAMES = "nih, chexpert, mimic, vindr, rsna, padchest, mura, ham10000, isic, kermany or boneage"


def _complete_preset(incomplete: str) -> list[str]:
    return [name for name in PRESET_NAMES.replace(" or ", ", ").split(", ") if name.startswith(incomplete)]


def _option(*names: str, metavar: str | None = None, text: str) -> Any:
    # What takes a column offers those of the table.
    offer: Any = (
        complete_table_column if (metavar or "").startswith("COLUMN") or "--targets" in names else None
    )
    if "--preset" in names:
        offer = _complete_preset
    return typer.Option(*names, metavar=metavar, help=text, show_default=False, autocompletion=offer)


def import_(
    images: Annotated[
        Path,
        typer.Argument(metavar="IMAGES", help="Folder of image files; they stay there.", show_default=False),
    ],
    out: Annotated[Path | None, _option("--out", metavar="DIR", text="The dataset folder to make.")] = None,
    labels: Annotated[
        list[Path] | None,
        _option(
            "--labels",
            metavar="TABLE",
            text="The labels: one row for each image, as CSV (also .gz), .xlsx or .parquet. Several tables with the same columns "
            "are read as one.",
        ),
    ] = None,
    class_folders: Annotated[
        bool,
        _option(
            "--class-folders",
            text="Instead of labels: each folder in IMAGES (or in its train, val and test folders) is a class.",
        ),
    ] = False,
    preset: Annotated[
        str | None,
        _option(
            "--preset",
            metavar="COLLECTION",
            text=f"Read the table by the conventions of a published collection: {PRESET_NAMES}. Other options take precedence.",
        ),
    ] = None,
    guess: Annotated[
        bool,
        _option("--guess", text="Show how the table would be read, and how certain that is; write nothing."),
    ] = False,
    filename_column: Annotated[
        str,
        typer.Option(
            metavar="COLUMN",
            help="The column with the file names.",
            autocompletion=complete_table_column,
        ),
    ] = "filename",
    group: Annotated[
        str | None,
        _option(
            "--group",
            metavar="COLUMN[,COLUMN..]",
            text="Column(s) that identify the patient; images of one patient stay together.",
        ),
    ] = None,
    group_pattern: Annotated[
        str | None,
        _option(
            "--group-pattern",
            metavar="REGEX",
            text=r"Find the patient in the path of each image, such as '(patient\d+)'.",
        ),
    ] = None,
    no_group: Annotated[
        bool, _option("--no-group", text="Confirm that every image comes from a different patient.")
    ] = False,
    group_dicom: Annotated[
        bool,
        _option(
            "--group-dicom",
            text="Group DICOM files by their patient ID, which is neither stored nor printed.",
        ),
    ] = False,
    not_patient: Annotated[
        list[str] | None,
        _option(
            "--not-patient",
            metavar="COLUMN",
            text="Confirm that this column does not identify patients.",
        ),
    ] = None,
    unknown_patient: Annotated[
        str,
        typer.Option(
            metavar="refuse|own",
            help="If the patient is blank or NA: refuse the import, or count each such image as a patient of its own.",
        ),
    ] = "refuse",
    targets: Annotated[
        str | None,
        _option(
            "--targets",
            metavar="A,B,..",
            text="The label columns: 0, 1, blank = not assessed. Default: all such columns. With classes: those "
            "that are wanted.",
        ),
    ] = None,
    class_column: Annotated[
        str | None,
        _option(
            "--class-column", metavar="COLUMN", text="One column that holds a class, or a list of findings."
        ),
    ] = None,
    task: Annotated[
        str | None,
        _option(
            "--task",
            metavar="labels|two-classes|classes|ordered|number",
            text="What a study predicts: labels side by side, one of two or several classes, classes in an order (--targets from "
            "low to high), or the numbers in --targets. Default: guessed from the columns, and said.",
        ),
    ] = None,
    class_pattern: Annotated[
        str | None,
        _option("--class-pattern", metavar="REGEX", text="Find the class in the path of each image."),
    ] = None,
    separator: Annotated[
        str | None,
        _option(
            "--separator",
            metavar="TEXT",
            text="What separates several findings in one cell, such as '|'; '' = each cell is one class.",
        ),
    ] = None,
    uncertain: Annotated[
        str | None,
        _option("--uncertain", metavar="blank|positive|negative", text="How to count -1 (uncertain)."),
    ] = None,
    blank: Annotated[
        str, typer.Option(metavar="negative|not-assessed", help="What a blank label means.")
    ] = "not-assessed",
    positive: Annotated[
        str | None,
        _option(
            "--positive",
            metavar="VALUE",
            text="The value that means positive: of two values other than 0 and 1, or of two classes.",
        ),
    ] = None,
    merge_rows: Annotated[
        str | None,
        _option(
            "--merge-rows",
            metavar="any|majority|all",
            text="If an image has several rows: 1 if any of them, more than half of them, or all of them say 1.",
        ),
    ] = None,
    reader: Annotated[
        str | None,
        _option(
            "--reader",
            metavar="COLUMN",
            text="With --merge-rows: the column that names the reader; each reader counts once.",
        ),
    ] = None,
    soft_labels: Annotated[
        bool,
        _option(
            "--soft-labels",
            text="With --merge-rows: also keep the share of an image's readers who said yes, for training.soft_labels.",
        ),
    ] = False,
    join: Annotated[
        list[Path] | None, _option("--join", metavar="TABLE", text="Add the columns of another table.")
    ] = None,
    on: Annotated[
        list[str] | None,
        _option(
            "--on",
            metavar="COLUMN",
            text="For each --join: the column(s) of both tables by which rows are matched.",
        ),
    ] = None,
    only_labelled: Annotated[
        bool,
        _option("--only-labelled", text="Leave out images without a row in the table, and say how many."),
    ] = False,
    sheet: Annotated[
        str | None,
        _option(
            "--sheet",
            metavar="NAME",
            text="The sheet of an Excel workbook that holds the labels, if it has several.",
        ),
    ] = None,
    header: Annotated[
        bool | None,
        typer.Option("--header/--no-header", help="Whether the table has a header row. Default: detected."),
    ] = None,
    holdout: Annotated[
        float | None,
        _option("--holdout", metavar="SHARE", text="Share to seal as hold-out; 0 for none. Default: 0.15."),
    ] = None,
    split: Annotated[
        str | None,
        _option(
            "--split",
            metavar="COLUMN",
            text="A column with train, valid or test (sealed), instead of --holdout.",
        ),
    ] = None,
    split_pattern: Annotated[
        str | None,
        _option(
            "--split-pattern", metavar="REGEX", text="Find train, valid or test in the path of each image."
        ),
    ] = None,
    split_list: Annotated[
        list[str] | None,
        _option(
            "--split-list",
            metavar="SIDE=FILE",
            text="A published list of file names: train=FILE, valid=FILE or test=FILE.",
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
      orch data import images --labels Data_Entry_2017.csv --preset nih --out nih
    """
    from orchestrator.importing.choices import Choices
    from orchestrator.importing.reading.cells import Rules
    from storage.errors import UsageError
    from storage.settings import cache_folder

    tables = labels or []
    if class_folders and tables:
        raise UsageError(
            "Either --labels CSV or --class-folders says what the images show.",
            next_step="Give one of them.",
        )
    for option, text, what in (
        ("--group", group, "column"),
        ("--group-pattern", group_pattern, "pattern"),
        ("--class-column", class_column, "column"),
        ("--class-pattern", class_pattern, "pattern"),
        ("--split", split, "column"),
        ("--split-pattern", split_pattern, "pattern"),
        ("--reader", reader, "column"),
    ):
        if text is not None and not _names(text):
            raise UsageError(f"{option} names no {what}.", next_step="Name one, or leave the option out.")
    if not (class_folders or tables or class_pattern or preset or guess):
        raise UsageError(
            "Either --labels CSV or --class-folders says what the images show.",
            next_step="Give one of them, or --preset NAME for a published collection.",
        )
    if no_group and (group or group_dicom or group_pattern):
        raise UsageError("--no-group and a group were both given.", next_step="Give one of them.")
    if class_folders and (group or class_column or split):
        raise UsageError(
            "--class-folders goes without --group, --class-column and --split: folders have no columns.",
            next_step="To keep patients together, give --group-pattern REGEX, or a table with --labels CSV and --group.",
        )
    if soft_labels and merge_rows is None:
        raise UsageError(
            "--soft-labels keeps how many readers said yes, and needs --merge-rows.",
            why="Several rows of an image are made into one label; --soft-labels keeps their share beside it.",
            next_step="Add --merge-rows majority, and --reader COLUMN where a reader may have several rows.",
        )
    published = split or split_pattern or split_list
    if holdout is not None and published:
        raise UsageError(
            "--holdout and --split were both given.",
            why="The published split decides by itself what is held out.",
            next_step="Give one of them.",
        )
    _check_word("--uncertain", uncertain, ("blank", "positive", "negative"))
    _check_word("--blank", blank, ("negative", "not-assessed"))
    _check_word("--unknown-patient", unknown_patient, ("refuse", "own"))
    rules = Rules(uncertain=uncertain, blank=blank, positive=positive, separator=separator)
    choices = Choices(
        filename_column=filename_column,
        group_columns=_names(group) or (),
        group_dicom=group_dicom,
        targets=_names(targets),
        class_column=class_column,
        task=task,
        holdout=Choices.holdout if holdout is None else holdout,
        split_column=split,
        seed=seed,
        rules=rules,
        group_pattern=group_pattern,
        class_pattern=class_pattern,
        split_pattern=split_pattern,
        split_lists=_lists(split_list or []),
        joins=_joins(join or [], on or []),
        merge_rows=merge_rows,
        reader_column=reader,
        keeps_shares=soft_labels,
        unknown_is_own=unknown_patient == "own",
        not_patient=tuple(not_patient or ()),
        only_labelled=only_labelled,
        header=header,
        sheet=sheet,
        must_group=not no_group,
    )
    if guess:
        from orchestrator.importing.guessing import guess_import

        print_guess(guess_import(images, tables, choices, preset), as_json)
        return
    if out is None:
        raise UsageError(
            "Missing option '--out': the dataset folder to make.", next_step="For example: --out my-data"
        )
    from orchestrator.importing.imports import import_dataset
    from orchestrator.terminal.progress import show_progress

    with database_if_any() as database, show_progress("Checking images") as report:
        dataset = import_dataset(
            images,
            tables,
            out,
            choices,
            preset=preset,
            cache=cache_folder(),
            database=database,
            report=report,
            note=lambda text: console.say(f"note: {text}"),
        )
    print_dataset(dataset, as_json)
    console.say(f"Next: {say_command('study', 'create', 'NAME', '--regime', 'I', '--data', out)}")


def _check_word(option: str, value: str | None, words: tuple[str, ...]) -> None:
    from storage.errors import UsageError

    if value is not None and value not in words:
        raise UsageError(f"{option} {value} is not {', '.join(words[:-1])} or {words[-1]}.")


def _joins(tables: list[Path], columns: list[str]) -> tuple[tuple[Path, str], ...]:
    from storage.errors import UsageError

    if len(columns) == 1:
        columns = columns * len(tables)
    if len(tables) != len(columns):
        raise UsageError(
            f"--join was given {len(tables)} times and --on {len(columns)} times.",
            next_step="Give one --on for all, or one for each --join.",
        )
    return tuple(zip(tables, columns, strict=True))


def _lists(texts: list[str]) -> tuple[tuple[str, Path], ...]:
    from orchestrator.importing.reading.labels import find_side
    from storage.errors import UsageError

    found = []
    for text in texts:
        side, _, path = text.partition("=")
        meant = find_side(side)
        if meant is None or not path:
            raise UsageError(
                f"--split-list {text} is not SIDE=FILE.",
                next_step="For example: --split-list test=test_list.txt",
            )
        found.append((meant, Path(path)))
    return tuple(found)


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(name.strip() for name in text.split(",") if name.strip())
