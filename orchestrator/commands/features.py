"""`orch features`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.terminal import console
from orchestrator.terminal.help import CommandGroup
from orchestrator.terminal.options import AsJson
from storage.wording import say_command, say_count

app = CommandGroup(help="Bring features that another program computed.")


@app.callback()
def _group() -> None:
    """Bring features that another program computed."""


@app.command("import")
def import_(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE",
            help="Embeddings: .parquet, .npz or .csv, a row for each image.",
            show_default=False,
        ),
    ],
    data: Annotated[Path, typer.Option(metavar="DIR", help="The dataset folder.", show_default=False)],
    name: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Name of the features, as in model.features=NAME.", show_default=False
        ),
    ],
    filename_column: Annotated[
        str,
        typer.Option(
            metavar="COLUMN",
            help="The column or array of file names. Default: found by its name.",
            show_default=False,
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Import an embedding for each image, from any foundation model.

    File names are matched as those of a labels file. Every development image must have one row of finite numbers; rows of other images (the hold-out
    among them) are left out. The features are kept in the dataset folder, as float32. Studies use them in place of a backbone: --set model.features=NAME.

    \b
    Example:
      orch features import embeddings.parquet --data my-data --name dinov2
    """
    from dataclasses import asdict

    from orchestrator.importing.feature_tables import match_features, read_feature_table
    from storage.data.datasets import load_dataset
    from storage.data.given_features import check_name, keep_features

    check_name(name)
    dataset = load_dataset(data)
    read = read_feature_table(table, filename_column)
    values, remarks = match_features(read, dataset.files)
    kept = keep_features(dataset.folder, name, values, dataset.fingerprint, table.name)
    if as_json:
        console.print_json({**asdict(kept), "images": len(values), "remarks": remarks})
    else:
        console.print_line(
            f"Kept {say_count(kept.width, 'feature')} of {say_count(len(values), 'image')} as {name!r} in {data}."
        )
        for remark in remarks:
            console.say(remark)
        command = say_command(
            "study", "create", "NAME", "--regime", "I", "--data", data, "--set", f"model.features={name}"
        )
        console.say(f"Next: {command}")
