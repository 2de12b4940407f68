"""`orch model predict` and `orch model explain`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.terminal import console
from orchestrator.terminal.opening import database_if_any
from orchestrator.terminal.options import (
    AsJson,
    FeaturesTable,
    ModelPath,
    Storage,
    TestTimeBy,
    TestTimeRepeats,
)
from storage.wording import say_count

Source = Annotated[
    Path,
    typer.Argument(
        metavar="IMAGES", help="A folder of images, one image, or a dataset folder.", show_default=False
    ),
]
Pixels = Annotated[
    str,
    typer.Option(
        metavar="RANGE",
        help="For a model not made by orch: its pixel range, 0..255, 0..1 or -1..1.",
        show_default=False,
    ),
]
Targets = Annotated[
    str,
    typer.Option(
        metavar="A,B,..", help="For a model not made by orch: the names of its outputs.", show_default=False
    ),
]
RANGES = {"0..255": (1.0, 0.0), "0..1": (1 / 255, 0.0), "-1..1": (1 / 127.5, -1.0)}


def predict(
    path: ModelPath,
    source: Source,
    out: Annotated[
        Path,
        typer.Option(
            "-o",
            "--out",
            "--output",
            metavar="FILE.csv|FILE.xlsx",
            help="Where to write.",
            show_default=False,
        ),
    ],
    tta: TestTimeRepeats = 0,
    tta_by: TestTimeBy = "",
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="A labels file; its labels are written beside the predictions.",
            show_default=False,
        ),
    ] = None,
    filename_column: Annotated[
        str, typer.Option(metavar="COLUMN", help="The column of file names.")
    ] = "filename",
    features: FeaturesTable = None,
    targets: Targets = "",
    pixels: Pixels = "",
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Predict images and write a table: file, label if known, raw value, and mean, max and min over augmented copies.

    A value is the probability of a label or a class, or a number; of classes the most probable one is named, too. Pictures unlike those that
    the model was trained on are flagged, where the model has a frozen backbone or features from elsewhere.

    Predicting images of a sealed hold-out opens it: the command warns first, asks on a terminal, and records the opening.

    \b
    Example:
      orch model predict model.keras new-images -o predictions.xlsx --tta 4
    """
    from orchestrator.models import prediction, prediction_tables
    from orchestrator.models.answers import answer_of
    from orchestrator.models.given_features import read_needed_features
    from orchestrator.models.repeats import read_repeats
    from orchestrator.terminal.progress import show_progress
    from storage.files.model_files import read_whole_card
    from storage.settings import cache_folder

    prediction_tables.check_out(out)
    names, scale, threads = _describe_model(path, targets, pixels)
    repeats = read_repeats(path, tta, tta_by, say=console.say)
    card = read_whole_card(path)
    table = read_needed_features(card, features, repeats)
    answer = answer_of(card)
    images = prediction.find_images(source, labels, filename_column, names, answer)
    for remark in images.remarks:
        console.warn(remark)
    with database_if_any(storage) as database:
        prediction.notice_sealed(
            path,
            images,
            database,
            cache_folder(),
            console.say,
            agree=_agree_to_open,
            make_ready=lambda: prediction.load_ready(path, names, threads),
        )
    with show_progress("Predicting") as report:
        predictions = prediction.predict_images(
            path, images, names, repeats, pixels=scale, threads=threads, report=report, features=table
        )
    unlike = prediction.find_unlike(path, predictions)
    header, rows = prediction_tables.make_table(images, names, predictions, answer, unlike)
    prediction_tables.write_table(out, header, rows)
    if as_json:
        console.print_json([dict(zip(header, row, strict=True)) for row in rows])
    else:
        console.print_line(f"{say_count(len(rows), 'prediction')} in {out}")
    flagged = sum(one > 1 for one in unlike or ())
    if flagged:
        rate = ((card or {}).get("unlike") or {}).get("false_alarm_rate", 0.05)
        console.warn(
            f"{flagged} of {say_count(len(rows), 'picture')} {'is' if flagged == 1 else 'are'} unlike those that the model was trained on (column "
            f"'unlike training'): of pictures like them about {rate:.0%} would be. Do not rely on its predictions there without a look."
        )


def explain(
    path: ModelPath,
    source: Source,
    out: Annotated[
        Path,
        typer.Option(
            "-o", "--out", "--output", metavar="DIR", help="Folder for the pictures.", show_default=False
        ),
    ],
    target: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Label to explain. Default: the most probable label of each image.",
            show_default=False,
        ),
    ] = "",
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="Largest number of images.")] = 100,
    alpha: Annotated[
        float, typer.Option(min=0, max=1, metavar="SHARE", help="Strength of the colours.")
    ] = 0.3,
    targets: Targets = "",
    pixels: Pixels = "",
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Draw Grad-CAM heat maps over images. Files are named by score, label and image.

    Explaining images of a sealed hold-out opens it: the command warns first, asks on a terminal, and records the opening.

    \b
    Example:
      orch model explain model.keras new-images -o heatmaps
    """
    from orchestrator.models import prediction
    from orchestrator.models.heat_maps import draw_heat_maps, explain_images, find_reservations
    from orchestrator.terminal.progress import show_progress
    from storage.errors import UsageError
    from storage.files.model_files import read_card
    from storage.settings import cache_folder
    from workers.device import backend

    backend.device()  # A backend that is not installed is said before anything is opened or recorded.
    names, scale, threads = _describe_model(path, targets, pixels)
    if (read_card(path) or {}).get("features"):
        raise UsageError(
            "The model takes features from elsewhere, so it sees no image that a heat map could be laid over.",
            next_step="Explain the image in the program that computes the features.",
        )
    if target and target not in names:
        raise UsageError(f"The model has no label {target!r}; it has {', '.join(names)}.")
    images = prediction.find_images(source, None, "filename", names)
    for remark in images.remarks:
        console.warn(remark)
    images = images.first(limit)
    with database_if_any(storage) as database:
        prediction.notice_sealed(
            path,
            images,
            database,
            cache_folder(),
            console.say,
            agree=_agree_to_open,
            # It loads and checks before the first image is asked for.
            make_ready=lambda: explain_images(path, [], names, None, threads=threads),
            doing="explaining",
        )
    with show_progress("Explaining") as report:
        written = draw_heat_maps(
            path, images, names, target, out, pixels=scale, alpha=alpha, threads=threads, report=report
        )
    if as_json:
        console.print_json(written)
    else:
        console.print_line(f"{say_count(len(written), 'heat map')} in {out}")
        for reservation in find_reservations(written):
            console.warn(reservation)


def _agree_to_open() -> bool:
    """Ask a person at a terminal; a script was told by the warning, and its log keeps it."""
    return not sys.stdin.isatty() or typer.confirm("Open the hold-out?", err=True)


def _describe_model(
    path: Path, targets: str, pixels: str
) -> tuple[list[str], tuple[float, float], int | None]:
    """Names of the outputs, how pixels are scaled, and threads: from the card, or from the options without one."""
    from storage.errors import DataError, UsageError
    from storage.files.model_files import inspect_model, read_whole_card

    inspect_model(path)
    card: dict[str, Any] = read_whole_card(path) or {}
    if card:
        return list(card["targets"]), RANGES["0..255"], int(card["spec"]["training"]["threads"])
    names = [name.strip() for name in targets.split(",") if name.strip()]
    if not names or not pixels:
        raise DataError(
            f"{path} carries no card of orch, so it does not say what its outputs are and how pixels are scaled.",
            next_step="Say both: --targets a,b,.. and --pixels 0..1 (or 0..255, or -1..1).",
        )
    if pixels not in RANGES:
        raise UsageError(f"--pixels {pixels} is none of {', '.join(RANGES)}.")
    return names, RANGES[pixels], None
